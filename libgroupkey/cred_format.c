// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Formats of credentials: what each is, and who vouches for it.
 */
#include "cred.h"
#include "numbers.h"
#include "x509.h"

#define ISSUERS_MAX 16 /* each may cost a signature that is checked in vain */

/* claims, in a CCS and in a CWT */

static enum gk_err read_claims(struct gk_span claims, struct gk_cred *cred)
{
	static const struct gk_cbor_field alg[] = { { GK_COSE_KEY_ALG, GK_CBOR_INT, false } };
	struct gk_cbor_item cose_key, named;
	enum gk_err err = gk_ccs_find_key(claims, &cose_key);

	if (!err)
		err = gk_cose_key_read(cose_key.encoded, &cred->key);
	if (!err)
		err = gk_cbor_read_map(cose_key.encoded, alg, 1, &named);
	if (!err)
		cred->alg = named.number;
	return err;
}

static enum gk_err open_ccs(struct gk_span bytes, struct gk_cred *cred)
{
	cred->binary = bytes;
	return read_claims(bytes, cred);
}

/* CWTs */

/* Both tags, or that of the COSE_Sign1 alone, or none (RFC 8392 section 6). */
static enum gk_err untag(struct gk_span bytes, struct gk_span *untagged)
{
	struct gk_cbor c = gk_cbor(bytes);
	uint64_t tag = 0;
	bool tagged = gk_cbor_tag(&c, &tag);

	if (tagged && tag == GK_TAG_CWT && !gk_cbor_tag(&c, &tag))
		return GK_ERR_TYPE;
	if (tagged && tag != GK_TAG_COSE_SIGN1)
		return GK_ERR_TYPE;
	*untagged = c.rest;
	return GK_OK;
}

/* COSE_Sign1 = [protected, unprotected, payload, signature] */
static enum gk_err find_claims(struct gk_span untagged, struct gk_span *claims)
{
	struct gk_cbor c = gk_cbor(untagged);

	gk_cbor_array_of(&c, 4);
	(void)gk_cbor_bytes(&c);
	(void)gk_cbor_item(&c, GK_CBOR_MAP);
	*claims = gk_cbor_bytes(&c);
	(void)gk_cbor_bytes(&c);
	return gk_cbor_end(&c);
}

static enum gk_err open_cwt(struct gk_span bytes, struct gk_cred *cred)
{
	struct gk_span claims;
	enum gk_err err = untag(bytes, &cred->binary);

	if (!err)
		err = find_claims(cred->binary, &claims);
	return err ? err : read_claims(claims, cred);
}

static bool next_issuer(struct gk_cbor *c, struct gk_public_key *key)
{
	struct gk_span encoded;

	if (!c->rest.len)
		return false;
	encoded = gk_cbor_item(c, GK_CBOR_MAP).encoded;
	if (c->err)
		return false;
	if (gk_cose_key_read(encoded, key) || gk_public_key_check(key) || key->crv == GK_CRV_X25519)
		gk_cbor_fail(c, GK_ERR_CREDENTIAL);
	return !c->err;
}

static enum gk_err check_keys(struct gk_span issuers)
{
	struct gk_cbor c = gk_cbor(issuers);
	struct gk_public_key key;
	size_t count = 0;

	while (next_issuer(&c, &key))
		count++;
	return gk_cbor_end(&c) || count > ISSUERS_MAX ? GK_ERR_CREDENTIAL : GK_OK;
}

/* What a CWT leaves out does not bound it (RFC 8392 section 3.1). */
static enum gk_err check_times(struct gk_span claims, struct gk_utc now)
{
	enum { EXP, NBF, COUNT };
	static const struct gk_cbor_field fields[COUNT] = {
		[EXP] = { GK_CLAIM_EXP, GK_CBOR_INT, false },
		[NBF] = { GK_CLAIM_NBF, GK_CBOR_INT, false },
	};
	struct gk_cbor_item item[COUNT];
	enum gk_err err = gk_cbor_read_map(claims, fields, COUNT, item);

	if (err)
		return err;
	return (item[EXP].kind && item[EXP].number <= now.s) ||
			       (item[NBF].kind && item[NBF].number > now.s)
		       ? GK_ERR_CREDENTIAL
		       : GK_OK;
}

static enum gk_err vouch_cwt(const struct gk_cred_rules *rules, struct gk_span bytes,
			     const struct gk_cred *cred)
{
	struct gk_cbor c = gk_cbor(rules->issuers);
	struct gk_public_key key;
	struct gk_span claims;

	(void)bytes;
	while (next_issuer(&c, &key)) {
		if (gk_cose_verify1(cred->binary, &key, &claims) == GK_OK)
			return check_times(claims, rules->now);
	}
	return GK_ERR_CREDENTIAL;
}

/* certificates */

/* Its key says nothing of algorithms: usage is what counts (RFC 5280 section 4.2.1.3). */
static enum gk_err open_x509(struct gk_span bytes, bool is_bag, struct gk_cred *cred)
{
	struct gk_x509_cert cert;
	enum gk_err err = gk_x509_find(bytes, is_bag, &cert);

	if (err)
		return err;
	cred->key = cert.key;
	cred->binary = cert.der;
	return GK_OK;
}

static enum gk_err open_chain(struct gk_span bytes, struct gk_cred *cred)
{
	return open_x509(bytes, false, cred);
}

static enum gk_err open_bag(struct gk_span bytes, struct gk_cred *cred)
{
	return open_x509(bytes, true, cred);
}

static unsigned usage_of(bool dh)
{
	return dh ? GK_X509_AGREES : GK_X509_SIGNS;
}

