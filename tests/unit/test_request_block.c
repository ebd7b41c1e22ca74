// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Requests and answers of the KDC in blocks (RFC 7959), and what transfers may cost.
#include "libgroupkey/cbor.h"
#include "libgroupkey/kdc.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define JOIN_PATH   "ace-group/lights"
#define CREDS_PATH  "ace-group/lights/creds"
#define CHAIN_LEN   4000 // of what makes a Join Request long
#define MANY        200

static const uint32_t both = GK_ROLE_REQUESTER | GK_ROLE_RESPONDER;

static int open_pair(void **state)
{
	static struct pair p;
	struct gk_group_config config = pair_config(PAIR_LIGHTS);

	pair_open(&p, 7);
	config.rekey_on_join = false;
	config.members_max = 1000;
	*state = &p;
	return pair_serve(&p, &config) == GK_OK ? 0 : 1;
}

static void open_raw(struct pair_raw *raw, struct pair *p, unsigned number)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, &both, 1);
	raw->addr.ip[14] = (uint8_t)(number >> 8);
	strcpy(raw->group, PAIR_LIGHTS);
}

static void open_client(struct pair_raw *raw, struct pair *p, unsigned number)
{
	open_raw(raw, p, number);
	assert_int_equal(pair_raw_post(raw), GK_COAP_CREATED);
}

static size_t bytes_kept(const struct pair *p)
{
	return p->kdc->transfers[false].bytes + p->kdc->transfers[true].bytes;
}

static struct gk_transfers *list_of(struct pair *p, bool outsider)
{
	return &p->kdc->transfers[outsider];
}

/* a request in blocks, by hand */

struct upload {
	uint8_t method;
	const char *path;
	int format;
	struct gk_span payload;
	uint8_t szx;
	const char *tag; // Request-Tag, or NULL
	uint32_t size1;  // or 0
	struct gk_span echo;
	bool plain; // without OSCORE
	bool asks;  // how large the answer is
	bool has_block2;
	uint8_t szx2;
};

static struct upload join_of(struct gk_span payload)
{
	return (struct upload){ .method = GK_COAP_POST,
				.path = JOIN_PATH,
				.format = GK_CF_ACE_GROUPCOMM,
				.payload = payload,
				.szx = 6 };
}

static uint8_t send_with(struct pair_raw *raw, const struct upload *u, uint32_t block1,
			 struct gk_span payload)
{
	uint8_t bytes[2048];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, u->method);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(u->path));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, (uint32_t)u->format);
	if (u->has_block2)
		gk_coap_put_uint(&w, GK_OPT_BLOCK2, u->szx2);
	gk_coap_put_uint(&w, GK_OPT_BLOCK1, block1);
	if (u->asks)
		gk_coap_put_uint(&w, GK_OPT_SIZE2, 0);
	if (u->size1)
		gk_coap_put_uint(&w, GK_OPT_SIZE1, u->size1);
	if (u->echo.len)
		gk_coap_put(&w, GK_OPT_ECHO, u->echo);
	if (u->tag)
		gk_coap_put(&w, GK_OPT_REQUEST_TAG, gk_span_str(u->tag));
	gk_coap_put_payload(&w, payload);
	return u->plain ? pair_raw_send(raw, gk_buf_span(&buf))
			: pair_raw_ask_message(raw, gk_buf_span(&buf));
}

static size_t block_count(const struct upload *u)
{
	size_t size = gk_block_size(u->szx);

	return (u->payload.len + size - 1) / size;
}

static uint8_t send_block(struct pair_raw *raw, const struct upload *u, size_t num)
{
	size_t size = gk_block_size(u->szx);
	struct gk_block block = { .num = (uint32_t)num,
				  .more = num + 1 < block_count(u),
				  .szx = u->szx };

	return send_with(raw, u, gk_block_value(block), gk_span_sub(u->payload, num * size, size));
}

// Each answer tells which block it is for; those before the last one say that more may come.
static void check_block1(const struct pair_raw *raw, size_t num, bool more, uint8_t szx)
{
	struct gk_block block;

	assert_int_equal(gk_block_read(&raw->answer, GK_OPT_BLOCK1, &block), GK_OK);
	assert_int_equal(block.num, num);
	assert_int_equal(block.more, more);
	assert_int_equal(block.szx, szx);
}

static void send_first(struct pair_raw *raw, const struct upload *u, size_t count)
{
	for (size_t num = 0; num < count; num++) {
		assert_int_equal(send_block(raw, u, num), GK_COAP_CONTINUE);
		check_block1(raw, num, true, u->szx);
	}
}

static uint8_t send_all(struct pair_raw *raw, const struct upload *u)
{
	size_t count = block_count(u);
	uint8_t code;

	send_first(raw, u, count - 1);
	code = send_block(raw, u, count - 1);
	check_block1(raw, count - 1, false, u->szx);
	return code;
}

/* what is sent */

/* A Join Request with one pair more, which is long and means nothing to the KDC. */
static struct gk_span long_join(struct pair_raw *raw, uint8_t *bytes, size_t room, size_t chain)
{
	struct gk_buf buf = gk_buf(bytes, room);
	size_t from;

