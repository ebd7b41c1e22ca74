// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The KDC's shell. What a call leaves behind is carried out event by event, all that is to be
 * stored first, as one transaction; a crash comes between any two events, and takes with it what
 * was not carried out, and a transaction that is not complete. The kernel's neighbour table is as
 * good as its news: right when asked, and open to forgeries.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL_ANSWER_MS 1000
#define KERNEL_GIVEUP_MS 3000
#define DOWN_MAX_MS      30000
#define ALG_ES256        (-7)
#define ALG_EDDSA        (-8)
#define SMALL_LEN        90 /* of messages that bring no material: probes, notices of eviction */

static void drain(struct world *w);

static void must(struct world *w, enum gk_err err, const char *what)
{
	if (err)
		broken(w, RULE_CALLS, KDC, "%s: %s", what, gk_strerror(err));
}

struct gk_addr gateway_addr(void)
{
	return (struct gk_addr){ .ip = { 0xfd, [15] = 1 }, .port = 5683 };
}

static struct node *node_at(struct world *w, const struct gk_addr *addr)
{
	int index = (addr->ip[14] << 8 | addr->ip[15]) - 2;

	return index >= 0 && index < w->opt.nodes ? &w->nodes[index] : NULL;
}

/* start, stop, crash */

static void free_kdc(struct world *w)
{
	gk_kdc_free(w->kdc);
	w->kdc = NULL;
	w->stored_client = NULL;
	if (w->kdc_env.blocks)
		broken(w, RULE_MEMORY, KDC, "%zu blocks left", w->kdc_env.blocks);
	calls_drop(w, KDC);
	for (int i = 0; i < w->opt.nodes; i++)
		w->nodes[i].synchronised = false;
	for (int g = 0; w->restart_checked && g < SIM_GROUPS; g++)
		w->groups[g].num_at_stop = w->groups[g].num;
	w->restart_checked = false;
}

void gateway_stop(struct world *w)
{
	if (!w->kdc)
		return;
	trace(w, KDC, "stops", 0, NULL);
	free_kdc(w);
	disturb_all(w);
}

void gateway_crash_soon(struct world *w)
{
	w->crash_behind = (enum crash_behind)between(w, BEHIND_ANY, BEHIND_NEWS);
	w->crash_in = (unsigned)between(w, 1, w->crash_behind == BEHIND_ANY ? 20 : 4);
}

static void crash(struct world *w)
{
	w->tally[CRASHES]++;
	trace(w, KDC, "crashes", w->crash_behind, NULL);
	free_kdc(w);
	disturb_all(w);
	world_in(w, between(w, 100, DOWN_MAX_MS), gateway_start, 0);
}

static bool is_news(const struct gk_event *e)
{
	return e->kind == GK_EVENT_NOTE &&
	       (e->note.kind == GK_NOTE_JOINED || e->note.kind == GK_NOTE_LEFT ||
		e->note.kind == GK_NOTE_EVICTED || e->note.kind == GK_NOTE_REKEYED);
}

static bool crash_is_due(struct world *w, const struct gk_event *e)
{
	bool counts = w->crash_behind == BEHIND_ANY ||
		      (w->crash_behind == BEHIND_STORE && e->kind == GK_EVENT_STORE) ||
		      (w->crash_behind == BEHIND_NEWS && is_news(e));

	return w->crash_in && counts && --w->crash_in == 0;
}

static void make_kdc(struct world *w)
{
	static const uint8_t as_key[16] = "a key of the AS";
	struct gk_env env = test_env(&w->kdc_env, mix(w->opt.seed) + ++w->kdc_life);
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(as_key, sizeof(as_key)),
					.rekeying_bps = REKEYING_BPS };

	must(w, gk_kdc_new(&env, &config, &w->kdc), "gk_kdc_new");
}