static enum gk_err vouch_x509(const struct gk_cred_rules *rules, struct gk_span bytes,
			      const struct gk_cred *cred)
{
	(void)cred;
	return gk_x509_check(bytes, rules->fmt == GK_HEADER_X5BAG, rules->issuers,
			     usage_of(rules->alg == GK_ALG_ECDH_SS_HKDF_256), rules->now);
}

static enum gk_err check_anchors(struct gk_span issuers)
{
	return gk_x509_check_anchors(issuers, ISSUERS_MAX);
}

/* writing */

static enum gk_err put_x509(struct gk_buf *buf, struct gk_span name,
			    const struct gk_public_key *key, bool dh,
			    const struct gk_key_pair *signer)
{
	return gk_x509_put(buf, name, key, usage_of(dh), signer);
}

static enum gk_err put_ccs(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key,
			   bool dh, const struct gk_key_pair *signer)
{
	(void)signer;
	(dh ? gk_ccs_put_dh : gk_ccs_put)(buf, name, key);
	return gk_buf_err(buf);
}

/* Untagged, so that it is what enters every external_aad. */
static enum gk_err put_cwt(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key,
			   bool dh, const struct gk_key_pair *signer)
{
	uint8_t claims_bytes[GK_CRED_MAX / 2], bytes[GK_CRED_MAX];
	struct gk_buf claims = gk_buf(claims_bytes, sizeof(claims_bytes));
	struct gk_buf cwt = gk_buf(bytes, sizeof(bytes));
	struct gk_span untagged = { NULL, 0 };
	enum gk_err err = put_ccs(&claims, name, key, dh, signer);

	if (!err)
		err = gk_cose_sign1(gk_buf_span(&claims), signer, &cwt);
	if (!err)
		err = untag(gk_buf_span(&cwt), &untagged);
	if (err)
		return err;
	gk_buf_add(buf, untagged);
	return gk_buf_err(buf);
}

/* all */

static const struct format {
	int fmt;
	bool is_x509; /* which not every build can read */
	enum gk_err (*open)(struct gk_span bytes, struct gk_cred *cred);
	/* of one that was opened; NULL: nobody vouches for such a credential */
	enum gk_err (*vouch)(const struct gk_cred_rules *rules, struct gk_span bytes,
			     const struct gk_cred *cred);
	enum gk_err (*check_issuers)(struct gk_span issuers);
	enum gk_err (*put)(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key,
			   bool dh, const struct gk_key_pair *signer);
} formats[GK_CRED_FORMATS] = {
	{ GK_HEADER_KCCS, false, open_ccs, NULL, NULL, put_ccs },
	{ GK_HEADER_KCWT, false, open_cwt, vouch_cwt, check_keys, put_cwt },
	{ GK_HEADER_X5CHAIN, true, open_chain, vouch_x509, check_anchors, put_x509 },
	{ GK_HEADER_X5BAG, true, open_bag, vouch_x509, check_anchors, put_x509 },
};

size_t gk_cred_slot(int64_t fmt)
{
	size_t i = 0;

	while (i < GK_CRED_FORMATS && formats[i].fmt != fmt)
		i++;
	return i < GK_CRED_FORMATS && formats[i].is_x509 && !gk_x509_supported() ? GK_CRED_FORMATS
										 : i;
}

static const struct format *find_format(int64_t fmt)
{
	size_t i = gk_cred_slot(fmt);

	return i < GK_CRED_FORMATS ? &formats[i] : NULL;
}

bool gk_cred_has_curve(int64_t fmt, int crv)
{
	const struct format *format = find_format(fmt);

	return format && crv && !(format->is_x509 && crv == GK_CRV_X25519);
}

bool gk_cred_has_issuer(int64_t fmt)
{
	const struct format *format = find_format(fmt);

	return format && format->vouch;
}

enum gk_err gk_cred_check_issuers(int64_t fmt, struct gk_span issuers)
{
	const struct format *format = find_format(fmt);

	if (!format)
		return GK_ERR_UNSUPPORTED;
	if (!format->vouch)
		return GK_OK;
	return issuers.len ? format->check_issuers(issuers) : GK_ERR_MISSING;
}

enum gk_err gk_cred_read_own(int64_t fmt, struct gk_span bytes, struct gk_cred *cred)
{
	const struct format *format = find_format(fmt);
	struct gk_cred found = { .alg = 0 };

	if (!format || !bytes.len || bytes.len > GK_CRED_WIRE_MAX || format->open(bytes, &found) ||
	    found.binary.len > GK_CRED_MAX)
		return GK_ERR_CREDENTIAL;
	*cred = found;
	return GK_OK;
}

enum gk_err gk_cred_read(int64_t fmt, struct gk_span bytes, struct gk_cred *cred)
{
	struct gk_cred found;

	if (gk_cred_read_own(fmt, bytes, &found) || gk_public_key_check(&found.key))
		return GK_ERR_CREDENTIAL;
	*cred = found;
	return GK_OK;
}

enum gk_err gk_cred_check(const struct gk_cred_rules *rules, struct gk_span bytes,
			  struct gk_cred *cred)
{
	const struct format *format = find_format(rules->fmt);
	struct gk_cred found;

	if (gk_cred_read_own(rules->fmt, bytes, &found) || found.key.crv != rules->crv ||
	    (found.alg && found.alg != rules->alg) || gk_public_key_check(&found.key) ||
	    (format->vouch && format->vouch(rules, bytes, &found)))
		return GK_ERR_CREDENTIAL;
	*cred = found;
	return GK_OK;
}

enum gk_err gk_cred_put(struct gk_buf *buf, int64_t fmt, struct gk_span name,
			const struct gk_public_key *key, bool dh, const struct gk_key_pair *signer)
{
	const struct format *format = find_format(fmt);

	return format ? format->put(buf, name, key, dh, signer) : GK_ERR_UNSUPPORTED;
}
