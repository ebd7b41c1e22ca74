// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The KDC's shell, as gatewayd is one: the real segment reads the fake monitor, into which the
 * model of the kernel speaks; requests are sent again as libcoap does it, and fail when their time
 * is over.
 */
#include "tests/reach/reach.h"

#include "libgroupkey/numbers.h"

#include <stdlib.h>
#include <string.h>

#define SHARE        4 /* rekeying and probes take a quarter of the link */
#define DELAY_MAX_MS 60
#define MULTICAST    0xff
#define LIFETIME_S   (400 * 86400)

void must(struct world *w, enum gk_err err, const char *what)
{
	if (err)
		broken(w, RULE_CALLS, GATEWAY, "%s: %s", what, gk_strerror(err));
}

/* waking */

static void wake(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	if (w->now.mono.ms != w->wake_ms)
		return;
	w->wake_ms = GK_NEVER;
	must(w, gk_kdc_expire(w->kdc, w->now), "gk_kdc_expire");
	gateway_drain(w);
}

static void schedule(struct world *w)
{
	int64_t next_ms = gk_kdc_next_expiry(w->kdc).ms;

	if (next_ms < w->now.mono.ms)
		next_ms = w->now.mono.ms;
	if (next_ms == GK_NEVER || next_ms == w->wake_ms)
		return;
	w->wake_ms = next_ms;
	world_at(w, next_ms, wake, 0);
}

/* requests under way */

static struct ask *find_ask(struct world *w, uint64_t name)
{
	size_t i = (uint32_t)name;

	return i < w->ask_count && w->asks[i].open && w->asks[i].life == name >> 32 ? &w->asks[i]
										    : NULL;
}

static uint64_t name_of(const struct world *w, const struct ask *ask)
{
	return (uint64_t)ask->life << 32 | (uint64_t)(ask - w->asks);
}

static struct ask *free_ask(struct world *w)
{
	size_t i = 0;

	while (i < w->ask_count && w->asks[i].open)
		i++;
	if (i < w->ask_count)
		return &w->asks[i];
	if (i == w->ask_cap) {
		w->ask_cap = w->ask_cap ? 2 * w->ask_cap : 16;
		w->asks = must_alloc(w->asks, w->ask_cap * sizeof(*w->asks));
	}
	w->asks[i] = (struct ask){ .open = false };
	w->ask_count++;
	return &w->asks[i];
}

struct answer {
	uint64_t name;
	size_t len;
	uint8_t bytes[128];
};

static void take_answer(struct world *w, uint64_t index, void *ptr)
{
	const struct answer *answer = ptr;
	struct ask *ask = find_ask(w, answer->name);

	if (!ask || !world_sees(w))
		return;
	w->nodes[index].heard_ms = w->now.mono.ms;
	ask->open = false;
	kernel_heard(w, &w->nodes[index]);
	must(w, gk_kdc_answer(w->kdc, ask->id, gk_span(answer->bytes, answer->len), w->now),
	     "gk_kdc_answer");
	gateway_drain(w);
}

/* A request arrives at a node. */
static void arrive(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];
	const uint64_t *name = ptr;
	const struct ask *ask = find_ask(w, *name);
	struct answer *answer;

	if (!ask || !world_joins(w, node) || !world_sees(w))
		return;
	answer = must_alloc(NULL, sizeof(*answer));
	answer->name = *name;
	answer->len = node_answer(w, node, gk_span(ask->bytes, ask->len), answer->bytes,
				  sizeof(answer->bytes));
	trace(w, node->index, "is asked", (int64_t)answer->len, NULL);
	if (answer->len && air_carries(w, air_coap_len(gk_span(answer->bytes, answer->len)), false))
		world_hand(w, between(w, 1, DELAY_MAX_MS), take_answer, index, answer);
	else
		free(answer);
}

static void transmit_to(struct world *w, const struct ask *ask, int index, bool multicast)
{
	uint64_t *name;

	if (!air_carries(w, air_coap_len(gk_span(ask->bytes, ask->len)), multicast)) {
		w->nodes[index].unlucky += multicast;
		return;
	}
	name = must_alloc(NULL, sizeof(*name));
	*name = name_of(w, ask);
	world_hand(w, between(w, 1, DELAY_MAX_MS), arrive, (uint64_t)index, name);
}

