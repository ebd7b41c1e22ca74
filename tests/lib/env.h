// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A deterministic 'struct gk_env': random bytes from a seed and a counter, so that no two calls
 * give the same ones and each run gives the same, and both calls able to fail when told to. What
 * may become a key is noted for tests/secrets.sh.
 */
#ifndef TEST_ENV_H
#define TEST_ENV_H

#include "libgroupkey/groupkey.h"

/** Set the fields freely between calls. */
struct test_env {
	uint64_t seed;
	unsigned randoms;        /* calls of random() so far */
	unsigned allocs;         /* calls of alloc() that ask for memory, so far */
	unsigned fail_random_at; /* this call (the first is 1) fails; 0: none */
	unsigned fail_alloc_at;
	size_t blocks; /* allocated and not freed: 0 at the end, or something leaks */
};

/** Start over with a seed. @return an environment whose ctx is 't' */
struct gk_env test_env(struct test_env *t, uint64_t seed);
/** Let the n-th call from now on fail; 0: none. */
void test_env_fail_random(struct test_env *t, unsigned n);
void test_env_fail_alloc(struct test_env *t, unsigned n);

#endif