	pair_raw_put_join(raw, &buf, PAIR_LIGHTS, both, false);
	bytes[0]++; // a map of fewer than 23 pairs
	gk_put_int(&buf, 5000);
	gk_put_bytes(&buf, gk_span(NULL, 0));
	from = buf.len - 1;
	gk_buf_truncate(&buf, from);
	gk_buf_byte(&buf, 0x59);
	gk_buf_byte(&buf, (uint8_t)(chain >> 8));
	gk_buf_byte(&buf, (uint8_t)chain);
	for (size_t i = 0; i < chain; i++)
		gk_buf_byte(&buf, (uint8_t)(i * 7 + i / 256));
	assert_false(buf.overflow);
	return gk_buf_span(&buf);
}

static struct upload post_of(struct pair_raw *raw, struct gk_buf *buf, uint8_t szx)
{
	pair_raw_put_post(raw, buf, gk_span(raw->bundle.token, raw->bundle.token_len));
	return (struct upload){ .method = GK_COAP_POST,
				.path = "authz-info",
				.format = GK_CF_ACE,
				.payload = gk_buf_span(buf),
				.szx = szx,
				.plain = true };
}

/* requests */

static void a_request_in_blocks_of_any_size_is_carried_out_once(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[CHAIN_LEN + 1024];
	struct pair_raw raw;

	open_client(&raw, p, 1);
	for (uint8_t szx = 0; szx <= 6; szx++) {
		struct upload u = join_of(long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN));

		u.szx = szx;
		u.size1 = (uint32_t)u.payload.len;
		assert_int_equal(send_all(&raw, &u), szx ? GK_COAP_CHANGED : GK_COAP_CREATED);
		assert_int_equal(bytes_kept(p), 0);
	}
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_JOINED), 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 6);
}

static void the_size_of_blocks_may_shrink_on_the_way(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[CHAIN_LEN + 1024];
	struct pair_raw raw;
	struct upload u;

	open_client(&raw, p, 1);
	u = join_of(long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN));
	send_first(&raw, &u, 2);
	u.szx = 4;
	for (size_t num = 8; num + 1 < block_count(&u); num++)
		assert_int_equal(send_block(&raw, &u, num), GK_COAP_CONTINUE);
	assert_int_equal(send_block(&raw, &u, block_count(&u) - 1), GK_COAP_CREATED);
}

static void a_request_in_one_block_is_one_without(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[1024];
	struct pair_raw raw;
	struct upload u;

	open_client(&raw, p, 1);
	u = join_of(long_join(&raw, bytes, sizeof(bytes), 256));
	assert_int_equal(send_all(&raw, &u), GK_COAP_CREATED);
}

static void a_block_that_comes_twice_counts_once(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[CHAIN_LEN + 1024];
	struct pair_raw raw;
	struct upload u;
	size_t last;

	open_client(&raw, p, 1);
	u = join_of(long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN));
	last = block_count(&u) - 1;
	for (size_t num = 0; num < last; num++) {
		assert_int_equal(send_block(&raw, &u, num), GK_COAP_CONTINUE);
		assert_int_equal(send_block(&raw, &u, num), GK_COAP_CONTINUE);
		assert_int_equal(bytes_kept(p), (num + 1) * 1024);
		// as the message layer does it
		pair_raw_again(&raw, true);
		assert_int_equal(bytes_kept(p), (num + 1) * 1024);
	}
	assert_int_equal(send_block(&raw, &u, 1), GK_COAP_CONTINUE); // and late
	assert_int_equal(send_block(&raw, &u, last), GK_COAP_CREATED);
	pair_raw_again(&raw, true);
	assert_int_equal(send_block(&raw, &u, last), GK_COAP_INCOMPLETE);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_JOINED), 1);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
}

static void a_block_that_does_not_follow_is_incomplete(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[CHAIN_LEN + 1024];
	struct pair_raw raw, other;
	struct upload u, v;

	open_client(&raw, p, 1);
	open_client(&other, p, 2);
	u = join_of(long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN));
	u.tag = "a";
	assert_int_equal(send_block(&raw, &u, 1), GK_COAP_INCOMPLETE);
	send_first(&raw, &u, 2);
	assert_int_equal(send_block(&raw, &u, 3), GK_COAP_INCOMPLETE); // a gap
	v = u;
	v.tag = "b";
	assert_int_equal(send_block(&raw, &v, 2), GK_COAP_INCOMPLETE);
	v.tag = NULL;
	assert_int_equal(send_block(&raw, &v, 2), GK_COAP_INCOMPLETE);
	v = u;
	v.path = "authz-info";
	v.format = GK_CF_ACE;
	assert_int_equal(send_block(&raw, &v, 2), GK_COAP_INCOMPLETE);
	assert_int_equal(send_block(&other, &u, 2), GK_COAP_INCOMPLETE); // another's
	// the same place, other bytes
	bytes[1500] ^= 1;
	assert_int_equal(send_block(&raw, &u, 1), GK_COAP_INCOMPLETE);
	bytes[1500] ^= 1;
	// an end before what is there already
	assert_int_equal(send_with(&raw, &u, 0 << 4 | 6, gk_span(bytes, 16)), GK_COAP_BAD_REQUEST);
	assert_int_equal(bytes_kept(p), 2048);
	assert_int_equal(send_with(&raw, &u, 1 << 4 | 6, gk_span(bytes + 1024, 512)),
			 GK_COAP_INCOMPLETE);
	for (size_t num = 2; num + 1 < block_count(&u); num++)
		assert_int_equal(send_block(&raw, &u, num), GK_COAP_CONTINUE);
	assert_int_equal(send_block(&raw, &u, block_count(&u) - 1), GK_COAP_CREATED);
}

