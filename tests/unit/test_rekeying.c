// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/cred.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/rekeying.h"

#include "tests/lib/env.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define PAYLOAD_MAX 2048

static struct test_env env_state;
static struct gk_env env;
static struct gk_key_pair kdc_key, other_key;

static const uint8_t old_root[GK_TREE_KEY_LEN] = "the old root key";
static const uint8_t new_root[GK_TREE_KEY_LEN] = "the new root key";
static const uint8_t leaf[GK_TREE_KEY_LEN] = "the key of leaf5";

static uint8_t filling[PAYLOAD_MAX];

static struct gk_span lights(void)
{
	return gk_span_str("lights");
}

/** One that has something in each field. */
static struct gk_rekeying sample(void)
{
	return (struct gk_rekeying){
		.type = GK_REKEYING,
		.num = 0x01020304,
		.old_num = 0x01020302,
		.part = 2,
		.last_part = 3,
		.leisure_ms = 4000,
		.step = { .num = 0x01020304,
			  .height = 5,
			  .joined = hex_span("8204181f"),
			  .entries = gk_span(filling, 2 * GK_TREE_ENTRY_LEN) },
		.material = gk_span(filling + 100, 50),
	};
}

static struct gk_rekeying beacon(void)
{
	return (struct gk_rekeying){ .type = GK_REKEYING_BEACON, .num = 7 };
}

/** A payload in memory of its exact size. */
static struct gk_span write_message(const struct gk_rekeying *message)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	const uint8_t *root = message->type == GK_REKEYING ? old_root : NULL;
	assert_int_equal(gk_rekeying_put(&buf, lights(), message, &kdc_key, root), GK_OK);
	return exact_copy(gk_buf_span(&buf));
}

static struct gk_rekeying read_message(struct gk_span payload)
{
	struct gk_rekeying message;
	assert_int_equal(gk_rekeying_read(payload, &message), GK_OK);
	return message;
}

static struct gk_rekeying written(const struct gk_rekeying *message)
{
	return read_message(write_message(message));
}

static enum gk_err verify(const struct gk_rekeying *message)
{
	return gk_rekeying_verify(message, lights(), &kdc_key.pub);
}

static enum gk_err check_mac(const struct gk_rekeying *message)
{
	return gk_rekeying_check_mac(message, lights(), old_root);
}

/** Put a message together from its parts; an empty MAC is none. */
static struct gk_span assemble(struct gk_span content, struct gk_span signature, struct gk_span mac)
{
	uint8_t bytes[2 * PAYLOAD_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_put_array(&buf, mac.len > 0 ? 3 : 2);
	gk_put_bytes(&buf, content);
	gk_put_bytes(&buf, signature);
	if (mac.len > 0)
		gk_put_bytes(&buf, mac);
	return exact_copy(gk_buf_span(&buf));
}

/* what is written reads back */

static void a_rekeying_reads_back(void **state)
{
	(void)state;
	struct gk_rekeying want = sample(), got = written(&want);
	assert_int_equal(got.type, GK_REKEYING);
	assert_int_equal(got.num, want.num);
	assert_int_equal(got.old_num, want.old_num);
	assert_int_equal(got.part, want.part);
	assert_int_equal(got.last_part, want.last_part);
	assert_int_equal(got.leisure_ms, want.leisure_ms);
	assert_int_equal(got.step.num, want.num);
	assert_int_equal(got.step.height, want.step.height);
	assert_true(gk_span_equal(got.step.joined, want.step.joined));
	assert_true(gk_span_equal(got.step.entries, want.step.entries));
	assert_true(gk_span_equal(got.material, want.material));
	assert_int_equal(verify(&got), GK_OK);
	assert_int_equal(check_mac(&got), GK_OK);
}

static void a_beacon_reads_back(void **state)
{
	(void)state;
	struct gk_rekeying want = beacon(), got = written(&want);
	assert_int_equal(got.type, GK_REKEYING_BEACON);
	assert_int_equal(got.num, 7);
	assert_hex_equal(got.content, "820107");
	assert_int_equal(got.mac.len, 0);
	assert_int_equal(verify(&got), GK_OK);
}

static void bounds_of_numbers_read_back(void **state)
{
	(void)state;
	struct gk_rekeying want = sample();
	want.old_num = UINT32_MAX - 1;
	want.num = UINT32_MAX;
	want.part = want.last_part = UINT16_MAX;
	want.leisure_ms = 3600000;
	want.step.height = 16;
	want.step.joined = hex_span("8119ffff");
	want.step.entries = gk_span(NULL, 0);
	struct gk_rekeying got = written(&want);
	assert_int_equal(got.num, UINT32_MAX);
	assert_int_equal(got.old_num, UINT32_MAX - 1);
	assert_int_equal(got.part, UINT16_MAX);
	assert_int_equal(got.last_part, UINT16_MAX);
	assert_int_equal(got.leisure_ms, 3600000);
	assert_int_equal(got.step.height, 16);
	assert_hex_equal(got.step.joined, "8119ffff");
	assert_int_equal(got.step.entries.len, 0);
}

static void the_same_message_has_the_same_bytes(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	assert_true(gk_span_equal(write_message(&message), write_message(&message)));
}

static void a_message_is_appended(void **state)
{
	(void)state;
	uint8_t bytes[PAYLOAD_MAX] = "before";
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_rekeying message = sample();
	buf.len = 6;
	assert_int_equal(gk_rekeying_put(&buf, lights(), &message, &kdc_key, old_root), GK_OK);
	assert_memory_equal(bytes, "before", 6);
	assert_true(gk_span_equal(gk_span_sub(gk_buf_span(&buf), 6, SIZE_MAX),
				  write_message(&message)));
}

/* the signature */

// Each byte of the content is of a field that these tests read back, or a head.
static void the_signature_covers_every_byte_of_the_content(void **state)
{
	(void)state;
	struct gk_rekeying messages[] = { sample(), beacon() };
	for (size_t m = 0; m < ROWS(messages); m++) {
		struct gk_rekeying message = written(&messages[m]);
		uint8_t content[PAYLOAD_MAX];
		memcpy(content, message.content.data, message.content.len);
		message.content.data = content;
		assert_int_equal(verify(&message), GK_OK);
		for (size_t i = 0; i < message.content.len; i++) {
			content[i] ^= 0x01;
			if (verify(&message) != GK_ERR_CRYPTO)
				fail_msg("message %zu: byte %zu is not covered", m, i);
			content[i] ^= 0x01;
		}
	}
}

static void the_signature_covers_the_length_of_the_content(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	message = written(&message);
	message.content.len--;
	assert_int_equal(verify(&message), GK_ERR_CRYPTO);
}

static void the_signature_covers_the_group(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	message = written(&message);
	static const char *const others[] = { "lightS", "light", "lights2", "" };
	for (size_t i = 0; i < ROWS(others); i++)
		assert_int_equal(gk_rekeying_verify(&message, gk_span_str(others[i]), &kdc_key.pub),
				 GK_ERR_CRYPTO);
}

static void a_signature_of_another_key_is_refused(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	message = written(&message);
	assert_int_equal(gk_rekeying_verify(&message, lights(), &other_key.pub), GK_ERR_CRYPTO);
}

static void every_byte_of_the_signature_counts(void **state)
{
	(void)state;
	struct gk_rekeying message = beacon();
	message = written(&message);
	uint8_t signature[GK_SIG_LEN];
	memcpy(signature, message.signature.data, sizeof(signature));
	message.signature.data = signature;
	for (size_t i = 0; i < sizeof(signature); i++) {
		signature[i] ^= 0x80;
		assert_int_equal(verify(&message), GK_ERR_CRYPTO);
		signature[i] ^= 0x80;
	}
	message.signature.len--;
	assert_int_equal(verify(&message), GK_ERR_CRYPTO);
}

/** docs/rekeying.md section 7, by hand. */
static struct gk_span to_be_signed(struct gk_span content)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_buf_add(&buf, hex_span("84 77"));
	gk_buf_add(&buf, gk_span_str("ACE group rekeying tree"));
	gk_buf_add(&buf, hex_span("3a 00011f38 66"));
	gk_buf_add(&buf, lights());
	gk_put_bytes(&buf, content);
	return exact_copy(gk_buf_span(&buf));
}

