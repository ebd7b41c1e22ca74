// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * 'make bench': what rekeying costs, in ciphertexts, bytes and frames, and in CPU beside the bare
 * cost of its own primitives. The KDC and the member are the real core; only the joins are left
 * out, whose thousands of signatures would take the time.
 */
#ifndef BENCH_H
#define BENCH_H

#include "libgroupkey/kdc.h"

#include "tests/lib/env.h"

/** A KDC with one group of many members, of which no one is on the network. */
struct plant {
	struct test_env test_env;
	struct gk_env env;
	struct gk_kdc *kdc;
	struct gk_group *group;
	struct gk_now now;
	size_t size;
};

/** Make a group of 'size' members, all in the tree or none, all with material. */
void plant_open(struct plant *plant, size_t size, enum gk_scheme scheme, enum gk_confirm confirm);
void plant_close(struct plant *plant);
/** A member joins, as far as keys are concerned. */
struct gk_node *plant_join(struct plant *plant);
/** New material for all, one joiner or none. */
void plant_rekey(struct plant *plant, struct gk_node *joiner);

/** What a rekeying put on the air. */
struct cost {
	size_t ciphertexts, messages, bytes, frames;
	size_t beside; /* bytes of the first message beside its ciphertexts */
};
/** Members leave, all within one coalescing time; the messages to the group are counted.
 *  @param cpu_us  of the KDC; may be NULL  @param keep  gets a copy of the newest message */
struct cost plant_leave(struct plant *plant, const size_t *members, size_t count, double *cpu_us,
			struct gk_buf *keep);
/** The cost of what the KDC has to say now. */
struct cost plant_listen(struct plant *plant, struct gk_buf *keep);

/** CPU time of this thread. */
double bench_now_us(void);
/** A number below 'bound', from a fixed seed. */
size_t bench_chance(size_t bound);
void bench_fail(const char *what) __attribute__((noreturn));

/** CPU rows: KDC and member on a departure, and their primitives. */
void bench_cpu(size_t size);

#endif