/* Echo and sizes are no part of what a transfer is told by; the resource is. */
static void what_says_how_it_goes_may_differ_from_block_to_block(void **state)
{
	static const uint8_t echo[8] = { 1 };
	struct pair *p = *state;
	uint8_t bytes[CHAIN_LEN + 1024];
	struct pair_raw raw;
	struct upload u;

	open_client(&raw, p, 1);
	u = join_of(long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN));
	u.size1 = (uint32_t)u.payload.len;
	assert_int_equal(send_block(&raw, &u, 0), GK_COAP_CONTINUE);
	u.size1 = 0;
	u.echo = gk_span(echo, sizeof(echo));
	assert_int_equal(send_block(&raw, &u, 1), GK_COAP_CONTINUE);
	u.echo.len = 0;
	u.asks = true;
	for (size_t num = 2; num + 1 < block_count(&u); num++)
		assert_int_equal(send_block(&raw, &u, num), GK_COAP_CONTINUE);
	assert_int_equal(send_block(&raw, &u, block_count(&u) - 1), GK_COAP_CREATED);
}

static void a_block_for_another_group_is_incomplete(void **state)
{
	static const char *const groups[] = { PAIR_LIGHTS, "lamps" };
	const uint32_t roles[] = { both, both };
	struct gk_group_config config = pair_config("lamps");
	struct pair *p = *state;
	uint8_t bytes[CHAIN_LEN + 1024];
	struct pair_raw raw;
	struct upload u;

	assert_int_equal(pair_serve(p, &config), GK_OK);
	pair_raw_open(&raw, p, 1, "raw1", groups, roles, 2);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	u = join_of(long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN));
	send_first(&raw, &u, 1);
	u.path = "ace-group/lamps";
	assert_int_equal(send_block(&raw, &u, 1), GK_COAP_INCOMPLETE);
	u.path = JOIN_PATH;
	assert_int_equal(send_block(&raw, &u, 1), GK_COAP_CONTINUE);
}

static void a_first_block_begins_anew(void **state)
{
	struct pair *p = *state;
	uint8_t old[CHAIN_LEN + 1024], bytes[CHAIN_LEN + 1024];
	struct pair_raw raw;
	struct upload u, v;

	open_client(&raw, p, 1);
	u = join_of(long_join(&raw, old, sizeof(old), CHAIN_LEN));
	v = join_of(long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN));
	send_first(&raw, &u, 3);
	assert_int_equal(send_all(&raw, &v), GK_COAP_CREATED);
	assert_int_equal(bytes_kept(p), 0);
}

static void a_request_that_is_too_large_is_told_how_large_it_may_be(void **state)
{
	static const size_t limits[] = { GK_REQUEST_MAX, GK_POST_MAX };
	static uint8_t bytes[GK_REQUEST_MAX + 1024];
	struct pair *p = *state;
	struct pair_raw raw;

	open_client(&raw, p, 1);
	for (size_t i = 0; i < ROWS(limits); i++) {
		struct upload u = join_of(gk_span(bytes, limits[i] + 1));
		size_t last = block_count(&u) - 1;

		if (i) {
			u.plain = true;
			u.path = "authz-info";
			u.format = GK_CF_ACE;
		}
		send_first(&raw, &u, last);
		assert_int_equal(send_block(&raw, &u, last), GK_COAP_TOO_LARGE);
		check_block1(&raw, last, false, 6);
		assert_int_equal(gk_coap_find_uint(&raw.answer, GK_OPT_SIZE1, 0), limits[i]);
		// at once, if it is announced
		u.size1 = (uint32_t)u.payload.len;
		assert_int_equal(send_block(&raw, &u, 0), GK_COAP_TOO_LARGE);
		check_block1(&raw, 0, false, 6);
		// one byte less is not too large, and no token either
		u.payload.len--;
		u.size1 = (uint32_t)u.payload.len;
		assert_int_equal(send_all(&raw, &u), GK_COAP_BAD_REQUEST);
	}
}

static void a_block_that_cannot_be_is_a_bad_request(void **state)
{
	static const struct {
		uint32_t block1;
		size_t len;
	} rows[] = {
		{ 0 << 4 | 8 | 7, 1024 },    // a size that does not exist
		{ 0 << 4 | 8 | 6, 1023 },    // more to come, and not full
		{ 0 << 4 | 8 | 5, 1024 },    // more than the size
		{ 1 << 4 | 6, 0 },           // an end with nothing in it
		{ 1 << 4 | 5, 513 },         // an end longer than the size
		{ 0x1000000 | 8 | 6, 1024 }, // four bytes
	};
	static const uint8_t bytes[1024];
	struct pair *p = *state;
	struct pair_raw raw;

	open_client(&raw, p, 1);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct upload u = join_of(gk_span(bytes, sizeof(bytes)));

		assert_int_equal(send_with(&raw, &u, rows[i].block1, gk_span(bytes, rows[i].len)),
				 GK_COAP_BAD_REQUEST);
		assert_int_equal(bytes_kept(p), 0);
	}
}