static void what_is_signed_is_context_scheme_group_and_content(void **state)
{
	(void)state;
	struct gk_rekeying messages[] = { sample(), beacon() };
	for (size_t i = 0; i < ROWS(messages); i++) {
		struct gk_rekeying message = written(&messages[i]);
		assert_int_equal(
			gk_verify(&kdc_key.pub, to_be_signed(message.content), message.signature),
			GK_OK);
	}
}

/* the same key signs nonces of clients: kdc_cred_verify */

/** What the KDC signs for a client: the head of a byte string is in front, whatever the nonces. */
static struct gk_span evidence(struct gk_span n_c, struct gk_span n_kdc)
{
	uint8_t bytes[2 * PAYLOAD_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_pop_put_kdc(&buf, n_c, n_kdc);
	assert_int_equal(gk_buf_err(&buf), GK_OK);
	return exact_copy(gk_buf_span(&buf));
}

static void evidence_and_what_is_signed_begin_with_different_types(void **state)
{
	(void)state;
	static const size_t lens[] = { 0, 1, 8, 23, 24, 32, 255, 256, 1232 };
	struct gk_rekeying message = sample();
	message = written(&message);
	assert_int_equal(to_be_signed(message.content).data[0] >> 5, 4); // an array
	for (size_t i = 0; i < ROWS(lens); i++) {
		struct gk_span nonce = gk_span(filling, lens[i]);
		struct gk_span bytes = evidence(nonce, hex_span("0102030405060708"));
		assert_int_equal(bytes.data[0] >> 5, 2); // a byte string
		struct gk_cbor c = gk_cbor(bytes);
		gk_cbor_array(&c);
		assert_int_equal(c.err, GK_ERR_TYPE);
	}
}

/** Nonces with which somebody could hope to have the KDC sign a rekeying for him. */
static size_t tempting_nonces(const struct gk_rekeying *message, struct gk_span *nonces)
{
	struct gk_span signed_bytes = to_be_signed(message->content);
	size_t count = 0;
	nonces[count++] = gk_span(NULL, 0);
	nonces[count++] = hex_span("0102030405060708");
	nonces[count++] = signed_bytes;
	nonces[count++] = gk_span_sub(signed_bytes, 1, SIZE_MAX);
	nonces[count++] = gk_span_sub(signed_bytes, 2, SIZE_MAX);
	nonces[count++] = message->content;
	nonces[count++] = gk_span_sub(message->content, 1, SIZE_MAX);
	nonces[count++] = assemble(message->content, message->signature, message->mac);
	nonces[count++] = lights();
	nonces[count++] = gk_span_str("ACE group rekeying tree");
	nonces[count++] = message->material;
	return count;
}

static void no_signature_for_a_client_is_one_of_a_message(void **state)
{
	(void)state;
	struct gk_rekeying messages[] = { sample(), beacon() };
	for (size_t m = 0; m < ROWS(messages); m++) {
		struct gk_rekeying message = written(&messages[m]);
		struct gk_span nonces[16];
		size_t count = tempting_nonces(&message, nonces);
		for (size_t i = 0; i < count * count; i++) {
			uint8_t signature[GK_SIG_LEN];
			struct gk_span bytes = evidence(nonces[i / count], nonces[i % count]);
			assert_int_equal(gk_sign(&kdc_key, bytes, signature), GK_OK);

			struct gk_rekeying forged = message;
			forged.signature = gk_span(signature, sizeof(signature));
			assert_int_equal(verify(&forged), GK_ERR_CRYPTO);
			// Nor of the evidence itself, as a content.
			forged.content = bytes;
			if (bytes.len < GK_REKEYING_COAP_MAX)
				assert_int_equal(verify(&forged), GK_ERR_CRYPTO);
		}
	}
}

static void no_signature_of_a_message_is_one_for_a_client(void **state)
{
	(void)state;
	struct gk_rekeying messages[] = { sample(), beacon() };
	for (size_t m = 0; m < ROWS(messages); m++) {
		struct gk_rekeying message = written(&messages[m]);
		struct gk_span nonces[16];
		size_t count = tempting_nonces(&message, nonces);
		for (size_t i = 0; i < count * count; i++) {
			struct gk_span bytes = evidence(nonces[i / count], nonces[i % count]);
			assert_int_equal(gk_verify(&kdc_key.pub, bytes, message.signature),
					 GK_ERR_CRYPTO);
		}
	}
}

/* the MAC */

static void the_mac_covers_content_and_signature(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	message = written(&message);
	uint8_t bytes[PAYLOAD_MAX];
	struct gk_span *parts[] = { &message.content, &message.signature, &message.mac };
	for (size_t p = 0; p < ROWS(parts); p++) {
		struct gk_span whole = *parts[p];
		memcpy(bytes, whole.data, whole.len);
		parts[p]->data = bytes;
		assert_int_equal(check_mac(&message), GK_OK);
		for (size_t i = 0; i < whole.len; i++) {
			bytes[i] ^= 0x10;
			if (check_mac(&message) != GK_ERR_CRYPTO)
				fail_msg("part %zu: byte %zu does not count", p, i);
			bytes[i] ^= 0x10;
		}
		*parts[p] = whole;
	}
}

/** docs/rekeying.md, by hand: HMAC under what the KDF makes of a node's key with ("mac", 0). */
static void mac_by_hand(const uint8_t *node_key, struct gk_span covered,
			uint8_t out[static GK_HASH_LEN])
{
	uint8_t key[GK_TREE_KEY_LEN];
	assert_int_equal(gk_hkdf(gk_span(NULL, 0), gk_span(node_key, GK_TREE_KEY_LEN),
				 hex_span("82 63 6d6163 00"), key, sizeof(key)),
			 GK_OK);
	assert_int_equal(gk_hmac(gk_span(key, sizeof(key)), covered, out), GK_OK);
}

static void the_mac_is_that_of_the_document(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	uint8_t bytes[PAYLOAD_MAX], want[GK_HASH_LEN];
	struct gk_buf covered = gk_buf(bytes, sizeof(bytes));
	message = written(&message);
	gk_buf_add(&covered, hex_span("84 68 72656b6579696e67 66 6c6967687473"));
	gk_put_bytes(&covered, message.content);
	gk_put_bytes(&covered, message.signature);
	mac_by_hand(old_root, gk_buf_span(&covered), want);
	assert_int_equal(message.mac.len, 8);
	assert_memory_equal(message.mac.data, want, 8);
}

static void the_mac_covers_the_group(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	message = written(&message);
	assert_int_equal(gk_rekeying_check_mac(&message, gk_span_str("lightt"), old_root),
			 GK_ERR_CRYPTO);
}

static void a_mac_under_another_root_is_refused(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	message = written(&message);
	assert_int_equal(gk_rekeying_check_mac(&message, lights(), new_root), GK_ERR_CRYPTO);
	assert_int_equal(check_mac(&message), GK_OK);
}

static void a_message_without_a_mac_fails_the_check(void **state)
{
	(void)state;
	struct gk_rekeying message = beacon();
	message = written(&message);
	assert_int_equal(check_mac(&message), GK_ERR_CRYPTO);
}

/* types */

static void a_rekeying_has_a_mac_and_a_beacon_has_none(void **state)
{
	(void)state;
	struct gk_rekeying rekeying = sample(), got = { .num = 99 };
	rekeying = written(&rekeying);
	struct gk_span without = assemble(rekeying.content, rekeying.signature, gk_span(NULL, 0));
	assert_int_equal(gk_rekeying_read(without, &got), GK_ERR_TYPE);

	struct gk_rekeying call = beacon();
	call = written(&call);
	struct gk_span with = assemble(call.content, call.signature, rekeying.mac);
	assert_int_equal(gk_rekeying_read(with, &got), GK_ERR_TYPE);
	assert_int_equal(got.num, 99);
}

static void neither_type_can_be_taken_for_the_other(void **state)
{
	(void)state;
	struct gk_rekeying rekeying = sample(), call = beacon(), got;
	rekeying = written(&rekeying);
	call = written(&call);
	uint8_t bytes[PAYLOAD_MAX];

	memcpy(bytes, rekeying.content.data, rekeying.content.len);
	bytes[1] = GK_REKEYING_BEACON;
	struct gk_span as_beacon = gk_span(bytes, rekeying.content.len);
	assert_int_equal(
		gk_rekeying_read(assemble(as_beacon, rekeying.signature, gk_span(NULL, 0)), &got),
		GK_ERR_TYPE);
	// Nor with another number of elements, since all of the content is signed.
	call.signature = rekeying.signature;
	assert_int_equal(verify(&call), GK_ERR_CRYPTO);

	memcpy(bytes, call.content.data, call.content.len);
	bytes[1] = GK_REKEYING;
	struct gk_span as_rekeying = gk_span(bytes, call.content.len);
	assert_int_equal(
		gk_rekeying_read(assemble(as_rekeying, call.signature, rekeying.mac), &got),
		GK_ERR_TYPE);
}

static void other_types_are_unsupported_whatever_follows(void **state)
{
	(void)state;
	static const char *const contents[] = {
		"8102",
		"820207",
		"8a0201020000000180404100",
		"821903e8a0",
		"811bffffffffffffffff",
		"9f02ff",
		"8303f6f6",
	};
	struct gk_span signature = gk_span(filling, GK_SIG_LEN);
	for (size_t i = 0; i < ROWS(contents); i++) {
		for (size_t mac_len = 0; mac_len <= 8; mac_len += 8) {
			struct gk_rekeying got = { .num = 99 };
			struct gk_span payload = assemble(hex_span(contents[i]), signature,
							  gk_span(filling, mac_len));
			assert_int_equal(gk_rekeying_read(payload, &got), GK_ERR_UNSUPPORTED);
			assert_int_equal(got.num, 99);
		}
	}
}

/* what is refused */

static void contents_out_of_bounds_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		enum gk_err want;
	} rows[] = {
		{ "8a 00 01 02 00 00 00 01 80 40 4100", GK_OK },
		{ "9f 00 01 02 00 00 00 01 9fff 40 4100 ff", GK_OK },
		// num: not above old_num, or over 32 bits
		{ "8a 00 02 02 00 00 00 01 80 40 4100", GK_ERR_RANGE },
		{ "8a 00 03 02 00 00 00 01 80 40 4100", GK_ERR_RANGE },
		{ "8a 00 01 1affffffff 00 00 00 01 80 40 4100", GK_OK },
		{ "8a 00 01 1b0000000100000000 00 00 00 01 80 40 4100", GK_ERR_RANGE },
		{ "8a 00 1b0000000100000000 02 00 00 00 01 80 40 4100", GK_ERR_RANGE },
		{ "8a 00 01 1bffffffffffffffff 00 00 00 01 80 40 4100", GK_ERR_RANGE },
		{ "8a 00 20 02 00 00 00 01 80 40 4100", GK_ERR_TYPE },
		{ "8a 00 01 f6 00 00 00 01 80 40 4100", GK_ERR_TYPE },
		// part
		{ "8a 00 01 02 01 01 00 01 80 40 4100", GK_OK },
		{ "8a 00 01 02 01 00 00 01 80 40 4100", GK_ERR_RANGE },
		{ "8a 00 01 02 1a00010000 1a00010000 00 01 80 40 4100", GK_ERR_RANGE },
		{ "8a 00 01 02 1a00010000 00 00 01 80 40 4100", GK_ERR_RANGE },
		{ "8a 00 01 02 00 1a00010000 00 01 80 40 4100", GK_ERR_RANGE },
		// leisure
		{ "8a 00 01 02 00 00 1a0036ee80 01 80 40 4100", GK_OK },
		{ "8a 00 01 02 00 00 1a0036ee81 01 80 40 4100", GK_ERR_RANGE },
		// height
		{ "8a 00 01 02 00 00 00 00 80 40 4100", GK_ERR_RANGE },
		{ "8a 00 01 02 00 00 00 10 80 40 4100", GK_OK },
		{ "8a 00 01 02 00 00 00 11 80 40 4100", GK_ERR_RANGE },
		// slots: of a tree of that height
		{ "8a 00 01 02 00 00 00 01 820001 40 4100", GK_OK },
		{ "8a 00 01 02 00 00 00 01 820002 40 4100", GK_ERR_RANGE },
		{ "8a 00 01 02 00 00 00 10 8119ffff 40 4100", GK_OK },
		{ "8a 00 01 02 00 00 00 10 811a00010000 40 4100", GK_ERR_RANGE },
		{ "8a 00 01 02 00 00 00 01 8120 40 4100", GK_ERR_TYPE },
		{ "8a 00 01 02 00 00 00 01 8180 40 4100", GK_ERR_TYPE },
		{ "8a 00 01 02 00 00 00 01 a0 40 4100", GK_ERR_TYPE },
		{ "8a 00 01 02 00 00 00 01 00 40 4100", GK_ERR_TYPE },
		{ "8a 00 01 02 00 00 00 01 4100 40 4100", GK_ERR_TYPE },
		// entries: whole
		{ "8a 00 01 02 00 00 00 01 80 581e000000000000000000000000000000"
		  "000000000000000000000000000000 4100",
		  GK_ERR_RANGE },
		{ "8a 00 01 02 00 00 00 01 80 581f00000000000000000000000000000000"
		  "000000000000000000000000000000 4100",
		  GK_OK },
		{ "8a 00 01 02 00 00 00 01 80 5820000000000000000000000000000000000000"
		  "0000000000000000000000000000 4100",
		  GK_ERR_RANGE },
		{ "8a 00 01 02 00 00 00 01 80 80 4100", GK_ERR_TYPE },
		{ "8a 00 01 02 00 00 00 01 80 40 6100", GK_ERR_TYPE },
		// too few, too many, something behind
		{ "89 00 01 02 00 00 00 01 80 40", GK_ERR_TYPE },
		{ "8b 00 01 02 00 00 00 01 80 40 4100 00", GK_ERR_TYPE },
		{ "8a 00 01 02 00 00 00 01 80 40 4100 00", GK_ERR_MALFORMED },
		{ "9f 00 01 02 00 00 00 01 80 40 ff", GK_ERR_TYPE },
		{ "9f 00 01 02 00 00 00 01 80 40 4100 00 ff", GK_ERR_TYPE },
		// no type
		{ "", GK_ERR_MALFORMED },
		{ "80", GK_ERR_TYPE },
		{ "8120", GK_ERR_TYPE },
		{ "81f6", GK_ERR_TYPE },
		{ "a10001", GK_ERR_TYPE },
		{ "00", GK_ERR_TYPE },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_rekeying got = { .num = 99 };
		struct gk_span payload =
			assemble(hex_span(rows[i].content), gk_span(filling, GK_SIG_LEN),
				 gk_span(filling, 8));
		enum gk_err err = gk_rekeying_read(payload, &got);
		if (err != rows[i].want)
			fail_msg("row %zu, %s: error %d", i, rows[i].content, err);
		if (err != GK_OK)
			assert_int_equal(got.num, 99);
	}
}

