// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "cwt.h"
#include "numbers.h"
#include "oscore.h"
#include "scope.h"

enum {
	CLAIM_ISS,
	CLAIM_SUB,
	CLAIM_AUD,
	CLAIM_EXP,
	CLAIM_NBF,
	CLAIM_IAT,
	CLAIM_CTI,
	CLAIM_CNF,
	CLAIM_SCOPE,
	CLAIM_EXI,
	CLAIM_SLEEPY,
	CLAIM_COUNT
};

// None is required here: what is missing gets the code of the step that wants it.
static const struct gk_cbor_field claim_fields[CLAIM_COUNT] = {
	[CLAIM_ISS] = { GK_CLAIM_ISS, GK_CBOR_TEXT, false },
	[CLAIM_SUB] = { GK_CLAIM_SUB, GK_CBOR_TEXT, false },
	[CLAIM_AUD] = { GK_CLAIM_AUD, GK_CBOR_TEXT | GK_CBOR_ARRAY, false },
	// RFC 8392 section 2 lets times be floats too. We refuse those: rounding, or a NaN that
	// compares with nothing, must not decide how long a key is good.
	[CLAIM_EXP] = { GK_CLAIM_EXP, GK_CBOR_INT, false },
	[CLAIM_NBF] = { GK_CLAIM_NBF, GK_CBOR_INT, false },
	[CLAIM_IAT] = { GK_CLAIM_IAT, GK_CBOR_INT, false },
	[CLAIM_CTI] = { GK_CLAIM_CTI, GK_CBOR_BYTES, false },
	[CLAIM_CNF] = { GK_CLAIM_CNF, GK_CBOR_MAP, false },
	// A may have it as text, which is no scope of ours.
	[CLAIM_SCOPE] = { GK_CLAIM_SCOPE, GK_CBOR_BYTES | GK_CBOR_TEXT | GK_CBOR_TAG, false },
	[CLAIM_EXI] = { GK_CLAIM_EXI, GK_CBOR_UINT, false },
	[CLAIM_SLEEPY] = { GK_CLAIM_SLEEPY, GK_CBOR_BOOL, false },
};

enum { CNF_KEY, CNF_KID, CNF_OSC, CNF_COUNT };

static const struct gk_cbor_field cnf_fields[CNF_COUNT] = {
	[CNF_KEY] = { GK_CNF_COSE_KEY, GK_CBOR_MAP, false },
	[CNF_KID] = { GK_CNF_KID, GK_CBOR_BYTES, false },
	[CNF_OSC] = { GK_CNF_OSC, GK_CBOR_MAP, false },
};

enum { OSC_ID, OSC_VERSION, OSC_MS, OSC_HKDF, OSC_ALG, OSC_SALT, OSC_CONTEXT_ID, OSC_COUNT };

static const struct gk_cbor_field osc_fields[OSC_COUNT] = {
	[OSC_ID] = { GK_OSC_ID, GK_CBOR_BYTES, true },
	[OSC_VERSION] = { GK_OSC_VERSION, GK_CBOR_UINT, false },
	[OSC_MS] = { GK_OSC_MS, GK_CBOR_BYTES, true },
	[OSC_HKDF] = { GK_OSC_HKDF, GK_CBOR_INT, false },
	[OSC_ALG] = { GK_OSC_ALG, GK_CBOR_INT, false },
	[OSC_SALT] = { GK_OSC_SALT, GK_CBOR_BYTES, false },
	[OSC_CONTEXT_ID] = { GK_OSC_CONTEXT_ID, GK_CBOR_BYTES, false },
};

enum { KEY_KTY, KEY_KID, KEY_K, KEY_COUNT };

// Label -1 is the curve of other keys.
static const struct gk_cbor_field key_fields[KEY_COUNT] = {
	[KEY_KTY] = { GK_COSE_KTY, GK_CBOR_INT | GK_CBOR_TEXT, true },
	[KEY_KID] = { GK_COSE_KID, GK_CBOR_BYTES, false },
	[KEY_K] = { GK_COSE_K, GK_CBOR_ANY, false },
};

