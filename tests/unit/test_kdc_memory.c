// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The n-th allocation, or the n-th wish for entropy, of a whole story fails, for every n. Whatever
// that interrupts, the rules of pair.h hold, no memory is lost, and the story ends well: a KDC that
// answers GK_ERR_NO_MEMORY is made anew from its store, and what was refused is asked for again.

#include "libgroupkey/kdc.h"

#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint32_t all = GK_ROLE_ALL;

static void try_evict(struct pair *p, const char *name)
{
	struct gk_member_info info;

	for (int i = 0; i < 3 && pair_shown(p, PAIR_LIGHTS, name, &info); i++)
		pair_drain_kdc(p, gk_kdc_evict(p->kdc, gk_span_str(PAIR_LIGHTS), gk_span_str(name),
					       p->now));
}

/* A member that has forgotten everything joins again. */
static void come_back(struct pair *p, size_t i, bool point_to_point)
{
	p->node[i].point_to_point = point_to_point;
	pair_reset(p, i);
	if (pair_join(p, i, PAIR_LIGHTS, 6))
		abort();
	pair_advance(p, 20000);
}

/* Every kind of request and event that the KDC knows, and a restart. */
static void play(struct pair *p)
{
	struct pair_raw raw;

	pair_raw_open(&raw, p, 1, "raw1", NULL, &all, 1);
	raw.tree = true;
	for (size_t i = 0; i < 3; i++) {
		pair_join_all(p, 1);
		pair_advance(p, 10000);
	}
	pair_advance(p, 60000);
	for (int i = 0; i < 4 && raw.answer.code >> 5 != 2; i++) {
		raw.ctx.aead = NULL;
		pair_raw_join(&raw, PAIR_LIGHTS, 6, true);
	}
	pair_raw_get(&raw, GK_COAP_GET, "");
	pair_raw_get(&raw, GK_COAP_GET, "*");
	pair_raw_get(&raw, GK_COAP_GET, "creds");
	pair_raw_get(&raw, GK_COAP_GET, "kdc-cred");
	pair_raw_get(&raw, GK_COAP_POST, "*");
	pair_raw_get(&raw, GK_COAP_DELETE, "*");
	pair_advance(p, 10000);
	pair_leave(p, 0, PAIR_LIGHTS);
	pair_advance(p, 20000);
	pair_restart(p);
	pair_advance(p, 10000);
	try_evict(p, "node1");
	p->node[1].cut = true;
	pair_advance(p, 80000); // parked deliveries, timers
	pair_join_all(p, 1);
	come_back(p, 2, true);
	come_back(p, 2, false);
	pair_advance(p, 150000);
}

static bool ends_well(struct pair *p)
{
	struct gk_member_info info;

	return !p->broken[0] && pair_agree(p, 2, 3) && !pair_info(p, 0).joined &&
	       !pair_shown(p, PAIR_LIGHTS, "node1", &info) &&
	       (pair_group(p).scheme != GK_TREE || pair_group(p).in_tree == 2);
}

/* @return how many calls of its kind the story made */
static unsigned play_with(const struct gk_group_config *config, unsigned fail_alloc,
			  unsigned fail_random)
{
	static struct pair p;
	unsigned calls;
	enum gk_err err;

	pair_open(&p, 8);
	if (fail_alloc)
		test_env_fail_alloc(&p.kdc_env, fail_alloc);
	test_env_fail_random(&p.kdc_env, fail_random);
	calls = fail_alloc ? p.kdc_env.allocs : p.kdc_env.randoms;
	err = pair_serve(&p, config);
	if (err) { // refused, and nothing changed
		assert_true(err == GK_ERR_NO_MEMORY || err == GK_ERR_ENTROPY);
		assert_int_equal(pair_serve(&p, config), GK_OK);
	}
	play(&p);
	if (!ends_well(&p))
		fail_msg("allocation %u, entropy %u: %s", fail_alloc, fail_random, p.broken);
	calls = (fail_alloc ? p.kdc_env.allocs : p.kdc_env.randoms) - calls;
	if (!pair_close(&p))
		fail_msg("allocation %u, entropy %u", fail_alloc, fail_random);
	return calls;
}