static void beacons_out_of_bounds_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		enum gk_err want;
	} rows[] = {
		{ "82 01 00", GK_OK },
		{ "82 01 1affffffff", GK_OK },
		{ "82 01 1b0000000100000000", GK_ERR_RANGE },
		{ "82 01 20", GK_ERR_TYPE },
		{ "81 01", GK_ERR_TYPE },
		{ "83 01 00 00", GK_ERR_TYPE },
		{ "82 01 00 00", GK_ERR_MALFORMED },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_rekeying got;
		struct gk_span payload = assemble(hex_span(rows[i].content),
						  gk_span(filling, GK_SIG_LEN), gk_span(NULL, 0));
		enum gk_err err = gk_rekeying_read(payload, &got);
		if (err != rows[i].want)
			fail_msg("row %zu, %s: error %d", i, rows[i].content, err);
	}
}

static void signature_and_mac_have_their_lengths(void **state)
{
	(void)state;
	struct gk_span content = hex_span("8a 00 01 02 00 00 00 01 80 40 4100");
	for (size_t sig_len = GK_SIG_LEN - 1; sig_len <= GK_SIG_LEN + 1; sig_len++) {
		for (size_t mac_len = 7; mac_len <= 9; mac_len++) {
			struct gk_rekeying got;
			struct gk_span payload = assemble(content, gk_span(filling, sig_len),
							  gk_span(filling, mac_len));
			bool right = sig_len == GK_SIG_LEN && mac_len == GK_REKEYING_MAC_LEN;
			assert_int_equal(gk_rekeying_read(payload, &got),
					 right ? GK_OK : GK_ERR_RANGE);
		}
	}
}