static void transmit_to_all(struct world *w, const struct ask *ask)
{
	struct gk_span message = gk_span(ask->bytes, ask->len);

	for (int i = 0; world_sees(w) && i < w->opt.nodes; i++) {
		const struct node *node = &w->nodes[i];

		if (node_is_meant(node, message) && world_joins(w, node) &&
		    (!ask->link_only || node->parent == GATEWAY))
			transmit_to(w, ask, i, true);
	}
}

static void transmit(struct world *w, const struct ask *ask)
{
	if (ask->node == GATEWAY)
		transmit_to_all(w, ask);
	else if (kernel_send(w, &w->nodes[ask->node]))
		transmit_to(w, ask, ask->node, false);
}

static void retransmit(struct world *w, uint64_t name, void *ptr)
{
	struct ask *ask = find_ask(w, name);

	(void)ptr;
	if (!ask)
		return;
	transmit(w, ask);
	ask->again.pause_ms *= 2;
	if (--ask->again.count)
		world_in(w, ask->again.pause_ms, retransmit, name);
}

static void give_up(struct world *w, uint64_t name, void *ptr)
{
	struct ask *ask = find_ask(w, name);

	(void)ptr;
	if (!ask)
		return;
	ask->open = false;
	w->tally[UNANSWERED]++;
	check_unanswered(w, ask);
	must(w, gk_kdc_answer(w->kdc, ask->id, gk_span(NULL, 0), w->now), "gk_kdc_answer");
	gateway_drain(w);
}

static void tell_unsent(struct world *w, uint64_t id, void *ptr)
{
	(void)ptr;
	must(w, gk_kdc_unsent(w->kdc, id, w->now), "gk_kdc_unsent");
	gateway_drain(w);
}

/* @return false: it is for nobody. @param index  set to GATEWAY for one by multicast */
static bool find_peer(struct world *w, const struct gk_event *e, int *index)
{
	const struct node *node = world_node(w, e->peer.ip);

	*index = node ? node->index : GATEWAY;
	return node ? !e->multicast : e->multicast && e->peer.ip[0] == MULTICAST;
}

static void open_ask(struct world *w, const struct gk_event *e, int index)
{
	struct ask *ask = free_ask(w);

	*ask = (struct ask){ .open = true,
			     .life = ask->life + 1,
			     .id = e->id,
			     .node = index,
			     .link_only = e->peer.ip[1] == 2,
			     .begun_ms = w->now.mono.ms,
			     .again = retransmit_fit(e->timeout_ms, &w->chance),
			     .len = e->bytes.len };
	memcpy(ask->bytes, e->bytes.data, e->bytes.len);
	world_in(w, e->timeout_ms, give_up, name_of(w, ask));
	if (index != GATEWAY)
		world_in(w, ask->again.pause_ms, retransmit, name_of(w, ask));
	transmit(w, ask);
}

static void send_request(struct world *w, const struct gk_event *e)
{
	int index;

	if (!find_peer(w, e, &index) || e->bytes.len > sizeof(w->asks->bytes)) {
		broken(w, RULE_CALLS, GATEWAY, "a request to nobody");
		return;
	}
	if (!e->multicast)
		trace(w, index, "KDC: request", (int64_t)e->id, NULL);
	w->tally[index == GATEWAY ? MULTICASTS : REQUESTS]++;
	if (!w->kernel.ifindex || !w->kernel.up || !w->kernel.address) {
		world_in(w, 0, tell_unsent, e->id);
		return;
	}
	check_request(w, index, e->bytes);
	open_ask(w, e, index);
}

/* events */

static void probe(struct world *w, const struct gk_event *e)
{
	struct node *node = world_node(w, e->peer.ip);
	uint8_t ip[REACH_IP_LEN];
	int ifindex;

	w->tally[PROBES_KERNEL]++;
	if (!node) {
		broken(w, RULE_CALLS, GATEWAY, "a probe for nobody");
		return;
	}
	check_probe(w, node);
	gw_segment_probe(&w->segment, &e->peer, w->now.mono);
	while (reach_fake_probed(w->monitor, &ifindex, ip)) {
		check_hop(w, node, ip);
		kernel_probe(w, ip);
	}
}