/* The second group signs with EdDSA where the build has it. */
static void add_group(struct world *w, struct group *group)
{
	enum gk_err err = gk_kdc_add_group(w->kdc, &group->config, w->now);

	if (err == GK_ERR_UNSUPPORTED && group->config.sign_alg == ALG_EDDSA) {
		group->config.sign_alg = ALG_ES256;
		err = gk_kdc_add_group(w->kdc, &group->config, w->now);
	}
	must(w, err, "gk_kdc_add_group");
}

void gateway_start(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	if (w->kdc)
		return;
	trace(w, KDC, "starts", (int64_t)w->records.count, "records");
	make_kdc(w);
	cast_start(w);
	must(w, records_restore(&w->records, w->kdc, w->now), "gk_kdc_restore");
	for (int g = 0; g < SIM_GROUPS; g++)
		add_group(w, &w->groups[g]);
	w->kdc_up_ms = w->now.mono.ms;
	w->kdc_wake_ms = GK_NEVER;
	disturb_all(w);
	drain(w);
	if (w->kdc)
		check_restart(w);
}

/* waking */

static void wake(struct world *w, uint64_t life, void *ptr)
{
	(void)ptr;
	if (!w->kdc || life != w->kdc_life || w->now.mono.ms != w->kdc_wake_ms)
		return;
	w->kdc_wake_ms = GK_NEVER;
	must(w, gk_kdc_expire(w->kdc, w->now), "gk_kdc_expire");
	drain(w);
}

static void schedule(struct world *w)
{
	int64_t next_ms = gk_kdc_next_expiry(w->kdc).ms;

	if (next_ms < w->now.mono.ms)
		next_ms = w->now.mono.ms;
	if (next_ms == GK_NEVER || next_ms == w->kdc_wake_ms)
		return;
	w->kdc_wake_ms = next_ms;
	world_at(w, next_ms, wake, w->kdc_life);
}

/* the kernel */

static void verdict(struct world *w, uint64_t arg, void *ptr)
{
	(void)ptr;
	if (w->link_up)
		gateway_reach(w, (int)(arg >> 1), arg & 1 ? GK_REACH_CONFIRMED : GK_REACH_FAILED);
}

static void probe(struct world *w, const struct gk_addr *addr)
{
	const struct node *node = node_at(w, addr);
	uint64_t arg;

	if (!node) {
		broken(w, RULE_NOTES, KDC, "a probe for an unknown address");
		return;
	}
	arg = (uint64_t)node->index << 1 | node_in_reach(w, node);
	if (arg & 1)
		world_in(w, between(w, 1, KERNEL_ANSWER_MS), verdict, arg);
	else
		world_in(w, KERNEL_GIVEUP_MS, verdict, arg);
}

void gateway_reach(struct world *w, int index, enum gk_reach reach)
{
	struct node *node = &w->nodes[index];

	if (!w->kdc)
		return;
	if (reach == GK_REACH_FAILED)
		trace(w, index, "the kernel: failed", 0, NULL);
	must(w, gk_kdc_reach(w->kdc, &(struct gk_reach_report){ node->addr, reach }, 1, w->now),
	     "gk_kdc_reach");
	drain(w);
}

void gateway_link(struct world *w, bool up)
{
	trace(w, KDC, up ? "link up" : "link down", 0, NULL);
	w->link_up = up;
	w->link_up_ms = w->now.mono.ms;
	disturb_all(w);
	if (!w->kdc)
		return;
	must(w, gk_kdc_blind(w->kdc, up ? GK_BLIND_NOT : GK_BLIND_LINK_DOWN, w->now),
	     "gk_kdc_blind");
	drain(w);
}

/* events */

static void send_request(struct world *w, const struct gk_event *e)
{
	const struct node *node = node_at(w, &e->peer);
	bool rekeying = e->bytes.len > SMALL_LEN;

	if (!node) {
		broken(w, RULE_NOTES, KDC, "a request to an unknown address");
		return;
	}
	trace(w, node->index, "KDC: request", (int64_t)e->id, rekeying ? "with material" : NULL);
	wire_request(w, KDC, node->index, e->bytes);
	if (rekeying)
		cast_unicast(w, e->bytes);
	call_open(w, KDC, node->index, e, rekeying);
}