static void a_message_is_an_array_of_two_or_three(void **state)
{
	(void)state;
	struct gk_rekeying message = beacon(), got;
	struct gk_span payload = write_message(&message);
	uint8_t bytes[PAYLOAD_MAX];
	static const struct {
		uint8_t head;
		const char *more;
		enum gk_err want;
	} rows[] = {
		{ 0x82, "", GK_OK },
		{ 0x82, "00", GK_ERR_MALFORMED },
		{ 0x83, "f6", GK_ERR_TYPE },
		{ 0x83, "40", GK_ERR_RANGE },
		{ 0x84, "480000000000000000 00", GK_ERR_TYPE },
		{ 0xa1, "", GK_ERR_TYPE },
		{ 0x9f, "ff", GK_OK },
		{ 0x9f, "480000000000000000 00 ff", GK_ERR_TYPE },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_buf_byte(&buf, rows[i].head);
		gk_buf_add(&buf, gk_span_sub(payload, 1, SIZE_MAX));
		gk_buf_add(&buf, hex_span(rows[i].more));
		enum gk_err err = gk_rekeying_read(exact_copy(gk_buf_span(&buf)), &got);
		if (err != rows[i].want)
			fail_msg("row %zu: error %d", i, err);
	}
}

static void a_truncated_message_is_refused(void **state)
{
	(void)state;
	struct gk_rekeying messages[] = { sample(), beacon() };
	for (size_t m = 0; m < ROWS(messages); m++) {
		struct gk_span payload = write_message(&messages[m]);
		for (size_t len = 0; len < payload.len; len++) {
			struct gk_rekeying got = { .num = 99 };
			struct gk_span cut = exact_copy(gk_span_sub(payload, 0, len));
			if (gk_rekeying_read(cut, &got) == GK_OK || got.num != 99)
				fail_msg("message %zu, cut at %zu", m, len);
		}
	}
}

/* sizes */

static size_t head_len(size_t n)
{
	return n < 24 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5;
}

static size_t string_len(size_t n)
{
	return head_len(n) + n;
}

/** Length of a payload, from the formats. */
static size_t payload_len(const struct gk_rekeying *message, size_t entries)
{
	size_t content = 2 + head_len(message->old_num) + head_len(message->num) +
			 head_len(message->part) + head_len(message->last_part) +
			 head_len(message->leisure_ms) + head_len(message->step.height) +
			 message->step.joined.len + string_len(entries * GK_TREE_ENTRY_LEN) +
			 string_len(message->material.len);
	return 1 + string_len(content) + string_len(GK_SIG_LEN) + string_len(GK_REKEYING_MAC_LEN);
}

static size_t coap_len(const struct gk_rekeying *message, size_t entries, size_t overhead)
{
	return 4 + overhead + payload_len(message, entries);
}

static void must_be_the_room(const struct gk_rekeying *message, size_t overhead, size_t room)
{
	if (room == 0 ? coap_len(message, 1, overhead) <= 1232
		      : coap_len(message, room, overhead) > 1232 ||
				coap_len(message, room + 1, overhead) <= 1232)
		fail_msg("overhead %zu, joined %zu, material %zu, num %u, last part %u: room %zu",
			 overhead, message->step.joined.len, message->material.len, message->num,
			 message->last_part, room);
}

/** An array of 'count' slots of three bytes each. */
static struct gk_span slots(size_t count)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_put_array(&buf, count);
	for (size_t i = 0; i < count; i++)
		gk_put_uint(&buf, 1000 + i);
	return exact_copy(gk_buf_span(&buf));
}