static struct gk_group_config point_to_point(void)
{
	return pair_config(PAIR_LIGHTS);
}

static struct gk_group_config tree(void)
{
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	config.rekey.beacon_min_s = 60;
	return config;
}

static void no_failed_allocation_does_harm(void **state)
{
	struct gk_group_config (*const *make)(void) = *state;
	struct gk_group_config config = (*make)();

	for (unsigned n = 1, calls = play_with(&config, 1u << 30, 0); n <= calls; n++)
		play_with(&config, n, 0);
}

static void no_lack_of_entropy_does_harm(void **state)
{
	struct gk_group_config (*const *make)(void) = *state;
	struct gk_group_config config = (*make)();

	for (unsigned n = 1, calls = play_with(&config, 0, 1u << 30); n <= calls; n++)
		play_with(&config, 0, n);
}

static void a_kdc_without_memory_says_so_and_gives_out_nothing(void **state)
{
	struct gk_group_config (*const *make)(void) = *state;
	struct gk_group_config config = (*make)();
	static struct pair p;
	struct pair_raw raw;
	unsigned told = 0;

	for (unsigned n = 1; n < 40; n++) {
		struct gk_event event;

		pair_open(&p, 8);
		assert_int_equal(pair_serve(&p, &config), GK_OK);
		pair_raw_open(&raw, &p, 1, "raw1", NULL, &all, 1);
		raw.tree = true;
		pair_raw_join(&raw, PAIR_LIGHTS, 6, true);
		test_env_fail_alloc(&p.kdc_env, n);
		p.last = gk_kdc_rekey(p.kdc, gk_span_str(PAIR_LIGHTS), p.now);
		if (p.last) {
			told++;
			assert_int_equal(p.last, GK_ERR_NO_MEMORY);
			assert_false(gk_kdc_event(p.kdc, &event));
			assert_int_equal(gk_kdc_rekey(p.kdc, gk_span_str(PAIR_LIGHTS), p.now),
					 GK_ERR_NO_MEMORY);
			assert_false(gk_kdc_event(p.kdc, &event));
		}
		assert_true(pair_close(&p));
	}
	assert_true(told > 2);
}

static void a_kdc_that_cannot_be_made_leaves_nothing(void **state)
{
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.issuer = gk_span_str("as"),
					.as_key = gk_span(pair_as_key, 16) };
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	struct gk_kdc *kdc = NULL;
	unsigned n = 0;
	enum gk_err err;

	(void)state;
	do {
		test_env_fail_alloc(&t, ++n);
		err = gk_kdc_new(&env, &config, &kdc);
		if (err) {
			assert_int_equal(err, GK_ERR_NO_MEMORY);
			assert_null(kdc);
			assert_int_equal(t.blocks, 0);
		}
	} while (err);
	assert_true(n > 3);
	gk_kdc_free(kdc);
	kdc = NULL;
	test_env_fail_alloc(&t, 0);
	test_env_fail_random(&t, 1);
	assert_int_equal(gk_kdc_new(&env, &config, &kdc), GK_ERR_ENTROPY);
	assert_null(kdc);
	assert_int_equal(t.blocks, 0);
	gk_kdc_free(NULL);
}

int main(void)
{
	static struct gk_group_config (*schemes[])(void) = { point_to_point, tree };
#define OF_SCHEME(name, i) cmocka_unit_test_prestate(name, &schemes[i])
	const struct CMUnitTest tests[] = {
		OF_SCHEME(no_failed_allocation_does_harm, 0),
		OF_SCHEME(no_lack_of_entropy_does_harm, 0),
		OF_SCHEME(a_kdc_without_memory_says_so_and_gives_out_nothing, 0),
		OF_SCHEME(no_failed_allocation_does_harm, 1),
		OF_SCHEME(no_lack_of_entropy_does_harm, 1),
		OF_SCHEME(a_kdc_without_memory_says_so_and_gives_out_nothing, 1),
		cmocka_unit_test(a_kdc_that_cannot_be_made_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