const struct gk_cwt_refusal gk_cwt_refusals[GK_CWT_FAULTS] = {
	[GK_CWT_UNPARSABLE] = { GK_COAP_BAD_REQUEST, "token is malformed" },
	[GK_CWT_KEY] = { GK_COAP_UNAUTHORIZED, "token is not under our key" },
	[GK_CWT_ISSUER] = { GK_COAP_UNAUTHORIZED, "token is of another issuer" },
	[GK_CWT_ENDED] = { GK_COAP_UNAUTHORIZED, "token has ended" },
	[GK_CWT_ENDLESS] = { GK_COAP_UNAUTHORIZED, "token has no end" },
	[GK_CWT_EARLY] = { GK_COAP_UNAUTHORIZED, "token is not valid yet" },
	[GK_CWT_AUDIENCE] = { GK_COAP_FORBIDDEN, "token is for another audience" },
	[GK_CWT_SCOPE] = { GK_COAP_BAD_REQUEST, "token has no scope that we know" },
	[GK_CWT_CNF] = { GK_COAP_BAD_REQUEST, "token's key material cannot be used" },
};

// A token on its way through the steps.
struct reading {
	const struct gk_cwt_issuer *issuer;
	struct gk_utc now;
	bool encrypted;
	struct gk_cbor_item claims[CLAIM_COUNT];
	struct gk_cwt cwt;
};

static bool is_there(const struct gk_cbor_item *item)
{
	return item->kind != GK_CBOR_NONE;
}

/* the wrapper */

static struct gk_span skip_cwt_tag(struct gk_span token)
{
	struct gk_cbor c = gk_cbor(token);
	uint64_t tag;
	return gk_cbor_tag(&c, &tag) && tag == GK_TAG_CWT ? c.rest : token;
}

// By its tag, or by its shape when there is none: a COSE_Sign1 has four elements.
static bool is_encrypt0(struct gk_span message)
{
	struct gk_cbor c = gk_cbor(message);
	uint64_t tag;
	if (gk_cbor_tag(&c, &tag))
		return tag == GK_TAG_COSE_ENCRYPT0;

	size_t count = 0;
	struct gk_cbor_iter iter = gk_cbor_array(&c);
	for (; gk_cbor_more(&c, &iter); count++)
		gk_cbor_item(&c, GK_CBOR_ANY);
	return count == 3;
}

bool gk_cwt_is_encrypted(struct gk_span token)
{
	return is_encrypt0(skip_cwt_tag(token));
}

static bool is_map(struct gk_span bytes)
{
	struct gk_cbor c = gk_cbor(bytes);
	return gk_cbor_peek(&c) == GK_CBOR_MAP;
}

// Encrypted, signed, or signed and then encrypted (RFC 8392 section 7.1).
static enum gk_err unwrap(struct reading *r, struct gk_span token, struct gk_buf *scratch,
			  struct gk_span *claims)
{
	struct gk_span message = skip_cwt_tag(token);
	if (is_encrypt0(message)) {
		size_t before = scratch->len;
		enum gk_err err = gk_cose_decrypt0(message, r->issuer->key, scratch);
		if (err != GK_OK)
			return err;

		r->encrypted = true;
		message = gk_span_sub(gk_buf_span(scratch), before, SIZE_MAX);
		*claims = message;
		if (is_map(message))
			return GK_OK;
		message = skip_cwt_tag(message);
	}
	return gk_cose_verify1(message, &r->issuer->public_key, claims);
}

// What was no token at all is told from one that the AS did not make.
static enum gk_cwt_fault wrapper_fault(enum gk_err err)
{
	switch (err) {
	case GK_OK:
		return GK_CWT_FINE;
	case GK_ERR_CRYPTO:
	case GK_ERR_UNSUPPORTED:
		return GK_CWT_KEY;
	default:
		return GK_CWT_UNPARSABLE;
	}
}

