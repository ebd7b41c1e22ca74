// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Opening and closing, time, and looking at what has become of it.
#include "pair_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 1000000
#define START_S  1760000000
#define ANYONE   (-3)

void pair_break_rule(struct pair *p, const char *rule, struct gk_span bytes)
{
	if (!p->broken[0])
		snprintf(p->broken, sizeof(p->broken), "%s (at %lld ms, event %zu, %zu bytes)",
			 rule, (long long)p->now.mono.ms, p->events, bytes.len);
}

void *pair_must_have(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

struct gk_span pair_copy(struct gk_span bytes)
{
	uint8_t *data = pair_must_have(malloc(bytes.len + 1));

	if (bytes.len)
		memcpy(data, bytes.data, bytes.len);
	return gk_span(data, bytes.len);
}

void pair_text_of(struct gk_span bytes, char *out, size_t size)
{
	size_t len = bytes.len < size - 1 ? bytes.len : size - 1;

	if (len)
		memcpy(out, bytes.data, len);
	out[len] = '\0';
}

/* time */

static int64_t next_deadline(const struct pair *p)
{
	int64_t next = p->kdc ? gk_kdc_next_expiry(p->kdc).ms : GK_NEVER;

	for (size_t i = 0; i < p->node_count; i++) {
		int64_t at =
			p->node[i].member ? gk_member_next_expiry(p->node[i].member).ms : GK_NEVER;

		next = at < next ? at : next;
	}
	for (size_t i = 0; i < p->log_count; i++) {
		if (p->log[i]->open && p->log[i]->deadline_ms < next)
			next = p->log[i]->deadline_ms;
	}
	return next;
}

static void set_time(struct pair *p, int64_t ms)
{
	if (ms <= p->now.mono.ms)
		return;
	p->now.utc.s += ms / 1000 - p->now.mono.ms / 1000;
	p->now.mono.ms = ms;
}

static void expire(struct pair *p)
{
	for (size_t i = 0; i < p->log_count; i++) {
		if (p->log[i]->open && p->log[i]->deadline_ms <= p->now.mono.ms)
			pair_answer(p, p->log[i], gk_span(NULL, 0));
	}
	if (p->kdc && gk_kdc_next_expiry(p->kdc).ms <= p->now.mono.ms)
		pair_drain_kdc(p, gk_kdc_expire(p->kdc, p->now));
	for (size_t i = 0; i < p->node_count; i++) {
		if (!p->node[i].member ||
		    gk_member_next_expiry(p->node[i].member).ms > p->now.mono.ms)
			continue;
		if (gk_member_expire(p->node[i].member, p->now))
			pair_break_rule(p, "a member ran out of memory", gk_span(NULL, 0));
		pair_drain_node(p, i);
	}
	pair_run(p);
}

void pair_advance(struct pair *p, int64_t ms)
{
	int64_t end = p->now.mono.ms + ms;
	unsigned same = 0;
	int64_t at;

	pair_run(p);
	while ((at = next_deadline(p)) <= end) {
		same = at <= p->now.mono.ms ? same + 1 : 0;
		if (same > 1000) {
			pair_break_rule(p, "time stands still", gk_span(NULL, 0));
			break;
		}
		set_time(p, at);
		expire(p);
	}
	set_time(p, end);
}

/* life of the pair */

int pair_global_init(void **state)
{
	static struct test_env t;
	static struct gk_env env;

	(void)state;
	env = test_env(&t, 7);
	return gk_global_init(&env) == GK_OK ? 0 : 1;
}

void pair_open(struct pair *p, uint64_t seed)
{
	memset(p, 0, sizeof(*p));
	p->seed = seed;
	p->now = (struct gk_now){ { START_MS }, { START_S } };
	p->nonces = pair_must_have(calloc(NONCES, sizeof(*p->nonces)));
	p->raw_id = RAW_ID;
	p->env = test_env(&p->kdc_env, seed);
	if (pair_start(p))
		abort();
}

struct gk_group_config pair_config(const char *name)
{
	struct gk_group_config config;

	gk_group_defaults(&config);
	config.name = gk_span_str(name);
	config.rekey.scheme = GK_POINT_TO_POINT;
	return config;
}

struct gk_group_config pair_tree_config(const char *name)
{
	struct gk_group_config config = pair_config(name);

	config.rekey.scheme = GK_TREE;
	config.rekey.confirm = GK_CONFIRM_ALL;
	return config;
}

enum gk_err pair_serve(struct pair *p, const struct gk_group_config *config)
{
	enum gk_err err;

	p->config[p->group_count] = config ? *config : pair_config(PAIR_LIGHTS);
	err = gk_kdc_add_group(p->kdc, &p->config[p->group_count], p->now);
	p->group_count += !err;
	pair_drain_kdc(p, err);
	return err;
}

int pair_begin(void **state, uint64_t seed, const struct gk_group_config *config)
{
	static struct pair p;

	pair_open(&p, seed);
	*state = &p;
	return pair_serve(&p, config) == GK_OK ? 0 : 1;
}

int pair_end(void **state)
{
	return pair_close(*state) ? 0 : 1;
}

bool pair_close(struct pair *p)
{
	bool fine;

	for (size_t i = 0; i < p->node_count; i++)
		pair_free_member(p, i);
	pair_stop(p);
	for (size_t i = 0; i < p->log_count; i++) {
		free((void *)(uintptr_t)p->log[i]->bytes.data);
		free((void *)(uintptr_t)p->log[i]->plain.data);
		free(p->log[i]);
	}
	while (p->record_count)
		pair_drop_record(p, &p->records[0]);
	free(p->log);
	for (size_t i = 0; i < p->observed_count; i++)
		free((void *)(uintptr_t)p->observed[i].request.data);
	free(p->observed);
	free(p->notes);
	free(p->records);
	free(p->nonces);
	free(p->undo);
	free((void *)(uintptr_t)p->raw_request.data);
	fine = !p->broken[0];
	if (!fine)
		fprintf(stderr, "broken: %s\n", p->broken);
	memset(p, 0, sizeof(*p));
	return fine;
}

/* looking at it */

static bool is_between(const struct pair_message *m, enum pair_kind kind, int from, int to)
{
	return m->kind == kind && (from == ANYONE || m->from == from) &&
	       (to == ANYONE || m->to == to);
}

const struct pair_message *pair_newest(const struct pair *p, enum pair_kind kind, int from, int to)
{
	for (size_t i = p->log_count; i-- > 0;) {
		if (is_between(p->log[i], kind, from, to))
			return p->log[i];
	}
	return NULL;
}

size_t pair_count(const struct pair *p, enum pair_kind kind, int from, int to)
{
	size_t count = 0;

	for (size_t i = 0; i < p->log_count; i++)
		count += is_between(p->log[i], kind, from, to);
	return count;
}

size_t pair_count_notes(const struct pair *p, int from, enum gk_note_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < p->note_count; i++)
		count += p->notes[i].kind == kind && (from == ANYONE || p->notes[i].from == from);
	return count;
}

