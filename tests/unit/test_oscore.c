// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/oscore.h"

#include "libgroupkey/cose.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/hex.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct gk_span nothing;

/** xorshift64*: the same sequences in every run. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

/* replay window */

/** @return true if 'piv' is new; then it is accepted */
static bool arrive(struct gk_window *w, uint64_t piv)
{
	bool fresh = gk_window_check(w, piv);
	if (fresh)
		gk_window_accept(w, piv);
	return fresh;
}

struct arrival {
	uint64_t piv;
	bool fresh;
};

static void assert_arrivals(const struct arrival *rows, size_t count)
{
	struct gk_window w = { .next = 0 };
	for (size_t i = 0; i < count; i++) {
		if (arrive(&w, rows[i].piv) != rows[i].fresh)
			fail_msg("arrival %zu of Partial IV %llu: got %d, want %d", i,
				 (unsigned long long)rows[i].piv, !rows[i].fresh, rows[i].fresh);
	}
}

static void piv_10_is_refused_after_10_and_7(void **state)
{
	(void)state;
	static const struct arrival rows[] = { { 10, true }, { 7, true }, { 10, false } };
	assert_arrivals(rows, COUNT(rows));
}

static void pivs_12_11_10_are_accepted_once_each(void **state)
{
	(void)state;
	static const struct arrival rows[] = { { 12, true },  { 11, true },  { 10, true },
					       { 12, false }, { 11, false }, { 10, false } };
	assert_arrivals(rows, COUNT(rows));
}

static void window_holds_the_64_up_to_the_newest(void **state)
{
	(void)state;
	static const struct arrival rows[] = {
		{ 100, true },  { 37, true },   { 36, false },  { 0, false },  { 101, true },
		{ 37, false },  { 38, true },   { 38, false },  { 99, true },  { 99, false },
		{ 102, true },  { 38, false },  { 39, true },   { 103, true }, { 39, false },
		{ 102, false }, { 101, false }, { 100, false },
	};
	assert_arrivals(rows, COUNT(rows));
}

static void far_jumps_forget_and_refuse_what_is_behind(void **state)
{
	(void)state;
	static const uint64_t jumps[] = {
		62, 63, 64, 65, 127, 128, 1000, UINT64_C(1) << 32, GK_OSCORE_PIV_MAX - 5
	};
	for (size_t i = 0; i < COUNT(jumps); i++) {
		struct gk_window w = { .next = 0 };
		assert_true(arrive(&w, 5));
		assert_true(arrive(&w, 5 + jumps[i]));
		assert_false(gk_window_check(&w, 5));
		assert_false(gk_window_check(&w, 5 + jumps[i]));
		assert_int_equal(gk_window_check(&w, 4 + jumps[i]), 1);
		/* 64 numbers up to the newest: is 4 one of them? */
		assert_int_equal(gk_window_check(&w, 4), jumps[i] + 1 < 64);
	}
}

static void largest_piv_is_accepted_and_nothing_above(void **state)
{
	(void)state;
	const struct arrival rows[] = {
		{ GK_OSCORE_PIV_MAX + 1, false },
		{ UINT64_MAX, false },
		{ GK_OSCORE_PIV_MAX, true },
		{ GK_OSCORE_PIV_MAX, false },
		{ GK_OSCORE_PIV_MAX + 1, false },
		{ GK_OSCORE_PIV_MAX - 1, true },
		{ GK_OSCORE_PIV_MAX - 63, true },
		{ GK_OSCORE_PIV_MAX - 64, false },
		{ 0, false },
	};
	assert_int_equal(GK_OSCORE_PIV_MAX, UINT64_C(0xffffffffff));
	assert_arrivals(rows, COUNT(rows));
}

static void accepting_what_cannot_be_accepted_changes_nothing(void **state)
{
	(void)state;
	struct gk_window w = { .next = 0 };
	gk_window_accept(&w, 200);
	gk_window_accept(&w, 199);
	const struct gk_window before = w;
	static const uint64_t pivs[] = { 200, 199, 136, 0, GK_OSCORE_PIV_MAX + 1, UINT64_MAX };
	for (size_t i = 0; i < COUNT(pivs); i++) {
		gk_window_accept(&w, pivs[i]);
		assert_memory_equal(&w, &before, sizeof(w));
	}
}

/* Enough that sequences slide over several windows. */
#define SEQUENCES    10000
#define SEQUENCE_LEN 200
#define MODEL_PIVS   1024

/** The naive window: a set of all that was ever accepted, and the highest of them. */
struct model {
	bool accepted[MODEL_PIVS];
	int64_t highest;
};

static bool model_arrives(struct model *m, uint64_t piv)
{
	if ((int64_t)piv <= m->highest - 64 || m->accepted[piv])
		return false;
	m->accepted[piv] = true;
	if ((int64_t)piv > m->highest)
		m->highest = (int64_t)piv;
	return true;
}

static void window_agrees_with_a_set_in_any_order(void **state)
{
	(void)state;
	uint64_t seed = 8613;
	size_t accepted = 0, refused = 0;
	for (size_t i = 0; i < SEQUENCES; i++) {
		struct model m = { .highest = -1 };
		struct gk_window w = { .next = 0 };
		uint64_t base = 0;
		/* how far arrivals are spread decides how much is reordered, repeated and lost */
		uint64_t spread = 1 + next_random(&seed) % 160;
		for (size_t j = 0; j < SEQUENCE_LEN; j++) {
			base += next_random(&seed) % 5;
			uint64_t piv = base + next_random(&seed) % spread;
			bool want = model_arrives(&m, piv);
			if (arrive(&w, piv) != want)
				fail_msg("sequence %zu, arrival %zu, Partial IV %llu: want %d", i,
					 j, (unsigned long long)piv, want);
			if (want)
				accepted++;
			else
				refused++;
		}
	}
	/* both outcomes must have been compared often */
	assert_true(accepted > SEQUENCES * 10 && refused > SEQUENCES * 10);
}

static void every_number_of_a_shuffled_window_is_accepted_exactly_once(void **state)
{
	(void)state;
	uint64_t seed = 7;
	for (size_t round = 0; round < 200; round++) {
		struct gk_window w = { .next = 0 };
		uint64_t pivs[128];
		size_t accepted = 0;
		for (size_t i = 0; i < COUNT(pivs); i++)
			pivs[i] = 1000 + i % 64; /* each twice */
		for (size_t i = COUNT(pivs) - 1; i > 0; i--) {
			size_t j = next_random(&seed) % (i + 1);
			uint64_t swapped = pivs[i];
			pivs[i] = pivs[j];
			pivs[j] = swapped;
		}
		for (size_t i = 0; i < COUNT(pivs); i++)
			accepted += arrive(&w, pivs[i]);
		assert_int_equal(accepted, 64);
	}
}

/* the OSCORE option */

static void options_are_read_and_written_back(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		bool has_kid, has_kid_context, group;
		const char *piv, *kid_context, *kid;
	} rows[] = {
		{ "", false, false, false, "", "", "" },
		{ "0914", true, false, false, "14", "", "" },
		{ "091400", true, false, false, "14", "", "00" },
		{ "0dffffffffff2503", true, false, false, "ffffffffff", "", "2503" },
		{ "19140837cbf3210017a2d3", true, true, false, "14", "37cbf3210017a2d3", "" },
		{ "1000", false, true, false, "", "", "" }, /* an empty kid context */
		{ "08", true, false, false, "", "", "" },
		{ "20", false, false, true, "", "", "" },
		/* RFC 10021 section 4.3 */
		{ "39050344616c25", true, true, true, "05", "44616c", "25" },
		{ "2852", true, false, true, "", "", "52" },
		{ "19050344616c25", true, true, false, "05", "44616c", "25" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[32];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		struct gk_oscore_option opt;
		assert_int_equal(gk_oscore_option_read(hex_span(rows[i].value), &opt), GK_OK);
		assert_int_equal(opt.has_kid, rows[i].has_kid);
		assert_int_equal(opt.has_kid_context, rows[i].has_kid_context);
		assert_int_equal(opt.group, rows[i].group);
		assert_hex_equal_row(opt.piv, rows[i].piv, rows[i].value);
		assert_hex_equal_row(opt.kid_context, rows[i].kid_context, rows[i].value);
		assert_hex_equal_row(opt.kid, rows[i].kid, rows[i].value);
		gk_oscore_option_put(&buf, &opt);
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].value, rows[i].value);
	}
}