/* the claims */

static enum gk_cwt_fault check_issuer(struct reading *r)
{
	const struct gk_cbor_item *iss = &r->claims[CLAIM_ISS];
	if (!is_there(iss) || r->issuer->issuer.len == 0)
		return GK_CWT_FINE;
	return gk_span_equal(iss->string, r->issuer->issuer) ? GK_CWT_FINE : GK_CWT_ISSUER;
}

static enum gk_cwt_fault check_exp_and_nbf(struct reading *r)
{
	const struct gk_cbor_item *exp = &r->claims[CLAIM_EXP];
	const struct gk_cbor_item *nbf = &r->claims[CLAIM_NBF];
	r->cwt.exp.s = GK_NEVER;
	if (is_there(exp)) {
		if (exp->number <= r->now.s)
			return GK_CWT_ENDED;
		// The largest number is not to be taken for "no exp".
		r->cwt.exp.s = exp->number < GK_NEVER ? exp->number : GK_NEVER - 1;
	} else if (!is_there(&r->claims[CLAIM_EXI])) {
		// R 3.2: a token must end.
		return GK_CWT_ENDLESS;
	}
	return is_there(nbf) && nbf->number > r->now.s ? GK_CWT_EARLY : GK_CWT_FINE;
}

static enum gk_cwt_fault read_exi(struct reading *r)
{
	const struct gk_cbor_item *exi = &r->claims[CLAIM_EXI];
	r->cwt.exi_s = -1;
	if (!is_there(exi))
		return GK_CWT_FINE;
	if (exi->number == 0)
		return GK_CWT_ENDED;
	// Without the sequence number in it, an expired token could begin anew (A 5.10.3).
	if (r->cwt.cti.len == 0)
		return GK_CWT_UNPARSABLE;
	r->cwt.exi_s = exi->number < GK_EXI_MAX ? exi->number : GK_EXI_MAX;
	return GK_CWT_FINE;
}

// One name, or an array of them (RFC 8392 section 3.1.3).
static enum gk_cwt_fault check_audience(struct reading *r)
{
	const struct gk_cbor_item *aud = &r->claims[CLAIM_AUD];
	if (aud->kind != GK_CBOR_ARRAY)
		return is_there(aud) && gk_span_equal(aud->string, r->issuer->audience)
			       ? GK_CWT_FINE
			       : GK_CWT_AUDIENCE;

	bool found = false;
	struct gk_cbor c = gk_cbor(aud->encoded);
	struct gk_cbor_iter iter = gk_cbor_array(&c);
	while (gk_cbor_more(&c, &iter)) {
		struct gk_span name = gk_cbor_text(&c);
		found |= gk_span_equal(name, r->issuer->audience);
	}
	if (c.err != GK_OK)
		return GK_CWT_UNPARSABLE;
	return found ? GK_CWT_FINE : GK_CWT_AUDIENCE;
}

// A byte string, which a tag may mark as of this profile (R 7).
static enum gk_cwt_fault read_scope(struct reading *r)
{
	struct gk_cbor c = gk_cbor(r->claims[CLAIM_SCOPE].encoded);
	uint64_t tag;
	if (gk_cbor_tag(&c, &tag) && tag != GK_TAG_SCOPE)
		return GK_CWT_SCOPE;
	r->cwt.scope = gk_cbor_bytes(&c);

	size_t entries = 0;
	enum gk_err err = gk_cbor_end(&c);
	if (err == GK_OK)
		err = gk_scope_check_all(r->cwt.scope, &entries);
	return err == GK_OK && entries > 0 ? GK_CWT_FINE : GK_CWT_SCOPE;
}

