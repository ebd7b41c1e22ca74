// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * That a client has the private key of a credential, shown in a Join Request and when a credential
 * is replaced (R 4.3.1, 4.9.1): evidence over its scope, our N_S, and its N_C.
 */
#include "serve.h"

#define POP_ROOM (GK_SCOPE_MAX + GK_NONCE_LEN + GK_CNONCE_MAX + 16)

bool gk_proof_holds(const struct gk_call *call, const struct gk_public_key *key,
		    struct gk_span scope, struct gk_span n_c, struct gk_span evidence)
{
	const struct gk_group_config *config = &call->group->config;
	const struct gk_association *assoc = &call->client->assoc;
	uint8_t bytes[POP_ROOM];
	struct gk_buf pop = gk_buf(bytes, sizeof(bytes));
	struct gk_span input;

	gk_pop_put_client(&pop, scope, gk_span(assoc->challenge, assoc->challenge_len), n_c);
	input = gk_buf_span(&pop);
	if (pop.overflow)
		return false;
	if (config->mode == GK_MODE_PAIRWISE)
		return !gk_pop_check_mac(gk_kdc_dh_key(call->kdc, config->sign_alg), key, input,
					 evidence);
	return !gk_verify(key, input, evidence);
}

bool gk_proof_lacks_challenge(struct gk_call *call)
{
	struct gk_association *assoc = &call->client->assoc;
	uint8_t bytes[GK_NONCE_LEN + 8];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if (assoc->challenge_len)
		return false;
	if (gk_random(&call->kdc->env, assoc->challenge, sizeof(assoc->challenge))) {
		gk_answer(call, GK_COAP_UNAVAILABLE);
		return true;
	}
	assoc->challenge_len = sizeof(assoc->challenge);
	gk_record_client(call->kdc, call->client);
	gk_put_map(&buf, 1);
	gk_put_int(&buf, GK_PARAM_KDCCHALLENGE);
	gk_put_bytes(&buf, gk_span(assoc->challenge, assoc->challenge_len));
	gk_answer_with(call, GK_COAP_BAD_REQUEST, GK_CF_ACE_GROUPCOMM, gk_buf_span(&buf));
	return true;
}
