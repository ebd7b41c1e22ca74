// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "cose.h"
#include "numbers.h"

#include <string.h>

#define HEADER_MAX 128 /* a protected header has an algorithm, and perhaps a key id */
/* "Signature1", a protected header and the heads, around the payload */
#define SIG_STRUCTURE_MAX (GK_COSE_PAYLOAD_MAX + HEADER_MAX + 24)
#define ENC_STRUCTURE_MAX (HEADER_MAX + 16)

static struct gk_span nothing(void)
{
	return gk_span(NULL, 0);
}

// All structures of RFC 9052 and RFC 9338 that are authenticated begin like this.
static void put_structure(struct gk_buf *buf, size_t count, const char *context,
			  struct gk_span protected_header, struct gk_span external_aad)
{
	gk_put_array(buf, count);
	gk_put_text(buf, gk_span_str(context));
	gk_put_bytes(buf, protected_header);
	gk_put_bytes(buf, external_aad);
}

void gk_cose_put_enc_structure(struct gk_buf *buf, struct gk_span protected_header,
			       struct gk_span external_aad)
{
	put_structure(buf, 3, "Encrypt0", protected_header, external_aad);
}

void gk_cose_put_countersign_structure(struct gk_buf *buf, struct gk_span protected_header,
				       struct gk_span external_aad, struct gk_span ciphertext)
{
	put_structure(buf, 4, "CounterSignature0", protected_header, external_aad);
	gk_put_bytes(buf, ciphertext);
}

// Sig_structure (RFC 9052 section 4.4); the COSE_Sign1 form has no sign_protected.
static void put_sig_structure(struct gk_buf *buf, struct gk_span protected_header,
			      struct gk_span payload)
{
	put_structure(buf, 4, "Signature1", protected_header, nothing());
	gk_put_bytes(buf, payload);
}

/* keys */

// What a COSE_Key looks like on each curve (RFC 9053 section 7); an algorithm of 0: none.
struct curve {
	int kty, crv;
	int sign_alg, dh_alg;
	bool has_y;
};

static const struct curve curves[] = {
	{ GK_KTY_EC2, GK_CRV_P256, GK_ALG_ES256, GK_ALG_ECDH_SS_HKDF_256, true },
	{ GK_KTY_OKP, GK_CRV_ED25519, GK_ALG_EDDSA, 0, false },
	{ GK_KTY_OKP, GK_CRV_X25519, 0, GK_ALG_ECDH_SS_HKDF_256, false },
};

static const struct curve *find_curve(int64_t crv)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (curves[i].crv == crv)
			return &curves[i];
	}
	return NULL;
}

enum { KEY_KTY, KEY_ALG, KEY_CRV, KEY_X, KEY_Y, KEY_D, KEY_COUNT };

static const struct gk_cbor_field key_fields[KEY_COUNT] = {
	[KEY_KTY] = { GK_COSE_KTY, GK_CBOR_INT | GK_CBOR_TEXT, true },
	[KEY_ALG] = { GK_COSE_KEY_ALG, GK_CBOR_INT | GK_CBOR_TEXT, false },
	// Other key types have byte strings here; they are to be told from malformed ones.
	[KEY_CRV] = { GK_COSE_CRV, GK_CBOR_INT | GK_CBOR_TEXT | GK_CBOR_BYTES, false },
	[KEY_X] = { GK_COSE_X, GK_CBOR_BYTES, false },
	[KEY_Y] = { GK_COSE_Y, GK_CBOR_BYTES | GK_CBOR_BOOL, false },
	[KEY_D] = { GK_COSE_D, GK_CBOR_BYTES, false },
};

static bool is_int(const struct gk_cbor_item *item, int64_t number)
{
	return (item->kind & GK_CBOR_INT) && item->number == number;
}

static const struct curve *curve_of(const struct gk_cbor_item items[KEY_COUNT])
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (is_int(&items[KEY_KTY], curves[i].kty) &&
		    is_int(&items[KEY_CRV], curves[i].crv))
			return &curves[i];
	}
	return NULL;
}