static size_t count_pairs(struct gk_span map)
{
	size_t count = 0;
	struct gk_cbor c = gk_cbor(map);
	struct gk_cbor_iter iter = gk_cbor_map(&c);
	for (; gk_cbor_more(&c, &iter); count++) {
		gk_cbor_item(&c, GK_CBOR_ANY);
		gk_cbor_item(&c, GK_CBOR_ANY);
	}
	return count;
}

static size_t count_known(const struct gk_cbor_item *items, size_t count)
{
	size_t known = 0;
	for (size_t i = 0; i < count; i++)
		known += is_there(&items[i]);
	return known;
}

static bool is_absent_or(const struct gk_cbor_item *item, int64_t number)
{
	return !is_there(item) || item->number == number;
}

static bool osc_lengths_fit(struct gk_span id, struct gk_span ms, struct gk_span salt)
{
	return id.len <= GK_OSC_ID_MAX && ms.len >= GK_OSC_MS_MIN && ms.len <= GK_OSC_MS_MAX &&
	       salt.len <= GK_OSC_SALT_MAX;
}

static bool osc_fits(const struct gk_cbor_item osc[OSC_COUNT])
{
	return osc_lengths_fit(osc[OSC_ID].string, osc[OSC_MS].string, osc[OSC_SALT].string) &&
	       osc[OSC_CONTEXT_ID].string.len <= GK_OSCORE_ID_CONTEXT_MAX &&
	       is_absent_or(&osc[OSC_VERSION], 1) &&
	       is_absent_or(&osc[OSC_HKDF], GK_ALG_HMAC_256) &&
	       (!is_there(&osc[OSC_ALG]) || gk_aead_find(osc[OSC_ALG].number));
}

static enum gk_cwt_fault read_osc(struct reading *r, struct gk_span encoded)
{
	struct gk_cbor_item osc[OSC_COUNT];
	if (gk_cbor_read_map(encoded, osc_fields, OSC_COUNT, osc) != GK_OK || !osc_fits(osc))
		return GK_CWT_CNF;
	// O 4.2: nothing that we do not recognise. Our keys are in it once each.
	if (count_pairs(encoded) != count_known(osc, OSC_COUNT))
		return GK_CWT_CNF;
	// O 3.2: a Master Secret that everybody could read on its way is none.
	if (!r->encrypted)
		return GK_CWT_CNF;

	struct gk_cwt *cwt = &r->cwt;
	cwt->has_osc = true;
	cwt->osc_id = osc[OSC_ID].string;
	cwt->ms = osc[OSC_MS].string;
	cwt->salt = osc[OSC_SALT].string;
	cwt->has_context_id = is_there(&osc[OSC_CONTEXT_ID]);
	cwt->context_id = osc[OSC_CONTEXT_ID].string;
	cwt->hkdf = GK_ALG_HMAC_256;
	cwt->alg = is_there(&osc[OSC_ALG]) ? (int)osc[OSC_ALG].number : GK_ALG_AES_CCM_16_64_128;
	return GK_CWT_FINE;
}

// D 3.3.1: without 'k' the key comes from the token itself.
static enum gk_cwt_fault read_symmetric(struct reading *r, const struct gk_cbor_item key[KEY_COUNT])
{
	const struct gk_cbor_item *k = &key[KEY_K];
	if (r->cwt.kid.len == 0 || r->cwt.kid.len > GK_KID_MAX)
		return GK_CWT_CNF;
	if (!is_there(k))
		return GK_CWT_FINE;
	if (k->kind != GK_CBOR_BYTES || k->string.len < GK_PSK_MIN || k->string.len > GK_PSK_MAX ||
	    !r->encrypted)
		return GK_CWT_CNF;

	r->cwt.psk = k->string;
	return GK_CWT_FINE;
}

static enum gk_cwt_fault read_key(struct reading *r, struct gk_span encoded)
{
	struct gk_cbor_item key[KEY_COUNT];
	if (gk_cbor_read_map(encoded, key_fields, KEY_COUNT, key) != GK_OK)
		return GK_CWT_CNF;