static void as_many_entries_fit_as_there_is_room_for(void **state)
{
	(void)state;
	static const size_t overheads[] = { 0, 1, 20, 45, 70, 300, 1000 };
	static const size_t joined[] = { 0, 1, 23, 24, 100, 255, 256 };
	static const struct {
		uint32_t num, leisure_ms;
		uint16_t part, last_part;
		uint8_t height;
	} rows[] = {
		{ 2, 0, 0, 0, 1 },
		{ 24, 23, 0, 1, 10 },
		{ 256, 256, 23, 24, 16 },
		{ 65536, 65535, 24, 255, 16 },
		{ UINT32_MAX, 3600000, 300, 300, 16 },
	};
	for (size_t r = 0; r < ROWS(rows); r++) {
		for (size_t j = 0; j < ROWS(joined); j++) {
			struct gk_rekeying message = {
				.num = rows[r].num,
				.old_num = rows[r].num - 1,
				.part = rows[r].part,
				.last_part = rows[r].last_part,
				.leisure_ms = rows[r].leisure_ms,
				.step = { .height = rows[r].height, .joined = slots(joined[j]) },
			};
			for (size_t len = 0; len < 1240; len++) {
				size_t overhead = overheads[len % ROWS(overheads)];
				message.material = gk_span(filling, len);
				must_be_the_room(&message, overhead,
						 gk_rekeying_room(&message, overhead));
			}
		}
	}
}

static void every_overhead_leaves_its_room(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	for (size_t overhead = 0; overhead < 1300; overhead++)
		must_be_the_room(&message, overhead, gk_rekeying_room(&message, overhead));
	assert_int_equal(gk_rekeying_room(&message, SIZE_MAX), 0);
	assert_int_equal(gk_rekeying_room(&message, SIZE_MAX - 200), 0);
	// What else is in the message does not matter.
	message.step.entries = gk_span(filling, 31);
	message.content = message.signature = message.mac = gk_span(filling, 500);
	must_be_the_room(&message, 45, gk_rekeying_room(&message, 45));
	message.type = GK_REKEYING_BEACON;
	must_be_the_room(&message, 45, gk_rekeying_room(&message, 45));
}

static void a_written_payload_is_as_long_as_counted(void **state)
{
	(void)state;
	for (size_t len = 0; len < 300; len += 23) {
		struct gk_rekeying message = sample();
		message.material = gk_span(filling, len);
		size_t room = gk_rekeying_room(&message, 45);
		for (size_t entries = 0; entries <= room; entries += room / 3) {
			message.step.entries = gk_span(filling, entries * GK_TREE_ENTRY_LEN);
			assert_int_equal(write_message(&message).len,
					 payload_len(&message, entries));
		}
	}
}

static void a_payload_is_written_up_to_1232_bytes(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	uint8_t bytes[PAYLOAD_MAX];
	message.material.len = 1000;
	message.material.data = filling;
	message.material.len += 1232 - payload_len(&message, 2);
	assert_int_equal(write_message(&message).len, 1232);

	message.material.len++;
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_rekeying_put(&buf, lights(), &message, &kdc_key, old_root),
			 GK_ERR_NO_SPACE);
	assert_int_equal(buf.len, 0);
	message.material.len = 1500;
	assert_int_equal(gk_rekeying_put(&buf, lights(), &message, &kdc_key, old_root),
			 GK_ERR_NO_SPACE);
	assert_int_equal(gk_buf_err(&buf), GK_OK);
}

static void a_payload_is_read_up_to_1232_bytes(void **state)
{
	(void)state;
	// Without its material, such a message has 92 bytes.
	for (size_t len = 1232; len <= 1233; len++) {
		struct gk_rekeying got;
		uint8_t bytes[PAYLOAD_MAX];
		struct gk_buf content = gk_buf(bytes, sizeof(bytes));
		gk_buf_add(&content, hex_span("8a 00 01 02 00 00 00 01 80 40"));
		gk_put_bytes(&content, gk_span(filling, len - 92));
		struct gk_span payload =
			assemble(gk_buf_span(&content), gk_span(filling, 64), gk_span(filling, 8));
		assert_int_equal(payload.len, len);
		assert_int_equal(gk_rekeying_read(payload, &got),
				 len <= 1232 ? GK_OK : GK_ERR_RANGE);
	}
}

/* what cannot be written */

static void what_would_not_be_read_is_not_written(void **state)
{
	(void)state;
	struct gk_rekeying rows[12];
	for (size_t i = 0; i < ROWS(rows); i++)
		rows[i] = sample();
	rows[0].num = rows[0].old_num;
	rows[1].part = 4;
	rows[2].leisure_ms = 3600001;
	rows[3].step.height = 0;
	rows[4].step.height = 17;
	rows[5].step.joined = hex_span("811820"); // slot 32 of a tree of 32
	rows[6].step.joined = gk_span(NULL, 0);
	rows[7].step.joined = hex_span("00");
	rows[8].step.joined = hex_span("8000"); // one element more
	rows[9].step.joined = hex_span("8201");
	rows[10].step.joined = hex_span("ff");
	rows[11].step.entries.len--;
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[PAYLOAD_MAX];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_buf_byte(&buf, 0xff);
		enum gk_err err = gk_rekeying_put(&buf, lights(), &rows[i], &kdc_key, old_root);
		if (err == GK_OK || err == GK_ERR_NO_SPACE || buf.len != 1)
			fail_msg("row %zu: error %d, %zu bytes", i, err, buf.len);
	}
}

static void a_root_goes_with_a_rekeying_and_not_with_a_beacon(void **state)
{
	(void)state;
	struct gk_rekeying rekeying = sample(), call = beacon();
	uint8_t bytes[PAYLOAD_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_rekeying_put(&buf, lights(), &rekeying, &kdc_key, NULL), GK_ERR_TYPE);
	assert_int_equal(gk_rekeying_put(&buf, lights(), &call, &kdc_key, old_root), GK_ERR_TYPE);
	assert_int_equal(buf.len, 0);
}

static void a_payload_that_does_not_fit_is_taken_back(void **state)
{
	(void)state;
	struct gk_rekeying message = sample();
	size_t whole = write_message(&message).len;
	uint8_t bytes[PAYLOAD_MAX];
	for (size_t room = whole - 1; room <= whole; room++) {
		struct gk_buf buf = gk_buf(bytes, room);
		enum gk_err want = room < whole ? GK_ERR_NO_SPACE : GK_OK;
		assert_int_equal(gk_rekeying_put(&buf, lights(), &message, &kdc_key, old_root),
				 want);
		assert_int_equal(buf.len, want ? 0 : whole);
		assert_false(buf.overflow);
	}
}

static void a_key_that_cannot_sign_is_told_of(void **state)
{
	(void)state;
	struct gk_rekeying message = beacon();
	struct gk_key_pair key = { .pub = { .crv = GK_CRV_X25519 } };
	uint8_t bytes[PAYLOAD_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_rekeying_put(&buf, lights(), &message, &key, NULL), GK_ERR_UNSUPPORTED);
	assert_int_equal(buf.len, 0);
}

