// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What the KDC says to a group as a whole. An eavesdropper with a good memory sees one message for
 * each num and part, one sealed material for each num, and one seed under each node's key; whoever
 * reads the store finds the message there before it is said; and whoever measures the link finds
 * that rekeying keeps within its share.
 */
#include "tests/sim/sim.h"

#include "libgroupkey/budget.h"
#include "libgroupkey/coap.h"
#include "libgroupkey/rekeying.h"

#include <string.h>

#define CODE_CHANGED   0x44 /* 2.04 */
#define FORGERY_MAX_MS 2000
#define SHARE_BURST_S  2 /* what is not used of so long may be used later */

enum what { SAID = 0x100, MATERIAL, ENTRY, STORED, FIRST };

/* the share of the link */

void cast_start(struct world *w)
{
	w->share = REKEYING_BPS / 8.0 * SHARE_BURST_S;
	w->share_ms = w->now.mono.ms;
	for (int g = 0; g < SIM_GROUPS; g++)
		w->groups[g].late = 0;
}

/* The KDC also leaves room for answers and confirmations, so its own account is never fuller. */
static void take_share(struct world *w, size_t coap_len, bool urgent)
{
	double rate = REKEYING_BPS / 8.0;

	w->share += rate * (double)(w->now.mono.ms - w->share_ms) / 1000;
	if (w->share > rate * SHARE_BURST_S)
		w->share = rate * SHARE_BURST_S;
	w->share_ms = w->now.mono.ms;
	if (w->share < 0 && !urgent)
		broken(w, RULE_SHARE, KDC, "%zu bytes, %.0f more on the air than its share",
		       coap_len, -w->share);
	w->share -= (double)gk_air_of(coap_len).bytes;
}

void cast_unicast(struct world *w, struct gk_span bytes)
{
	take_share(w, net_coap_len(DG_CONFIRM, bytes), false);
}

/* what is said */

static uint64_t name(enum what what, int g, uint64_t a, uint64_t b)
{
	return mix(mix(mix(mix(what) + (uint64_t)g) + a) + b);
}

/* @return false if something else had that name before */
static bool is_the_one(struct world *w, uint64_t key, uint64_t value)
{
	uint64_t *known = wire_remember(w, key);
	bool one = !*known || *known == value;

	*known = value;
	return one;
}

/* The nonce is the same for all entries of a num: each has to be under a key of its own. */
static void check_entries(struct world *w, int g, const struct gk_rekeying *m)
{
	struct gk_span entries = m->step.entries;

	for (size_t at = 0; at < entries.len; at += GK_TREE_ENTRY_LEN) {
		uint64_t child = gk_span_uint(gk_span_sub(entries, at, 3));
		uint64_t sealed = wire_digest(gk_span_sub(entries, at, GK_TREE_ENTRY_LEN));

		if (!is_the_one(w, name(ENTRY, g, m->num, child), sealed))
			broken(w, RULE_NONCE, KDC, "%s: num %u, two seeds under one key",
			       w->groups[g].name, m->num);
	}
}

/* By the KDC's own word: at a start it tells the group before it could be asked. */
static int64_t newest_num(const struct world *w, int g)
{
	struct gk_group_info info = { .num = -1 };

	(void)check_find_group(w, g, &info);
	return info.num;
}

static void check_rekeying(struct world *w, int g, const struct gk_rekeying *m,
			   struct gk_span bytes)
{
	const char *group = w->groups[g].name;
	uint64_t content = wire_digest(bytes);

	if (!is_the_one(w, name(SAID, g, m->num, m->part), content))
		broken(w, RULE_NONCE, KDC, "%s: num %u, part %u has two contents", group, m->num,
		       m->part);
	if (!is_the_one(w, name(MATERIAL, g, m->num, 0), wire_digest(m->material)))
		broken(w, RULE_NONCE, KDC, "%s: num %u, two materials", group, m->num);
	check_entries(w, g, m);
	if (seen_first(w, STORED, content, 0))
		broken(w, RULE_STORED, KDC, "%s: num %u, part %u", group, m->num, m->part);
	if (m->num > newest_num(w, g))
		broken(w, RULE_FORWARD, KDC, "%s: a message of num %u, the newest is %lld", group,
		       m->num, (long long)newest_num(w, g));
}

static void check_beacon(struct world *w, int g, const struct gk_rekeying *m)
{
	if (m->num != newest_num(w, g))
		broken(w, RULE_FORWARD, KDC, "%s: a beacon of num %u, the newest is %lld",
		       w->groups[g].name, m->num, (long long)newest_num(w, g));
}

/* @return the group of a message, or -1 */
static int read_message(const struct world *w, struct gk_span bytes, struct gk_rekeying *m)
{
	struct gk_span segment[2];
	struct gk_coap coap;

	if (gk_coap_parse(bytes, &coap) || gk_coap_path(&coap, segment, 2) != 2 ||
	    gk_rekeying_read(coap.payload, m))
		return -1;
	return group_named(w, segment[1]);
}

/* The first message of a num, and of a start, does not wait for its share; nor does a beacon, for
 * which others wait. */