	r->cwt.has_key = true;
	r->cwt.kid = key[KEY_KID].string;
	if (key[KEY_KTY].kind == GK_CBOR_UINT && key[KEY_KTY].number == GK_KTY_SYMMETRIC)
		return read_symmetric(r, key);
	if (r->cwt.kid.len > GK_KID_MAX || gk_cose_key_read(encoded, &r->cwt.public_key) != GK_OK ||
	    gk_public_key_check(&r->cwt.public_key) != GK_OK)
		return GK_CWT_CNF;
	return GK_CWT_FINE;
}

static enum gk_cwt_fault read_cnf(struct reading *r)
{
	struct gk_span encoded = r->claims[CLAIM_CNF].encoded;
	struct gk_cbor_item cnf[CNF_COUNT];
	enum gk_err err = gk_cbor_read_map(encoded, cnf_fields, CNF_COUNT, cnf);
	// Two keys, or one of another profile: which to prove would be a guess.
	if (err != GK_OK || count_pairs(encoded) != 1 || count_known(cnf, CNF_COUNT) != 1)
		return GK_CWT_CNF;

	if (is_there(&cnf[CNF_OSC]))
		return read_osc(r, cnf[CNF_OSC].encoded);
	if (is_there(&cnf[CNF_KEY]))
		return read_key(r, cnf[CNF_KEY].encoded);
	r->cwt.kid = cnf[CNF_KID].string;
	return GK_CWT_FINE;
}

// In the order of A 5.10.1.1: the first fault is the answer.
static enum gk_cwt_fault (*const steps[])(struct reading *r) = {
	check_issuer, check_exp_and_nbf, read_exi, check_audience, read_scope, read_cnf,
};

static enum gk_cwt_fault read_claims(struct reading *r, struct gk_span claims)
{
	if (gk_cbor_read_map(claims, claim_fields, CLAIM_COUNT, r->claims) != GK_OK)
		return GK_CWT_UNPARSABLE;
	r->cwt.subject = r->claims[CLAIM_SUB].string;
	r->cwt.iat.s = r->claims[CLAIM_IAT].number;
	r->cwt.cti = r->claims[CLAIM_CTI].string;
	r->cwt.sleepy = r->claims[CLAIM_SLEEPY].number != 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		enum gk_cwt_fault fault = steps[i](r);
		if (fault != GK_CWT_FINE)
			return fault;
	}
	return GK_CWT_FINE;
}

enum gk_cwt_fault gk_cwt_read(const struct gk_cwt_issuer *issuer, struct gk_span token,
			      struct gk_utc now, struct gk_buf *scratch, struct gk_cwt *cwt)
{
	if (token.len > GK_TOKEN_MAX)
		return GK_CWT_UNPARSABLE;

	struct reading r = { .issuer = issuer, .now = now };
	struct gk_span claims;
	enum gk_cwt_fault fault = wrapper_fault(unwrap(&r, token, scratch, &claims));
	if (fault == GK_CWT_FINE)
		fault = read_claims(&r, claims);
	if (fault == GK_CWT_FINE)
		*cwt = r.cwt;
	return fault;
}

/* issuing */

static void put_text_claim(struct gk_buf *buf, int label, struct gk_span text)
{
	if (text.len == 0)
		return;
	gk_put_uint(buf, (uint64_t)label);
	gk_put_text(buf, text);
}

static void put_osc(struct gk_buf *buf, const struct gk_cwt_spec *spec)
{
	gk_put_map(buf, 2 + (spec->salt.len > 0));
	gk_put_uint(buf, GK_OSC_ID);
	gk_put_bytes(buf, spec->osc_id);
	gk_put_uint(buf, GK_OSC_MS);
	gk_put_bytes(buf, spec->ms);
	if (spec->salt.len > 0) {
		gk_put_uint(buf, GK_OSC_SALT);
		gk_put_bytes(buf, spec->salt);
	}
}