static void malformed_options_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *value, *why;
	} rows[] = {
		{ "00", "flags that are all zero are not sent" },
		{ "0000", "flags that are all zero, and something behind" },
		{ "0e010203040506", "Partial IV of 6 bytes" },
		{ "0f01020304050607", "Partial IV of 7 bytes" },
		{ "49", "reserved bit 6" },
		{ "8914", "reserved bit 7, which announces more flags" },
		{ "c914", "both reserved bits" },
		{ "01", "no Partial IV" },
		{ "0501020304", "Partial IV cut" },
		{ "10", "no length of the kid context" },
		{ "1101", "no length of the kid context, after a Partial IV" },
		{ "1003aabb", "kid context cut" },
		{ "1901ff", "kid context of 255 bytes in none" },
		{ "010102", "something behind the Partial IV, without a kid" },
		{ "1001aabb", "something behind the kid context, without a kid" },
		{ "2001", "something behind the Group Flag" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_oscore_option opt, before;
		memset(&opt, 0xa5, sizeof(opt));
		memcpy(&before, &opt, sizeof(opt));
		if (gk_oscore_option_read(hex_span(rows[i].value), &opt) != GK_ERR_MALFORMED)
			fail_msg("%s (%s) is not refused", rows[i].value, rows[i].why);
		assert_memory_equal(&opt, &before, sizeof(opt));
	}
}

static void an_option_is_written_back_as_it_was_or_refused(void **state)
{
	(void)state;
	uint64_t seed = 9;
	size_t read = 0;
	for (size_t i = 0; i < 200000; i++) {
		uint8_t value[12], bytes[12];
		uint64_t more = next_random(&seed), rest = next_random(&seed);
		memcpy(value, &more, 8);
		memcpy(value + 8, &rest, 4);
		/* short kid contexts, or nothing with one would ever be read */
		value[2] &= 0x07;
		struct gk_span span = gk_span(value, i % sizeof(value));
		struct gk_oscore_option opt;
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		if (gk_oscore_option_read(span, &opt))
			continue;
		read++;
		gk_oscore_option_put(&buf, &opt);
		if (!gk_span_equal(gk_buf_span(&buf), span))
			fail_msg("%s became %s", hex_text(span), hex_text(gk_buf_span(&buf)));
	}
	assert_true(read > 10000);
}

static void peek_tells_unprotected_from_malformed(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		enum gk_err want;
		const char *what;
	} rows[] = {
		{ "02920914ff00", GK_OK, "the option and a payload" },
		{ "4490ff00", GK_OK, "the empty option" },
		{ "01", GK_ERR_MISSING, "a request without options" },
		{ "01b3747631", GK_ERR_MISSING, "another option" },
		{ "02620914ff00", GK_ERR_MISSING, "the same bytes as Observe" },
		{ "81ff52", GK_ERR_MISSING, "an unprotected 4.01" },
		{ "", GK_ERR_MALFORMED, "not even a code" },
		{ "02920914", GK_ERR_MALFORMED, "no payload" },
		{ "4490", GK_ERR_MALFORMED, "the empty option and no payload" },
		{ "4490ff", GK_ERR_MALFORMED, "a marker with nothing behind" },
		{ "449100ff00", GK_ERR_MALFORMED, "flags that are all zero" },
		{ "0292091402ff00", GK_ERR_MALFORMED, "the next option cut" },
		{ "02920914020914ff00", GK_ERR_MALFORMED, "two OSCORE options" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_oscore_option opt;
		struct gk_span payload;
		enum gk_err err = gk_oscore_peek(hex_span(rows[i].message), &opt, &payload);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].what, err, rows[i].want);
		if (!err)
			assert_hex_equal(payload, "00");
		assert_int_equal(gk_oscore_peek(hex_span(rows[i].message), &opt, NULL),
				 rows[i].want);
	}
}

/* derivation */

static struct gk_oscore_input an_input(void)
{
	return (struct gk_oscore_input){
		.alg = GK_ALG_AES_CCM_16_64_128,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = hex_span("0102030405060708090a0b0c0d0e0f10"),
		.master_salt = hex_span("9e7ca92223786340"),
		.sender_id = hex_span("c1"),
		.recipient_id = hex_span("5e"),
	};
}

/** Both ends of one association; 'alg' with a short nonce takes these IDs too. */
static void make_pair(int64_t alg, struct gk_oscore *client, struct gk_oscore *server)
{
	struct gk_oscore_input input = an_input();
	input.alg = alg;
	assert_int_equal(gk_oscore_init(client, &input), GK_OK);
	input.sender_id = hex_span("5e");
	input.recipient_id = hex_span("c1");
	assert_int_equal(gk_oscore_init(server, &input), GK_OK);
}

static void a_new_context_has_its_whole_sequence_before_it(void **state)
{
	(void)state;
	struct gk_oscore client, server;
	make_pair(GK_ALG_AES_CCM_16_64_128, &client, &server);
	assert_int_equal(client.seq, 0);
	assert_int_equal(client.seq_limit, GK_OSCORE_PIV_MAX + 1);
	assert_int_equal(client.window.next, 0);
	assert_int_equal(client.window.bitmap, 0);
	assert_memory_equal(client.sender_key, server.recipient_key, 16);
	assert_memory_equal(client.recipient_key, server.sender_key, 16);
	assert_memory_equal(client.common_iv, server.common_iv, 13);
	assert_memory_not_equal(client.sender_key, server.sender_key, 16);
}

enum spoil {
	SPOIL_ALG,
	SPOIL_ALG_CTR,
	SPOIL_HKDF,
	SPOIL_SENDER_ID,
	SPOIL_RECIPIENT_ID,
	SPOIL_SHORT_NONCE_ID,
	SPOIL_EQUAL_IDS,
	SPOIL_EQUAL_EMPTY_IDS,
	SPOIL_ID_CONTEXT,
	SPOIL_SECRET,
};

static struct gk_oscore_input spoilt(enum spoil how)
{
	struct gk_oscore_input input = an_input();
	switch (how) {
	case SPOIL_ALG:
		input.alg = 1; /* AES-GCM */
		break;
	case SPOIL_ALG_CTR:
		input.alg = -65534; /* A128CTR is no AEAD */
		break;
	case SPOIL_HKDF:
		input.hkdf = 7; /* HMAC 512 */
		break;
	case SPOIL_SENDER_ID:
		input.sender_id = hex_span("0102030405060708");
		break;
	case SPOIL_RECIPIENT_ID:
		input.recipient_id = hex_span("0102030405060708");
		break;
	case SPOIL_SHORT_NONCE_ID:
		input.alg = GK_ALG_AES_CCM_64_64_128;
		input.sender_id = hex_span("0102");
		break;
	case SPOIL_EQUAL_IDS:
		input.recipient_id = input.sender_id;
		break;
	case SPOIL_EQUAL_EMPTY_IDS:
		input.sender_id = nothing;
		input.recipient_id = nothing;
		break;
	case SPOIL_ID_CONTEXT:
		input.has_id_context = true;
		input.id_context = hex_span("000102030405060708090a0b0c0d0e0f10");
		break;
	case SPOIL_SECRET:
		input.master_secret = nothing;
		break;
	}
	return input;
}

static void a_context_that_would_not_work_is_not_made(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum spoil spoil;
		enum gk_err want;
	} rows[] = {
		{ "AES-GCM", SPOIL_ALG, GK_ERR_UNSUPPORTED },
		{ "A128CTR", SPOIL_ALG_CTR, GK_ERR_UNSUPPORTED },
		{ "HKDF SHA-512", SPOIL_HKDF, GK_ERR_UNSUPPORTED },
		{ "Sender ID of 8 bytes", SPOIL_SENDER_ID, GK_ERR_RANGE },
		{ "Recipient ID of 8 bytes", SPOIL_RECIPIENT_ID, GK_ERR_RANGE },
		{ "ID of 2 bytes with a 7-byte nonce", SPOIL_SHORT_NONCE_ID, GK_ERR_RANGE },
		{ "equal IDs", SPOIL_EQUAL_IDS, GK_ERR_RANGE },
		{ "equal empty IDs", SPOIL_EQUAL_EMPTY_IDS, GK_ERR_RANGE },
		{ "ID Context of 17 bytes", SPOIL_ID_CONTEXT, GK_ERR_RANGE },
		{ "no Master Secret", SPOIL_SECRET, GK_ERR_RANGE },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_oscore ctx, before;
		const struct gk_oscore_input input = spoilt(rows[i].spoil);
		memset(&ctx, 0xa5, sizeof(ctx));
		memcpy(&before, &ctx, sizeof(ctx));
		enum gk_err err = gk_oscore_init(&ctx, &input);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		assert_memory_equal(&ctx, &before, sizeof(ctx));
	}
}