static bool is_urgent(struct world *w, int g, const struct gk_rekeying *m)
{
	return m->type == GK_REKEYING_BEACON ||
	       (!m->part && seen_first(w, FIRST, name(FIRST, g, m->num, 0), w->kdc_life));
}

/* Somebody hears it, and claims that a member has read it. */
static void forge_confirmation(struct world *w, uint64_t g, void *ptr)
{
	struct group *group = &w->groups[g];
	uint8_t bytes[32], mac[GK_REKEYING_MAC_LEN] = { 0 }, message[64];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes)),
		      buf = gk_buf(message, sizeof(message));
	struct gk_confirmation confirmation = {
		.gid = gk_id_span(&group->gid),
		.slot = (uint16_t)between(w, 0, w->opt.nodes - 1),
		.mac = gk_span(mac, sizeof(mac)),
	};
	struct gk_coap_writer writer = gk_coap_begin(&buf, CODE_CHANGED);

	(void)ptr;
	mac[0] = (uint8_t)chance_next(&w->chance);
	gk_confirmation_put(&payload, &confirmation);
	gk_coap_put_payload(&writer, gk_buf_span(&payload));
	group->late++;
	gateway_confirmed(w, gk_buf_span(&buf));
}

void cast_said(struct world *w, struct gk_span bytes)
{
	struct gk_rekeying m;
	int g = read_message(w, bytes, &m);

	if (g < 0) {
		broken(w, RULE_NOTES, KDC, "a message to a group that nobody can read");
		return;
	}
	take_share(w, net_coap_len(DG_CAST, bytes), is_urgent(w, g, &m));
	if (m.type == GK_REKEYING) {
		w->tally[CASTS]++;
		w->tally[CAST_PARTS] += m.last_part > 0;
		check_rekeying(w, g, &m, bytes);
		world_in(w, between(w, 1, FORGERY_MAX_MS), forge_confirmation, (uint64_t)g);
	} else {
		w->tally[BEACONS]++;
		check_beacon(w, g, &m);
	}
	trace(w, KDC, m.type == GK_REKEYING ? "tells the group of" : "beacon of", m.num,
	      w->groups[g].name);
}

void cast_stored(struct world *w, struct gk_span value)
{
	struct gk_cbor c = gk_cbor(value);

	gk_cbor_array_of(&c, 3);
	(void)gk_cbor_uint(&c, UINT32_MAX);
	(void)gk_cbor_int(&c);
	seen_first(w, STORED, wire_digest(gk_cbor_bytes(&c)), 0);
}

/* what members answer */

static struct group *find_by_gid(struct world *w, struct gk_span gid)
{
	for (int g = 0; g < SIM_GROUPS; g++) {
		const struct gk_id *own = &w->groups[g].gid;

		if (gid.len == own->len && gid.len == 6 &&
		    gk_span_equal(gk_span_sub(gid, 0, 2), gk_span(own->data, 2)))
			return &w->groups[g];
	}
	return NULL;
}

/* @return the group that it is about, or NULL */
static struct group *read_confirmation(struct world *w, struct gk_span bytes, struct gk_span *gid)
{
	struct gk_confirmation confirmation;
	struct gk_coap coap;

	if (gk_coap_parse(bytes, &coap) || gk_confirmation_read(coap.payload, &confirmation))
		return NULL;
	*gid = confirmation.gid;
	return find_by_gid(w, *gid);
}

/* A Gid ends with the num: who is gone has nothing to say of a later one. */
void cast_confirmed(struct world *w, const struct node *node, const struct gk_event *e)
{
	struct gk_span gid;
	const struct group *group = read_confirmation(w, e->bytes, &gid);
	const struct place *place;
	int64_t num;

	if (!group || memcmp(e->peer.ip, gateway_addr().ip, 16) != 0 ||
	    e->peer.port != group->config.rekey.control_group.port) {
		broken(w, RULE_NOTES, node->index, "a confirmation of nothing, or to nobody");
		return;
	}
	place = &node->place[group - w->groups];
	num = (int64_t)gk_span_uint(gk_span_sub(gid, 2, 4));
	if (num > place->num_seen)
		broken(w, RULE_LEDGER, node->index, "confirms num %lld, has %lld", (long long)num,
		       (long long)place->num_seen);
	if (!place->member && num >= place->out_num)
		broken(w, RULE_DEPARTED, node->index, "out since num %lld, confirms num %lld",
		       (long long)place->out_num, (long long)num);
}

void cast_confirmation(struct world *w, const struct datagram *d)
{
	struct gk_span gid;
	struct group *group = read_confirmation(w, gk_span(d->bytes, d->len), &gid);

	/* after a restart, the KDC remembers what it told only if somebody is waited for */
	if (group && (!gk_span_equal(gid, gk_id_span(&group->gid)) ||
		      !w->nodes[d->from].place[group - w->groups].member ||
		      group->made_ms[group->num] < w->kdc_up_ms))
		group->late++;
	gateway_confirmed(w, gk_span(d->bytes, d->len));
}