static void nothing_is_kept_for_who_may_not_ask(void **state)
{
	static const uint8_t bytes[4096];
	static const struct {
		uint8_t method, code;
		const char *path;
		bool plain;
	} rows[] = {
		{ GK_COAP_POST, GK_COAP_UNAUTHORIZED, JOIN_PATH, true },
		{ GK_COAP_POST, GK_COAP_FORBIDDEN, "ace-group/other", false },
		{ GK_COAP_PUT, GK_COAP_NOT_ALLOWED, JOIN_PATH, false },
		{ GK_COAP_FETCH, GK_COAP_FORBIDDEN, "ace-group/lights/stale-sids", false },
		{ GK_COAP_POST, GK_COAP_NOT_FOUND, "nowhere", true },
	};
	struct pair *p = *state;
	struct pair_raw raw;

	open_client(&raw, p, 1);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct upload u = join_of(gk_span(bytes, sizeof(bytes)));

		u.method = rows[i].method;
		u.path = rows[i].path;
		u.plain = rows[i].plain;
		assert_int_equal(send_block(&raw, &u, 0), rows[i].code);
		assert_int_equal(bytes_kept(p), 0);
	}
}

static void after_a_restart_the_client_is_challenged_and_begins_anew(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[CHAIN_LEN + 1024], echo[8];
	struct gk_span value;
	struct pair_raw raw;
	struct upload u;

	open_client(&raw, p, 1);
	u = join_of(long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN));
	send_first(&raw, &u, 2);
	pair_restart(p);
	assert_int_equal(send_block(&raw, &u, 2), GK_COAP_UNAUTHORIZED);
	assert_true(gk_coap_find(&raw.answer, GK_OPT_ECHO, &value));
	assert_int_equal(value.len, sizeof(echo));
	memcpy(echo, value.data, sizeof(echo));
	u.echo = gk_span(echo, sizeof(echo));
	assert_int_equal(send_block(&raw, &u, 2), GK_COAP_INCOMPLETE);
	u.echo.len = 0;
	assert_int_equal(send_all(&raw, &u), GK_COAP_CREATED);
}

static void a_protected_message_that_was_cut_outside_is_refused(void **state)
{
	static const uint16_t options[] = { GK_OPT_BLOCK2, GK_OPT_BLOCK1 };
	struct pair *p = *state;
	struct pair_raw raw;

	open_client(&raw, p, 1);
	for (size_t i = 0; i < ROWS(options); i++) {
		uint8_t plain[] = { GK_COAP_GET }, sealed[256], bytes[256], value[4];
		struct gk_buf in = gk_buf(sealed, sizeof(sealed)),
			      out = gk_buf(bytes, sizeof(bytes));
		struct gk_coap_option block = { options[i], gk_coap_encode_uint(14, value) };
		struct gk_coap msg;

		assert_int_equal(
			gk_oscore_protect_request(&raw.ctx, gk_span(plain, 1), &in, &raw.ref),
			GK_OK);
		assert_int_equal(gk_coap_parse(gk_buf_span(&in), &msg), GK_OK);
		struct gk_coap_writer w = gk_coap_begin(&out, msg.code);
		gk_coap_put_merged(&w, &msg, &block, 1);
		gk_coap_put_payload(&w, msg.payload);
		assert_int_equal(pair_raw_send(&raw, gk_buf_span(&out)), GK_COAP_BAD_OPTION);
		// and as it was
		assert_int_equal(pair_raw_send(&raw, gk_buf_span(&in)), GK_COAP_CHANGED);
	}
}

/* answers */

static uint8_t ask_rest(struct pair_raw *raw, uint8_t method, const char *path, uint32_t num,
			uint8_t szx, bool plain)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, method);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(path));
	gk_coap_put_uint(&w, GK_OPT_BLOCK2, num << 4 | szx);
	return plain ? pair_raw_send(raw, gk_buf_span(&buf))
		     : pair_raw_ask_message(raw, gk_buf_span(&buf));
}

/* Collect the answer whose first block is there. @return its payload's length */
static size_t collect(struct pair_raw *raw, uint8_t method, const char *path, uint8_t *out,
		      bool plain)
{
	struct gk_block block = { 0 };
	uint8_t code = raw->answer.code;
	size_t len = 0;

	for (uint32_t num = 1;; num++) {
		assert_int_equal(gk_block_read(&raw->answer, GK_OPT_BLOCK2, &block), GK_OK);
		assert_int_equal(block.num, num - 1);
		memcpy(out + len, raw->answer.payload.data, raw->answer.payload.len);
		len += raw->answer.payload.len;
		if (!block.more)
			return len;
		assert_int_equal(ask_rest(raw, method, path, num, block.szx, plain), code);
	}
}

static void add_members(struct pair *p, unsigned first, unsigned count)
{
	struct pair_raw raw;

	for (unsigned i = 0; i < count; i++) {
		open_client(&raw, p, first + i);
		assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, false), GK_COAP_CREATED);
	}
}

enum { J_CREDS, J_ROLES, J_IDS, J_COUNT };

static size_t elements(const struct gk_cbor_item *item)
{
	struct gk_cbor c = gk_cbor(item->encoded);
	struct gk_cbor_iter it = gk_cbor_array(&c);
	size_t count = 0;

	for (; gk_cbor_more(&c, &it); count++)
		(void)gk_cbor_item(&c, GK_CBOR_ANY);
	return count;
}

