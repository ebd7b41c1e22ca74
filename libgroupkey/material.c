// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What several of the KDC's messages have in common: the group's material, its algorithms, the
 * credentials of its members, and the KDC's own with the evidence that it has the key.
 */
#include "kdc.h"

#define POP_ROOM 128

static void put_int_pair(struct gk_buf *buf, int label, int64_t value)
{
	gk_put_int(buf, label);
	gk_put_int(buf, value);
}

static void put_bytes_pair(struct gk_buf *buf, int label, struct gk_span value)
{
	gk_put_int(buf, label);
	gk_put_bytes(buf, value);
}

/* [kty] of the algorithm, [kty, crv] of the key. */
static void put_capabilities(struct gk_buf *buf, int sign_alg)
{
	int crv = gk_sign_curve(sign_alg);
	int kty = crv == GK_CRV_P256 ? GK_KTY_EC2 : GK_KTY_OKP;

	gk_put_array(buf, 1);
	gk_put_int(buf, kty);
	gk_put_array(buf, 2);
	gk_put_int(buf, kty);
	gk_put_int(buf, crv);
}

void gk_group_put_sign_info(struct gk_buf *buf, const struct gk_group *group)
{
	gk_put_array(buf, 5);
	gk_put_text(buf, gk_group_name(group));
	gk_put_int(buf, group->config.sign_alg);
	put_capabilities(buf, group->config.sign_alg);
	gk_put_int(buf, GK_HEADER_KCCS);
}

/* the 'key' map and what goes with it (P 6.3, 9.1, 11.1) */

static void put_algorithms(struct gk_buf *buf, const struct gk_group *group)
{
	put_int_pair(buf, GK_OSC_CRED_FMT, GK_HEADER_KCCS);
	put_int_pair(buf, GK_OSC_GP_ENC_ALG, GK_ALG_AES_CCM_16_64_128);
	put_int_pair(buf, GK_OSC_SIGN_ALG, group->config.sign_alg);
	gk_put_int(buf, GK_OSC_SIGN_PARAMS);
	gk_put_array(buf, 2);
	put_capabilities(buf, group->config.sign_alg);
}

void gk_group_put_key(struct gk_buf *buf, const struct gk_group *group, bool whole,
		      const struct gk_node *sid_of)
{
	bool sid = sid_of && sid_of->has_sid;
	struct gk_id gid = gk_group_gid(group);

	gk_put_map(buf, 2 + (whole ? 5u : 0u) + (sid ? 1u : 0u));
	put_bytes_pair(buf, GK_OSC_MS, gk_span(group->ms, sizeof(group->ms)));
	if (whole)
		put_int_pair(buf, GK_OSC_HKDF, GK_ALG_HMAC_256);
	put_bytes_pair(buf, GK_OSC_CONTEXT_ID, gk_id_span(&gid));
	if (sid)
		put_bytes_pair(buf, GK_OSC_GROUP_SENDER_ID, gk_id_span(&sid_of->sid));
	if (whole)
		put_algorithms(buf, group);
}

void gk_group_put_material(struct gk_buf *buf, const struct gk_group *group, bool whole,
			   const struct gk_node *sid_of, struct gk_now now)
{
	put_int_pair(buf, GK_PARAM_GKTY, GK_GKTY_GROUP_OSCORE);
	gk_put_int(buf, GK_PARAM_KEY);
	gk_group_put_key(buf, group, whole, sid_of);
	put_int_pair(buf, GK_PARAM_NUM, group->num);
	put_int_pair(buf, GK_PARAM_PROFILE, GK_PROFILE_GROUP_OSCORE);
	put_int_pair(buf, GK_PARAM_EXP, gk_group_exp(group, now).s);
	put_int_pair(buf, GK_PARAM_EXI, gk_group_exi(group, now));
}

/* credentials */

static void put_cred(struct gk_buf *buf, const struct gk_node *node)
{
	gk_put_bytes(buf, gk_blob_span(&node->cred));
}

static void put_roles(struct gk_buf *buf, const struct gk_node *node)
{
	gk_put_uint(buf, node->roles);
}

static void put_id(struct gk_buf *buf, const struct gk_node *node)
{
	gk_put_bytes(buf, gk_id_span(&node->sid));
}

size_t gk_group_count_peers(const struct gk_group *group, gk_node_filter *wanted, const void *ctx)
{
	size_t count = 0;

	for (size_t i = 0; i < group->count; i++)
		count += group->nodes[i]->has_sid && wanted(ctx, group->nodes[i]);
	return count;
}

void gk_group_put_peers(struct gk_buf *buf, const struct gk_group *group, gk_node_filter *wanted,
			const void *ctx)
{
	static const struct {
		int label;
		void (*put)(struct gk_buf *, const struct gk_node *);
	} columns[] = {
		{ GK_PARAM_CREDS, put_cred },
		{ GK_PARAM_PEER_ROLES, put_roles },
		{ GK_PARAM_PEER_IDENTIFIERS, put_id },
	};
	size_t count = gk_group_count_peers(group, wanted, ctx);

	for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
		gk_put_int(buf, columns[c].label);
		gk_put_array(buf, count);
		for (size_t i = 0; i < group->count; i++) {
			if (group->nodes[i]->has_sid && wanted(ctx, group->nodes[i]))
				columns[c].put(buf, group->nodes[i]);
		}
	}
}

/* the KDC's evidence (R 4.3.1, 4.5.1) */

enum gk_err gk_evidence_make(const struct gk_kdc *kdc, int sign_alg, struct gk_span n_c,
			     struct gk_evidence *evidence)
{
	uint8_t bytes[POP_ROOM];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	enum gk_err err = gk_random(&kdc->env, evidence->nonce, sizeof(evidence->nonce));

	gk_pop_put_kdc(&pop, n_c, gk_span(evidence->nonce, sizeof(evidence->nonce)));
	if (!err)
		err = gk_buf_err(&pop);
	return err ? err
		   : gk_sign(gk_kdc_sign_key(kdc, sign_alg), gk_buf_span(&pop), evidence->verify);
}

void gk_evidence_put(struct gk_buf *buf, const struct gk_kdc *kdc, int sign_alg,
		     const struct gk_evidence *evidence)
{
	put_bytes_pair(buf, GK_PARAM_KDC_CRED, gk_kdc_cred(kdc, sign_alg));
	put_bytes_pair(buf, GK_PARAM_KDC_NONCE, gk_span(evidence->nonce, sizeof(evidence->nonce)));
	put_bytes_pair(buf, GK_PARAM_KDC_CRED_VERIFY,
		       gk_span(evidence->verify, sizeof(evidence->verify)));
}