static void the_longest_identifiers_work(void **state)
{
	(void)state;
	struct gk_oscore ctx;
	struct gk_oscore_input input = an_input();
	input.sender_id = hex_span("01020304050607");
	input.has_id_context = true;
	input.id_context = hex_span("000102030405060708090a0b0c0d0e0f");
	assert_int_equal(gk_oscore_init(&ctx, &input), GK_OK);
	assert_hex_equal(gk_span(ctx.id_context, ctx.id_context_len),
			 "000102030405060708090a0b0c0d0e0f");
}

static void an_empty_id_context_is_not_an_absent_one(void **state)
{
	(void)state;
	struct gk_oscore with, without;
	struct gk_oscore_input input = an_input();
	assert_int_equal(gk_oscore_init(&without, &input), GK_OK);
	input.has_id_context = true;
	assert_int_equal(gk_oscore_init(&with, &input), GK_OK);
	assert_memory_not_equal(with.sender_key, without.sender_key, 16);
}

static void derivation_refuses_lengths_it_cannot_do(void **state)
{
	(void)state;
	static uint8_t out[255 * 32 + 1];
	uint8_t id[80] = { 0 };
	const struct gk_oscore_input input = an_input();
	assert_int_equal(gk_oscore_derive(&input, gk_span(id, sizeof(id)), "Key", out, 16),
			 GK_ERR_RANGE);
	assert_int_equal(gk_oscore_derive(&input, nothing, "Key", out, sizeof(out)), GK_ERR_RANGE);
	assert_int_equal(gk_oscore_derive(&input, nothing, "Key", out, sizeof(out) - 1), GK_OK);
}

static void info_carries_any_algorithm_number(void **state)
{
	(void)state;
	static const struct {
		int64_t alg;
		const char *want;
	} rows[] = {
		{ 10, "8540f60a634b657910" },
		{ -7, "8540f626634b657910" },
		{ 65535, "8540f619ffff634b657910" },
		{ -65534, "8540f639fffd634b657910" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[32];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_oscore_put_info(&buf, nothing, false, nothing, rows[i].alg, "Key", 16);
		assert_hex_equal_row(gk_buf_span(&buf), rows[i].want, rows[i].want);
	}
}

static void partial_ivs_have_no_leading_zeros(void **state)
{
	(void)state;
	static const struct {
		uint64_t seq;
		const char *want;
	} rows[] = {
		{ 0, "00" },         { 1, "01" },
		{ 255, "ff" },       { 256, "0100" },
		{ 65536, "010000" }, { UINT64_C(0x100000000), "0100000000" },
		{ 0x1234, "1234" },  { GK_OSCORE_PIV_MAX, "ffffffffff" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct gk_id piv = gk_oscore_piv(rows[i].seq);
		assert_hex_equal_row(gk_id_span(&piv), rows[i].want, rows[i].want);
	}
}

static void nonce_takes_the_start_of_a_longer_common_iv(void **state)
{
	(void)state;
	/* the example of RFC 10021 section 3.3, with a Partial IV and an ID of zeros */
	const struct gk_span iv = hex_span("00112233445566778899aabbcc");
	uint8_t nonce[13];
	memset(nonce, 0xa5, sizeof(nonce));
	gk_oscore_nonce(iv.data, 7, nothing, hex_span("00"), nonce);
	assert_hex_equal(gk_span(nonce, 7), "00112233445566");
	assert_int_equal(nonce[7], 0xa5);
	gk_oscore_nonce(iv.data, 7, hex_span("25"), hex_span("0102"), nonce);
	assert_hex_equal(gk_span(nonce, 7), "01342233445464");
	gk_oscore_nonce(iv.data, 13, hex_span("01020304050607"), hex_span("ffffffffff"), nonce);
	assert_hex_equal(gk_span(nonce, 13), "07102030405060707766554433");
}

/* what is encrypted and what stays outside */

/** A message with one option, laid out but not encrypted. */
static enum gk_err lay_out_option(uint8_t code, uint16_t number, const char *value,
				  struct gk_buf *out, struct gk_span *plaintext)
{
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, code);
	gk_coap_put(&w, number, hex_span(value));
	gk_coap_put_payload(&w, hex_span("dada"));
	return gk_oscore_lay_out(gk_buf_span(&buf), code < GK_COAP_CREATED, hex_span("09"), 8, out,
				 plaintext);
}

/** @return true if option 'number' is in 'message' */
static bool has_option(struct gk_span message, uint16_t number)
{
	struct gk_coap msg;
	struct gk_span value;
	assert_int_equal(gk_coap_parse(message, &msg), GK_OK);
	return gk_coap_find(&msg, number, &value);
}

/** RFC 8613 figure 5; those of both classes are inner ones of the application's. */
static void each_option_goes_where_figure_5_says(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint16_t number;
		bool inner, outer;
	} rows[] = {
		{ "If-Match", 1, true, false },
		{ "Uri-Host", 3, false, true },
		{ "ETag", 4, true, false },
		{ "If-None-Match", 5, true, false },
		{ "Observe", 6, true, true },
		{ "Uri-Port", 7, false, true },
		{ "Location-Path", 8, true, false },
		{ "Uri-Path", 11, true, false },
		{ "Content-Format", 12, true, false },
		{ "Max-Age", 14, true, false },
		{ "Uri-Query", 15, true, false },
		{ "Accept", 17, true, false },
		{ "Location-Query", 20, true, false },
		{ "Block2", 23, true, false },
		{ "Block1", 27, true, false },
		{ "Size2", 28, true, false },
		{ "Proxy-Scheme", 39, false, true },
		{ "Size1", 60, true, false },
		{ "Echo", 252, true, false },
		{ "No-Response", 258, true, false },
		{ "Request-Tag", 292, true, false },
		{ "unknown, elective", 2050, true, false },
		{ "unknown, critical", 65001, true, false },
		{ "unknown, the first number", 0, true, false },
	};
	static const uint8_t codes[] = { GK_COAP_GET, GK_COAP_CONTENT };
	for (size_t i = 0; i < COUNT(rows) * COUNT(codes); i++) {
		size_t row = i / COUNT(codes);
		uint8_t bytes[128];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		struct gk_span plaintext;
		assert_int_equal(lay_out_option(codes[i % COUNT(codes)], rows[row].number, "01",
						&out, &plaintext),
				 GK_OK);
		if (has_option(gk_buf_span(&out), rows[row].number) != rows[row].outer)
			fail_msg("%s is %s outside", rows[row].name,
				 rows[row].outer ? "not" : "also");
		if (has_option(plaintext, rows[row].number) != rows[row].inner)
			fail_msg("%s is %s inside", rows[row].name,
				 rows[row].inner ? "not" : "also");
		assert_int_equal(plaintext.data[0], codes[i % COUNT(codes)]);
		assert_hex_equal(gk_span(plaintext.data + plaintext.len - 3, 3), "ffdada");
		assert_ptr_equal(plaintext.data + plaintext.len, out.data + out.len);
	}
}

