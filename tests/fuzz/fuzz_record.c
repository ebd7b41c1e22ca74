// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A damaged record of the store: the first byte names the table, and says whether the state is
// disowned; the rest is the value. Whatever is accepted can be lived with, and all memory comes
// back.

#include "libgroupkey/kdc.h"

#include "tests/lib/pair.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum gk_table tables[] = {
	GK_TABLE_KDC,  GK_TABLE_CLIENT, GK_TABLE_GROUP, GK_TABLE_MEMBER, GK_TABLE_TREE,
	GK_TABLE_CAST, GK_TABLE_ISSUED, GK_TABLE_MARK,  GK_TABLE_BAN,    GK_TABLE_REVOKED,
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static struct pair p;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void start(void)
{
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	static bool started;

	if (started)
		return;
	started = true;
	must(pair_global_init(NULL) == 0);
	pair_open(&p, 3);
	must(pair_serve(&p, &config) == GK_OK);
	pair_join_all(&p, 4);
	pair_drain_kdc(&p,
		       gk_kdc_ban(p.kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("node2"), p.now));
	pair_drain_kdc(&p, gk_kdc_revoke(p.kdc, gk_span_str("node3"), p.now));
	pair_drain_kdc(&p, gk_kdc_rekey(p.kdc, gk_span_str(PAIR_LIGHTS), p.now));
}

static enum gk_err give_back(struct gk_kdc *kdc, enum gk_table damaged, struct gk_span value)
{
	enum gk_err err = GK_OK;
	bool done = false;

	for (size_t t = 0; !err && t < TABLES; t++) {
		for (size_t i = 0; !err && i < p.record_count; i++) {
			const struct pair_record *r = &p.records[i];
			struct gk_record record = { .table = r->table,
						    .key = gk_span(r->key, r->key_len),
						    .value = gk_span(r->value, r->value_len) };

			if (r->table != tables[t])
				continue;
			if (r->table == damaged && !done) {
				record.value = value;
				done = true;
			}
			err = gk_kdc_restore(kdc, &record, p.now);
		}
	}
	return err;
}

static void show(const struct gk_kdc *kdc)
{
	struct gk_client_info client;
	struct gk_member_info member;
	size_t at = 0;

	while (gk_kdc_client_next(kdc, &at, &client))
		;
	for (at = 0; gk_kdc_member_next(kdc, gk_span_str(PAIR_LIGHTS), &at, &member);)
		;
}

static void live(struct gk_kdc *kdc)
{
	struct gk_now now = p.now;
	struct gk_event event;

	if (gk_kdc_add_group(kdc, &p.config[0], p.now))
		return;
	show(kdc);

	for (int i = 0; i < 20; i++) {
		(void)!gk_kdc_expire(kdc, now);
		now.mono.ms += 60000;
		now.utc.s += 60;
	}
	(void)!gk_kdc_rekey(kdc, gk_span_str(PAIR_LIGHTS), now);
	(void)!gk_kdc_evict(kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("node0"), now);
	(void)!gk_kdc_unban(kdc, gk_span_str(PAIR_LIGHTS), gk_span_str("node2"), now);
	(void)!gk_kdc_revoke(kdc, gk_span_str("node1"), now);
	(void)!gk_kdc_expire(kdc, now);
	while (gk_kdc_event(kdc, &event))
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(pair_as_key, 16) };
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_kdc *kdc;

	if (size < 1 || size > 2048)
		return 0;
	start();
	must(gk_kdc_new(&env, &config, &kdc) == GK_OK);
	if (!give_back(kdc, tables[data[0] / 2 % TABLES], gk_span(data + 1, size - 1))) {
		if (data[0] % 2)
			(void)!gk_kdc_disown(kdc, 0, p.now);
		live(kdc);
	}
	gk_kdc_free(kdc);
	must(t.blocks == 0);
	return 0;
}
