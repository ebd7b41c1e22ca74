// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What several of the KDC's messages have in common: the group's material, its algorithms, the
 * credentials of its members, and the KDC's own with the evidence that it has the key.
 */
#include "group.h"

#define POP_ROOM             128
#define CREDS_ROOM           448  /* a joiner's credential goes along if the message stays small */
#define KEY_CHECK_INTERVAL_S 3600 /* P 14 */

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

static bool is_pairwise(const struct gk_group *group)
{
	return group->config.mode == GK_MODE_PAIRWISE;
}

bool gk_group_signs(const struct gk_group *group)
{
	return group->config.mode != GK_MODE_PAIRWISE;
}

bool gk_group_agrees(const struct gk_group *group)
{
	return group->config.mode != GK_MODE_GROUP;
}

int gk_group_curve(const struct gk_group *group)
{
	int sign_alg = group->config.sign_alg;

	return is_pairwise(group) ? gk_dh_curve(sign_alg) : gk_sign_curve(sign_alg);
}

int gk_group_cred_alg(const struct gk_group *group)
{
	return is_pairwise(group) ? GK_ALG_ECDH_SS_HKDF_256 : group->config.sign_alg;
}

enum gk_err gk_group_check_cred(const struct gk_group *group, struct gk_span bytes,
				struct gk_now now, struct gk_public_key *key)
{
	const struct gk_cred_rules rules = { .fmt = group->config.cred_fmt,
					     .crv = gk_group_curve(group),
					     .alg = gk_group_cred_alg(group),
					     .issuers = gk_blob_span(&group->issuers),
					     .now = now.utc };
	struct gk_cred cred;
	enum gk_err err = gk_cred_check(&rules, bytes, &cred);

	if (!err)
		*key = cred.key;
	return err;
}

/* [kty] of the algorithm, [kty, crv] of the key. */
static void put_capabilities(struct gk_buf *buf, int crv)
{
	int kty = crv == GK_CRV_P256 ? GK_KTY_EC2 : GK_KTY_OKP;

	gk_put_array(buf, 1);
	gk_put_int(buf, kty);
	gk_put_array(buf, 2);
	gk_put_int(buf, kty);
	gk_put_int(buf, crv);
}

static void put_info(struct gk_buf *buf, const struct gk_group *group, int alg, int crv)
{
	gk_put_array(buf, 5);
	gk_put_text(buf, gk_group_name(group));
	gk_put_int(buf, alg);
	put_capabilities(buf, crv);
	gk_put_int(buf, group->config.cred_fmt);
}

void gk_group_put_sign_info(struct gk_buf *buf, const struct gk_group *group)
{
	put_info(buf, group, group->config.sign_alg, gk_sign_curve(group->config.sign_alg));
}

void gk_group_put_ecdh_info(struct gk_buf *buf, const struct gk_group *group)
{
	put_info(buf, group, GK_ALG_ECDH_SS_HKDF_256, gk_dh_curve(group->config.sign_alg));
}

void gk_group_put_dh_creds(struct gk_buf *buf, const struct gk_group *group)
{
	gk_put_array(buf, 3);
	gk_put_text(buf, gk_group_name(group));
	gk_put_int(buf, group->config.cred_fmt);
	gk_put_bytes(buf,
		     gk_kdc_dh_cred(group->kdc, group->config.sign_alg, group->config.cred_fmt));
}

/* the 'key' map and what goes with it (P 6.3, 9.1, 11.1) */

/* [capabilities of the algorithm, of the key type] */
static void put_params(struct gk_buf *buf, int label, int crv)
{
	gk_put_int(buf, label);
	gk_put_array(buf, 2);
	put_capabilities(buf, crv);
}

static void put_signing(struct gk_buf *buf, int sign_alg)
{
	put_int_pair(buf, GK_OSC_GP_ENC_ALG, GK_ALG_AES_CCM_16_64_128);
	put_int_pair(buf, GK_OSC_SIGN_ALG, sign_alg);
	put_params(buf, GK_OSC_SIGN_PARAMS, gk_sign_curve(sign_alg));
}

static void put_algorithms(struct gk_buf *buf, const struct gk_group *group)
{
	int sign_alg = group->config.sign_alg;

	put_int_pair(buf, GK_OSC_CRED_FMT, group->config.cred_fmt);
	if (gk_group_signs(group))
		put_signing(buf, sign_alg);
	if (gk_group_agrees(group)) {
		put_int_pair(buf, GK_OSC_ECDH_ALG, GK_ALG_ECDH_SS_HKDF_256);
		put_params(buf, GK_OSC_ECDH_PARAMS, gk_dh_curve(sign_alg));
	}
}

