// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "x509.h"

#include "numbers.h"

/* containers */

/** The certificates of a credential. */
struct certs {
	struct gk_x509_cert cert[GK_X509_CERTS_MAX];
	size_t count;
};

static enum gk_err add(struct certs *certs, struct gk_span der)
{
	return certs->count == GK_X509_CERTS_MAX ? GK_ERR_RANGE
						 : gk_x509_read(der, &certs->cert[certs->count++]);
}

static enum gk_err add_all(struct certs *certs, struct gk_span array)
{
	struct gk_cbor c = gk_cbor(array);
	struct gk_cbor_iter it = gk_cbor_array(&c);

	while (gk_cbor_more(&c, &it)) {
		struct gk_span der = gk_cbor_bytes(&c);

		if (!c.err && add(certs, der))
			gk_cbor_fail(&c, GK_ERR_CREDENTIAL);
	}
	return gk_cbor_end(&c);
}

/* DER begins with a SEQUENCE, 0x30, which in CBOR would be a negative number. */
static enum gk_err unpack(struct gk_span bytes, struct certs *certs)
{
	enum gk_err err;

	certs->count = 0;
	err = bytes.len && bytes.data[0] == 0x30 ? add(certs, bytes) : add_all(certs, bytes);
	return err || !certs->count ? GK_ERR_CREDENTIAL : GK_OK;
}

/* @return which one is the end entity's; 'count': there is none, or more than one */
static size_t end_entity_of(const struct certs *certs, bool is_bag)
{
	size_t found = certs->count;

	if (!is_bag || certs->count == 1)
		return 0;
	for (size_t i = 0; i < certs->count; i++) {
		if (certs->cert[i].is_ca)
			continue;
		if (found < certs->count)
			return certs->count;
		found = i;
	}
	return found;
}

enum gk_err gk_x509_find(struct gk_span bytes, bool is_bag, struct gk_x509_cert *end_entity)
{
	struct certs certs;
	size_t i;

	if (unpack(bytes, &certs))
		return GK_ERR_CREDENTIAL;
	i = end_entity_of(&certs, is_bag);
	if (i == certs.count)
		return GK_ERR_CREDENTIAL;
	*end_entity = certs.cert[i];
	return GK_OK;
}

/* DER is self-delimiting, with lengths of one or two bytes for all that is a certificate. */
size_t gk_x509_len(struct gk_span ders)
{
	size_t len = 0;

	if (ders.len >= 4 && ders.data[1] == 0x82)
		len = 4u + (size_t)(ders.data[2] << 8 | ders.data[3]);
	else if (ders.len >= 3 && ders.data[1] == 0x81)
		len = 3u + ders.data[2];
	return len > ders.len ? 0 : len;
}

/* trust anchors */

static bool next_anchor(struct gk_span anchors, size_t *at, struct gk_x509_cert *anchor,
			enum gk_err *err)
{
	struct gk_span rest = gk_span_sub(anchors, *at, SIZE_MAX);
	size_t len = gk_x509_len(rest);

	if (*err || !rest.len)
		return false;
	if (!len || gk_x509_read(gk_span_sub(rest, 0, len), anchor))
		*err = GK_ERR_CREDENTIAL;
	*at += len;
	return !*err;
}

enum gk_err gk_x509_check_anchors(struct gk_span anchors, size_t max)
{
	struct gk_x509_cert anchor;
	enum gk_err err = GK_OK;
	size_t at = 0, count = 0;

	for (; next_anchor(anchors, &at, &anchor, &err); count++) {
		if (!anchor.is_ca || !(anchor.usage & GK_X509_ISSUES) ||
		    gk_public_key_check(&anchor.key))
			err = GK_ERR_CREDENTIAL;
	}
	return err || !count || count > max ? GK_ERR_CREDENTIAL : GK_OK;
}

/* paths */

/** A path on its way up. */
struct path {
	const struct certs *certs;
	bool is_bag, used[GK_X509_CERTS_MAX];
	size_t at;  /* of 'certs' */
	int issued; /* CAs below the one that is looked for */
	struct gk_span anchors;
	struct gk_utc now;
};

static bool is_in_time(const struct gk_x509_cert *cert, struct gk_utc now)
{
	return cert->not_before.s <= now.s && now.s <= cert->not_after.s;
}

/* Could it have issued the one at which we are, and did it? */
static bool is_issuer(const struct path *path, const struct gk_x509_cert *issuer)
{
	const struct gk_x509_cert *cert = &path->certs->cert[path->at];

	return issuer->is_ca && issuer->usage & GK_X509_ISSUES &&
	       gk_span_equal(issuer->subject, cert->issuer) && is_in_time(issuer, path->now) &&
	       (issuer->path_len < 0 || issuer->path_len >= path->issued) &&
	       gk_x509_verify(cert, issuer) == GK_OK;
}