static void five_hundred_credentials_come_in_blocks_as_they_were_written(void **state)
{
	static const struct gk_cbor_field fields[J_COUNT] = {
		[J_CREDS] = { GK_PARAM_CREDS, GK_CBOR_ARRAY, true },
		[J_ROLES] = { GK_PARAM_PEER_ROLES, GK_CBOR_ARRAY, true },
		[J_IDS] = { GK_PARAM_PEER_IDENTIFIERS, GK_CBOR_ARRAY, true },
	};
	static uint8_t whole[1 << 17], got[1 << 17];
	uint8_t bytes[CHAIN_LEN + 1024];
	struct gk_cbor_item item[J_COUNT];
	struct pair *p = *state;
	struct gk_span request;
	struct gk_coap kept;
	struct pair_raw raw;
	struct upload u;
	size_t len;

	add_members(p, 1, 500);
	open_client(&raw, p, 900);
	request = long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN);
	bytes[0]++; // get_creds: null
	bytes[request.len] = GK_PARAM_GET_CREDS;
	bytes[request.len + 1] = 0xf6;
	u = join_of(gk_span(bytes, request.len + 2));
	u.asks = true;
	assert_int_equal(send_all(&raw, &u), GK_COAP_CREATED);
	assert_int_equal(gk_coap_parse(gk_blob_span(&list_of(p, false)->first->body), &kept),
			 GK_OK);
	memcpy(whole, kept.payload.data, kept.payload.len);
	assert_int_equal(gk_coap_find_uint(&raw.answer, GK_OPT_SIZE2, 0), kept.payload.len);
	len = collect(&raw, GK_COAP_POST, JOIN_PATH, got, false);
	assert_int_equal(len, kept.payload.len);
	assert_memory_equal(got, whole, len);
	assert_true(len > 500 * raw.cred_len);
	assert_int_equal(gk_cbor_read_map(gk_span(got, len), fields, J_COUNT, item), GK_OK);
	for (size_t i = 0; i < J_COUNT; i++)
		assert_int_equal(elements(&item[i]), 500);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REJOINED), 0);
}

static void the_last_block_of_an_answer_can_be_asked_for_again(void **state)
{
	static const uint8_t junk[1024];
	struct pair *p = *state;
	struct upload u = join_of(gk_span(junk, sizeof(junk)));
	const uint8_t *slow_body;
	uint8_t got[1024];
	struct pair_raw raw, slow;
	size_t len;

	add_members(p, 1, 3);
	u.szx = 0;
	open_client(&slow, p, 8);
	send_first(&slow, &u, 1);
	slow_body = list_of(p, false)->last->body.data;
	open_client(&raw, p, 9);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, false), GK_COAP_CREATED);
	assert_int_equal(ask_rest(&raw, GK_COAP_GET, CREDS_PATH, 0, 2, false), GK_COAP_CONTENT);
	len = collect(&raw, GK_COAP_GET, CREDS_PATH, got, false);
	assert_int_equal(
		ask_rest(&raw, GK_COAP_GET, CREDS_PATH, (uint32_t)(len - 1) / 64, 2, false),
		GK_COAP_CONTENT);
	// but it is the first to go, before one that began earlier
	assert_ptr_equal(list_of(p, false)->last->body.data, slow_body);
	assert_ptr_not_equal(list_of(p, false)->first->body.data, slow_body);
	assert_int_equal(list_of(p, false)->first->ms + GK_TRANSFER_IDLE_MS < p->now.mono.ms, 1);
}

static void an_answer_block_of_a_size_that_does_not_exist_is_a_bad_request(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	open_client(&raw, p, 1);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, false), GK_COAP_CREATED);
	assert_int_equal(ask_rest(&raw, GK_COAP_GET, CREDS_PATH, 0, 7, false), GK_COAP_BAD_REQUEST);
}

/* token posts, in the open */

static void a_token_may_come_in_blocks_and_its_answer_go_out_in_blocks(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[1024], got[512];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct pair_raw raw, thief;
	struct upload u;
	size_t len;

	open_raw(&raw, p, 1);
	open_raw(&thief, p, 2);
	u = post_of(&raw, &buf, 2);
	u.has_block2 = true;
	u.szx2 = 0;
	assert_int_equal(send_all(&raw, &u), GK_COAP_CREATED);
	// what is kept is for the address that posted
	assert_int_equal(ask_rest(&thief, GK_COAP_POST, "authz-info", 1, 0, true),
			 GK_COAP_INCOMPLETE);
	thief.addr = raw.addr;
	thief.addr.port++;
	assert_int_equal(ask_rest(&thief, GK_COAP_POST, "authz-info", 1, 0, true),
			 GK_COAP_INCOMPLETE);
	assert_int_equal(send_all(&raw, &u), GK_COAP_CREATED);
	len = collect(&raw, GK_COAP_POST, "authz-info", got, true);
	p->raw_len = 0; // as if it had come in one
	struct gk_buf whole = gk_buf(p->raw_answer, sizeof(p->raw_answer));
	struct gk_coap_writer w = gk_coap_begin(&whole, GK_COAP_CREATED);
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE);
	gk_coap_put_payload(&w, gk_span(got, len));
	assert_int_equal(gk_coap_parse(gk_buf_span(&whole), &raw.answer), GK_OK);
	p->raw_len = whole.len;
	pair_raw_derive(&raw);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, false), GK_COAP_CREATED);
	assert_int_equal(p->kdc->transfers[true].bytes > 0, 1); // the other candidate's
	pair_advance(p, GK_CANDIDATE_MS);
	assert_int_equal(bytes_kept(p), 0);
}

