// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// One input as a protected message of the group, as the payload of one whose option is right, and
// as a message to protect, each in either mode. What can be protected comes out again; nothing else
// is accepted, and what is refused leaves everything as it was.

#include "libgroupkey/group_oscore.h"

#include "libgroupkey/numbers.h"
#include "tests/lib/env.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gk_key_pair key;
static struct gk_group_common common;
static struct gk_group_sender member;
static struct gk_group_recipient peer; /* the same member, as another sees it */
static struct gk_pairwise keys;        /* and what it says to itself */

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void set_up(void)
{
	static struct test_env t;
	static struct gk_env env;
	static uint8_t cred[GK_CRED_MAX];
	struct gk_buf buf = gk_buf(cred, sizeof(cred));
	env = test_env(&t, 1);
	must(gk_global_init(&env) == GK_OK);
	must(gk_key_from_private(GK_CRV_P256, gk_span_str("0123456789abcdef0123456789abcdef"),
				 &key) == GK_OK);
	gk_ccs_put(&buf, gk_span_str("m"), &key.pub);
	const struct gk_group_input input = {
		.gp_enc_alg = GK_ALG_AES_CCM_16_64_128,
		.alg = GK_ALG_AES_CCM_16_64_128,
		.sign_alg = GK_ALG_ES256,
		.ecdh_alg = GK_ALG_ECDH_SS_HKDF_256,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = gk_span_str("0123456789abcdef"),
		.gid = gk_span_str("gid"),
		.gm_cred = gk_buf_span(&buf),
	};
	must(gk_group_common_init(&common, &input) == GK_OK);
	must(gk_group_sender_init(&common, gk_span_str("m"), &key, gk_buf_span(&buf), &member) ==
	     GK_OK);
	must(gk_group_recipient_init(&common, gk_span_str("m"), gk_buf_span(&buf), &peer) == GK_OK);
	must(gk_pairwise_init(&common, &member, &peer, &keys) == GK_OK);
}

/* either mode */

static enum gk_err protect_request(bool pairwise, struct gk_group_sender *own,
				   struct gk_span message, struct gk_buf *out,
				   struct gk_oscore_ref *ref)
{
	return pairwise ? gk_pairwise_protect_request(&common, own, &keys, message, out, ref)
			: gk_group_protect_request(&common, own, message, out, ref);
}

static enum gk_err unprotect_request(bool pairwise, struct gk_group_recipient *from,
				     struct gk_span message, struct gk_buf *out,
				     struct gk_oscore_ref *ref)
{
	return pairwise ? gk_pairwise_unprotect_request(&common, from, &keys, message, out, ref)
			: gk_group_unprotect_request(&common, from, message, out, ref);
}

static enum gk_err protect_response(bool pairwise, struct gk_group_sender *own,
				    struct gk_oscore_ref *ref, struct gk_span message,
				    struct gk_buf *out)
{
	return pairwise
		       ? gk_pairwise_protect_response(&common, own, &keys, ref, message, false, out)
		       : gk_group_protect_response(&common, own, ref, message, false, out);
}

static enum gk_err unprotect_response(bool pairwise, const struct gk_group_recipient *from,
				      const struct gk_oscore_ref *ref, struct gk_span message,
				      struct gk_buf *out)
{
	return pairwise ? gk_pairwise_unprotect_response(&common, from, &keys, ref, message, out)
			: gk_group_unprotect_response(&common, from, ref, message, out);
}

/** Nobody without the key makes a message that is accepted. */
static void refuse(bool pairwise, struct gk_span message)
{
	uint8_t bytes[GK_GROUP_OSCORE_MESSAGE_MAX];
	struct gk_buf in = gk_buf(bytes, sizeof(bytes));
	struct gk_group_recipient asked = peer;
	struct gk_oscore_ref ref = {
		.kid = peer.id, .piv = gk_oscore_piv(3), .gid = common.gid, .pairwise = pairwise
	};
	must(unprotect_response(pairwise, &asked, &ref, message, &in) != GK_OK);
	must(unprotect_request(pairwise, &asked, message, &in, &ref) != GK_OK);
	must(in.len == 0 && asked.window.next == 0 && ref.piv.data[0] == 3);
}

static void refuse_payload(bool pairwise, struct gk_span payload)
{
	uint8_t header[] = { 0x02, 0x97, 0x39, 0, 3, 'g', 'i', 'd', 'm', 0xff };
	uint8_t bytes[2 * GK_GROUP_OSCORE_MESSAGE_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	if (pairwise)
		header[2] = 0x19;
	gk_buf_add(&buf, gk_span(header, sizeof(header)));
	gk_buf_add(&buf, payload);
	refuse(pairwise, gk_buf_span(&buf));
}

static void must_be_inner(struct gk_span inner, struct gk_span message)
{
	struct gk_coap whole, part;
	must(gk_coap_parse(message, &whole) == GK_OK && gk_coap_parse(inner, &part) == GK_OK);
	must(whole.code == part.code && gk_span_equal(whole.payload, part.payload));
	must(part.options.len <= whole.options.len);
}

static void protect(bool pairwise, struct gk_span message)
{
	uint8_t out_bytes[GK_GROUP_OSCORE_MESSAGE_MAX + GK_GROUP_OSCORE_OVERHEAD];
	uint8_t in_bytes[GK_GROUP_OSCORE_MESSAGE_MAX];
	struct gk_buf out = gk_buf(out_bytes, sizeof(out_bytes));
	struct gk_buf in = gk_buf(in_bytes, sizeof(in_bytes));
	struct gk_group_sender own = member;
	struct gk_group_recipient asked = peer;
	struct gk_oscore_ref ref, received;
	if (protect_request(pairwise, &own, message, &out, &ref) == GK_OK) {
		must(unprotect_request(!pairwise, &asked, gk_buf_span(&out), &in, &received) ==
		     GK_ERR_UNSUPPORTED);
		must(unprotect_request(pairwise, &asked, gk_buf_span(&out), &in, &received) ==
		     GK_OK);
		must(asked.window.next == 1 && memcmp(&ref, &received, sizeof(ref)) == 0);
		must_be_inner(gk_buf_span(&in), message);
		return;
	}
	must(out.len == 0 && own.seq == 0);

	ref = (struct gk_oscore_ref){ .kid = peer.id, .piv = gk_oscore_piv(3), .gid = common.gid };
	if (protect_response(pairwise, &own, &ref, message, &out) == GK_OK) {
		must(unprotect_response(pairwise, &asked, &ref, gk_buf_span(&out), &in) == GK_OK);
		must_be_inner(gk_buf_span(&in), message);
	} else {
		must(out.len == 0 && !ref.nonce_used);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	if (!ready)
		set_up();
	ready = true;
	for (int pairwise = 0; pairwise < 2; pairwise++) {
		refuse(pairwise, gk_span(data, size));
		refuse_payload(pairwise, gk_span(data, size));
		protect(pairwise, gk_span(data, size));
	}
	return 0;
}
