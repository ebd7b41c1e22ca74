// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// One input as all that OSCORE reads: an option value, a protected message, a message to protect,
// and a plaintext that a peer with the right keys made. What can be protected comes out again;
// what is refused leaves everything as it was.

#include "libgroupkey/oscore.h"

#include "libgroupkey/cose.h"
#include "libgroupkey/numbers.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX (UINT16_MAX + GK_OSCORE_OVERHEAD)

static const struct gk_span nothing;
static uint8_t out_bytes[OUT_MAX], in_bytes[OUT_MAX];

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct gk_oscore context(const char *own, const char *peer)
{
	struct gk_oscore ctx = { .aead = NULL };
	const struct gk_oscore_input input = {
		.alg = GK_ALG_AES_CCM_16_64_128,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = gk_span_str("0123456789abcdef"),
		.has_id_context = true,
		.id_context = gk_span_str("ctx"),
		.sender_id = gk_span_str(own),
		.recipient_id = gk_span_str(peer),
	};
	must(gk_oscore_init(&ctx, &input) == GK_OK);
	return ctx;
}

static void read_option(struct gk_span value)
{
	uint8_t bytes[1 + 5 + 1 + UINT8_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_option opt;
	if (gk_oscore_option_read(value, &opt))
		return;
	opt.kid = gk_span_sub(opt.kid, 0, 0);
	gk_oscore_option_put(&buf, &opt);
	must(buf.len <= value.len &&
	     gk_span_equal(gk_buf_span(&buf), gk_span_sub(value, 0, buf.len)));
}

/** @return the inner message, or an empty span if it was refused */
static struct gk_span open_request(const struct gk_oscore *server, struct gk_span message,
				   struct gk_oscore_ref *ref)
{
	struct gk_buf in = gk_buf(in_bytes, sizeof(in_bytes));
	bool fresh = false;
	enum gk_err err = gk_oscore_unprotect_request(server, message, &in, ref, &fresh);
	must(err == GK_OK ? fresh && in.len > 0 : in.len == 0);
	return gk_buf_span(&in);
}

static struct gk_span open_response(const struct gk_oscore *client, const struct gk_oscore_ref *ref,
				    struct gk_span message)
{
	struct gk_buf in = gk_buf(in_bytes, sizeof(in_bytes));
	int64_t piv = -2;
	enum gk_err err = gk_oscore_unprotect_response(client, ref, message, &in, &piv);
	must(err == GK_OK ? piv >= -1 && in.len > 0 : piv == -2 && in.len == 0);
	return gk_buf_span(&in);
}

/** What is encrypted is what comes out: code and payload at least are the message's own. */
static void must_be_inner(struct gk_span inner, struct gk_span message)
{
	struct gk_coap whole, part;
	must(gk_coap_parse(message, &whole) == GK_OK && gk_coap_parse(inner, &part) == GK_OK);
	must(whole.code == part.code && gk_span_equal(whole.payload, part.payload));
	must(part.options.len <= whole.options.len);
}

static void protect(struct gk_span message)
{
	struct gk_oscore client = context("c", "s"), server = context("s", "c");
	struct gk_oscore_ref sent, received;
	struct gk_buf out = gk_buf(out_bytes, sizeof(out_bytes));
	if (gk_oscore_protect_request(&client, message, &out, &sent) == GK_OK) {
		must(out.len <= message.len + GK_OSCORE_OVERHEAD);
		must_be_inner(open_request(&server, gk_buf_span(&out), &received), message);
		must(memcmp(&sent, &received, sizeof(sent)) == 0);
		return;
	}
	must(out.len == 0 && client.seq == 0);

	sent = (struct gk_oscore_ref){ .kid = client.sender_id, .piv = gk_oscore_piv(7) };
	received = sent;
	if (gk_oscore_protect_response(&server, &received, message, false, &out) == GK_OK) {
		must(out.len <= message.len + GK_OSCORE_OVERHEAD && received.nonce_used);
		must_be_inner(open_response(&client, &sent, gk_buf_span(&out)), message);
	} else {
		must(out.len == 0 && !received.nonce_used);
	}
}

/** Encrypt any bytes with the client's key, as its request 0. */
static void open_plaintext(struct gk_span plaintext)
{
	uint8_t aad[64], nonce[13];
	struct gk_oscore_ref ref;
	const struct gk_oscore client = context("c", "s"), server = context("s", "c");
	struct gk_buf out = gk_buf(out_bytes, sizeof(out_bytes)), buf = gk_buf(aad, sizeof(aad));
	static const uint8_t aad_array[] = { 0x85, 1, 0x81, 10, 0x41, 'c', 0x41, 0, 0x40 };
	static const uint8_t header[] = { 0x02, 0x97, 0x19, 0, 3, 'c', 't', 'x', 'c', 0xff };
	gk_cose_put_enc_structure(&buf, nothing, gk_span(aad_array, sizeof(aad_array)));
	gk_oscore_nonce(client.common_iv, sizeof(nonce), gk_span_str("c"), gk_span("", 1), nonce);
	gk_buf_add(&out, gk_span(header, sizeof(header)));
	if (gk_aead_seal(client.aead, gk_span(client.sender_key, client.aead->key_len),
			 gk_span(nonce, sizeof(nonce)), gk_buf_span(&buf), plaintext, &out))
		return;
	struct gk_span inner = open_request(&server, gk_buf_span(&out), &ref);
	must(inner.len == 0 || gk_span_equal(inner, plaintext));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gk_span input = gk_span(data, size);
	const struct gk_oscore client = context("c", "s"), server = context("s", "c");
	struct gk_oscore_ref ref = { .kid = client.sender_id, .piv = gk_oscore_piv(0) };
	read_option(input);
	open_response(&client, &ref, input);
	open_request(&server, input, &ref);
	protect(input);
	open_plaintext(input);
	return 0;
}
