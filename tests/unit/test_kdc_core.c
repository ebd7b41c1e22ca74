// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/block.h"
#include "libgroupkey/kdc.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define AUTHZ  "</authz-info>;rt=\"ace.ai\""
#define GROUPS "</ace-group>;if=\"ace.groups\";osc"
#define LIGHTS "</ace-group/lights>;if=\"ace.group\";rt=\"core.osc.gm\";osc"
#define HEAT   "</ace-group/heat>;if=\"ace.group\";rt=\"core.osc.gm\";osc"

static const uint32_t all = GK_ROLE_ALL;

static int open_pair(void **state)
{
	static struct pair p;

	pair_open(&p, 5);
	p.discovery = GK_DISCOVERY_GROUPS;
	pair_restart(&p);
	*state = &p;
	return pair_serve(&p, NULL) == GK_OK ? 0 : 1;
}

static void open_raw(struct pair_raw *raw, struct pair *p)
{
	pair_raw_open(raw, p, 1, "raw", NULL, &all, 1);
}

struct query {
	uint8_t method;
	const char *path;
	const char *query[2];
	int accept, block2; // -1: none
};

static struct gk_span put_query(struct gk_buf *buf, const struct query *query)
{
	struct gk_coap_writer w = gk_coap_begin(buf, query->method);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(query->path));
	for (size_t i = 0; i < 2 && query->query[i]; i++)
		gk_coap_put(&w, GK_OPT_URI_QUERY, gk_span_str(query->query[i]));
	if (query->accept >= 0)
		gk_coap_put_uint(&w, GK_OPT_ACCEPT, (uint32_t)query->accept);
	if (query->block2 >= 0)
		gk_coap_put_uint(&w, GK_OPT_BLOCK2, (uint32_t)query->block2);
	return gk_buf_span(buf);
}

static uint8_t ask(struct pair_raw *raw, const struct query *query)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	return pair_raw_send(raw, put_query(&buf, query));
}

static uint8_t get(struct pair_raw *raw, const char *query)
{
	return ask(raw, &(struct query){ GK_COAP_GET, ".well-known/core", { query }, -1, -1 });
}

static void assert_links(const struct pair_raw *raw, const char *links)
{
	char text[1024];

	assert_int_equal(raw->answer.code, GK_COAP_CONTENT);
	assert_int_equal(gk_coap_find_uint(&raw->answer, GK_OPT_CONTENT_FORMAT, -1), 40);
	snprintf(text, sizeof(text), "%.*s", (int)raw->answer.payload.len,
		 raw->answer.payload.len ? (const char *)raw->answer.payload.data : "");
	assert_string_equal(text, links);
}

static void anybody_finds_what_may_be_found(void **state)
{
	static const struct {
		enum gk_discovery discovery;
		const char *links; // NULL: 4.04
	} rows[] = {
		{ GK_DISCOVERY_NONE, NULL },
		{ GK_DISCOVERY_KDC, AUTHZ "," GROUPS },
		{ GK_DISCOVERY_GROUPS, AUTHZ "," GROUPS "," LIGHTS },
	};
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p);
	for (size_t i = 0; i < 2 * ROWS(rows); i++) {
		size_t row = i % ROWS(rows);

		if (i < ROWS(rows)) { // from the start on
			p->discovery = rows[row].discovery;
			pair_restart(p);
		} else { // and by a change
			gk_kdc_set_discovery(p->kdc, rows[row].discovery);
		}
		get(&raw, NULL);
		if (rows[row].links)
			assert_links(&raw, rows[row].links);
		else
			assert_int_equal(raw.answer.code, GK_COAP_NOT_FOUND);
	}
}