static enum gk_err read_coordinate(const struct gk_cbor_item *item, uint8_t out[static 32])
{
	switch (item->kind) {
	case GK_CBOR_NONE:
		return GK_ERR_MISSING;
	case GK_CBOR_BYTES:
		break;
	default: // the sign of y, of a compressed point
		return GK_ERR_UNSUPPORTED;
	}
	// Leading zeros belong to it (RFC 9053 section 7.1.1).
	if (item->string.len != 32)
		return GK_ERR_RANGE;
	memcpy(out, item->string.data, 32);
	return GK_OK;
}

// A key says what it may be used for (RFC 9052 section 7.1); that must be possible on its curve.
static bool alg_fits(const struct gk_cbor_item *alg, const struct curve *curve)
{
	if (alg->kind == GK_CBOR_NONE)
		return true;
	return alg->number != 0 && (is_int(alg, curve->sign_alg) || is_int(alg, curve->dh_alg));
}

enum gk_err gk_cose_key_read(struct gk_span encoded, struct gk_public_key *key)
{
	struct gk_cbor_item items[KEY_COUNT];
	enum gk_err err = gk_cbor_read_map(encoded, key_fields, KEY_COUNT, items);
	if (err != GK_OK)
		return err;
	if (items[KEY_D].kind != GK_CBOR_NONE)
		return GK_ERR_FORBIDDEN;

	const struct curve *curve = curve_of(items);
	if (!curve)
		return GK_ERR_UNSUPPORTED;
	struct gk_public_key found = { .crv = curve->crv };
	err = read_coordinate(&items[KEY_X], found.x);
	if (err == GK_OK && curve->has_y)
		err = read_coordinate(&items[KEY_Y], found.y);
	if (err != GK_OK)
		return err;

	if (!alg_fits(&items[KEY_ALG], curve))
		return GK_ERR_CREDENTIAL;
	*key = found;
	return GK_OK;
}

void gk_cose_key_put(struct gk_buf *buf, const struct gk_public_key *key)
{
	const struct curve *curve = find_curve(key->crv);
	if (!curve) {
		// No half a key: the error shows where the buffer is checked.
		buf->overflow = true;
		return;
	}

	gk_put_map(buf, 3 + (curve->sign_alg != 0) + curve->has_y);
	gk_put_uint(buf, GK_COSE_KTY);
	gk_put_int(buf, curve->kty);
	if (curve->sign_alg != 0) {
		gk_put_uint(buf, GK_COSE_KEY_ALG);
		gk_put_int(buf, curve->sign_alg);
	}
	gk_put_int(buf, GK_COSE_CRV);
	gk_put_int(buf, curve->crv);
	gk_put_int(buf, GK_COSE_X);
	gk_put_bytes(buf, gk_span(key->x, sizeof(key->x)));
	if (curve->has_y) {
		gk_put_int(buf, GK_COSE_Y);
		gk_put_bytes(buf, gk_span(key->y, sizeof(key->y)));
	}
}

/* messages */

enum { HEADER_ALG, HEADER_CRIT, HEADER_IV, HEADER_PARTIAL_IV, HEADER_COUNT };

static const struct gk_cbor_field header_fields[HEADER_COUNT] = {
	[HEADER_ALG] = { GK_HEADER_ALG, GK_CBOR_INT | GK_CBOR_TEXT, false },
	[HEADER_CRIT] = { GK_HEADER_CRIT, GK_CBOR_ARRAY, false },
	[HEADER_IV] = { GK_HEADER_IV, GK_CBOR_BYTES, false },
	[HEADER_PARTIAL_IV] = { GK_HEADER_PARTIAL_IV, GK_CBOR_BYTES, false },
};

// The two header maps with which every COSE message begins.
struct headers {
	struct gk_span protected_header; // content of the byte string, as it is authenticated
	struct gk_cbor_item safe[HEADER_COUNT];
	struct gk_cbor_item open[HEADER_COUNT];
};