static void outer_code_tells_observe_and_nothing_else(void **state)
{
	(void)state;
	static const struct {
		uint8_t code;
		uint16_t option;
		uint8_t want;
	} rows[] = {
		{ GK_COAP_GET, GK_OPT_URI_PATH, GK_COAP_POST },
		{ GK_COAP_DELETE, GK_OPT_URI_PATH, GK_COAP_POST },
		{ GK_COAP_FETCH, GK_OPT_URI_PATH, GK_COAP_POST },
		{ GK_COAP_GET, GK_OPT_OBSERVE, GK_COAP_FETCH },
		{ GK_COAP_CONTENT, GK_OPT_CONTENT_FORMAT, GK_COAP_CHANGED },
		{ GK_COAP_FORBIDDEN, GK_OPT_CONTENT_FORMAT, GK_COAP_CHANGED },
		{ GK_COAP_UNAVAILABLE, GK_OPT_CONTENT_FORMAT, GK_COAP_CHANGED },
		{ GK_COAP_CONTENT, GK_OPT_OBSERVE, GK_COAP_CONTENT },
		{ GK_COAP_NOT_FOUND, GK_OPT_OBSERVE, GK_COAP_CONTENT },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[128];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		struct gk_span plaintext;
		assert_int_equal(lay_out_option(rows[i].code, rows[i].option, "", &out, &plaintext),
				 GK_OK);
		if (bytes[0] != rows[i].want || plaintext.data[0] != rows[i].code)
			fail_msg("row %zu: outer %02x, inner %02x", i, bytes[0], plaintext.data[0]);
	}
}

static void observe_keeps_its_value_inside_in_requests_only(void **state)
{
	(void)state;
	static const struct {
		uint8_t code;
		const char *inner;
	} rows[] = { { GK_COAP_GET, "6101" }, { GK_COAP_CONTENT, "60" } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[128];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		struct gk_span plaintext;
		assert_int_equal(
			lay_out_option(rows[i].code, GK_OPT_OBSERVE, "01", &out, &plaintext),
			GK_OK);
		assert_hex_equal(gk_span_sub(plaintext, 1, plaintext.len - 4), rows[i].inner);
		assert_hex_equal(gk_span(bytes + 1, 2), "6101");
	}
}

static void outer_options_are_in_order_around_oscore(void **state)
{
	(void)state;
	uint8_t bytes[64], laid_out[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes)), out = gk_buf(laid_out, sizeof(laid_out));
	struct gk_span plaintext;
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
	gk_coap_put(&w, GK_OPT_URI_HOST, gk_span_str("a"));
	gk_coap_put(&w, GK_OPT_URI_PORT, hex_span("1633"));
	gk_coap_put(&w, GK_OPT_URI_PATH, gk_span_str("p"));
	gk_coap_put(&w, GK_OPT_URI_PATH, gk_span_str("q"));
	gk_coap_put(&w, GK_OPT_PROXY_SCHEME, gk_span_str("coap"));
	assert_int_equal(
		gk_oscore_lay_out(gk_buf_span(&buf), true, hex_span("0914"), 0, &out, &plaintext),
		GK_OK);
	assert_hex_equal(gk_buf_span(&out), "02 3161 421633 220914 d411636f6170 ff 01 b170 0171");
	assert_hex_equal(plaintext, "01b1700171");
}

static void what_cannot_be_protected_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *name, *message;
		bool is_request;
		enum gk_err want;
	} rows[] = {
		{ "nothing", "", true, GK_ERR_MALFORMED },
		{ "a cut option", "01b374", true, GK_ERR_MALFORMED },
		{ "a marker without payload", "01ff", true, GK_ERR_MALFORMED },
		{ "the empty code", "00", true, GK_ERR_MALFORMED },
		{ "a response for a request", "45", true, GK_ERR_MALFORMED },
		{ "a request for a response", "01", false, GK_ERR_MALFORMED },
		{ "the empty code for a response", "00", false, GK_ERR_MALFORMED },
		{ "class 1", "20", true, GK_ERR_MALFORMED },
		{ "class 1 for a response", "20", false, GK_ERR_MALFORMED },
		{ "class 6", "c1", false, GK_ERR_MALFORMED },
		{ "a signal", "e1", true, GK_ERR_MALFORMED },
		{ "OSCORE inside", "0190", true, GK_ERR_MALFORMED },
		{ "OSCORE inside a response", "4590", false, GK_ERR_MALFORMED },
		{ "Observe twice", "016000", true, GK_ERR_MALFORMED },
		{ "Observe of 4 bytes", "456401020304", false, GK_ERR_MALFORMED },
		{ "Proxy-Uri", "01d61663 6f61703a2f", true, GK_ERR_UNSUPPORTED },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[64];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		struct gk_span plaintext = nothing;
		enum gk_err err = gk_oscore_lay_out(hex_span(rows[i].message), rows[i].is_request,
						    nothing, 8, &out, &plaintext);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		assert_int_equal(out.len, 0);
		assert_false(out.overflow);
		assert_null(plaintext.data);
	}
}

/* messages */

#define GET_TEMP   "01b474656d70" /* GET /temp */
#define CONTENT_21 "45ff323143"   /* 2.05, "21C" */

/** A client and a server that talk to each other. */
struct pair {
	struct gk_oscore client, server;
	uint8_t bytes[512], inner[512];
	struct gk_buf out, in;
	struct gk_oscore_ref sent, received;
	bool fresh;
};

static struct pair a_pair(int64_t alg)
{
	struct pair p = { .fresh = false };
	make_pair(alg, &p.client, &p.server);
	return p;
}

static void rewind_buffers(struct pair *p)
{
	p->out = gk_buf(p->bytes, sizeof(p->bytes));
	p->in = gk_buf(p->inner, sizeof(p->inner));
}

/** The client protects a request. @return it, in 'p' */
static struct gk_span protect_request(struct pair *p, const char *message)
{
	rewind_buffers(p);
	assert_int_equal(
		gk_oscore_protect_request(&p->client, hex_span(message), &p->out, &p->sent), GK_OK);
	return gk_buf_span(&p->out);
}

/** A request travels; the server has accepted it. */
static void exchange_request(struct pair *p, const char *message)
{
	struct gk_span request = protect_request(p, message);
	assert_int_equal(
		gk_oscore_unprotect_request(&p->server, request, &p->in, &p->received, &p->fresh),
		GK_OK);
	assert_hex_equal(gk_buf_span(&p->in), message);
	assert_true(p->fresh);
	gk_window_accept(&p->server.window, gk_span_uint(gk_id_span(&p->received.piv)));
}

/** A response travels. @return its Partial IV as the client saw it */
static int64_t exchange_response(struct pair *p, const char *message, bool own_piv)
{
	int64_t piv = -2;
	rewind_buffers(p);
	assert_int_equal(gk_oscore_protect_response(&p->server, &p->received, hex_span(message),
						    own_piv, &p->out),
			 GK_OK);
	assert_int_equal(gk_oscore_unprotect_response(&p->client, &p->sent, gk_buf_span(&p->out),
						      &p->in, &piv),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&p->in), message);
	return piv;
}

static void both_directions_work_with_every_algorithm(void **state)
{
	(void)state;
	static const int64_t algs[] = { GK_ALG_AES_CCM_16_64_128, GK_ALG_AES_CCM_64_64_128,
					GK_ALG_AES_CCM_16_128_128, GK_ALG_AES_CCM_64_128_128 };
	for (size_t i = 0; i < COUNT(algs); i++) {
		struct pair p = a_pair(algs[i]);
		for (size_t j = 0; j < 300; j++) {
			exchange_request(&p, GET_TEMP);
			assert_int_equal(exchange_response(&p, CONTENT_21, false), -1);
			assert_int_equal(exchange_response(&p, CONTENT_21, true), j);
		}
		/* and with the roles the other way round, under the same context */
		rewind_buffers(&p);
		assert_int_equal(
			gk_oscore_protect_request(&p.server, hex_span(GET_TEMP), &p.out, &p.sent),
			GK_OK);
		assert_int_equal(gk_oscore_unprotect_request(&p.client, gk_buf_span(&p.out), &p.in,
							     &p.received, &p.fresh),
				 GK_OK);
		assert_hex_equal(gk_buf_span(&p.in), GET_TEMP);
	}
}

static void no_outer_option_reaches_the_caller(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	/* Uri-Host "a", Observe 1, Uri-Path "temp" */
	struct gk_span request = protect_request(&p, "01 3161 3101 5474656d70");
	assert_hex_equal(gk_span_sub(request, 0, 8), "05 3161 3101 330900");
	assert_int_equal(
		gk_oscore_unprotect_request(&p.server, request, &p.in, &p.received, &p.fresh),
		GK_OK);
	assert_hex_equal(gk_buf_span(&p.in), "01 6101 5474656d70");
}