static void links_are_filtered_by_query(void **state)
{
	static const struct {
		const char *query[2];
		const char *links;
	} rows[] = {
		{ { "rt=core.osc.gm" }, LIGHTS "," HEAT },
		{ { "rt=core.osc.*" }, LIGHTS "," HEAT },
		{ { "rt=*" }, AUTHZ "," LIGHTS "," HEAT }, // of those that have one
		{ { "rt=core.osc.g" }, "" },
		{ { "rt=core.osc.gm.x*" }, "" },
		{ { "rt=ace.ai" }, AUTHZ },
		{ { "if=ace.groups" }, GROUPS },
		{ { "if=ace.group" }, LIGHTS "," HEAT },
		{ { "if=ace.group*" }, GROUPS "," LIGHTS "," HEAT },
		{ { "href=/ace-group/lights" }, LIGHTS },
		{ { "href=/ace-group*" }, GROUPS "," LIGHTS "," HEAT },
		{ { "href=/ace-group/*" }, LIGHTS "," HEAT },
		{ { "href=ace-group" }, "" },
		{ { "rt=core.osc.gm", "href=/ace-group/h*" }, HEAT },
		{ { "rt=" }, "" },
		{ { "rt" }, "" },
		{ { "=*" }, "" },
		{ { "title=*" }, "" },
		{ { "" }, "" },
	};
	struct pair *p = *state;
	struct gk_group_config heat = pair_config("heat");
	struct pair_raw raw;

	assert_int_equal(pair_serve(p, &heat), GK_OK);
	open_raw(&raw, p);
	for (size_t i = 0; i < ROWS(rows); i++) {
		ask(&raw, &(struct query){ GK_COAP_GET,
					   ".well-known/core",
					   { rows[i].query[0], rows[i].query[1] },
					   -1,
					   -1 });
		struct gk_span links = raw.answer.payload;

		// the order of groups is not fixed
		if (raw.answer.code != GK_COAP_CONTENT || links.len != strlen(rows[i].links))
			fail_msg("%s: %.*s", rows[i].query[0], (int)links.len, links.data);
		for (size_t k = 0; k < 4; k++) {
			static const char *const parts[] = { AUTHZ, GROUPS, LIGHTS, HEAT };
			char text[512];

			snprintf(text, sizeof(text), "%.*s", (int)links.len,
				 links.len ? (const char *)links.data : "");
			assert_int_equal(!strstr(text, parts[k]), !strstr(rows[i].links, parts[k]));
		}
	}
}

static void other_methods_and_formats_are_refused(void **state)
{
	static const struct {
		struct query query;
		uint8_t code;
	} rows[] = {
		{ { GK_COAP_POST, ".well-known/core", { NULL }, -1, -1 }, GK_COAP_NOT_ALLOWED },
		{ { GK_COAP_FETCH, ".well-known/core", { NULL }, -1, -1 }, GK_COAP_NOT_ALLOWED },
		{ { GK_COAP_GET, ".well-known/core", { NULL }, 40, -1 }, GK_COAP_CONTENT },
		{ { GK_COAP_GET, ".well-known/core", { NULL }, 60, -1 }, GK_COAP_NOT_ACCEPTABLE },
		{ { GK_COAP_GET, ".well-known", { NULL }, -1, -1 }, GK_COAP_NOT_FOUND },
		{ { GK_COAP_GET, ".well-known/core/x", { NULL }, -1, -1 }, GK_COAP_NOT_FOUND },
		{ { GK_COAP_GET, ".well-known/core", { NULL }, -1, 7 }, GK_COAP_BAD_REQUEST },
		{ { GK_COAP_GET, ".well-known/core", { NULL }, -1, 0xfff4 }, GK_COAP_BAD_REQUEST },
	};
	struct pair_raw raw;

	open_raw(&raw, *state);
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (ask(&raw, &rows[i].query) != rows[i].code)
			fail_msg("row %zu: %x", i, raw.answer.code);
	}
}

static void osc_says_that_there_is_no_other_way(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p);
	gk_kdc_set_dtls(p->kdc, true);
	get(&raw, NULL);
	assert_links(&raw, AUTHZ ",</ace-group>;if=\"ace.groups\","
				 "</ace-group/lights>;if=\"ace.group\";rt=\"core.osc.gm\"");
}

