// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "fake_tree.h"

#include "hex.h"

#include <string.h>

int fake_global_init(void **state)
{
	static struct test_env t;
	static struct gk_env env;

	(void)state;
	env = test_env(&t, 7);
	return gk_global_init(&env) == GK_OK ? 0 : 1;
}

int fake_begin(void **state)
{
	static struct fake f;

	fake_open(&f);
	*state = &f;
	return 0;
}

int fake_begin_joined(void **state)
{
	fake_begin(state);
	fake_join(*state);
	return 0;
}

int fake_end(void **state)
{
	fake_close(*state);
	return 0;
}

void assert_follows(struct fake *f)
{
	struct fake_cast cast;
	struct fake_packet packet;
	uint8_t ms[16];

	fake_rekey(f, &cast);
	packet = fake_packet_of(&cast);
	fake_hear(f, fake_span_of(&packet));
	fake_done(f, &cast);
	memset(ms, (int)f->num, sizeof(ms));
	assert_int_equal(fake_info(f).num, f->num);
	assert_true(fake_info(f).in_tree);
	assert_int_equal(fake_membership(f)->common.master_secret_len, sizeof(ms));
	assert_memory_equal(fake_membership(f)->common.master_secret, ms, sizeof(ms));
}

const char fake_older[] = "older than what we have";

void assert_refused(struct fake *f, const struct fake_packet *packet, const char *reason)
{
	struct gk_membership_info was = fake_info(f), is;
	size_t notes = f->notes[GK_NOTE_REFUSED], errors = f->notes[GK_NOTE_ERROR];
	size_t requests = f->requests;
	int64_t due = gk_member_next_expiry(f->m).ms;

	fake_hear(f, fake_span_of(packet));
	is = fake_info(f);
	assert_int_equal(is.num, was.num);
	assert_int_equal(is.peers, was.peers);
	assert_int_equal(is.in_tree, was.in_tree);
	assert_int_equal(is.refused, was.refused + (reason != NULL));
	assert_int_equal(f->notes[GK_NOTE_REFUSED], notes + (reason && reason != fake_older));
	assert_int_equal(f->notes[GK_NOTE_ERROR], errors);
	assert_int_equal(gk_member_next_expiry(f->m).ms, due);
	assert_int_equal(f->requests, requests);
	if (reason && reason != fake_older)
		assert_string_equal(f->reason, reason);
}

void assert_recovers(struct fake *f, size_t gets)
{
	assert_int_equal(fake_info(f).num, -1); // what it has is not used any more
	assert_int_equal(gk_member_say(f->m, gk_span_str(FAKE_GROUP), hex_span("02"), f->now),
			 GK_ERR_STATE);
	assert_false(f->asked); // not at the same time as all others
	fake_run(f, FAKE_LEISURE_MS);
	assert_int_equal(f->gets, gets);
	assert_int_equal(fake_info(f).num, f->num);
	assert_hex_equal(fake_info(f).sender_id, "05");
	assert_int_equal(f->joins, 1);
	fake_run(f, 30000);
	assert_int_equal(f->gets, gets);
}

int fake_await_question_for_stale(struct fake *f)
{
	int seconds = 0;

	while (!fake_is_asked(f, GK_COAP_FETCH, "ace-group/" FAKE_GROUP "/stale-sids")) {
		assert_in_range(++seconds, 1, GK_STALE_SPREAD_MS / 1000 + 1);
		fake_wait(f, 1000);
	}
	return seconds;
}

void assert_stale_are_asked_for(struct fake *f)
{
	assert_true(fake_await_question_for_stale(f) > 0);
}

void fake_cast_in_parts(struct fake *f, struct fake_cast *cast)
{
	fake_evict(f, 0);
	fake_evict(f, 4);
	fake_rekey_to(f, cast, f->num + 1, f->num + 1, 0, "82 4100 4104");
	assert_int_equal(cast->tree.entries.len, FAKE_PARTS * GK_TREE_ENTRY_LEN);
}

void fake_hear_part(struct fake *f, struct fake_cast *cast, size_t part)
{
	struct fake_packet packet = fake_part_of(cast, part);

	fake_hear(f, fake_span_of(&packet));
}