static void an_ed25519_key_signs_too(void **state)
{
	(void)state;
	if (!gk_curve_supported(GK_CRV_ED25519))
		skip();
	struct gk_key_pair key;
	struct gk_rekeying message = sample(), got;
	uint8_t bytes[PAYLOAD_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_key_from_private(GK_CRV_ED25519, gk_span(filling, 32), &key), GK_OK);
	assert_int_equal(gk_rekeying_put(&buf, lights(), &message, &key, old_root), GK_OK);
	assert_int_equal(gk_rekeying_read(gk_buf_span(&buf), &got), GK_OK);
	assert_int_equal(gk_rekeying_verify(&got, lights(), &key.pub), GK_OK);
	assert_int_equal(gk_rekeying_verify(&got, lights(), &kdc_key.pub), GK_ERR_CRYPTO);
}

// The largest name with the largest message.
static void the_longest_name_has_its_place(void **state)
{
	(void)state;
	struct gk_span name =
		gk_span("a name of 64 bytes, which is as many as a group's name may have.", 64);
	struct gk_rekeying message = sample(), got;
	uint8_t bytes[PAYLOAD_MAX], mac[GK_REKEYING_MAC_LEN];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	message.material.data = filling;
	message.material.len = 1000;
	message.material.len += 1232 - payload_len(&message, 2);
	assert_int_equal(gk_rekeying_put(&buf, name, &message, &kdc_key, old_root), GK_OK);
	assert_int_equal(gk_rekeying_read(gk_buf_span(&buf), &got), GK_OK);
	assert_int_equal(gk_rekeying_verify(&got, name, &kdc_key.pub), GK_OK);
	assert_int_equal(gk_rekeying_check_mac(&got, name, old_root), GK_OK);
	assert_int_equal(gk_confirmation_mac(name, UINT32_MAX, UINT16_MAX, message.material, leaf,
					     new_root, mac),
			 GK_OK);

	struct gk_tree_group group = { .name = name };
	buf.len = 0;
	assert_int_equal(gk_rekeying_seal(&group, UINT32_MAX - 1, UINT32_MAX, new_root,
					  gk_span(filling, 100), &buf),
			 GK_OK);
	assert_int_equal(buf.len, 108);
}

/* the group's material */

static struct gk_tree_group lights_group(void)
{
	struct gk_tree_group group = { .name = lights() };
	memcpy(group.base_iv, "thirteen byte", GK_TREE_IV_LEN);
	return group;
}

static void material_opens_under_its_root(void **state)
{
	(void)state;
	struct gk_tree_group group = lights_group();
	struct gk_span material = hex_span("a1 09 08");
	uint8_t sealed_bytes[64], bytes[64];
	struct gk_buf sealed = gk_buf(sealed_bytes, sizeof(sealed_bytes));
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_rekeying_seal(&group, 7, 8, new_root, material, &sealed), GK_OK);
	assert_int_equal(sealed.len, material.len + 8);

	struct gk_rekeying message = { .old_num = 7, .num = 8, .material = gk_buf_span(&sealed) };
	assert_int_equal(gk_rekeying_open(&group, &message, new_root, &out), GK_OK);
	assert_true(gk_span_equal(gk_buf_span(&out), material));
}

static void material_opens_with_nothing_else(void **state)
{
	(void)state;
	struct gk_tree_group group = lights_group(), other_name = group, other_iv = group;
	other_name.name = gk_span_str("lightt");
	other_iv.base_iv[0] ^= 1;
	uint8_t sealed_bytes[64];
	struct gk_buf sealed = gk_buf(sealed_bytes, sizeof(sealed_bytes));
	assert_int_equal(gk_rekeying_seal(&group, 7, 8, new_root, hex_span("a10908"), &sealed),
			 GK_OK);
	const struct {
		const struct gk_tree_group *group;
		uint32_t old_num, num;
		const uint8_t *root;
		size_t len;
		enum gk_err want;
	} rows[] = {
		{ &group, 7, 8, new_root, sealed.len, GK_OK },
		{ &group, 7, 8, old_root, sealed.len, GK_ERR_CRYPTO },
		{ &group, 6, 8, new_root, sealed.len, GK_ERR_CRYPTO },
		{ &group, 7, 9, new_root, sealed.len, GK_ERR_CRYPTO },
		{ &other_name, 7, 8, new_root, sealed.len, GK_ERR_CRYPTO },
		{ &other_iv, 7, 8, new_root, sealed.len, GK_ERR_CRYPTO },
		{ &group, 7, 8, new_root, sealed.len - 1, GK_ERR_CRYPTO },
		{ &group, 7, 8, new_root, 7, GK_ERR_CRYPTO },
		{ &group, 7, 8, new_root, 0, GK_ERR_CRYPTO },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[64];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		struct gk_rekeying message = { .old_num = rows[i].old_num,
					       .num = rows[i].num,
					       .material = gk_span(sealed_bytes, rows[i].len) };
		enum gk_err err = gk_rekeying_open(rows[i].group, &message, rows[i].root, &out);
		if (err != rows[i].want || (err != GK_OK && out.len != 0))
			fail_msg("row %zu: error %d", i, err);
	}
}

// The nonce depends on num; that alone would do, but for a KDC that has lost its memory. What is
// authenticated beside it says so by itself.
static void the_nonce_and_the_authenticated_data_are_those_of_the_document(void **state)
{
	(void)state;
	struct gk_tree_group group = lights_group();
	uint8_t key[GK_TREE_KEY_LEN], nonce[GK_TREE_IV_LEN], sealed_bytes[64], bytes[64];
	struct gk_buf sealed = gk_buf(sealed_bytes, sizeof(sealed_bytes));
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(
		gk_rekeying_seal(&group, 7, 0x01020304, new_root, hex_span("a10908"), &sealed),
		GK_OK);
	memcpy(nonce, group.base_iv, sizeof(nonce));
	nonce[9] ^= 1;
	nonce[10] ^= 2;
	nonce[11] ^= 3;
	nonce[12] ^= 4;
	// [ "group", "lights", 7, 16909060 ]
	struct gk_span aad = hex_span("84 65 67726f7570 66 6c6967687473 07 1a01020304");
	assert_int_equal(gk_hkdf(gk_span(NULL, 0), gk_span(new_root, 16),
				 hex_span("82 65 67726f7570 00"), key, sizeof(key)),
			 GK_OK);
	assert_int_equal(gk_aead_open(gk_aead_find(GK_ALG_AES_CCM_16_64_128),
				      gk_span(key, sizeof(key)), gk_span(nonce, sizeof(nonce)), aad,
				      gk_buf_span(&sealed), &out),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&out), "a10908");
}

/* confirmations */

struct confirmed {
	const char *group;
	uint32_t num;
	uint16_t slot;
	const char *material;
	const uint8_t *leaf, *root;
};

static void mac_of(const struct confirmed *c, uint8_t out[static GK_REKEYING_MAC_LEN])
{
	assert_int_equal(gk_confirmation_mac(gk_span_str(c->group), c->num, c->slot,
					     hex_span(c->material), c->leaf, c->root, out),
			 GK_OK);
}