static size_t count_algorithms(const struct gk_group *group)
{
	return 2 + (gk_group_signs(group) ? 3u : 0u) + (gk_group_agrees(group) ? 3u : 0u);
}

void gk_group_put_key(struct gk_buf *buf, const struct gk_group *group, bool whole,
		      const struct gk_node *sid_of)
{
	bool sid = sid_of && sid_of->has_sid;
	struct gk_id gid = gk_group_gid(group);

	gk_put_map(buf, 2 + (whole ? count_algorithms(group) : 0u) + (sid ? 1u : 0u));
	put_bytes_pair(buf, GK_OSC_MS, gk_span(group->ms, sizeof(group->ms)));
	if (whole)
		put_int_pair(buf, GK_OSC_HKDF, GK_ALG_HMAC_256);
	if (whole && gk_group_agrees(group))
		put_int_pair(buf, GK_OSC_ALG, GK_ALG_AES_CCM_16_64_128);
	put_bytes_pair(buf, GK_OSC_CONTEXT_ID, gk_id_span(&gid));
	if (sid)
		put_bytes_pair(buf, GK_OSC_GROUP_SENDER_ID, gk_id_span(&sid_of->sid));
	if (whole)
		put_algorithms(buf, group);
}

static void put_validity(struct gk_buf *buf, const struct gk_group *group, struct gk_now now)
{
	put_int_pair(buf, GK_PARAM_NUM, group->num);
	put_int_pair(buf, GK_PARAM_PROFILE, GK_PROFILE_GROUP_OSCORE);
	put_int_pair(buf, GK_PARAM_EXP, gk_group_exp(group, now).s);
	put_int_pair(buf, GK_PARAM_EXI, gk_group_exi(group, now));
}

void gk_group_put_material(struct gk_buf *buf, const struct gk_group *group, bool whole,
			   const struct gk_node *sid_of, struct gk_now now)
{
	put_int_pair(buf, GK_PARAM_GKTY, GK_GKTY_GROUP_OSCORE);
	gk_put_int(buf, GK_PARAM_KEY);
	gk_group_put_key(buf, group, whole, sid_of);
	put_validity(buf, group, now);
}

/* What tells how messages are signed, and nothing that opens them (P 9.6). */
static void put_public_key(struct gk_buf *buf, const struct gk_group *group)
{
	struct gk_id gid = gk_group_gid(group);
	bool agrees = gk_group_agrees(group);

	gk_put_map(buf, agrees ? 8 : 6);
	put_int_pair(buf, GK_OSC_HKDF, GK_ALG_HMAC_256);
	if (agrees)
		put_int_pair(buf, GK_OSC_ALG, GK_ALG_AES_CCM_16_64_128);
	put_bytes_pair(buf, GK_OSC_CONTEXT_ID, gk_id_span(&gid));
	put_int_pair(buf, GK_OSC_CRED_FMT, group->config.cred_fmt);
	put_signing(buf, group->config.sign_alg);
	if (agrees)
		put_int_pair(buf, GK_OSC_ECDH_ALG, GK_ALG_ECDH_SS_HKDF_256);
}

void gk_group_put_public(struct gk_buf *buf, const struct gk_group *group, struct gk_now now)
{
	put_int_pair(buf, GK_PARAM_GKTY, GK_GKTY_GROUP_OSCORE);
	gk_put_int(buf, GK_PARAM_KEY);
	put_public_key(buf, group);
	put_validity(buf, group, now);
}