const struct pair_note *pair_note(const struct pair *p, int from, enum gk_note_kind kind)
{
	for (size_t i = p->note_count; i-- > 0;) {
		if (p->notes[i].kind == kind && (from == ANYONE || p->notes[i].from == from))
			return &p->notes[i];
	}
	return NULL;
}

size_t pair_heard(const struct pair *p, size_t i, const char *text)
{
	size_t count = 0;

	for (size_t k = 0; k < p->note_count; k++)
		count += p->notes[k].kind == GK_NOTE_MESSAGE && p->notes[k].from == (int)i &&
			 strcmp(p->notes[k].text, text) == 0;
	return count;
}

struct gk_membership_info pair_info(const struct pair *p, size_t i)
{
	struct gk_membership_info info = { .num = -1 };

	if (p->node[i].member && gk_member_info(p->node[i].member, gk_span_str(PAIR_LIGHTS), &info))
		info = (struct gk_membership_info){ .num = -1 };
	return info;
}

struct gk_group_info pair_group(const struct pair *p)
{
	struct gk_group_info info;
	size_t at = 0;

	while (gk_kdc_group_next(p->kdc, &at, &info)) {
		if (gk_span_equal(info.name, gk_span_str(PAIR_LIGHTS)))
			return info;
	}
	return (struct gk_group_info){ .num = -1 };
}

int64_t pair_num(const struct pair *p)
{
	return pair_group(p).num;
}

bool pair_read_cast(const struct pair_message *m, struct gk_rekeying *message)
{
	struct gk_coap coap;

	return m->kind == PAIR_MULTICAST && m->from == PAIR_KDC &&
	       !gk_coap_parse(m->bytes, &coap) && !gk_rekeying_read(coap.payload, message);
}

bool pair_agree(const struct pair *p, size_t first, size_t last)
{
	int64_t num = pair_num(p);

	for (size_t i = first; i <= last; i++) {
		struct gk_membership_info info = pair_info(p, i);

		if (!info.joined || info.num != num)
			return false;
	}
	return true;
}

bool pair_shown(const struct pair *p, const char *group, const char *name,
		struct gk_member_info *info)
{
	size_t at = 0;

	while (gk_kdc_member_next(p->kdc, gk_span_str(group), &at, info)) {
		if (gk_span_equal(info->name, gk_span_str(name)))
			return true;
	}
	return false;
}

int pair_presence(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	return pair_shown(p, PAIR_LIGHTS, name, &info) ? (int)info.presence : -1;
}

struct gk_presence_counts pair_presence_counts(const struct pair *p)
{
	struct gk_presence_counts counts;

	gk_kdc_presence_counts(p->kdc, &counts);
	return counts;
}

void pair_reach(struct pair *p, const struct gk_addr *addr, enum gk_reach reach)
{
	struct gk_reach_report report = { *addr, reach };

	pair_drain_kdc(p, gk_kdc_reach(p->kdc, &report, 1, p->now));
}