static void reply(struct world *w, const struct gk_event *e)
{
	if (e->id != w->exchange || e->bytes.len > sizeof(w->reply)) {
		broken(w, RULE_CALLS, GATEWAY, "an answer to another request than the present one");
		return;
	}
	memcpy(w->reply, e->bytes.data, e->bytes.len);
	w->reply_len = e->bytes.len;
}

static void carry_out(struct world *w, const struct gk_event *e)
{
	if (e->kind == GK_EVENT_REPLY)
		reply(w, e);
	else if (e->kind == GK_EVENT_REQUEST)
		send_request(w, e);
	else if (e->kind == GK_EVENT_PROBE)
		probe(w, e);
	else if (e->kind == GK_EVENT_NOTE)
		check_note(w, &e->note);
	else if (e->kind == GK_EVENT_STORE)
		records_put(&w->records, &e->record);
	else if (e->kind != GK_EVENT_MULTICAST)
		broken(w, RULE_CALLS, GATEWAY, "an event of kind %d", e->kind);
}

void gateway_drain(struct world *w)
{
	struct gk_event e;

	while (gk_kdc_event(w->kdc, &e))
		carry_out(w, &e);
	schedule(w);
}

/* the segment */

static void read_segment(struct world *w, uint64_t arg, void *ptr);

static void await_segment(struct world *w)
{
	int64_t next_ms = gw_segment_next_expiry(&w->segment).ms;

	if (next_ms < w->now.mono.ms)
		next_ms = w->now.mono.ms;
	if (next_ms == GK_NEVER || next_ms == w->read_ms)
		return;
	w->read_ms = next_ms;
	world_at(w, next_ms, read_segment, 0);
}

static void read_now(struct world *w)
{
	gw_segment_read(&w->segment, w->now.mono);
	gateway_drain(w);
	await_segment(w);
}

static void read_segment(struct world *w, uint64_t arg, void *ptr)
{
	(void)arg;
	(void)ptr;
	if (w->now.mono.ms != w->read_ms)
		return;
	w->read_ms = GK_NEVER;
	read_now(w);
}

void gateway_read(struct world *w, const struct reach_event *events, size_t count)
{
	record_events(w, events, count);
	if (!w->kdc)
		return;
	if (reach_fake_say(w->monitor, events, count))
		abort();
	read_now(w);
}

static void tell_blind(void *ctx, enum gk_blindness why)
{
	struct world *w = ctx;

	trace(w, GATEWAY, "blind", why, gk_blindness_str(why));
	check_blind(w, why);
	must(w, gk_kdc_blind(w->kdc, why, w->now), "gk_kdc_blind");
}

static void tell_reach(void *ctx, const struct gk_reach_report *reports, size_t count)
{
	struct world *w = ctx;

	for (size_t i = 0; i < count; i++) {
		struct node *node = world_node(w, reports[i].addr.ip);

		if (!node)
			continue;
		trace(w, node->index, "the kernel says", reports[i].reach, NULL);
		check_word(w, node, reports[i].reach);
	}
	must(w, gk_kdc_reach(w->kdc, reports, count, w->now), "gk_kdc_reach");
}

static void tell_timing(void *ctx, uint32_t verdict_ms)
{
	struct world *w = ctx;

	w->verdict_ms = verdict_ms;
	must(w, gk_kdc_kernel_timing(w->kdc, verdict_ms), "gk_kdc_kernel_timing");
}

static void tell_moved(void *ctx, int from_fd, int to_fd)
{
	(void)ctx, (void)from_fd, (void)to_fd;
}

static const struct gw_segment_sink sink = { tell_blind, tell_reach, tell_timing, tell_moved };

/* what nodes ask */

struct gk_span gateway_serve(struct world *w, const struct node *node, struct gk_span message)
{
	struct gk_exchange exchange = { .id = ++w->exchange,
					.peer = node->addr,
					.message_id = ++w->message_id,
					.token_len = 8 };