static void a_confirmation_is_bound_to_all_that_it_confirms(void **state)
{
	(void)state;
	const struct confirmed rows[] = {
		{ "lights", 8, 5, "0102", leaf, new_root },
		{ "lightt", 8, 5, "0102", leaf, new_root },
		{ "lights", 9, 5, "0102", leaf, new_root },
		{ "lights", 8, 4, "0102", leaf, new_root },
		{ "lights", 5, 8, "0102", leaf, new_root },
		{ "lights", 8, 5, "0103", leaf, new_root },
		{ "lights", 8, 5, "01", leaf, new_root },
		{ "lights", 8, 5, "0102", old_root, new_root },
		{ "lights", 8, 5, "0102", leaf, old_root },
		{ "lights", 8, 5, "0102", new_root, leaf },
	};
	uint8_t macs[ROWS(rows)][GK_REKEYING_MAC_LEN];
	for (size_t i = 0; i < ROWS(rows); i++) {
		mac_of(&rows[i], macs[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(macs[i], macs[j], GK_REKEYING_MAC_LEN);
	}
	uint8_t again[GK_REKEYING_MAC_LEN];
	mac_of(&rows[0], again);
	assert_memory_equal(again, macs[0], sizeof(again));
}

static void the_mac_of_a_confirmation_is_that_of_the_document(void **state)
{
	(void)state;
	const struct confirmed row = { "lights", 8, 5, "0102", leaf, new_root };
	uint8_t bytes[128], digest[GK_HASH_LEN], want[GK_HASH_LEN], got[GK_REKEYING_MAC_LEN];
	struct gk_buf covered = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_sha256(hex_span("0102"), digest), GK_OK);
	gk_buf_add(&covered, hex_span("86 6c 636f6e6669726d6174696f6e 66 6c6967687473 08 05 5820"));
	gk_buf_add(&covered, gk_span(digest, sizeof(digest)));
	gk_buf_add(&covered, hex_span("50"));
	gk_buf_add(&covered, gk_span(new_root, GK_TREE_KEY_LEN));
	mac_by_hand(leaf, gk_buf_span(&covered), want);
	mac_of(&row, got);
	assert_memory_equal(got, want, sizeof(got));
}

static void a_confirmation_reads_back(void **state)
{
	(void)state;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_confirmation want = { hex_span("01020304"), 65535, hex_span("0102030405060708") };
	struct gk_confirmation got;
	gk_confirmation_put(&buf, &want);
	assert_hex_equal(gk_buf_span(&buf), "83 44 01020304 19ffff 48 0102030405060708");
	assert_int_equal(gk_confirmation_read(gk_buf_span(&buf), &got), GK_OK);
	assert_true(gk_span_equal(got.gid, want.gid));
	assert_int_equal(got.slot, 65535);
	assert_true(gk_span_equal(got.mac, want.mac));
	for (size_t len = 0; len < buf.len; len++) {
		struct gk_span cut = exact_copy(gk_span(bytes, len));
		assert_int_equal(gk_confirmation_read(cut, &got), GK_ERR_MALFORMED);
	}
}

static void a_confirmation_out_of_bounds_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		enum gk_err want;
	} rows[] = {
		{ "83 41aa 00 480000000000000000", GK_OK },
		{ "83 480102030405060708 00 480000000000000000", GK_OK },
		{ "83 40 00 480000000000000000", GK_ERR_RANGE },
		{ "83 49010203040506070809 00 480000000000000000", GK_ERR_RANGE },
		{ "83 41aa 1a00010000 480000000000000000", GK_ERR_RANGE },
		{ "83 41aa 20 480000000000000000", GK_ERR_TYPE },
		{ "83 41aa 00 4700000000000000", GK_ERR_RANGE },
		{ "83 41aa 00 49000000000000000000", GK_ERR_RANGE },
		{ "82 41aa 00", GK_ERR_TYPE },
		{ "84 41aa 00 480000000000000000 00", GK_ERR_TYPE },
		{ "83 41aa 00 480000000000000000 00", GK_ERR_MALFORMED },
		{ "83 61aa 00 480000000000000000", GK_ERR_MALFORMED },
		{ "83 00 00 480000000000000000", GK_ERR_TYPE },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_confirmation got = { .slot = 99 };
		enum gk_err err = gk_confirmation_read(hex_span(rows[i].in), &got);
		if (err != rows[i].want || (err != GK_OK && got.slot != 99))
			fail_msg("row %zu, %s: error %d", i, rows[i].in, err);
	}
}

/* mgt_key_material */

static struct gk_mgt_material mgt_sample(bool with_cred)
{
	struct gk_mgt_material mgt = { .slot = 300, .repeat = 2 };
	memcpy(mgt.base_iv, "thirteen byte", GK_TREE_IV_LEN);
	mgt.path = gk_span(filling, (size_t)3 * GK_KEYPATH_NODE_LEN);
	if (!with_cred)
		return mgt;
	mgt.kdc_cred = gk_span(filling + 7, 90);
	mgt.kdc_nonce = gk_span(filling + 11, 8);
	mgt.kdc_verify = gk_span(filling + 13, GK_SIG_LEN);
	return mgt;
}

static void mgt_key_material_reads_back(void **state)
{
	(void)state;
	for (int with_cred = 0; with_cred < 2; with_cred++) {
		uint8_t bytes[512];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_mgt_material want = mgt_sample(with_cred), got;
		gk_mgt_material_put(&buf, &want);
		assert_int_equal(bytes[0], with_cred ? 0x87 : 0x84);
		assert_int_equal(gk_mgt_material_read(exact_copy(gk_buf_span(&buf)), &got), GK_OK);
		assert_int_equal(got.slot, 300);
		assert_int_equal(got.repeat, 2);
		assert_memory_equal(got.base_iv, want.base_iv, sizeof(got.base_iv));
		assert_true(gk_span_equal(got.path, want.path));
		assert_true(gk_span_equal(got.kdc_cred, want.kdc_cred));
		assert_true(gk_span_equal(got.kdc_nonce, want.kdc_nonce));
		assert_true(gk_span_equal(got.kdc_verify, want.kdc_verify));
	}
}

static void truncated_mgt_key_material_is_refused(void **state)
{
	(void)state;
	for (int with_cred = 0; with_cred < 2; with_cred++) {
		uint8_t bytes[512];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_mgt_material mgt = mgt_sample(with_cred), got = { .slot = 99 };
		gk_mgt_material_put(&buf, &mgt);
		for (size_t len = 0; len < buf.len; len++) {
			struct gk_span cut = exact_copy(gk_span(bytes, len));
			if (gk_mgt_material_read(cut, &got) == GK_OK || got.slot != 99)
				fail_msg("cut at %zu", len);
		}
	}
}

#define IV   "4d 01020304050607080910111213"
#define NODE "0000000701020304050607080910111213141516"
#define PATH "5828" NODE NODE