static void roots_and_names_are_those_that_there_are(void **state)
{
	struct pair *p = *state;
	struct gk_group_config odd = pair_config("a b/\xc3\xa4\"");
	struct pair_raw raw;

	p->group_path = "kdc/g";
	p->authz_path = "kdc/t";
	pair_restart(p);
	assert_int_equal(pair_serve(p, &odd), GK_OK);
	open_raw(&raw, p);
	get(&raw, "if=ace.groups");
	assert_links(&raw, "</kdc/g>;if=\"ace.groups\";osc");
	get(&raw, "rt=ace.ai");
	assert_links(&raw, "</kdc/t>;rt=\"ace.ai\"");
	get(&raw, "href=/kdc/g/a*");
	assert_links(&raw, "</kdc/g/a%20b%2F%C3%A4%22>;if=\"ace.group\";rt=\"core.osc.gm\";osc");
}

/* A long list, block by block, by whoever asks; nothing is kept for it. */
static size_t get_all(struct pair_raw *raw, char *list, uint8_t szx, uint8_t served_szx)
{
	struct gk_block block = { .more = true };
	struct gk_span etag = { NULL, 0 }, first;
	uint8_t etag_bytes[8];
	size_t len = 0;

	for (uint32_t num = 0; block.more; num++) {
		uint8_t size = num ? served_szx : szx;

		ask(raw, &(struct query){ GK_COAP_GET,
					  ".well-known/core",
					  { NULL },
					  -1,
					  (int)(num << 4 | size) });
		assert_int_equal(raw->answer.code, GK_COAP_CONTENT);
		assert_int_equal(gk_block_read(&raw->answer, GK_OPT_BLOCK2, &block), GK_OK);
		assert_int_equal(block.num, num);
		assert_int_equal(block.szx, served_szx);
		assert_true(gk_coap_find(&raw->answer, GK_OPT_ETAG, &first));
		if (num)
			assert_true(gk_span_equal(etag, first));
		memcpy(etag_bytes, first.data, first.len);
		etag = gk_span(etag_bytes, first.len);
		memcpy(list + len, raw->answer.payload.data, raw->answer.payload.len);
		len += raw->answer.payload.len;
	}
	return len;
}

static void serve_many(struct pair *p)
{
	static char names[3][65];

	for (int i = 0; i < 3; i++) {
		struct gk_group_config config = pair_config(names[i]);

		memset(names[i], 'a' + i, 64);
		config.name = gk_span(names[i], 64);
		assert_int_equal(pair_serve(p, &config), GK_OK);
	}
}

static void a_long_list_comes_in_small_blocks_to_a_stranger(void **state)
{
	static const uint8_t sizes[][2] = { { 0, 0 }, { 2, 2 }, { 4, 4 }, { 6, 4 } };
	struct pair *p = *state;
	static char list[1024], other[1024];
	struct pair_raw raw;
	size_t len;

	serve_many(p);
	open_raw(&raw, p);
	get(&raw, NULL); // not asked for blocks
	assert_int_equal(raw.answer.payload.len, 256);
	len = get_all(&raw, list, 4, 4);
	assert_true(len > 400);
	for (size_t i = 0; i < ROWS(sizes); i++) {
		assert_int_equal(get_all(&raw, other, sizes[i][0], sizes[i][1]), len);
		assert_memory_equal(list, other, len);
	}
	// a later block of a size that is too large: the first part of it
	ask(&raw, &(struct query){ GK_COAP_GET, ".well-known/core", { NULL }, -1, 1 << 4 | 5 });
	assert_memory_equal(raw.answer.payload.data, list + 512, raw.answer.payload.len);
}

static void a_client_gets_it_whole_under_its_association(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	serve_many(p);
	open_raw(&raw, p);
	assert_int_equal(pair_raw_post(&raw), GK_COAP_CREATED);
	pair_raw_ask_message(
		&raw, put_query(&buf, &(struct query){
					      GK_COAP_GET, ".well-known/core", { NULL }, -1, -1 }));
	assert_int_equal(raw.answer.code, GK_COAP_CONTENT);
	assert_true(raw.is_protected);
	assert_true(raw.answer.payload.len > 400);
}