/* Whom it is for only the one knows that can read it; beside it goes a request to that one. */
static void send_question(struct world *w, const struct gk_event *e)
{
	const struct gk_addr *control = &w->groups[0].config.rekey.control_group;
	bool all = e->peer.ip[1] == 2;

	if (!all && (memcmp(e->peer.ip, control->ip, sizeof(control->ip)) != 0 ||
		     e->peer.port != control->port))
		broken(w, RULE_NOTES, KDC, "a question to a group at another address");
	trace(w, KDC, "KDC: question", (int64_t)e->id, NULL);
	call_ask_all(w, e, all);
}

/* A probe of an observer is a notification of what it has already. */
static void send_notification(struct world *w, const struct gk_event *e)
{
	const struct node *node = node_at(w, &e->peer);
	bool rekeying = e->bytes.len > SMALL_LEN && e->timeout_ms != 1000 * PROBE_WAIT_S;

	if (!node || e->token_len != sizeof(e->token)) {
		broken(w, RULE_NOTES, KDC, "a notification to nobody");
		return;
	}
	trace(w, node->index, "KDC: notification", (int64_t)e->id,
	      rekeying ? "with material" : NULL);
	wire_request(w, KDC, node->index, e->bytes);
	if (rekeying)
		cast_unicast(w, e->bytes);
	call_open(w, KDC, node->index, e, rekeying);
}

static void send_reply(struct world *w, const struct gk_event *e)
{
	struct arrival *arrival = arrival_find(w, e->id);
	struct datagram *d;

	if (!arrival || e->id != w->kdc_arrival) {
		broken(w, RULE_NOTES, KDC, "an answer to another request than the present one");
		return;
	}
	arrival->replies++;
	wire_reply(w, arrival, e->bytes);
	d = datagram_new(DG_ANSWER, KDC, arrival->from, e->bytes);
	d->token = arrival->token;
	net_send(w, d);
}

static void send_multicast(struct world *w, const struct gk_event *e)
{
	const struct gk_addr *to = &w->groups[0].config.rekey.control_group;

	if (memcmp(e->peer.ip, to->ip, sizeof(to->ip)) != 0 || e->peer.port != to->port)
		broken(w, RULE_NOTES, KDC, "a message to a group at another address");
	cast_said(w, e->bytes);
	net_cast(w, e->bytes);
}

static void keep(struct world *w, const struct gk_record *record)
{
	trace(w, KDC, "stores", record->table, NULL);
	w->tally[STORES]++;
	records_put(&w->records, record);
	if (record->table == GK_TABLE_CAST && record->value.len)
		cast_stored(w, record->value);
	for (int i = 0; record->table == GK_TABLE_CLIENT && i < w->opt.nodes; i++) {
		if (gk_span_equal(record->key, gk_span(w->nodes[i].bundle.osc_id, 8)))
			w->stored_client = &w->nodes[i];
	}
}

static void carry_out(struct world *w, const struct gk_event *e)
{
	switch (e->kind) {
	case GK_EVENT_STORE:
		keep(w, &e->record);
		break;
	case GK_EVENT_REPLY:
		send_reply(w, e);
		break;
	case GK_EVENT_REQUEST:
		if (e->multicast)
			send_question(w, e);
		else
			send_request(w, e);
		break;
	case GK_EVENT_PROBE:
		probe(w, &e->peer);
		break;
	case GK_EVENT_NOTE:
		check_kdc_note(w, &e->note, true);
		break;
	case GK_EVENT_MULTICAST:
		send_multicast(w, e);
		break;
	case GK_EVENT_NOTIFY:
		send_notification(w, e);
		break;
	case GK_EVENT_CONFIRM:
	case GK_EVENT_END:
	case GK_EVENT_CANCEL:
	case GK_EVENT_NONE:
		broken(w, RULE_NOTES, KDC, "an event of kind %d", e->kind);
		break;
	}
}