static void a_protected_message_is_never_longer_than_the_overhead_says(void **state)
{
	(void)state;
	/* All that adds: long identifiers, the longest Partial IV and tag, Observe twice, outer
	 * options with wide gaps between them. */
	struct gk_oscore ctx;
	struct gk_oscore_ref ref;
	uint8_t bytes[256], protected[512];
	struct gk_oscore_input input = an_input();
	input.alg = GK_ALG_AES_CCM_16_128_128;
	input.sender_id = hex_span("01020304050607");
	input.has_id_context = true;
	input.id_context = hex_span("000102030405060708090a0b0c0d0e0f");
	assert_int_equal(gk_oscore_init(&ctx, &input), GK_OK);
	ctx.seq = GK_OSCORE_PIV_MAX;

	struct gk_buf buf = gk_buf(bytes, sizeof(bytes)),
		      out = gk_buf(protected, sizeof(protected));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);
	gk_coap_put(&w, GK_OPT_URI_HOST, gk_span_str("host"));
	gk_coap_put(&w, GK_OPT_OBSERVE, hex_span("010203"));
	gk_coap_put(&w, GK_OPT_URI_PORT, hex_span("1633"));
	gk_coap_put(&w, 36, nothing);
	gk_coap_put(&w, GK_OPT_PROXY_SCHEME, gk_span_str("coap"));
	gk_coap_put(&w, 40, nothing);
	gk_coap_put(&w, 310, nothing);
	gk_coap_put_payload(&w, hex_span("00"));
	assert_int_equal(gk_oscore_protect_request(&ctx, gk_buf_span(&buf), &out, &ref), GK_OK);
	if (out.len > buf.len + GK_OSCORE_OVERHEAD)
		fail_msg("%zu bytes more, not %d", out.len - buf.len, GK_OSCORE_OVERHEAD);
	/* but not far from it, or the constant is too generous */
	assert_true(out.len > buf.len + GK_OSCORE_OVERHEAD - 16);
	assert_int_equal(ctx.seq, GK_OSCORE_PIV_MAX + 1);
	assert_int_equal(gk_oscore_protect_request(&ctx, gk_buf_span(&buf), &out, &ref),
			 GK_ERR_SEQUENCE);
}

static void the_payload_can_be_large(void **state)
{
	(void)state;
	static uint8_t message[UINT16_MAX + 1], out_bytes[UINT16_MAX + 100], in_bytes[UINT16_MAX];
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	message[0] = GK_COAP_POST;
	message[1] = 0xff;
	struct gk_buf out = gk_buf(out_bytes, sizeof(out_bytes));
	assert_int_equal(gk_oscore_protect_request(&p.client, gk_span(message, UINT16_MAX + 1),
						   &out, &p.sent),
			 GK_ERR_RANGE);
	assert_int_equal(p.client.seq, 0);
	assert_int_equal(
		gk_oscore_protect_request(&p.client, gk_span(message, UINT16_MAX), &out, &p.sent),
		GK_OK);
	struct gk_buf in = gk_buf(in_bytes, sizeof(in_bytes));
	assert_int_equal(gk_oscore_unprotect_request(&p.server, gk_buf_span(&out), &in, &p.received,
						     &p.fresh),
			 GK_OK);
	assert_true(gk_span_equal(gk_buf_span(&in), gk_span(message, UINT16_MAX)));

	/* one byte of payload more than the algorithm can have encrypted */
	uint8_t longer[UINT16_MAX + 100];
	memcpy(longer, out_bytes, out.len);
	longer[out.len] = 0;
	in = gk_buf(in_bytes, sizeof(in_bytes));
	assert_int_equal(gk_oscore_unprotect_request(&p.server, gk_span(longer, out.len + 1), &in,
						     &p.received, &p.fresh),
			 GK_ERR_RANGE);
}

static void messages_are_appended_and_leave_what_was_there(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	rewind_buffers(&p);
	gk_buf_add(&p.out, hex_span("aabb"));
	gk_buf_add(&p.in, hex_span("ccdd"));
	assert_int_equal(gk_oscore_protect_request(&p.client, hex_span(GET_TEMP), &p.out, &p.sent),
			 GK_OK);
	assert_hex_equal(gk_span(p.bytes, 2), "aabb");
	assert_int_equal(gk_oscore_unprotect_request(&p.server,
						     gk_span_sub(gk_buf_span(&p.out), 2, p.out.len),
						     &p.in, &p.received, &p.fresh),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&p.in), "ccdd" GET_TEMP);
}

/* replay, through messages */

static void verifying_does_not_move_the_window(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	struct gk_span request = exact_copy(protect_request(&p, GET_TEMP));
	for (size_t i = 0; i < 3; i++) {
		rewind_buffers(&p);
		assert_int_equal(gk_oscore_unprotect_request(&p.server, request, &p.in, &p.received,
							     &p.fresh),
				 GK_OK);
		assert_true(p.fresh);
		assert_int_equal(p.server.window.next, 0);
	}
}

static void a_replay_is_told_from_a_forgery(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	exchange_request(&p, GET_TEMP);
	struct gk_span request = exact_copy(gk_buf_span(&p.out));
	rewind_buffers(&p);
	assert_int_equal(
		gk_oscore_unprotect_request(&p.server, request, &p.in, &p.received, &p.fresh),
		GK_OK);
	assert_false(p.fresh);

	uint8_t forged[64];
	memcpy(forged, request.data, request.len);
	forged[request.len - 1] ^= 1;
	p.fresh = true;
	rewind_buffers(&p);
	assert_int_equal(gk_oscore_unprotect_request(&p.server, gk_span(forged, request.len), &p.in,
						     &p.received, &p.fresh),
			 GK_ERR_CRYPTO);
	assert_true(p.fresh);
}

static void a_replayed_request_never_lends_its_nonce(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	exchange_request(&p, GET_TEMP);
	struct gk_span request = exact_copy(gk_buf_span(&p.out));
	assert_int_equal(exchange_response(&p, CONTENT_21, false), -1);
	rewind_buffers(&p);
	assert_int_equal(
		gk_oscore_unprotect_request(&p.server, request, &p.in, &p.received, &p.fresh),
		GK_OK);
	/* a ref made anew knows nothing of the first answer, but that this is a replay */
	assert_int_equal(exchange_response(&p, CONTENT_21, false), 0);
}

/* nonces */

static void a_second_response_takes_its_own_piv(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	exchange_request(&p, GET_TEMP);
	assert_false(p.received.nonce_used);
	assert_int_equal(exchange_response(&p, CONTENT_21, false), -1);
	assert_true(p.received.nonce_used);
	assert_int_equal(exchange_response(&p, CONTENT_21, false), 0);
	assert_int_equal(exchange_response(&p, CONTENT_21, false), 1);
	assert_int_equal(p.server.seq, 2);
}

static void a_response_with_its_own_piv_leaves_the_requests_nonce(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	exchange_request(&p, GET_TEMP);
	assert_int_equal(exchange_response(&p, CONTENT_21, true), 0);
	assert_int_equal(exchange_response(&p, CONTENT_21, false), -1);
}

/** One use of a sender's key. */
struct use {
	uint8_t who; /* whose key */
	uint8_t nonce[13];
};

static void note_use(struct use *uses, size_t *count, const struct gk_oscore *sender, uint8_t who,
		     struct gk_span message, const struct gk_oscore_ref *ref)
{
	struct gk_oscore_option opt;
	struct use use = { .who = who };
	assert_int_equal(gk_oscore_peek(message, &opt, NULL), GK_OK);
	gk_oscore_nonce(sender->common_iv, 13,
			gk_id_span(opt.piv.len > 0 ? &sender->sender_id : &ref->kid),
			opt.piv.len > 0 ? opt.piv : gk_id_span(&ref->piv), use.nonce);
	for (size_t i = 0; i < *count; i++) {
		if (memcmp(&uses[i], &use, sizeof(use)) == 0)
			fail_msg("use %zu repeats the nonce of use %zu", *count, i);
	}
	uses[(*count)++] = use;
}