static void read_protected(struct gk_cbor *c, struct headers *h)
{
	h->protected_header = gk_cbor_bytes(c);
	// An empty map may be sent as no bytes at all (RFC 9052 section 3).
	if (h->protected_header.len == 0)
		return;
	enum gk_err err =
		gk_cbor_read_map(h->protected_header, header_fields, HEADER_COUNT, h->safe);
	if (err != GK_OK)
		gk_cbor_fail(c, err);
}

// Begin a message: its tag, if there, the array of 'count', and both headers.
static void begin_message(struct gk_cbor *c, uint64_t tag, size_t count, struct headers *h)
{
	uint64_t found;
	if (gk_cbor_tag(c, &found) && found != tag)
		gk_cbor_fail(c, GK_ERR_TYPE);
	gk_cbor_array_of(c, count);
	*h = (struct headers){ .protected_header = nothing() };
	read_protected(c, h);
	gk_cbor_fields(c, header_fields, HEADER_COUNT, h->open);

	for (size_t i = 0; i < HEADER_COUNT; i++) {
		// RFC 9052 section 3: a label is in one of the two maps.
		if (h->safe[i].kind != GK_CBOR_NONE && h->open[i].kind != GK_CBOR_NONE)
			gk_cbor_fail(c, GK_ERR_DUPLICATE);
	}
}

static bool has_header(const struct headers *h, size_t i)
{
	return h->safe[i].kind != GK_CBOR_NONE || h->open[i].kind != GK_CBOR_NONE;
}

// The algorithm counts only where it is authenticated (RFC 9052 section 3.1). One by name is left
// at 0, which is none.
static enum gk_err find_alg(const struct headers *h, int64_t *alg)
{
	if (has_header(h, HEADER_CRIT))
		return GK_ERR_UNSUPPORTED;
	if (h->safe[HEADER_ALG].kind == GK_CBOR_NONE)
		return GK_ERR_MISSING;
	if (h->protected_header.len > HEADER_MAX)
		return GK_ERR_RANGE;
	*alg = h->safe[HEADER_ALG].number;
	return GK_OK;
}

// A tag, the array, {1: alg} in a byte string, and the head of the other map.
static void put_headers(struct gk_buf *buf, uint64_t tag, size_t count, struct gk_span protected,
			size_t open_count)
{
	gk_put_tag(buf, tag);
	gk_put_array(buf, count);
	gk_put_bytes(buf, protected);
	gk_put_map(buf, open_count);
}

static struct gk_span make_protected(struct gk_buf *buf, int alg)
{
	gk_put_map(buf, 1);
	gk_put_uint(buf, GK_HEADER_ALG);
	gk_put_int(buf, alg);
	return gk_buf_span(buf);
}

enum gk_err gk_cose_decrypt0(struct gk_span message, struct gk_span key, struct gk_buf *out)
{
	struct headers h;
	struct gk_cbor c = gk_cbor(message);
	begin_message(&c, GK_TAG_COSE_ENCRYPT0, 3, &h);
	struct gk_span ciphertext = gk_cbor_bytes(&c);

	int64_t alg = 0;
	enum gk_err err = gk_cbor_end(&c);
	if (err == GK_OK)
		err = find_alg(&h, &alg);
	if (err != GK_OK)
		return err;
	// A Partial IV wants a context from which we could take the rest.
	const struct gk_aead *aead = gk_aead_find(alg);
	if (!aead || key.len != aead->key_len || has_header(&h, HEADER_PARTIAL_IV))
		return GK_ERR_UNSUPPORTED;

	uint8_t structure[ENC_STRUCTURE_MAX];
	struct gk_buf aad = gk_buf(structure, sizeof(structure));
	gk_cose_put_enc_structure(&aad, h.protected_header, nothing());
	bool safe_iv = h.safe[HEADER_IV].kind != GK_CBOR_NONE;
	struct gk_span nonce = (safe_iv ? h.safe : h.open)[HEADER_IV].string;
	return gk_aead_open(aead, key, nonce, gk_buf_span(&aad), ciphertext, out);
}