void gk_group_put_policies(struct gk_buf *buf)
{
	gk_put_int(buf, GK_PARAM_GROUP_POLICIES);
	gk_put_map(buf, 2);
	put_int_pair(buf, GK_POLICY_KEY_CHECK_INTERVAL, KEY_CHECK_INTERVAL_S);
	put_int_pair(buf, GK_POLICY_EXPIRATION_DELTA, 0);
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

/* rekeying messages (R 6.1, P 11.1) */

static bool is_joiner(const void *ctx, const struct gk_node *node)
{
	const struct gk_group *group = ctx;

	return node == group->joiner;
}

bool gk_group_joiner_fits(const struct gk_group *group)
{
	const struct gk_node *joiner = group->joiner;

	return joiner && joiner->has_sid && joiner->cred.len <= CREDS_ROOM &&
	       (group->stale_count < 2 ||
		group->stale[group->stale_count - 2].count <= GK_STALE_TOLD_MAX / 4);
}

/* The set of the version that was given up: the one before the newest (P 7.1). */
static void put_stale(struct gk_buf *buf, const struct gk_group *group)
{
	const struct gk_stale_set *set =
		group->stale_count > 1 ? &group->stale[group->stale_count - 2] : NULL;
	size_t count = set ? set->count : 0;

	gk_put_int(buf, GK_PARAM_STALE_NODE_IDS);
	gk_put_array(buf, count);
	for (size_t i = 0; i < count; i++)
		gk_put_bytes(buf, gk_id_span(&set->ids[i]));
}

void gk_group_put_rekeying(struct gk_buf *buf, const struct gk_group *group, bool joiner,
			   const struct gk_node *node, struct gk_now now)
{
	gk_put_map(buf, GK_MATERIAL_PAIRS + (joiner ? GK_PEERS_PAIRS : 0u) + (node ? 1u : 0u) + 1u);
	gk_group_put_material(buf, group, false, NULL, now);
	if (joiner)
		gk_group_put_peers(buf, group, is_joiner, group);
	if (node)
		gk_mgt_put_material(buf, node, NULL); /* it has the signer's credential */
	put_stale(buf, group);
}

/* the KDC's evidence (R 4.3.1, 4.5.1) */

static enum gk_err put_input(const struct gk_group *group, struct gk_span n_c,
			     struct gk_cred_evidence *evidence, struct gk_buf *pop)
{
	enum gk_err err = gk_random(&group->kdc->env, evidence->nonce, sizeof(evidence->nonce));

	gk_pop_put_kdc(pop, n_c, gk_span(evidence->nonce, sizeof(evidence->nonce)));
	return err ? err : gk_buf_err(pop);
}

enum gk_err gk_cred_evidence_sign(const struct gk_group *group, struct gk_span n_c,
				  struct gk_cred_evidence *evidence)
{
	uint8_t bytes[POP_ROOM];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	int alg = group->config.sign_alg;
	enum gk_err err = put_input(group, n_c, evidence, &pop);

	evidence->cred = gk_kdc_cred(group->kdc, alg, group->config.cred_fmt);
	evidence->verify_len = GK_SIG_LEN;
	return err ? err
		   : gk_sign(gk_kdc_sign_key(group->kdc, alg), gk_buf_span(&pop), evidence->verify);
}

static enum gk_err authenticate(const struct gk_group *group, struct gk_span peer,
				struct gk_span n_c, struct gk_cred_evidence *evidence)
{
	uint8_t bytes[POP_ROOM];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	struct gk_cred cred;
	int alg = group->config.sign_alg;
	enum gk_err err = gk_cred_read(group->config.cred_fmt, peer, &cred);

	if (!err)
		err = put_input(group, n_c, evidence, &pop);
	evidence->cred = gk_kdc_dh_cred(group->kdc, alg, group->config.cred_fmt);
	evidence->verify_len = GK_POP_MAC_LEN;
	return err ? err
		   : gk_pop_mac(gk_kdc_dh_key(group->kdc, alg), &cred.key, gk_buf_span(&pop),
				evidence->verify);
}

enum gk_err gk_cred_evidence_make(const struct gk_group *group, struct gk_span peer,
				  struct gk_span n_c, struct gk_cred_evidence *evidence)
{
	return is_pairwise(group) ? authenticate(group, peer, n_c, evidence)
				  : gk_cred_evidence_sign(group, n_c, evidence);
}

void gk_cred_evidence_put(struct gk_buf *buf, const struct gk_cred_evidence *evidence)
{
	put_bytes_pair(buf, GK_PARAM_KDC_CRED, evidence->cred);
	put_bytes_pair(buf, GK_PARAM_KDC_NONCE, gk_span(evidence->nonce, sizeof(evidence->nonce)));
	put_bytes_pair(buf, GK_PARAM_KDC_CRED_VERIFY,
		       gk_span(evidence->verify, evidence->verify_len));
}

/* answers with material (R 4.3.2, 4.8.1; P 9.1.1, 9.1.2) */

/* Not every group's credentials are for signatures (R 6.2.1).
 * @return NULL: not called for, or not possible now; the member has it from its join */
static const struct gk_cred_evidence *signer_for(const struct gk_node *node,
						 struct gk_cred_evidence *room)
{
	bool wanted = node->in_tree && node->group->config.mode == GK_MODE_PAIRWISE;

	return wanted && !gk_cred_evidence_sign(node->group, gk_span(node->n_c, node->n_c_len),
						room)
		       ? room
		       : NULL;
}

void gk_group_put_answer(struct gk_buf *buf, const struct gk_node *node,
			 const struct gk_node *sid_of, struct gk_now now)
{
	struct gk_cred_evidence signer;

	gk_put_map(buf, GK_MATERIAL_PAIRS + gk_mgt_pairs(node));
	gk_group_put_material(buf, node->group, true, sid_of, now);
	gk_mgt_put(buf, node, signer_for(node, &signer));
}