static void no_nonce_is_used_twice_under_one_key(void **state)
{
	(void)state;
	static struct use uses[3000];
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	uint64_t seed = 13;
	size_t count = 0;
	struct gk_oscore_ref refs[2]; /* newest requests of either side */
	struct gk_oscore *sides[] = { &p.client, &p.server };
	for (size_t i = 0; i < COUNT(refs); i++)
		refs[i] = (struct gk_oscore_ref){ .nonce_used = false };
	while (count < COUNT(uses)) {
		uint64_t dice = next_random(&seed);
		size_t who = dice & 1;
		struct gk_oscore *me = sides[who], *other = sides[!who];
		rewind_buffers(&p);
		if ((dice >> 8) % 4 == 0 || refs[!who].piv.len == 0) {
			assert_int_equal(
				gk_oscore_protect_request(me, hex_span(GET_TEMP), &p.out, &p.sent),
				GK_OK);
			assert_int_equal(gk_oscore_unprotect_request(other, gk_buf_span(&p.out),
								     &p.in, &refs[who], &p.fresh),
					 GK_OK);
			gk_window_accept(&other->window, me->seq - 1);
		} else {
			assert_int_equal(gk_oscore_protect_response(me, &refs[!who],
								    hex_span(CONTENT_21),
								    (dice >> 16) % 8 == 0, &p.out),
					 GK_OK);
		}
		note_use(uses, &count, me, (uint8_t)who, gk_buf_span(&p.out), &refs[!who]);
	}
}

static void sequence_numbers_end_at_the_reserved_limit(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	p.client.seq_limit = 2;
	exchange_request(&p, GET_TEMP);
	exchange_request(&p, GET_TEMP);
	rewind_buffers(&p);
	const struct gk_oscore_ref before = p.sent;
	assert_int_equal(gk_oscore_protect_request(&p.client, hex_span(GET_TEMP), &p.out, &p.sent),
			 GK_ERR_SEQUENCE);
	assert_int_equal(p.client.seq, 2);
	assert_int_equal(p.out.len, 0);
	assert_memory_equal(&p.sent, &before, sizeof(before));
	p.client.seq_limit = 3;
	exchange_request(&p, GET_TEMP);
}

static void the_last_sequence_number_is_2_to_40_minus_1(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	p.client.seq = GK_OSCORE_PIV_MAX;
	p.client.seq_limit = UINT64_MAX;
	exchange_request(&p, GET_TEMP);
	assert_hex_equal(gk_id_span(&p.received.piv), "ffffffffff");
	rewind_buffers(&p);
	assert_int_equal(gk_oscore_protect_request(&p.client, hex_span(GET_TEMP), &p.out, &p.sent),
			 GK_ERR_SEQUENCE);
}

static void a_response_without_piv_needs_no_sequence_number(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	p.server.seq_limit = 0;
	exchange_request(&p, GET_TEMP);
	assert_int_equal(gk_oscore_protect_response(&p.server, &p.received, hex_span(CONTENT_21),
						    true, &p.out),
			 GK_ERR_SEQUENCE);
	assert_false(p.received.nonce_used);
	assert_int_equal(exchange_response(&p, CONTENT_21, false), -1);
	assert_int_equal(gk_oscore_protect_response(&p.server, &p.received, hex_span(CONTENT_21),
						    false, &p.out),
			 GK_ERR_SEQUENCE);
}

/* errors */

static void too_small_a_buffer_uses_nothing_up(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	size_t len = protect_request(&p, GET_TEMP).len;
	const struct gk_oscore_ref before = p.sent;
	for (size_t cap = 0; cap < len; cap++) {
		uint8_t *exact = malloc(cap > 0 ? cap : 1);
		struct gk_buf out = gk_buf(cap > 0 ? exact : NULL, cap);
		assert_int_equal(
			gk_oscore_protect_request(&p.client, hex_span(GET_TEMP), &out, &p.sent),
			GK_ERR_NO_SPACE);
		assert_int_equal(out.len, 0);
		assert_false(out.overflow);
		free(exact);
	}
	assert_int_equal(p.client.seq, 1);
	assert_memory_equal(&p.sent, &before, sizeof(before));

	exchange_request(&p, GET_TEMP);
	struct gk_buf tiny = gk_buf(p.bytes, 3);
	assert_int_equal(gk_oscore_protect_response(&p.server, &p.received, hex_span(CONTENT_21),
						    false, &tiny),
			 GK_ERR_NO_SPACE);
	assert_false(p.received.nonce_used);
	assert_int_equal(gk_oscore_protect_response(&p.server, &p.received, hex_span(CONTENT_21),
						    true, &tiny),
			 GK_ERR_NO_SPACE);
	assert_int_equal(p.server.seq, 0);
}

static void a_buffer_too_small_for_the_inner_message_is_no_space(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	struct gk_span request = protect_request(&p, GET_TEMP);
	struct gk_buf in = gk_buf(p.inner, 5);
	assert_int_equal(
		gk_oscore_unprotect_request(&p.server, request, &in, &p.received, &p.fresh),
		GK_ERR_NO_SPACE);
	assert_int_equal(in.len, 0);
	assert_false(in.overflow);
}

static void a_malformed_message_uses_nothing_up(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	exchange_request(&p, GET_TEMP);
	rewind_buffers(&p);
	assert_int_equal(gk_oscore_protect_request(&p.client, hex_span("45"), &p.out, &p.sent),
			 GK_ERR_MALFORMED);
	assert_int_equal(
		gk_oscore_protect_request(&p.client, hex_span("01d6166162"), &p.out, &p.sent),
		GK_ERR_MALFORMED);
	assert_int_equal(
		gk_oscore_protect_request(&p.client, hex_span("01d216612f"), &p.out, &p.sent),
		GK_ERR_UNSUPPORTED);
	assert_int_equal(
		gk_oscore_protect_response(&p.server, &p.received, hex_span("01"), false, &p.out),
		GK_ERR_MALFORMED);
	assert_int_equal(p.client.seq, 1);
	assert_int_equal(p.server.seq, 0);
	assert_false(p.received.nonce_used);
	assert_int_equal(p.out.len, 0);
}

static void a_failed_encryption_leaves_no_plaintext_and_burns_the_nonce(void **state)
{
	(void)state;
	/* wolfSSL refuses a tag of 3 bytes */
	static const struct gk_aead broken = {
		.alg = 10, .key_len = 16, .nonce_len = 13, .tag_len = 3
	};
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	const uint8_t *temp = hex_span("74656d70").data;
	exchange_request(&p, GET_TEMP);
	p.client.aead = &broken;
	p.server.aead = &broken;
	memset(p.bytes, 0, sizeof(p.bytes));
	rewind_buffers(&p);
	assert_int_equal(gk_oscore_protect_request(&p.client, hex_span(GET_TEMP), &p.out, &p.sent),
			 GK_ERR_CRYPTO);
	assert_int_equal(p.client.seq, 2);
	assert_int_equal(p.out.len, 0);
	for (size_t i = 0; i + 4 <= sizeof(p.bytes); i++)
		assert_memory_not_equal(p.bytes + i, temp, 4);
	assert_int_equal(gk_oscore_protect_response(&p.server, &p.received, hex_span(CONTENT_21),
						    false, &p.out),
			 GK_ERR_CRYPTO);
	assert_true(p.received.nonce_used);
}

static void a_context_that_is_not_set_up_does_nothing(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	static const uint8_t zeros[sizeof(struct gk_oscore)];
	exchange_request(&p, GET_TEMP);
	struct gk_span message = exact_copy(gk_buf_span(&p.out));
	gk_oscore_wipe(&p.client);
	gk_oscore_wipe(&p.server);
	assert_memory_equal(&p.client, zeros, sizeof(zeros));
	assert_int_equal(gk_oscore_protect_request(&p.client, hex_span(GET_TEMP), &p.out, &p.sent),
			 GK_ERR_STATE);
	assert_int_equal(
		gk_oscore_unprotect_request(&p.server, message, &p.in, &p.received, &p.fresh),
		GK_ERR_STATE);
	assert_int_equal(gk_oscore_protect_response(&p.server, &p.received, hex_span(CONTENT_21),
						    false, &p.out),
			 GK_ERR_STATE);
	assert_int_equal(gk_oscore_unprotect_response(&p.client, &p.sent, message, &p.in, NULL),
			 GK_ERR_STATE);
}