enum gk_err gk_cose_encrypt0(struct gk_span plaintext, struct gk_span key, struct gk_span nonce,
			     struct gk_buf *out)
{
	const struct gk_aead *aead = gk_aead_find(GK_ALG_AES_CCM_16_64_128);
	if (!aead)
		return GK_ERR_UNSUPPORTED;

	uint8_t header[8], structure[ENC_STRUCTURE_MAX];
	struct gk_buf header_buf = gk_buf(header, sizeof(header));
	struct gk_buf aad = gk_buf(structure, sizeof(structure));
	struct gk_span protected = make_protected(&header_buf, aead->alg);
	gk_cose_put_enc_structure(&aad, protected, nothing());

	size_t before = out->len;
	put_headers(out, GK_TAG_COSE_ENCRYPT0, 3, protected, 1);
	gk_put_uint(out, GK_HEADER_IV);
	gk_put_bytes(out, nonce);
	gk_put_bytes_head(out, plaintext.len + aead->tag_len);
	enum gk_err err = gk_aead_seal(aead, key, nonce, gk_buf_span(&aad), plaintext, out);
	if (err != GK_OK && !out->overflow)
		gk_buf_truncate(out, before);
	return err;
}

enum gk_err gk_cose_verify1(struct gk_span message, const struct gk_public_key *key,
			    struct gk_span *payload)
{
	struct headers h;
	struct gk_cbor c = gk_cbor(message);
	begin_message(&c, GK_TAG_COSE_SIGN1, 4, &h);
	struct gk_cbor_item content = gk_cbor_item(&c, GK_CBOR_BYTES | GK_CBOR_NULL);
	struct gk_span sig = gk_cbor_bytes(&c);

	int64_t alg = 0;
	enum gk_err err = gk_cbor_end(&c);
	if (err == GK_OK)
		err = find_alg(&h, &alg);
	if (err != GK_OK)
		return err;
	if (gk_sign_curve(alg) != key->crv || content.kind == GK_CBOR_NULL)
		return GK_ERR_UNSUPPORTED;

	// The payload may hold a Master Secret.
	uint8_t structure[SIG_STRUCTURE_MAX];
	struct gk_buf signed_bytes = gk_buf(structure, sizeof(structure));
	put_sig_structure(&signed_bytes, h.protected_header, content.string);
	err = signed_bytes.overflow ? GK_ERR_RANGE
				    : gk_verify(key, gk_buf_span(&signed_bytes), sig);
	gk_wipe(structure, sizeof(structure));
	if (err == GK_OK)
		*payload = content.string;
	return err;
}

enum gk_err gk_cose_sign1(struct gk_span payload, const struct gk_key_pair *key, struct gk_buf *out)
{
	const struct curve *curve = find_curve(key->pub.crv);
	if (!curve)
		return GK_ERR_UNSUPPORTED;

	uint8_t header[8], structure[SIG_STRUCTURE_MAX], sig[GK_SIG_LEN];
	struct gk_buf header_buf = gk_buf(header, sizeof(header));
	struct gk_buf signed_bytes = gk_buf(structure, sizeof(structure));
	struct gk_span protected = make_protected(&header_buf, curve->sign_alg);
	put_sig_structure(&signed_bytes, protected, payload);
	enum gk_err err = signed_bytes.overflow ? GK_ERR_RANGE
						: gk_sign(key, gk_buf_span(&signed_bytes), sig);
	gk_wipe(structure, sizeof(structure));
	if (err != GK_OK)
		return err;

	put_headers(out, GK_TAG_COSE_SIGN1, 4, protected, 0);
	gk_put_bytes(out, payload);
	gk_put_bytes(out, gk_span(sig, sizeof(sig)));
	return gk_buf_err(out);
}