/* the turns: what one call leaves behind */

#define SPANS 9

struct turn {
	struct gk_event **event; /* each with its bytes behind it */
	size_t count, cap;
	size_t stores; /* the first ones, as one transaction */
};

static struct gk_event *copy_event(const struct gk_event *e)
{
	struct gk_event c = *e, *copy;
	struct gk_span *spans[SPANS] = { &c.bytes,      &c.record.key, &c.record.value,
					 &c.note.group, &c.note.node,  &c.note.name,
					 &c.note.gid,   &c.note.sid,   &c.note.message };
	size_t size = sizeof(c);
	uint8_t *at;

	for (size_t i = 0; i < SPANS; i++)
		size += spans[i]->len;
	copy = must_alloc(NULL, size);
	at = (uint8_t *)(copy + 1);
	for (size_t i = 0; i < SPANS; i++) {
		if (spans[i]->len)
			memcpy(at, spans[i]->data, spans[i]->len);
		spans[i]->data = at;
		at += spans[i]->len;
	}
	*copy = c;
	return copy;
}

static void insert(struct turn *turn, size_t at, const struct gk_event *e)
{
	if (turn->count == turn->cap) {
		turn->cap = turn->cap ? 2 * turn->cap : 8;
		turn->event = must_alloc(turn->event, turn->cap * sizeof(struct gk_event *));
	}
	memmove(&turn->event[at + 1], &turn->event[at],
		(turn->count - at) * sizeof(struct gk_event *));
	turn->event[at] = copy_event(e);
	turn->count++;
}

static struct turn take_turn(struct world *w)
{
	struct turn turn = { 0 };
	struct gk_event e;

	while (gk_kdc_event(w->kdc, &e)) {
		bool first = e.kind == GK_EVENT_STORE;

		insert(&turn, first ? turn.stores : turn.count, &e);
		turn.stores += first;
	}
	return turn;
}

/* @return how many events are carried out; fewer than all, or '*crashes': then it crashes */
static size_t survive(struct world *w, const struct turn *turn, bool *crashes)
{
	*crashes = false;
	for (size_t i = 0; i < turn->count; i++) {
		*crashes = crash_is_due(w, turn->event[i]);
		if (*crashes)
			return i + 1 < turn->stores ? 0 : i + 1;
	}
	return turn->count;
}

static void lose_event(struct world *w, const struct gk_event *e)
{
	if (e->kind == GK_EVENT_NOTE)
		check_kdc_note(w, &e->note, false);
}

static void drain(struct world *w)
{
	struct turn turn = take_turn(w);
	bool crashes;
	size_t count = survive(w, &turn, &crashes);

	w->stored_client = NULL;
	for (size_t i = 0; i < turn.count; i++) {
		if (i < count)
			carry_out(w, turn.event[i]);
		else
			lose_event(w, turn.event[i]);
		free(turn.event[i]);
	}
	free(turn.event);
	if (crashes)
		crash(w);
	else
		schedule(w);
}

/* what arrives */

/* An answer under the association is a proof of life, but for the first one after a restart, which
 * may be a challenge. */
static void note_life(struct world *w, const struct arrival *arrival, bool is_protected)
{
	struct node *node = &w->nodes[arrival->from];

	if (!is_protected || !arrival->is_first)
		return;
	if (node->synchronised)
		node->heard_ms = w->now.mono.ms;
	else
		node->synchronised_ms = w->now.mono.ms;
	node->synchronised = true;
}