static void a_ref_of_another_party_is_refused(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	const struct gk_oscore_ref none = { .nonce_used = false };
	struct gk_oscore_ref wrong = none;
	exchange_request(&p, GET_TEMP);
	exchange_response(&p, CONTENT_21, false);
	struct gk_span response = exact_copy(gk_buf_span(&p.out));
	rewind_buffers(&p);
	/* nobody's request */
	assert_int_equal(
		gk_oscore_protect_response(&p.server, &wrong, hex_span(CONTENT_21), false, &p.out),
		GK_ERR_STATE);
	assert_int_equal(gk_oscore_unprotect_response(&p.client, &none, response, &p.in, NULL),
			 GK_ERR_STATE);
	/* one's own request, or the peer's */
	wrong = p.sent;
	wrong.kid = p.server.sender_id;
	assert_int_equal(
		gk_oscore_protect_response(&p.server, &wrong, hex_span(CONTENT_21), false, &p.out),
		GK_ERR_STATE);
	assert_int_equal(gk_oscore_unprotect_response(&p.client, &wrong, response, &p.in, NULL),
			 GK_ERR_STATE);
	/* right kid, no Partial IV */
	wrong = p.sent;
	wrong.piv.len = 0;
	assert_int_equal(
		gk_oscore_protect_response(&p.server, &wrong, hex_span(CONTENT_21), true, &p.out),
		GK_ERR_STATE);
	assert_int_equal(gk_oscore_unprotect_response(&p.client, &wrong, response, &p.in, NULL),
			 GK_ERR_STATE);
	/* and the right one */
	assert_int_equal(gk_oscore_unprotect_response(&p.client, &p.sent, response, &p.in, NULL),
			 GK_OK);
}

/** Replace the option of a protected message. */
static struct gk_span with_option(struct gk_span message, const char *option)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap msg;
	assert_int_equal(gk_coap_parse(message, &msg), GK_OK);
	struct gk_coap_writer w = gk_coap_begin(&buf, msg.code);
	gk_coap_put(&w, GK_OPT_OSCORE, hex_span(option));
	gk_coap_put_payload(&w, msg.payload);
	return exact_copy(gk_buf_span(&buf));
}

static void requests_of_others_and_bad_ones_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *name, *option;
		enum gk_err want;
	} rows[] = {
		{ "as it was", "0900c1", GK_OK },
		{ "no kid", "0100", GK_ERR_MALFORMED },
		{ "no Partial IV", "08c1", GK_ERR_MALFORMED },
		{ "neither", "", GK_ERR_MALFORMED },
		{ "flags zero", "00", GK_ERR_MALFORMED },
		{ "another kid", "0900c2", GK_ERR_UNKNOWN },
		{ "an empty kid", "0900", GK_ERR_UNKNOWN },
		{ "a long kid", "0900c1c1c1c1c1c1c1c1c1", GK_ERR_UNKNOWN },
		{ "own kid, reflected", "09005e", GK_ERR_UNKNOWN },
		{ "a kid context of none", "190001aac1", GK_ERR_UNKNOWN },
		{ "an empty kid context of none", "190000c1", GK_ERR_UNKNOWN },
		{ "Group Flag", "2900c1", GK_ERR_UNSUPPORTED },
		{ "another Partial IV", "0901c1", GK_ERR_CRYPTO },
		{ "the same Partial IV, written longer", "0a0000c1", GK_ERR_CRYPTO },
	};
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	struct gk_span request = exact_copy(protect_request(&p, GET_TEMP));
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gk_oscore_ref ref, before;
		memset(&ref, 0xa5, sizeof(ref));
		memcpy(&before, &ref, sizeof(ref));
		rewind_buffers(&p);
		enum gk_err err = gk_oscore_unprotect_request(
			&p.server, with_option(request, rows[i].option), &p.in, &ref, &p.fresh);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		if (err) {
			assert_memory_equal(&ref, &before, sizeof(ref));
			assert_int_equal(p.in.len, 0);
		}
	}
	assert_int_equal(gk_oscore_unprotect_request(&p.server, hex_span(GET_TEMP), &p.in,
						     &p.received, &p.fresh),
			 GK_ERR_MISSING);
}

static void the_kid_context_must_be_the_contexts(void **state)
{
	(void)state;
	static const struct {
		const char *name, *option;
		enum gk_err want;
	} rows[] = {
		{ "as it was", "190003a1a2a3c1", GK_OK },
		{ "left out", "0900c1", GK_OK }, /* RFC 8613 section 5.1: optional */
		{ "another", "190003a1a2a4c1", GK_ERR_UNKNOWN },
		{ "shorter", "190002a1a2c1", GK_ERR_UNKNOWN },
		{ "empty", "190000c1", GK_ERR_UNKNOWN },
	};
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	struct gk_oscore_input input = an_input();
	input.has_id_context = true;
	input.id_context = hex_span("a1a2a3");
	assert_int_equal(gk_oscore_init(&p.client, &input), GK_OK);
	input.sender_id = hex_span("5e");
	input.recipient_id = hex_span("c1");
	assert_int_equal(gk_oscore_init(&p.server, &input), GK_OK);
	struct gk_span request = exact_copy(protect_request(&p, GET_TEMP));
	for (size_t i = 0; i < COUNT(rows); i++) {
		rewind_buffers(&p);
		enum gk_err err =
			gk_oscore_unprotect_request(&p.server, with_option(request, rows[i].option),
						    &p.in, &p.received, &p.fresh);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
	}
}

static void responses_of_others_and_bad_ones_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *name, *option;
		enum gk_err want;
	} rows[] = {
		{ "as it was", "", GK_OK },
		{ "the kid of the peer", "085e", GK_OK },
		{ "the kid of another", "085f", GK_ERR_UNKNOWN },
		{ "the own kid", "08c1", GK_ERR_UNKNOWN },
		{ "a kid context", "1001aa", GK_ERR_UNKNOWN },
		{ "Group Flag", "285e", GK_ERR_UNSUPPORTED },
		{ "a Partial IV", "0100", GK_ERR_CRYPTO },
		{ "flags zero", "00", GK_ERR_MALFORMED },
	};
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	exchange_request(&p, GET_TEMP);
	exchange_response(&p, CONTENT_21, false);
	struct gk_span response = exact_copy(gk_buf_span(&p.out));
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t piv = -2;
		rewind_buffers(&p);
		enum gk_err err = gk_oscore_unprotect_response(
			&p.client, &p.sent, with_option(response, rows[i].option), &p.in, &piv);
		if (err != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].name, err, rows[i].want);
		assert_int_equal(piv, err ? -2 : -1);
		assert_int_equal(p.in.len > 0, err == GK_OK);
	}
	/* an unprotected error, as RFC 8613 section 8.2 sends it */
	assert_int_equal(
		gk_oscore_unprotect_response(&p.client, &p.sent, hex_span("81"), &p.in, NULL),
		GK_ERR_MISSING);
}

static void a_response_fits_its_own_request_only(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	for (int own_piv = 0; own_piv < 2; own_piv++) {
		exchange_request(&p, GET_TEMP);
		const struct gk_oscore_ref first = p.sent;
		exchange_request(&p, GET_TEMP);
		exchange_response(&p, CONTENT_21, own_piv);
		struct gk_span response = exact_copy(gk_buf_span(&p.out));
		rewind_buffers(&p);
		assert_int_equal(
			gk_oscore_unprotect_response(&p.client, &first, response, &p.in, NULL),
			GK_ERR_CRYPTO);
	}
}

static void a_reflected_request_is_no_response(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	struct gk_span request = exact_copy(protect_request(&p, GET_TEMP));
	rewind_buffers(&p);
	assert_int_equal(gk_oscore_unprotect_response(&p.client, &p.sent, request, &p.in, NULL),
			 GK_ERR_UNKNOWN);
	assert_int_equal(gk_oscore_unprotect_response(&p.client, &p.sent, with_option(request, ""),
						      &p.in, NULL),
			 GK_ERR_CRYPTO);
}

static void every_changed_bit_is_noticed(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	struct gk_span request = exact_copy(protect_request(&p, GET_TEMP));
	/* byte 0 is the outer code, which nobody looks at (RFC 8613 section 8.2, step 1) */
	for (size_t bit = 8; bit < request.len * 8; bit++) {
		uint8_t changed[64];
		memcpy(changed, request.data, request.len);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rewind_buffers(&p);
		enum gk_err err = gk_oscore_unprotect_request(
			&p.server, gk_span(changed, request.len), &p.in, &p.received, &p.fresh);
		if (err == GK_OK)
			fail_msg("bit %zu of byte %zu can be changed", bit % 8, bit / 8);
		assert_int_equal(p.in.len, 0);
	}
}

