// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What a verifier needs that is not in the group: the KDC's credential, and what countersignatures
 * are unwrapped and checked with (P 8.1, 8.3, 9.5.2, 9.6). Nothing here opens a message.
 */
#include "group.h"
#include "group_oscore.h"
#include "resource.h"

#define PAYLOAD_ROOM (GK_CRED_MAX + 256)
#define VERIFY_PAIRS 1 /* beside those of material */

enum {
	FETCH_CNONCE,
	FETCH_COUNT,
};

static const struct gk_cbor_field fetch_fields[FETCH_COUNT] = {
	[FETCH_CNONCE] = { GK_PARAM_CNONCE, GK_CBOR_BYTES, true },
};

/* @return true: nobody signs there, which the reply then says */
static bool refuse_unsigned(struct gk_call *call)
{
	if (call->group->config.mode != GK_MODE_PAIRWISE)
		return false;
	gk_answer_error(call, GK_COAP_BAD_REQUEST, GK_ACE_ERROR_NO_SIGNATURES);
	return true;
}

static void answer_evidence(struct gk_call *call, struct gk_span n_c)
{
	uint8_t bytes[PAYLOAD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_cred_evidence evidence;

	if (gk_cred_evidence_sign(call->group, n_c, &evidence)) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return;
	}
	gk_put_map(&buf, GK_CRED_EVIDENCE_PAIRS);
	gk_cred_evidence_put(&buf, &evidence);
	gk_answer_map(call, &buf);
}

void gk_fetch_kdc_cred(struct gk_call *call)
{
	struct gk_cbor_item item[FETCH_COUNT];

	if (refuse_unsigned(call))
		return;
	if (gk_cbor_read_map(call->msg.payload, fetch_fields, FETCH_COUNT, item) ||
	    item[FETCH_CNONCE].string.len == 0 || item[FETCH_CNONCE].string.len > GK_CNONCE_MAX)
		gk_answer(call, GK_COAP_BAD_REQUEST);
	else
		answer_evidence(call, item[FETCH_CNONCE].string);
}

/* The Signature Encryption Key (G 2.1.9), without the Master Secret that it is derived from. */
static enum gk_err put_sign_enc_key(struct gk_buf *buf, const struct gk_group *group)
{
	struct gk_id gid = gk_group_gid(group);
	struct gk_group_common common;
	enum gk_err err = gk_group_common_init(
		&common,
		&(struct gk_group_input){ .gp_enc_alg = GK_ALG_AES_CCM_16_64_128,
					  .sign_alg = group->config.sign_alg,
					  .hkdf = GK_ALG_HMAC_256,
					  .master_secret = gk_span(group->ms, sizeof(group->ms)),
					  .gid = gk_id_span(&gid),
					  .gm_cred = gk_kdc_cred(group->kdc, group->config.sign_alg,
								 group->config.cred_fmt) });

	if (err)
		return err;
	gk_put_int(buf, GK_PARAM_SIGN_ENC_KEY);
	gk_put_bytes(buf, gk_span(common.sign_enc_key, common.enc->key_len));
	gk_group_common_wipe(&common);
	return GK_OK;
}

void gk_get_verif_data(struct gk_call *call)
{
	uint8_t bytes[PAYLOAD_ROOM];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if (refuse_unsigned(call))
		return;
	gk_put_map(&buf, GK_MATERIAL_PAIRS + VERIFY_PAIRS);
	gk_group_put_public(&buf, call->group, call->now);
	if (put_sign_enc_key(&buf, call->group))
		gk_answer(call, GK_COAP_UNAVAILABLE);
	else
		gk_answer_map(call, &buf);
	gk_wipe(bytes, sizeof(bytes));
}