static void tokens_of_several_clients_at_one_address_do_not_mix(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[2][1024];
	struct pair_raw raw[3];
	struct upload u[3];

	for (unsigned i = 0; i < 2; i++) {
		struct gk_buf buf = gk_buf(bytes[i], sizeof(bytes[i]));

		open_raw(&raw[i], p, 1 + i);
		raw[i].addr = raw[0].addr;
		raw[i].addr.port = (uint16_t)(5683 + i);
		u[i] = post_of(&raw[i], &buf, 2);
	}
	raw[2] = raw[0]; // another transfer of the same endpoint, with a Request-Tag
	u[2] = u[0];
	u[2].tag = "2";
	for (size_t num = 0; num + 1 < block_count(&u[0]); num++) {
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(send_block(&raw[i], &u[i], num), GK_COAP_CONTINUE);
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(send_block(&raw[i], &u[i], block_count(&u[i]) - 1),
				 GK_COAP_CREATED);
}

static void one_address_does_not_push_out_others(void **state)
{
	static const uint8_t junk[1024];
	struct pair *p = *state;
	uint8_t bytes[1024];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct pair_raw raw, hostile;
	struct upload u, v;

	open_raw(&raw, p, 1);
	open_raw(&hostile, p, 2);
	u = post_of(&raw, &buf, 2);
	v = u;
	v.payload = gk_span(junk, sizeof(junk));
	send_first(&raw, &u, 1);
	for (uint16_t port = 1; port <= 1000; port++) {
		hostile.addr.port = port;
		assert_int_equal(send_block(&hostile, &v, 0), GK_COAP_CONTINUE);
		assert_true(list_of(p, true)->bytes <= (GK_OUTSIDERS_PER_IP + 1) * 64);
	}
	assert_int_equal(send_block(&raw, &u, 1), GK_COAP_CONTINUE);
}

static void what_outsiders_keep_is_bounded_and_ends(void **state)
{
	static const uint8_t junk[2048];
	struct pair *p = *state;
	struct pair_raw hostile;
	struct upload v = { .method = GK_COAP_POST,
			    .path = "authz-info",
			    .format = GK_CF_ACE,
			    .payload = gk_span(junk, sizeof(junk)),
			    .szx = 5,
			    .plain = true };

	open_raw(&hostile, p, 2);
	for (unsigned i = 0; i < 1000; i++) {
		hostile.addr.ip[10] = (uint8_t)(i >> 8);
		hostile.addr.ip[11] = (uint8_t)i;
		p->now.mono.ms++;
		send_first(&hostile, &v, 3);
		assert_true(list_of(p, true)->bytes <= GK_OUTSIDERS_MAX * 1536);
		assert_true(list_of(p, true)->bytes <= GK_OUTSIDER_BYTES_MAX);
	}
	assert_int_equal(list_of(p, true)->bytes, GK_OUTSIDERS_MAX * 1536);
	pair_advance(p, GK_OUTSIDER_IDLE_MS / 2);
	assert_int_equal(list_of(p, true)->bytes, GK_OUTSIDERS_MAX * 1536);
	pair_advance(p, GK_OUTSIDER_IDLE_MS / 2);
	assert_int_equal(bytes_kept(p), 0);
}

/* many at once */

static struct pair_raw many[MANY];
static uint8_t requests[MANY][GK_REQUEST_MAX];

static void two_hundred_clients_at_once_keep_within_the_bound(void **state)
{
	static uint8_t got[1 << 16];
	struct pair *p = *state;
	struct upload u[MANY];
	size_t most = 0, served = 0;

	for (unsigned i = 0; i < MANY; i++) {
		open_client(&many[i], p, 1 + i);
		u[i] = join_of(long_join(&many[i], requests[i], sizeof(requests[i]), 6500 + i));
	}
	for (size_t num = 0; num < block_count(&u[0]); num++) {
		for (unsigned i = 0; i < MANY; i++) {
			uint8_t code = send_block(&many[i], &u[i], num);

			assert_int_equal(code, num + 1 < block_count(&u[i]) ? GK_COAP_CONTINUE
									    : GK_COAP_CREATED);
			most = bytes_kept(p) > most ? bytes_kept(p) : most;
		}
	}
	assert_true(most > GK_BODY_BYTES_MAX / 2 && most <= GK_BODY_BYTES_MAX);
	// all of them fetch what is together more than there is room for: who comes later waits
	for (unsigned i = 0; i < MANY; i++) {
		served +=
			ask_rest(&many[i], GK_COAP_GET, CREDS_PATH, 0, 6, false) == GK_COAP_CONTENT;
		assert_true(bytes_kept(p) <= GK_BODY_BYTES_MAX);
	}
	assert_in_range(served, MANY / 4, MANY - 1);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(ask_rest(&many[i], GK_COAP_GET, CREDS_PATH, 0, 6, false),
				 GK_COAP_CONTENT);
		assert_true(collect(&many[i], GK_COAP_GET, CREDS_PATH, got, false) >
			    MANY * many[i].cred_len);
		assert_true(bytes_kept(p) <= GK_BODY_BYTES_MAX);
	}
}