static void every_cut_is_noticed(void **state)
{
	(void)state;
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	struct gk_span request = exact_copy(protect_request(&p, GET_TEMP));
	for (size_t len = 0; len < request.len; len++) {
		rewind_buffers(&p);
		enum gk_err err = gk_oscore_unprotect_request(
			&p.server, exact_copy(gk_span(request.data, len)), &p.in, &p.received,
			&p.fresh);
		enum gk_err want = len == 1  ? GK_ERR_MISSING
				   : len < 7 ? GK_ERR_MALFORMED
					     : GK_ERR_CRYPTO;
		if (err != want)
			fail_msg("%zu bytes: got %d, want %d", len, err, want);
	}
}

/** Encrypt anything, as a peer gone wrong would: as request 0 of the client,
 * or the answer to it. */
static struct gk_span protect_raw(const struct gk_oscore *sender, const char *option,
				  const char *plaintext)
{
	uint8_t bytes[128], aad[64], nonce[13];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes)), aad_buf = gk_buf(aad, sizeof(aad));
	gk_cose_put_enc_structure(&aad_buf, nothing, hex_span("8501810a41c1410040"));
	gk_oscore_nonce(sender->common_iv, 13, hex_span("c1"), hex_span("00"), nonce);
	struct gk_coap_writer w = gk_coap_begin(&out, GK_COAP_POST);
	gk_coap_put(&w, GK_OPT_OSCORE, hex_span(option));
	gk_buf_byte(&out, 0xff);
	assert_int_equal(gk_aead_seal(sender->aead, gk_span(sender->sender_key, 16),
				      gk_span(nonce, sizeof(nonce)), gk_buf_span(&aad_buf),
				      hex_span(plaintext), &out),
			 GK_OK);
	return exact_copy(gk_buf_span(&out));
}

static void what_is_inside_must_be_a_message_of_its_kind(void **state)
{
	(void)state;
	static const struct {
		const char *name, *plaintext;
		enum gk_err request, response;
	} rows[] = {
		{ "a request", GET_TEMP, GK_OK, GK_ERR_MALFORMED },
		{ "a response", CONTENT_21, GK_ERR_MALFORMED, GK_OK },
		{ "nothing", "", GK_ERR_MALFORMED, GK_ERR_MALFORMED },
		{ "the empty message", "00", GK_ERR_MALFORMED, GK_ERR_MALFORMED },
		{ "a signal", "e1", GK_ERR_MALFORMED, GK_ERR_MALFORMED },
		{ "a cut option", "01b374", GK_ERR_MALFORMED, GK_ERR_MALFORMED },
		{ "a cut option in a response", "45b374", GK_ERR_MALFORMED, GK_ERR_MALFORMED },
		{ "a marker alone", "01ff", GK_ERR_MALFORMED, GK_ERR_MALFORMED },
		{ "OSCORE in OSCORE", "01930900c1ff00", GK_ERR_MALFORMED, GK_ERR_MALFORMED },
		{ "the same in a response", "4590ff00", GK_ERR_MALFORMED, GK_ERR_MALFORMED },
	};
	struct pair p = a_pair(GK_ALG_AES_CCM_16_64_128);
	protect_request(&p, GET_TEMP);
	for (size_t i = 0; i < COUNT(rows); i++) {
		rewind_buffers(&p);
		gk_buf_byte(&p.in, 0xee);
		memset(p.inner + 1, 0, sizeof(p.inner) - 1);
		enum gk_err err = gk_oscore_unprotect_request(
			&p.server, protect_raw(&p.client, "0900c1", rows[i].plaintext), &p.in,
			&p.received, &p.fresh);
		if (err != rows[i].request)
			fail_msg("%s as request: got %d, want %d", rows[i].name, err,
				 rows[i].request);
		if (err) {
			assert_hex_equal(gk_buf_span(&p.in), "ee");
			assert_int_equal(p.inner[1], 0);
		}
		rewind_buffers(&p);
		err = gk_oscore_unprotect_response(&p.client, &p.sent,
						   protect_raw(&p.server, "", rows[i].plaintext),
						   &p.in, NULL);
		if (err != rows[i].response)
			fail_msg("%s as response: got %d, want %d", rows[i].name, err,
				 rows[i].response);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(piv_10_is_refused_after_10_and_7),
		cmocka_unit_test(pivs_12_11_10_are_accepted_once_each),
		cmocka_unit_test(window_holds_the_64_up_to_the_newest),
		cmocka_unit_test(far_jumps_forget_and_refuse_what_is_behind),
		cmocka_unit_test(largest_piv_is_accepted_and_nothing_above),
		cmocka_unit_test(accepting_what_cannot_be_accepted_changes_nothing),
		cmocka_unit_test(window_agrees_with_a_set_in_any_order),
		cmocka_unit_test(every_number_of_a_shuffled_window_is_accepted_exactly_once),
		cmocka_unit_test(options_are_read_and_written_back),
		cmocka_unit_test(malformed_options_are_refused),
		cmocka_unit_test(an_option_is_written_back_as_it_was_or_refused),
		cmocka_unit_test(peek_tells_unprotected_from_malformed),
		cmocka_unit_test(a_new_context_has_its_whole_sequence_before_it),
		cmocka_unit_test(a_context_that_would_not_work_is_not_made),
		cmocka_unit_test(the_longest_identifiers_work),
		cmocka_unit_test(an_empty_id_context_is_not_an_absent_one),
		cmocka_unit_test(derivation_refuses_lengths_it_cannot_do),
		cmocka_unit_test(info_carries_any_algorithm_number),
		cmocka_unit_test(partial_ivs_have_no_leading_zeros),
		cmocka_unit_test(nonce_takes_the_start_of_a_longer_common_iv),
		cmocka_unit_test(each_option_goes_where_figure_5_says),
		cmocka_unit_test(outer_code_tells_observe_and_nothing_else),
		cmocka_unit_test(observe_keeps_its_value_inside_in_requests_only),
		cmocka_unit_test(outer_options_are_in_order_around_oscore),
		cmocka_unit_test(what_cannot_be_protected_is_refused),
		cmocka_unit_test(both_directions_work_with_every_algorithm),
		cmocka_unit_test(no_outer_option_reaches_the_caller),
		cmocka_unit_test(a_protected_message_is_never_longer_than_the_overhead_says),
		cmocka_unit_test(the_payload_can_be_large),
		cmocka_unit_test(messages_are_appended_and_leave_what_was_there),
		cmocka_unit_test(verifying_does_not_move_the_window),
		cmocka_unit_test(a_replay_is_told_from_a_forgery),
		cmocka_unit_test(a_replayed_request_never_lends_its_nonce),
		cmocka_unit_test(a_second_response_takes_its_own_piv),
		cmocka_unit_test(a_response_with_its_own_piv_leaves_the_requests_nonce),
		cmocka_unit_test(no_nonce_is_used_twice_under_one_key),
		cmocka_unit_test(sequence_numbers_end_at_the_reserved_limit),
		cmocka_unit_test(the_last_sequence_number_is_2_to_40_minus_1),
		cmocka_unit_test(a_response_without_piv_needs_no_sequence_number),
		cmocka_unit_test(too_small_a_buffer_uses_nothing_up),
		cmocka_unit_test(a_buffer_too_small_for_the_inner_message_is_no_space),
		cmocka_unit_test(a_malformed_message_uses_nothing_up),
		cmocka_unit_test(a_failed_encryption_leaves_no_plaintext_and_burns_the_nonce),
		cmocka_unit_test(a_context_that_is_not_set_up_does_nothing),
		cmocka_unit_test(a_ref_of_another_party_is_refused),
		cmocka_unit_test(requests_of_others_and_bad_ones_are_told_apart),
		cmocka_unit_test(the_kid_context_must_be_the_contexts),
		cmocka_unit_test(responses_of_others_and_bad_ones_are_told_apart),
		cmocka_unit_test(a_response_fits_its_own_request_only),
		cmocka_unit_test(a_reflected_request_is_no_response),
		cmocka_unit_test(every_changed_bit_is_noticed),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(what_is_inside_must_be_a_message_of_its_kind),
	};
	return cmocka_run_group_tests(tests, core_start, core_stop);
}
