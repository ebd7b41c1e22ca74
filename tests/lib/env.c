// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_MIN   16
#define KEY_MAX   64
#define NOTED_MAX 10000 /* by one program; those that run for long go on and on */

/** The finaliser of splitmix64: a bijection, so different inputs give different outputs. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* tests/run has made the directory, if it wants to know. */
static FILE *open_keys(void)
{
	const char *build = getenv("GK_BUILD");
	char path[4096];
	FILE *keys;

	if (!build || snprintf(path, sizeof(path), "%s/tests/keys/%s.keys", build,
			       program_invocation_short_name) >= (int)sizeof(path))
		return NULL;
	keys = fopen(path, "a");
	if (keys)
		setvbuf(keys, NULL, _IOLBF, 0); // whole lines, however the program ends
	return keys;
}

/* What has the length of a key may become one: tests/secrets.sh looks whether any is ever shown. */
static void note_key(const uint8_t *key, size_t len)
{
	static FILE *keys;
	static unsigned noted;

	if (len < KEY_MIN || len > KEY_MAX || noted >= NOTED_MAX)
		return;
	if (noted++ == 0)
		keys = open_keys();
	if (!keys)
		return;
	for (size_t i = 0; i < len; i++)
		fprintf(keys, "%02x", key[i]);
	fputc('\n', keys);
}

static bool give_random(void *ctx, uint8_t *out, size_t len)
{
	struct test_env *t = ctx;
	t->randoms++;
	if (t->randoms == t->fail_random_at)
		return false;
	uint64_t state = mix(t->seed + UINT64_C(0x9e3779b97f4a7c15)) + ((uint64_t)t->randoms << 32);
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(mix(state + i / 8) >> 8 * (i % 8));
	note_key(out, len);
	return true;
}

static void *give_memory(void *ctx, void *old, size_t size)
{
	struct test_env *t = ctx;
	if (size == 0) {
		t->blocks -= old != NULL;
		free(old);
		return NULL;
	}
	t->allocs++;
	if (t->allocs == t->fail_alloc_at)
		return NULL;
	void *block = realloc(old, size);
	if (!block)
		abort();
	t->blocks += old == NULL;
	return block;
}

struct gk_env test_env(struct test_env *t, uint64_t seed)
{
	*t = (struct test_env){ .seed = seed };
	return (struct gk_env){ .ctx = t, .random = give_random, .alloc = give_memory };
}

void test_env_fail_random(struct test_env *t, unsigned n)
{
	t->fail_random_at = n > 0 ? t->randoms + n : 0;
}

void test_env_fail_alloc(struct test_env *t, unsigned n)
{
	t->fail_alloc_at = n > 0 ? t->allocs + n : 0;
}