/* Each holds as much as it can, and goes on asking for it. */
static void who_holds_transfers_open_does_not_keep_others_from_theirs(void **state)
{
	static uint8_t got[1 << 16];
	static const uint8_t junk[GK_REQUEST_MAX];
	struct pair *p = *state;
	struct pair_raw *honest = &many[0];
	struct upload u = join_of(gk_span(junk, sizeof(junk)));
	int64_t until_ms;
	uint8_t code;

	add_members(p, 300, 200);
	for (unsigned i = 0; i < MANY; i++) {
		open_client(&many[i], p, 1 + i);
		assert_int_equal(pair_raw_join(&many[i], PAIR_LIGHTS, both, false),
				 GK_COAP_CREATED);
	}
	for (unsigned i = 1; i < MANY; i++) {
		for (size_t num = 0; num + 1 < block_count(&u); num++)
			(void)send_block(&many[i], &u, num);
		(void)ask_rest(&many[i], GK_COAP_GET, CREDS_PATH, 0, 6, false);
		assert_true(bytes_kept(p) <= GK_BODY_BYTES_MAX);
	}
	assert_true(bytes_kept(p) > GK_BODY_BYTES_MAX - (64 << 10));
	until_ms = p->now.mono.ms + 2 * GK_TRANSFER_IDLE_MS;
	do {
		code = ask_rest(honest, GK_COAP_GET, CREDS_PATH, 0, 6, false);
		if (code == GK_COAP_CONTENT)
			break;
		assert_int_equal(code, GK_COAP_UNAVAILABLE);
		pair_advance(p, 500);
		for (unsigned i = 1; i < MANY; i++) // the same block again and again is no progress
			(void)ask_rest(&many[i], GK_COAP_GET, CREDS_PATH, 1, 6, false);
	} while (p->now.mono.ms < until_ms);
	assert_int_equal(code, GK_COAP_CONTENT);
	// the others want all there is, all at once, between any two of its blocks
	struct gk_block block = { .more = true };
	size_t len = honest->answer.payload.len;
	for (uint32_t num = 1; block.more; num++) {
		for (unsigned i = 1; i < MANY; i++)
			(void)ask_rest(&many[i], GK_COAP_GET, CREDS_PATH, 0, 6, false);
		pair_advance(p, 100);
		assert_int_equal(ask_rest(honest, GK_COAP_GET, CREDS_PATH, num, 6, false),
				 GK_COAP_CONTENT);
		assert_int_equal(gk_block_read(&honest->answer, GK_OPT_BLOCK2, &block), GK_OK);
		len += honest->answer.payload.len;
		assert_true(bytes_kept(p) <= GK_BODY_BYTES_MAX);
	}
	assert_true(len > 400 * honest->cred_len - 4096 && len < sizeof(got));
}

static void outsiders_give_way_to_clients(void **state)
{
	static const uint8_t junk[2048];
	struct pair *p = *state;
	struct pair_raw hostile;
	struct upload u = join_of(gk_span(junk, sizeof(junk))), v = u;

	v.plain = true;
	v.path = "authz-info";
	v.format = GK_CF_ACE;
	open_raw(&hostile, p, 250);
	send_first(&hostile, &v, 1);
	for (unsigned i = 0; i < MANY; i++)
		open_client(&many[i], p, 1 + i);
	u.payload = gk_span(requests, GK_REQUEST_MAX);
	assert_int_equal(list_of(p, true)->bytes, 1024);
	// what 'many' may keep is less than there is: so let there be less
	list_of(p, false)->bytes += GK_BODY_BYTES_MAX - 2048;
	send_first(&many[0], &u, 1);
	assert_int_equal(list_of(p, true)->bytes, 1024);
	send_first(&many[1], &u, 1);
	assert_int_equal(list_of(p, true)->bytes, 0);
	assert_int_equal(send_block(&many[2], &u, 0), GK_COAP_UNAVAILABLE);
	assert_int_equal(send_block(&hostile, &v, 0), GK_COAP_UNAVAILABLE);
	pair_advance(p, GK_TRANSFER_IDLE_MS + 1);
	assert_int_equal(send_block(&hostile, &v, 0), GK_COAP_UNAVAILABLE);
	assert_int_equal(send_block(&many[2], &u, 0), GK_COAP_CONTINUE);
	list_of(p, false)->bytes -= GK_BODY_BYTES_MAX - 2048;
}

static void progress_counts_for_a_while_only(void **state)
{
	static const uint8_t junk[GK_REQUEST_MAX];
	struct pair *p = *state;
	struct pair_raw slow, other;
	struct upload u = join_of(gk_span(junk, sizeof(junk)));

	u.szx = 0;
	open_client(&slow, p, 1);
	open_client(&other, p, 2);
	send_first(&slow, &u, 1);
	list_of(p, false)->bytes += GK_BODY_BYTES_MAX - 512;
	for (size_t num = 1; num < 24; num++) {
		pair_advance(p, GK_TRANSFER_IDLE_MS);
		assert_int_equal(send_block(&slow, &u, num), GK_COAP_CONTINUE);
	}
	assert_int_equal(send_block(&other,
				    &(struct upload){ .method = u.method,
						      .path = u.path,
						      .format = u.format,
						      .payload = u.payload,
						      .szx = 4 },
				    0),
			 GK_COAP_UNAVAILABLE);
	pair_advance(p, GK_TRANSFER_IDLE_MS);
	assert_int_equal(send_block(&slow, &u, 24), GK_COAP_CONTINUE);
	pair_advance(p, GK_TRANSFER_IDLE_MS);
	assert_int_equal(send_block(&slow, &u, 25), GK_COAP_CONTINUE);
	pair_advance(p, 2);
	u.szx = 4;
	assert_int_equal(send_block(&other, &u, 0), GK_COAP_CONTINUE);
	list_of(p, false)->bytes -= GK_BODY_BYTES_MAX - 512;
}