static void put_symmetric(struct gk_buf *buf, const struct gk_cwt_spec *spec)
{
	gk_put_map(buf, 3);
	gk_put_int(buf, GK_COSE_KTY);
	gk_put_int(buf, GK_KTY_SYMMETRIC);
	gk_put_int(buf, GK_COSE_KID);
	gk_put_bytes(buf, spec->kid);
	gk_put_int(buf, GK_COSE_K);
	gk_put_bytes(buf, spec->psk);
}

static void put_cnf(struct gk_buf *buf, const struct gk_cwt_spec *spec)
{
	gk_put_map(buf, 1);
	gk_put_uint(buf, spec->public_key || spec->kid.len > 0 ? GK_CNF_COSE_KEY : GK_CNF_OSC);
	if (spec->public_key)
		gk_cose_key_put(buf, spec->public_key);
	else if (spec->kid.len > 0)
		put_symmetric(buf, spec);
	else
		put_osc(buf, spec);
}

static void put_claims(struct gk_buf *buf, const struct gk_cwt_spec *spec)
{
	gk_put_map(buf, 5 + (spec->issuer.len > 0) + (spec->subject.len > 0) + (spec->cti.len > 0) +
				spec->sleepy);
	put_text_claim(buf, GK_CLAIM_ISS, spec->issuer);
	put_text_claim(buf, GK_CLAIM_SUB, spec->subject);
	put_text_claim(buf, GK_CLAIM_AUD, spec->audience);
	gk_put_uint(buf, GK_CLAIM_EXP);
	gk_put_int(buf, spec->exp.s);
	gk_put_uint(buf, GK_CLAIM_IAT);
	gk_put_int(buf, spec->iat.s);
	if (spec->cti.len > 0) {
		gk_put_uint(buf, GK_CLAIM_CTI);
		gk_put_bytes(buf, spec->cti);
	}
	gk_put_uint(buf, GK_CLAIM_CNF);
	put_cnf(buf, spec);
	gk_put_uint(buf, GK_CLAIM_SCOPE);
	gk_put_bytes(buf, spec->scope);
	if (spec->sleepy) {
		gk_put_int(buf, GK_CLAIM_SLEEPY);
		gk_put_bool(buf, true);
	}
}

static bool key_fits(const struct gk_cwt_spec *spec)
{
	if (spec->public_key)
		return gk_public_key_check(spec->public_key) == GK_OK;
	if (spec->kid.len > 0)
		return spec->kid.len <= GK_KID_MAX && spec->psk.len >= GK_PSK_MIN &&
		       spec->psk.len <= GK_PSK_MAX;
	return osc_lengths_fit(spec->osc_id, spec->ms, spec->salt);
}

// Nothing leaves that gk_cwt_read() would refuse.
static bool spec_fits(const struct gk_cwt_spec *spec)
{
	size_t entries = 0;
	return spec->audience.len > 0 && spec->exp.s > spec->iat.s && spec->exp.s < GK_NEVER &&
	       key_fits(spec) && gk_scope_check_all(spec->scope, &entries) == GK_OK && entries > 0;
}

enum gk_err gk_cwt_issue(const struct gk_cwt_spec *spec, struct gk_span key, struct gk_span nonce,
			 struct gk_buf *out)
{
	if (!spec_fits(spec))
		return GK_ERR_RANGE;

	uint8_t claims[GK_TOKEN_MAX - GK_COSE_ENCRYPT0_OVERHEAD];
	struct gk_buf buf = gk_buf(claims, sizeof(claims));
	put_claims(&buf, spec);
	enum gk_err err = GK_ERR_RANGE;
	if (!buf.overflow)
		err = gk_cose_encrypt0(gk_buf_span(&buf), key, nonce, out);
	gk_wipe(claims, sizeof(claims));
	return err;
}
