// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "crypto_inside.h"

#include <string.h>

static const struct gk_curve *const curves[] = {
	&gk_crypto_p256,
#if GK_HAVE_ED25519
	&gk_crypto_ed25519,
#endif
#if GK_HAVE_CURVE25519
	&gk_crypto_x25519,
#endif
};

static const struct gk_curve *find_curve(int64_t crv)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (curves[i]->crv == crv)
			return curves[i];
	}
	return NULL;
}

static bool scalar_valid(const struct gk_curve *curve, const uint8_t *d)
{
	return !curve->scalar_valid || curve->scalar_valid(d);
}

/** What must hold before a private key is used. */
static enum gk_err check_private(const struct gk_curve *curve, const uint8_t *d)
{
	if (!gk_crypto_ready())
		return GK_ERR_STATE;
	return scalar_valid(curve, d) ? GK_OK : GK_ERR_RANGE;
}

bool gk_curve_supported(int64_t crv)
{
	return find_curve(crv) != NULL;
}

int gk_sign_curve(int64_t alg)
{
	if (alg == GK_ALG_ES256)
		return GK_CRV_P256;
	if (alg == GK_ALG_EDDSA && gk_curve_supported(GK_CRV_ED25519))
		return GK_CRV_ED25519;
	return 0;
}

/* keys */

enum gk_err gk_key_from_private(int crv, struct gk_span d, struct gk_key_pair *key)
{
	const struct gk_curve *curve = find_curve(crv);
	struct gk_key_pair made = { .pub = { .crv = crv } };
	enum gk_err err;

	if (!curve)
		return GK_ERR_UNSUPPORTED;
	if (d.len != sizeof(made.d))
		return GK_ERR_RANGE;
	memcpy(made.d, d.data, sizeof(made.d));
	err = check_private(curve, made.d);
	if (err == GK_OK)
		err = curve->derive(made.d, &made.pub);
	if (err == GK_OK)
		*key = made;
	gk_key_pair_wipe(&made);
	return err;
}

/** Draw until the scalar is in range; a source that never gets there is no source. */
static enum gk_err draw_scalar(const struct gk_env *env, const struct gk_curve *curve,
			       uint8_t d[static GK_SCALAR_LEN])
{
	for (int draw = 0; draw < GK_DRAWS_MAX; draw++) {
		if (gk_random(env, d, GK_SCALAR_LEN) != GK_OK)
			return GK_ERR_ENTROPY;
		if (scalar_valid(curve, d))
			return GK_OK;
	}
	return GK_ERR_ENTROPY;
}

enum gk_err gk_key_generate(const struct gk_env *env, int crv, struct gk_key_pair *key)
{
	const struct gk_curve *curve = find_curve(crv);
	uint8_t d[GK_SCALAR_LEN];
	enum gk_err err;

	if (!curve)
		return GK_ERR_UNSUPPORTED;
	err = draw_scalar(env, curve, d);
	if (err == GK_OK)
		err = gk_key_from_private(crv, gk_span(d, sizeof(d)), key);
	gk_wipe(d, sizeof(d));
	return err;
}

enum gk_err gk_public_key_check(const struct gk_public_key *key)
{
	const struct gk_curve *curve = find_curve(key->crv);

	if (!curve)
		return GK_ERR_UNSUPPORTED;
	return !curve->point_valid || curve->point_valid(key) ? GK_OK : GK_ERR_RANGE;
}

bool gk_public_key_equal(const struct gk_public_key *a, const struct gk_public_key *b)
{
	return a->crv == b->crv && gk_equal(a->x, b->x, sizeof(a->x)) &&
	       (a->crv != GK_CRV_P256 || gk_equal(a->y, b->y, sizeof(a->y)));
}

void gk_key_pair_wipe(struct gk_key_pair *key)
{
	gk_wipe(key, sizeof(*key));
}

/* signatures and key agreement */

enum gk_err gk_sign(const struct gk_key_pair *key, struct gk_span message,
		    uint8_t sig[static GK_SIG_LEN])
{
	const struct gk_curve *curve = find_curve(key->pub.crv);
	uint8_t made[GK_SIG_LEN] = { 0 };
	enum gk_err err;

	if (!curve || !curve->sign)
		return GK_ERR_UNSUPPORTED;
	if (!gk_crypto_countable(message))
		return GK_ERR_RANGE;
	err = check_private(curve, key->d);
	if (err == GK_OK)
		err = curve->sign(key, message, made);
	if (err == GK_OK)
		memcpy(sig, made, sizeof(made));
	return err;
}

enum gk_err gk_verify(const struct gk_public_key *key, struct gk_span message, struct gk_span sig)
{
	const struct gk_curve *curve = find_curve(key->crv);

	if (!curve || !curve->verify)
		return GK_ERR_UNSUPPORTED;
	if (!gk_crypto_countable(message) || sig.len != GK_SIG_LEN)
		return GK_ERR_CRYPTO;
	return curve->verify(key, message, sig.data) ? GK_OK : GK_ERR_CRYPTO;
}

enum gk_err gk_ecdh(const struct gk_key_pair *own, const struct gk_public_key *peer,
		    uint8_t out[static GK_DH_LEN])
{
	const struct gk_curve *curve = find_curve(own->pub.crv);
	uint8_t secret[GK_DH_LEN];
	enum gk_err err;

	if (!curve || !curve->agree)
		return GK_ERR_UNSUPPORTED;
	if (peer->crv != own->pub.crv)
		return GK_ERR_CRYPTO;
	err = check_private(curve, own->d);
	if (err == GK_OK)
		err = curve->agree(own, peer, secret);
	if (err == GK_OK)
		memcpy(out, secret, sizeof(secret));
	gk_wipe(secret, sizeof(secret));
	return err;
}