void gateway_receive(struct world *w, const struct datagram *d)
{
	struct gk_exchange exchange;
	struct arrival *arrival;

	if (!w->kdc)
		return;
	exchange = arrival_new(w, d);
	arrival = arrival_find(w, exchange.id);
	w->kdc_arrival = exchange.id;
	must(w, gk_kdc_receive(w->kdc, &exchange, gk_span(d->bytes, d->len), w->now),
	     "gk_kdc_receive");
	drain(w);
	w->kdc_arrival = 0;
	if (!w->kdc)
		return;
	if (arrival->replies != 1)
		broken(w, RULE_NOTES, d->from, "%u answers to one request", arrival->replies);
	note_life(w, arrival, arrival->view.is_oscore);
}

void gateway_answer(struct world *w, uint64_t core_id, int from, struct gk_span bytes)
{
	if (!w->kdc)
		return;
	trace(w, from, bytes.len ? "KDC: answered" : "KDC: no answer", (int64_t)core_id, NULL);
	if (bytes.len)
		w->nodes[from].heard_ms = w->now.mono.ms;
	must(w, gk_kdc_answer(w->kdc, core_id, bytes, w->now), "gk_kdc_answer");
	drain(w);
}

/* An acknowledgement, or a Reset, shows that somebody is there; but by the KDC's account in that
 * group alone, and which it was we know only of who can be in no other. */
void gateway_notified(struct world *w, uint64_t core_id, int to, enum gk_notified outcome)
{
	static const enum tally counts[] = { [GK_NOTIFIED_NOT] = UNNOTIFIED,
					     [GK_NOTIFIED_ACK] = NOTIFIED,
					     [GK_NOTIFIED_RESET] = RESETS };

	if (!w->kdc)
		return;
	trace(w, to, "KDC: notified", (int64_t)core_id,
	      outcome == GK_NOTIFIED_NOT     ? "no answer"
	      : outcome == GK_NOTIFIED_RESET ? "reset"
					     : "acknowledged");
	w->tally[counts[outcome]]++;
	if (outcome != GK_NOTIFIED_NOT && !w->nodes[to].place[1].exists)
		w->nodes[to].heard_ms = w->now.mono.ms;
	must(w, gk_kdc_notified(w->kdc, core_id, outcome, w->now), "gk_kdc_notified");
	drain(w);
}

void gateway_confirmed(struct world *w, struct gk_span bytes)
{
	if (!w->kdc)
		return;
	must(w, gk_kdc_confirmed(w->kdc, bytes, w->now), "gk_kdc_confirmed");
	drain(w);
}

/* the operator */

void gateway_evict(struct world *w, int index, int group)
{
	struct node *node = &w->nodes[index];
	enum gk_err err;

	if (!w->kdc)
		return;
	trace(w, index, "the operator evicts it", group, w->groups[group].name);
	node->place[group].evicting = true;
	err = gk_kdc_evict(w->kdc, gk_span_str(w->groups[group].name), gk_span_str(node->name),
			   w->now);
	if (err && node->place[group].member)
		must(w, err, "gk_kdc_evict");
	drain(w);
	node->place[group].evicting = false;
}

void gateway_rekey(struct world *w, int group)
{
	if (!w->kdc)
		return;
	must(w, gk_kdc_rekey(w->kdc, gk_span_str(w->groups[group].name), w->now), "gk_kdc_rekey");
	drain(w);
}

void gateway_provision(struct world *w, struct node *node, int64_t lifetime_s)
{
	struct gk_span groups[SIM_GROUPS];
	uint32_t roles[SIM_GROUPS];
	struct gk_client_spec spec = { .name = gk_span_str(node->name),
				       .groups = groups,
				       .roles = roles,
				       .lifetime_s = lifetime_s };

	for (int g = 0; g < SIM_GROUPS; g++) {
		if (!node->place[g].exists)
			continue;
		groups[spec.group_count] = gk_span_str(w->groups[g].name);
		roles[spec.group_count++] = node->place[g].roles;
	}
	must(w, gk_kdc_issue(w->kdc, &spec, w->now, &node->bundle), "gk_kdc_issue");
}