	memcpy(exchange.token, &exchange.id, sizeof(exchange.token));
	w->reply_len = 0;
	must(w, gk_kdc_receive(w->kdc, &exchange, message, w->now), "gk_kdc_receive");
	gateway_drain(w);
	return gk_span(w->reply, w->reply_len);
}

/* the operator */

void gateway_confirm(struct world *w)
{
	trace(w, GATEWAY, "the operator confirms the loss", 0, NULL);
	must(w, gk_kdc_confirm_loss(w->kdc, gk_span_str(GROUP), w->now), "gk_kdc_confirm_loss");
	gateway_drain(w);
}

void gateway_provision(struct world *w, struct node *node)
{
	struct gk_span group = gk_span_str(GROUP);
	uint32_t roles = GK_ROLE_REQUESTER | GK_ROLE_RESPONDER;
	struct gk_client_spec spec = { .name = gk_span_str(node->name),
				       .groups = &group,
				       .roles = &roles,
				       .group_count = 1,
				       .lifetime_s = LIFETIME_S,
				       .sleepy = node->sleepy };
	struct io_bundle *b = &node->raw.bundle;
	struct gk_client_bundle issued;

	must(w, gk_kdc_issue(w->kdc, &spec, w->now, &issued), "gk_kdc_issue");
	*b = (struct io_bundle){ .token_len = issued.token_len,
				 .osc_id_len = sizeof(issued.osc_id),
				 .ms_len = sizeof(issued.ms),
				 .salt_len = sizeof(issued.salt),
				 .groups = { GROUP },
				 .roles = { roles },
				 .group_count = 1 };
	memcpy(b->name, node->name, sizeof(node->name));
	memcpy(b->token, issued.token, issued.token_len);
	memcpy(b->osc_id, issued.osc_id, sizeof(issued.osc_id));
	memcpy(b->ms, issued.ms, sizeof(issued.ms));
	memcpy(b->salt, issued.salt, sizeof(issued.salt));
}

/* begin, end */

static void make_kdc(struct world *w)
{
	static const uint8_t as_key[16] = "a key of the AS";
	struct gk_env env = test_env(&w->env, mix(mix(w->opt.seed) + 1) + w->life++);
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(as_key, sizeof(as_key)),
					.rekeying_bps = w->opt.link_bps / SHARE };

	must(w, gk_kdc_new(&env, &config, &w->kdc), "gk_kdc_new");
}

static void serve_group(struct world *w)
{
	gk_group_defaults(&w->config);
	w->config.name = gk_span_str(GROUP);
	w->config.members_max = NODES_MAX;
	w->config.presence = w->opt.presence;
	w->config.rekey.scheme = w->opt.tree ? GK_TREE : GK_POINT_TO_POINT;
	w->config.rekey.confirm = GK_CONFIRM_NONE;
	w->config.rekey.beacon_min_s = 0;
	w->config.rekey.control_group =
		(struct gk_addr){ .ip = { MULTICAST, 3, [15] = 0xfd }, .port = 5686 };
	must(w, gk_kdc_add_group(w->kdc, &w->config, w->now), "gk_kdc_add_group");
}

void gateway_start(struct world *w)
{
	const struct gw_segment_options options = { .interface = w->kernel.interface };

	w->wake_ms = w->read_ms = GK_NEVER;
	w->verdict_ms = 5000;
	make_kdc(w);
	must(w, records_restore(&w->records, w->kdc, w->now), "gk_kdc_restore");
	check_start(w);
	serve_group(w);
	if (reach_fake_open(&w->monitor))
		abort();
	kernel_show(w);
	gw_segment_open_with(&w->segment, w->monitor, &options, &sink, w, w->now.mono);
	gateway_drain(w);
	await_segment(w);
}

void gateway_stop(struct world *w)
{
	gw_segment_close(&w->segment);
	gk_kdc_free(w->kdc);
	w->kdc = NULL;
	w->wake_ms = w->read_ms = GK_NEVER;
	for (size_t i = 0; i < w->ask_count; i++)
		w->asks[i].open = false;
	if (w->env.blocks)
		broken(w, RULE_MEMORY, GATEWAY, "%zu blocks left", w->env.blocks);
}

void gateway_end(struct world *w)
{
	if (w->kdc)
		gateway_stop(w);
	free(w->asks);
	records_free(&w->records);
}