static bool reaches_anchor(const struct path *path)
{
	struct gk_x509_cert anchor;
	enum gk_err err = GK_OK;
	size_t at = 0;

	while (next_anchor(path->anchors, &at, &anchor, &err)) {
		if (is_issuer(path, &anchor))
			return true;
	}
	return false;
}

/* To the certificate of the issuer: in a chain that is the next one, or none. */
static bool climb(struct path *path)
{
	size_t first = path->is_bag ? 0 : path->at + 1;
	size_t end = path->is_bag ? path->certs->count : first + 1;

	for (size_t i = first; i < end && i < path->certs->count; i++) {
		if (path->used[i] || !is_issuer(path, &path->certs->cert[i]))
			continue;
		path->used[i] = true;
		path->at = i;
		path->issued++;
		return true;
	}
	return false;
}

enum gk_err gk_x509_check(struct gk_span bytes, bool is_bag, struct gk_span anchors, unsigned usage,
			  struct gk_utc now)
{
	struct certs certs;
	struct path path = { .certs = &certs, .is_bag = is_bag, .anchors = anchors, .now = now };

	if (unpack(bytes, &certs))
		return GK_ERR_CREDENTIAL;
	path.at = end_entity_of(&certs, is_bag);
	if (path.at == certs.count || !(certs.cert[path.at].usage & usage) ||
	    !is_in_time(&certs.cert[path.at], now))
		return GK_ERR_CREDENTIAL;
	path.used[path.at] = true;
	do {
		if (reaches_anchor(&path))
			return GK_OK;
	} while (climb(&path));
	return GK_ERR_CREDENTIAL;
}

/* writing */

#define SEQUENCE   0x30
#define SET        0x31
#define INTEGER    0x02
#define BIT_STRING 0x03
#define OCTETS     0x04
#define UTF8       0x0c
#define UTC_TIME   0x17
#define GENERAL    0x18 /* GeneralizedTime */
#define NAME_MAX   64   /* ub-common-name */
#define SERIAL_LEN 8

static void put_tlv(struct gk_buf *buf, uint8_t tag, struct gk_span content)
{
	gk_buf_byte(buf, tag);
	if (content.len >= 256)
		gk_buf_byte(buf, 0x82);
	else if (content.len >= 128)
		gk_buf_byte(buf, 0x81);
	if (content.len >= 256)
		gk_buf_byte(buf, (uint8_t)(content.len >> 8));
	gk_buf_byte(buf, (uint8_t)content.len);
	gk_buf_add(buf, content);
}