static void mgt_key_material_out_of_bounds_is_refused(void **state)
{
	(void)state;
	static const char verify[] = "5840"
				     "00000000000000000000000000000000"
				     "00000000000000000000000000000000"
				     "00000000000000000000000000000000"
				     "00000000000000000000000000000000";
	static const struct {
		const char *in, *more;
		enum gk_err want;
	} rows[] = {
		{ "84 19ffff 18ff" IV PATH, "", GK_OK },
		{ "84 1a00010000 02" IV PATH, "", GK_ERR_RANGE },
		{ "84 20 02" IV PATH, "", GK_ERR_TYPE },
		{ "84 00 190100" IV PATH, "", GK_ERR_RANGE },
		{ "84 00 02 4c 010203040506070809101112" PATH, "", GK_ERR_RANGE },
		{ "84 00 02 4e 0102030405060708091011121314" PATH, "", GK_ERR_RANGE },
		{ "84 00 02" IV "54" NODE, "", GK_ERR_RANGE }, // no tree has one node
		{ "84 00 02" IV "80", "", GK_ERR_TYPE },
		{ "83 00 02" IV, "", GK_ERR_TYPE },
		{ "84 00 02" IV PATH, "00", GK_ERR_MALFORMED },
		{ "85 00 02" IV PATH "41aa", "", GK_ERR_TYPE },
		{ "86 00 02" IV PATH "41aa 41bb", "", GK_ERR_TYPE },
		{ "87 00 02" IV PATH "41aa 41bb", verify, GK_OK },
		{ "88 00 02" IV PATH "41aa 41bb 41cc", verify, GK_ERR_RANGE },
		{ "87 00 02" IV PATH "40 41bb", verify, GK_ERR_RANGE },
		{ "87 00 02" IV PATH "41aa 40", verify, GK_ERR_RANGE },
		{ "87 00 02" IV PATH "41aa 41bb 41cc", "", GK_ERR_RANGE },
		{ "87 00 02" IV PATH "61aa 41bb", verify, GK_ERR_MALFORMED },
		{ "87 00 02" IV PATH "6161 41bb", verify, GK_ERR_TYPE },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_mgt_material got = { .slot = 99 };
		uint8_t bytes[512];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_buf_add(&buf, hex_span(rows[i].in));
		gk_buf_add(&buf, hex_span(rows[i].more));
		enum gk_err err = gk_mgt_material_read(exact_copy(gk_buf_span(&buf)), &got);
		if (err != rows[i].want || (err != GK_OK && got.slot != 99))
			fail_msg("row %zu, %s: error %d", i, rows[i].in, err);
	}
}

static void the_path_of_the_highest_tree_fits(void **state)
{
	(void)state;
	for (size_t nodes = 17; nodes <= 18; nodes++) {
		uint8_t bytes[512];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_mgt_material mgt = mgt_sample(false), got;
		mgt.path = gk_span(filling, nodes * GK_KEYPATH_NODE_LEN);
		gk_mgt_material_put(&buf, &mgt);
		assert_int_equal(gk_mgt_material_read(gk_buf_span(&buf), &got),
				 nodes == 17 ? GK_OK : GK_ERR_RANGE);
	}
}

static int start(void **state)
{
	(void)state;
	static const uint8_t d[2][32] = { { 1, 2, 3 }, { 4, 5, 6 } };
	env = test_env(&env_state, 1);
	for (size_t i = 0; i < sizeof(filling); i++)
		filling[i] = (uint8_t)(i * 31 + 7);
	return gk_global_init(&env) != GK_OK ||
	       gk_key_from_private(GK_CRV_P256, gk_span(d[0], 32), &kdc_key) != GK_OK ||
	       gk_key_from_private(GK_CRV_P256, gk_span(d[1], 32), &other_key) != GK_OK;
}

static int stop(void **state)
{
	(void)state;
	gk_global_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rekeying_reads_back),
		cmocka_unit_test(a_beacon_reads_back),
		cmocka_unit_test(bounds_of_numbers_read_back),
		cmocka_unit_test(the_same_message_has_the_same_bytes),
		cmocka_unit_test(a_message_is_appended),
		cmocka_unit_test(the_signature_covers_every_byte_of_the_content),
		cmocka_unit_test(the_signature_covers_the_length_of_the_content),
		cmocka_unit_test(the_signature_covers_the_group),
		cmocka_unit_test(a_signature_of_another_key_is_refused),
		cmocka_unit_test(every_byte_of_the_signature_counts),
		cmocka_unit_test(what_is_signed_is_context_scheme_group_and_content),
		cmocka_unit_test(evidence_and_what_is_signed_begin_with_different_types),
		cmocka_unit_test(no_signature_for_a_client_is_one_of_a_message),
		cmocka_unit_test(no_signature_of_a_message_is_one_for_a_client),
		cmocka_unit_test(the_mac_covers_content_and_signature),
		cmocka_unit_test(the_mac_is_that_of_the_document),
		cmocka_unit_test(the_mac_covers_the_group),
		cmocka_unit_test(a_mac_under_another_root_is_refused),
		cmocka_unit_test(a_message_without_a_mac_fails_the_check),
		cmocka_unit_test(a_rekeying_has_a_mac_and_a_beacon_has_none),
		cmocka_unit_test(neither_type_can_be_taken_for_the_other),
		cmocka_unit_test(other_types_are_unsupported_whatever_follows),
		cmocka_unit_test(contents_out_of_bounds_are_refused),
		cmocka_unit_test(beacons_out_of_bounds_are_refused),
		cmocka_unit_test(signature_and_mac_have_their_lengths),
		cmocka_unit_test(a_message_is_an_array_of_two_or_three),
		cmocka_unit_test(a_truncated_message_is_refused),
		cmocka_unit_test(as_many_entries_fit_as_there_is_room_for),
		cmocka_unit_test(every_overhead_leaves_its_room),
		cmocka_unit_test(a_written_payload_is_as_long_as_counted),
		cmocka_unit_test(a_payload_is_written_up_to_1232_bytes),
		cmocka_unit_test(a_payload_is_read_up_to_1232_bytes),
		cmocka_unit_test(what_would_not_be_read_is_not_written),
		cmocka_unit_test(a_root_goes_with_a_rekeying_and_not_with_a_beacon),
		cmocka_unit_test(a_payload_that_does_not_fit_is_taken_back),
		cmocka_unit_test(a_key_that_cannot_sign_is_told_of),
		cmocka_unit_test(an_ed25519_key_signs_too),
		cmocka_unit_test(the_longest_name_has_its_place),
		cmocka_unit_test(material_opens_under_its_root),
		cmocka_unit_test(material_opens_with_nothing_else),
		cmocka_unit_test(the_nonce_and_the_authenticated_data_are_those_of_the_document),
		cmocka_unit_test(a_confirmation_is_bound_to_all_that_it_confirms),
		cmocka_unit_test(the_mac_of_a_confirmation_is_that_of_the_document),
		cmocka_unit_test(a_confirmation_reads_back),
		cmocka_unit_test(a_confirmation_out_of_bounds_is_refused),
		cmocka_unit_test(mgt_key_material_reads_back),
		cmocka_unit_test(truncated_mgt_key_material_is_refused),
		cmocka_unit_test(mgt_key_material_out_of_bounds_is_refused),
		cmocka_unit_test(the_path_of_the_highest_tree_fits),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