/* to many at once: RFC 7252 section 8.2 */

static void to_a_multicast_request_silence_is_better_than_no(void **state)
{
	static const struct {
		struct query query;
		bool answered;
	} rows[] = {
		{ { GK_COAP_GET, ".well-known/core", { NULL }, -1, -1 }, true },
		{ { GK_COAP_GET, ".well-known/core", { "rt=core.osc.gm" }, -1, -1 }, true },
		{ { GK_COAP_GET, ".well-known/core", { "rt=light" }, -1, -1 }, false },
		{ { GK_COAP_GET, ".well-known/core", { NULL }, 60, -1 }, false },
		{ { GK_COAP_GET, ".well-known/core", { NULL }, -1, 7 }, false },
		{ { GK_COAP_POST, ".well-known/core", { NULL }, -1, -1 }, false },
		{ { GK_COAP_GET, ".well-known", { NULL }, -1, -1 }, false },
		{ { GK_COAP_GET, "ace-group/lights/num", { NULL }, -1, -1 }, false },
		{ { GK_COAP_POST, "authz-info", { NULL }, -1, -1 }, false },
	};
	struct pair *p = *state;
	struct pair_raw raw;

	open_raw(&raw, p);
	raw.exchange.multicast = true;
	for (size_t i = 0; i < ROWS(rows); i++) {
		ask(&raw, &rows[i].query);
		if (raw.answers != rows[i].answered)
			fail_msg("row %zu: %zu answers, %x", i, raw.answers, raw.answer.code);
	}
	gk_kdc_set_discovery(p->kdc, GK_DISCOVERY_NONE);
	get(&raw, NULL);
	assert_int_equal(raw.answers, 0);
}

static void nothing_but_discovery_is_carried_out_for_many(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	uint8_t before[GK_HASH_LEN], after[GK_HASH_LEN];
	uint8_t bytes[1024], path[64];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes)), get_num = gk_buf(path, sizeof(path));
	struct gk_coap_writer w;

	open_raw(&raw, p);
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, GK_ROLE_REQUESTER, false),
			 GK_COAP_CREATED);
	pair_digest(p, before);
	raw.exchange.multicast = true;
	pair_raw_put_post(&raw, &payload, gk_span(raw.bundle.token, raw.bundle.token_len));
	assert_int_equal(pair_raw_post_payload(&raw, GK_CF_ACE, gk_buf_span(&payload)), 0);
	assert_int_equal(pair_raw_get(&raw, GK_COAP_DELETE, "*"), 0); // under the association
	w = gk_coap_begin(&get_num, GK_COAP_GET);
	gk_coap_put(&w, GK_OPT_OSCORE, gk_span("\x09\x01\x01", 3));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(".well-known/core"));
	gk_coap_put_payload(&w, gk_span("0123456789", 10));
	assert_int_equal(pair_raw_send(&raw, gk_buf_span(&get_num)), 0);
	pair_digest(p, after);
	assert_memory_equal(before, after, sizeof(before));
	raw.exchange.multicast = false;
	assert_int_equal(pair_raw_get(&raw, GK_COAP_GET, "num"), GK_COAP_CONTENT);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, open_pair, pair_end)
	const struct CMUnitTest tests[] = {
		RULE(anybody_finds_what_may_be_found),
		RULE(links_are_filtered_by_query),
		RULE(other_methods_and_formats_are_refused),
		RULE(osc_says_that_there_is_no_other_way),
		RULE(roots_and_names_are_those_that_there_are),
		RULE(a_long_list_comes_in_small_blocks_to_a_stranger),
		RULE(a_client_gets_it_whole_under_its_association),
		RULE(to_a_multicast_request_silence_is_better_than_no),
		RULE(nothing_but_discovery_is_carried_out_for_many),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