static void asking_for_the_same_block_again_is_no_progress(void **state)
{
	static const uint8_t junk[1024];
	struct upload u = join_of(gk_span(junk, sizeof(junk)));
	struct pair *p = *state;
	struct pair_raw slow, other;

	add_members(p, 1, 3);
	open_client(&slow, p, 8);
	open_client(&other, p, 9);
	assert_int_equal(pair_raw_join(&slow, PAIR_LIGHTS, both, false), GK_COAP_CREATED);
	assert_int_equal(ask_rest(&slow, GK_COAP_GET, CREDS_PATH, 0, 1, false), GK_COAP_CONTENT);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask_rest(&slow, GK_COAP_GET, CREDS_PATH, 1, 1, false),
				 GK_COAP_CONTENT);
		pair_advance(p, GK_TRANSFER_IDLE_MS / 2);
	}
	list_of(p, false)->bytes += GK_BODY_BYTES_MAX - 512;
	u.szx = 5;
	assert_int_equal(send_block(&other, &u, 0), GK_COAP_CONTINUE);
	list_of(p, false)->bytes -= GK_BODY_BYTES_MAX - 512;
	assert_int_equal(ask_rest(&slow, GK_COAP_GET, CREDS_PATH, 2, 1, false), GK_COAP_INCOMPLETE);
}

/* Not even itself, if there is no room for more of it. */
static void who_finds_no_room_loses_nothing(void **state)
{
	static const uint8_t junk[1024];
	struct upload u = join_of(gk_span(junk, sizeof(junk)));
	struct pair *p = *state;
	struct pair_raw slow, other;

	u.szx = 2;
	open_client(&slow, p, 1);
	open_client(&other, p, 2);
	send_first(&slow, &u, 2);
	pair_advance(p, GK_TRANSFER_IDLE_MS + 1);
	send_first(&other, &u, 2);
	list_of(p, false)->bytes += GK_BODY_BYTES_MAX - 256;
	assert_int_equal(send_block(&slow, &u, 2), GK_COAP_UNAVAILABLE);
	list_of(p, false)->bytes -= GK_BODY_BYTES_MAX - 256;
	assert_int_equal(bytes_kept(p), 256);
	assert_int_equal(send_block(&slow, &u, 2), GK_COAP_CONTINUE);
	assert_int_equal(send_block(&other, &u, 2), GK_COAP_CONTINUE);
}

static void what_a_client_began_ends_with_its_association(void **state)
{
	struct pair *p = *state;
	uint8_t bytes[CHAIN_LEN + 1024];
	struct pair_raw raw;
	struct upload u;

	open_client(&raw, p, 1);
	u = join_of(long_join(&raw, bytes, sizeof(bytes), CHAIN_LEN));
	send_first(&raw, &u, 2);
	assert_int_equal(bytes_kept(p), 2048);
	pair_advance(p, GK_EXCHANGE_LIFETIME_MS);
	assert_int_equal(bytes_kept(p), 0);
	send_first(&raw, &u, 2);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, both, false), GK_COAP_CREATED);
	assert_int_equal(bytes_kept(p), 0);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(a_request_in_blocks_of_any_size_is_carried_out_once),
		RULE(the_size_of_blocks_may_shrink_on_the_way),
		RULE(a_request_in_one_block_is_one_without),
		RULE(a_block_that_comes_twice_counts_once),
		RULE(a_block_that_does_not_follow_is_incomplete),
		RULE(what_says_how_it_goes_may_differ_from_block_to_block),
		RULE(a_block_for_another_group_is_incomplete),
		RULE(a_first_block_begins_anew),
		RULE(a_request_that_is_too_large_is_told_how_large_it_may_be),
		RULE(a_block_that_cannot_be_is_a_bad_request),
		RULE(nothing_is_kept_for_who_may_not_ask),
		RULE(after_a_restart_the_client_is_challenged_and_begins_anew),
		RULE(a_protected_message_that_was_cut_outside_is_refused),
		RULE(five_hundred_credentials_come_in_blocks_as_they_were_written),
		RULE(the_last_block_of_an_answer_can_be_asked_for_again),
		RULE(an_answer_block_of_a_size_that_does_not_exist_is_a_bad_request),
		RULE(a_token_may_come_in_blocks_and_its_answer_go_out_in_blocks),
		RULE(tokens_of_several_clients_at_one_address_do_not_mix),
		RULE(one_address_does_not_push_out_others),
		RULE(what_outsiders_keep_is_bounded_and_ends),
		RULE(two_hundred_clients_at_once_keep_within_the_bound),
		RULE(who_holds_transfers_open_does_not_keep_others_from_theirs),
		RULE(outsiders_give_way_to_clients),
		RULE(progress_counts_for_a_while_only),
		RULE(asking_for_the_same_block_again_is_no_progress),
		RULE(who_finds_no_room_loses_nothing),
		RULE(what_a_client_began_ends_with_its_association),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
