// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "cred.h"
#include "numbers.h"

enum gk_err gk_ccs_find_key(struct gk_span ccs, struct gk_cbor_item *cose_key)
{
	static const struct gk_cbor_field claims[] = { { GK_CLAIM_CNF, GK_CBOR_MAP, true } };
	static const struct gk_cbor_field methods[] = { { GK_CNF_COSE_KEY, GK_CBOR_MAP, true } };
	struct gk_cbor_item cnf;

	enum gk_err err = gk_cbor_read_map(ccs, claims, 1, &cnf);
	if (err == GK_OK)
		err = gk_cbor_read_map(cnf.encoded, methods, 1, cose_key);
	return err;
}

static enum gk_err read_key(struct gk_span ccs, struct gk_public_key *key)
{
	struct gk_cbor_item cose_key;
	enum gk_err err = gk_ccs_find_key(ccs, &cose_key);

	return err ? err : gk_cose_key_read(cose_key.encoded, key);
}

enum gk_err gk_ccs_read(struct gk_span ccs, struct gk_public_key *key)
{
	struct gk_public_key found;
	if (ccs.len > GK_CRED_MAX || read_key(ccs, &found) != GK_OK ||
	    gk_public_key_check(&found) != GK_OK)
		return GK_ERR_CREDENTIAL;
	*key = found;
	return GK_OK;
}

static void put_around_key(struct gk_buf *buf, struct gk_span name)
{
	gk_put_map(buf, 2);
	gk_put_uint(buf, GK_CLAIM_SUB);
	gk_put_text(buf, name);
	gk_put_uint(buf, GK_CLAIM_CNF);
	gk_put_map(buf, 1);
	gk_put_uint(buf, GK_CNF_COSE_KEY);
}

void gk_ccs_put(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key)
{
	put_around_key(buf, name);
	gk_cose_key_put(buf, key);
}

void gk_ccs_put_dh(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key)
{
	bool has_y = key->crv == GK_CRV_P256;

	put_around_key(buf, name);
	gk_put_map(buf, 3 + has_y);
	gk_put_uint(buf, GK_COSE_KTY);
	gk_put_int(buf, has_y ? GK_KTY_EC2 : GK_KTY_OKP);
	gk_put_int(buf, GK_COSE_CRV);
	gk_put_int(buf, key->crv);
	gk_put_int(buf, GK_COSE_X);
	gk_put_bytes(buf, gk_span(key->x, sizeof(key->x)));
	if (has_y) {
		gk_put_int(buf, GK_COSE_Y);
		gk_put_bytes(buf, gk_span(key->y, sizeof(key->y)));
	}
}

int gk_dh_curve(int64_t sign_alg)
{
	int crv = sign_alg == GK_ALG_EDDSA ? GK_CRV_X25519 : GK_CRV_P256;

	return (sign_alg == GK_ALG_EDDSA || sign_alg == GK_ALG_ES256) && gk_curve_supported(crv)
		       ? crv
		       : 0;
}

void gk_pop_put_client(struct gk_buf *buf, struct gk_span scope, struct gk_span n_s,
		       struct gk_span n_c)
{
	gk_put_bytes(buf, scope);
	gk_put_bytes(buf, n_s);
	gk_put_bytes(buf, n_c);
}

void gk_pop_put_kdc(struct gk_buf *buf, struct gk_span n_c, struct gk_span n_kdc)
{
	gk_put_bytes(buf, n_c);
	gk_put_bytes(buf, n_kdc);
}

/* Without salt, and with SHA-256 whatever the group's hkdf is (P 6.1). */
enum gk_err gk_pop_mac(const struct gk_key_pair *own, const struct gk_public_key *peer,
		       struct gk_span input, uint8_t mac[static GK_POP_MAC_LEN])
{
	uint8_t secret[GK_DH_LEN];
	enum gk_err err = gk_ecdh(own, peer, secret);

	if (!err)
		err = gk_hkdf(gk_span(NULL, 0), gk_span(secret, sizeof(secret)), input, mac,
			      GK_POP_MAC_LEN);
	gk_wipe(secret, sizeof(secret));
	return err;
}

enum gk_err gk_pop_check_mac(const struct gk_key_pair *own, const struct gk_public_key *peer,
			     struct gk_span input, struct gk_span mac)
{
	uint8_t right[GK_POP_MAC_LEN];
	enum gk_err err = gk_pop_mac(own, peer, input, right);

	if (!err && (mac.len != sizeof(right) || !gk_equal(mac.data, right, sizeof(right))))
		err = GK_ERR_CRYPTO;
	gk_wipe(right, sizeof(right));
	return err;
}