#define BYTES(...)                                                                                 \
	gk_span((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* An AlgorithmIdentifier of an algorithm without parameters, and the one that certifies. */
static struct gk_span sign_oid(int crv)
{
	static const uint8_t ecdsa[] = { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2 };
	static const uint8_t ed25519[] = { 0x06, 3, 0x2b, 0x65, 0x70 };

	return crv == GK_CRV_P256 ? gk_span(ecdsa, sizeof(ecdsa))
				  : gk_span(ed25519, sizeof(ed25519));
}

/* Name ::= SEQUENCE of a SET of { commonName, name } */
static void put_name(struct gk_buf *buf, struct gk_span name)
{
	uint8_t bytes[3][NAME_MAX + 32];
	struct gk_buf pair = gk_buf(bytes[0], sizeof(bytes[0]));
	struct gk_buf sequence = gk_buf(bytes[1], sizeof(bytes[1]));
	struct gk_buf set = gk_buf(bytes[2], sizeof(bytes[2]));

	gk_buf_add(&pair, BYTES(0x06, 3, 0x55, 4, 3));
	put_tlv(&pair, UTF8, name);
	put_tlv(&sequence, SEQUENCE, gk_buf_span(&pair));
	put_tlv(&set, SET, gk_buf_span(&sequence));
	put_tlv(buf, SEQUENCE, gk_buf_span(&set));
}

static void put_validity(struct gk_buf *buf)
{
	uint8_t bytes[48];
	struct gk_buf times = gk_buf(bytes, sizeof(bytes));

	put_tlv(&times, UTC_TIME, gk_span_str("260101000000Z"));
	put_tlv(&times, GENERAL, gk_span_str("99991231235959Z"));
	put_tlv(buf, SEQUENCE, gk_buf_span(&times));
}

/* SubjectPublicKeyInfo: algorithm, and the key as a bit string without unused bits */
static void put_key(struct gk_buf *buf, const struct gk_public_key *key)
{
	static const uint8_t ec[] = { 0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, /* P-256: */
				      0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	uint8_t point_bytes[80], bytes[128];
	struct gk_buf point = gk_buf(point_bytes, sizeof(point_bytes));
	struct gk_buf info = gk_buf(bytes, sizeof(bytes));
	bool is_ec = key->crv == GK_CRV_P256;

	put_tlv(&info, SEQUENCE, is_ec ? gk_span(ec, sizeof(ec)) : sign_oid(key->crv));
	gk_buf_byte(&point, 0);
	if (is_ec)
		gk_buf_byte(&point, 4);
	gk_buf_add(&point, gk_span(key->x, sizeof(key->x)));
	if (is_ec)
		gk_buf_add(&point, gk_span(key->y, sizeof(key->y)));
	put_tlv(&info, BIT_STRING, gk_buf_span(&point));
	put_tlv(buf, SEQUENCE, gk_buf_span(&info));
}

/* [3] of one extension, critical: keyUsage */
static void put_usage(struct gk_buf *buf, unsigned usage)
{
	bool signs = usage == GK_X509_SIGNS;

	gk_buf_add(buf, BYTES(0xa3, 18, SEQUENCE, 16, SEQUENCE, 14, 0x06, 3, 0x55, 0x1d, 15));
	gk_buf_add(buf, BYTES(0x01, 1, 0xff, OCTETS, 4, BIT_STRING, 2));
	gk_buf_add(buf, signs ? BYTES(7, 0x80) : BYTES(3, 0x08));
}

/* Of the key, so that no two certificates of an issuer have the same. */
static enum gk_err put_serial(struct gk_buf *buf, const struct gk_public_key *key)
{
	uint8_t digest[GK_HASH_LEN];
	enum gk_err err = gk_sha256(gk_span(key->x, sizeof(key->x)), digest);

	digest[0] = (digest[0] & 0x3f) | 0x40; /* positive, and of full length */
	put_tlv(buf, INTEGER, gk_span(digest, SERIAL_LEN));
	return err;
}

static enum gk_err put_tbs(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key,
			   unsigned usage, int signer_crv)
{
	enum gk_err err;

	gk_buf_add(buf, BYTES(0xa0, 3, INTEGER, 1, 2)); /* v3 */
	err = put_serial(buf, key);
	put_tlv(buf, SEQUENCE, sign_oid(signer_crv));
	put_name(buf, name);
	put_validity(buf);
	put_name(buf, name);
	put_key(buf, key);
	put_usage(buf, usage);
	return err ? err : gk_buf_err(buf);
}

static void put_signature(struct gk_buf *buf, int crv, const uint8_t sig[static GK_SIG_LEN])
{
	uint8_t bytes[96];
	struct gk_buf bits = gk_buf(bytes, sizeof(bytes));

	gk_buf_byte(&bits, 0);
	if (crv == GK_CRV_P256)
		gk_x509_put_ecdsa(&bits, sig);
	else
		gk_buf_add(&bits, gk_span(sig, GK_SIG_LEN));
	buf->overflow = buf->overflow || bits.overflow;
	put_tlv(buf, BIT_STRING, gk_buf_span(&bits));
}

enum gk_err gk_x509_put(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key,
			unsigned usage, const struct gk_key_pair *signer)
{
	uint8_t tbs_bytes[448], bytes[640], sig[GK_SIG_LEN];
	struct gk_buf tbs = gk_buf(tbs_bytes, sizeof(tbs_bytes));
	struct gk_buf cert = gk_buf(bytes, sizeof(bytes));
	int crv = signer->pub.crv;
	enum gk_err err;

	if (name.len < 1 || name.len > NAME_MAX)
		return GK_ERR_RANGE;
	if (key->crv == GK_CRV_X25519 || !gk_x509_supported())
		return GK_ERR_UNSUPPORTED;
	err = put_tbs(&tbs, name, key, usage, crv);
	if (err)
		return err;
	put_tlv(&cert, SEQUENCE, gk_buf_span(&tbs));
	err = gk_sign(signer, gk_buf_span(&cert), sig);
	if (err)
		return err;
	put_tlv(&cert, SEQUENCE, sign_oid(crv));
	put_signature(&cert, crv, sig);
	put_tlv(buf, SEQUENCE, gk_buf_span(&cert));
	return gk_buf_err(&cert) ? GK_ERR_NO_SPACE : gk_buf_err(buf);
}
