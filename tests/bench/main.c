// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#define CONFIRMATION_LEN 32 /* CoAP message of a confirmation */
#define TOKEN_LEN        8  /* of libcoap's requests */
#define ANSWER_LEN       30 /* 2.04 under OSCORE, with its token */

static const size_t sizes[] = { 16, 128, 1024, 8192 };

/* other schemes */

/** What other schemes, or none, would need for the same departures. */
struct bounds {
	size_t lkh;     /* each new key under each child's key (RFC 2627 section 5.4) */
	size_t minimum; /* docs/rekeying.md section 4 */
};

/* Node by node over the whole tree, to be obviously right: who is left below, and who is gone. */
static struct bounds count_bounds(size_t size, const bool *gone)
{
	struct bounds b = { 0, 0 };

	for (size_t span = 2; span <= size; span *= 2) {
		for (size_t first = 0; first < size; first += span) {
			size_t left[2] = { 0, 0 }, lost[2] = { 0, 0 };

			for (size_t i = 0; i < span; i++) {
				lost[i >= span / 2] += gone[first + i];
				left[i >= span / 2] += !gone[first + i];
			}
			if (!(lost[0] + lost[1]) || !(left[0] + left[1]))
				continue;
			/* a leaf that is gone has nobody below it */
			b.lkh += (left[0] > 0) + (left[1] > 0);
			b.minimum += (left[0] && !lost[0]) + (left[1] && !lost[1]) +
				     (left[0] && lost[0] && left[1] && lost[1]);
		}
	}
	return b;
}

/* Our own message with another number of ciphertexts. */
static struct cost with_ciphertexts(struct cost ours, size_t ciphertexts)
{
	size_t room = (GK_REKEYING_COAP_MAX - ours.beside) / GK_TREE_ENTRY_LEN;
	struct cost cost = { .ciphertexts = ciphertexts };

	do {
		size_t here = ciphertexts < room ? ciphertexts : room;

		cost.messages++;
		cost.bytes += ours.beside + here * GK_TREE_ENTRY_LEN;
		cost.frames += gk_air_of(ours.beside + here * GK_TREE_ENTRY_LEN).frames;
		ciphertexts -= here;
	} while (ciphertexts);
	return cost;
}

/* One message to a member, as the core protects it, and its answer. */
static struct cost one_by_unicast(void)
{
	struct plant plant;
	struct cost cost = { 0 };
	struct gk_event event;

	plant_open(&plant, 16, GK_POINT_TO_POINT, GK_CONFIRM_NONE);
	gk_group_remove(plant.group->nodes[0], GK_NOTE_LEFT, NULL, plant.now);
	plant.now.mono.ms += plant.group->config.coalesce_ms;
	if (gk_kdc_expire(plant.kdc, plant.now))
		bench_fail("the KDC gave up");
	while (gk_kdc_event(plant.kdc, &event)) {
		if (event.kind == GK_EVENT_REQUEST && !cost.messages)
			cost = (struct cost){ 1, 1, event.bytes.len - 1 + 4 + TOKEN_LEN, 0, 0 };
	}
	if (!cost.messages)
		bench_fail("no rekeying message");
	cost.frames = gk_air_of(cost.bytes).frames + gk_air_of(ANSWER_LEN).frames;
	cost.bytes += ANSWER_LEN;
	plant_close(&plant);
	return cost;
}

static struct cost times(struct cost cost, size_t count)
{
	return (struct cost){ cost.ciphertexts * count, cost.messages * count, cost.bytes * count,
			      cost.frames * count, 0 };
}

/* rows */

static void row(const char *scheme, struct cost cost, size_t minimum, size_t confirmations)
{
	printf("  %-16s %11zu %7zu %8zu %9zu %8zu %13zu\n", scheme, cost.ciphertexts, minimum,
	       cost.messages, cost.bytes, cost.frames,
	       confirmations * gk_air_of(CONFIRMATION_LEN).frames);
}

static void rows(const char *event, size_t size, struct cost ours, struct bounds bounds,
		 size_t others)
{
	struct cost bound = with_ciphertexts(ours, bounds.minimum);

	if (ours.ciphertexts != bounds.minimum)
		bench_fail("not the minimum of ciphertexts");
	printf("%s, N = %zu\n", event, size);
	row("tree", ours, bounds.minimum, others);
	row("LKH (RFC 2627)", with_ciphertexts(ours, bounds.lkh), bounds.minimum, others);
	row("point-to-point", times(one_by_unicast(), others), bounds.minimum, 0);
	row("minimum", bound, bounds.minimum, 0);
}

static void departures(const char *event, size_t size, size_t count)
{
	struct plant plant;
	bool *gone = calloc(size, sizeof(*gone));
	size_t *members = calloc(count, sizeof(*members));
	struct cost ours;

	if (!gone || !members)
		bench_fail("no memory");
	plant_open(&plant, size, GK_TREE, GK_CONFIRM_ALL);
	for (size_t i = 0; i < count; i++) {
		do
			members[i] = bench_chance(size);
		while (gone[members[i]]);
		gone[members[i]] = true; /* the i-th member has slot i */
	}
	ours = plant_leave(&plant, members, count, NULL, NULL);
	rows(event, size, ours, count_bounds(size, gone), size - count);
	plant_close(&plant);
	free(members);
	free(gone);
}

/* The last slot is taken: a path of log2 N nodes, each of which LKH sends under its old key. */
static void join(size_t size)
{
	struct plant plant;
	struct bounds bounds = { 0, 0 };
	struct cost ours;

	plant_open(&plant, size - 1, GK_TREE, GK_CONFIRM_ALL);
	plant_rekey(&plant, plant_join(&plant));
	ours = plant_listen(&plant, NULL);
	for (size_t span = 2; span <= size; span *= 2)
		bounds.lkh++;
	rows("join", size, ours, bounds, size - 1);
	plant_close(&plant);
}

int main(void)
{
	struct test_env t;
	struct gk_env env = test_env(&t, 1);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (gk_global_init(&env))
		bench_fail("no random source");
	printf("# Frames: IEEE 802.15.4 of 127 bytes: MAC header 15 (short destination, long "
	       "source,\n"
	       "# one PAN ID), FCS 2, no link-layer security; IPHC without NHC: base 2, next "
	       "header 1,\n"
	       "# multicast destination 4, hop limit 1, UDP 8; FRAG1 4, FRAGN 5 (RFC 4944, RFC "
	       "6282).\n"
	       "# One copy of each message; bytes are those of CoAP messages. Confirmations (mode\n"
	       "# 'all'; none above 64 members by default) are frames of one copy's answers. LKH "
	       "and the\n"
	       "# minimum (of ciphertexts, node by node) have our message form; point-to-point "
	       "counts\n"
	       "# message and answer. 10 %% is rounded up. Above 200 departures each member asks "
	       "for the\n"
	       "# stale Sender IDs besides, by unicast, which is not counted. A member's CPU "
	       "beyond its\n"
	       "# primitives goes into the group's new context, with the KDC's credential checked "
	       "anew.\n"
	       "# %-16s %11s %7s %8s %9s %8s %13s\n",
	       "scheme", "ciphertexts", "minimum", "messages", "bytes", "frames", "confirmations");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		departures("one departure", sizes[i], 1);
		departures("10 % departing at once", sizes[i], (sizes[i] + 9) / 10);
		join(sizes[i]);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		bench_cpu(sizes[i]);
	gk_global_cleanup();
	return 0;
}
