// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Time, nodes and datagrams. Nodes have power; what is sent to a router that has none is lost, and
 * in some stories more. Its shell is libcoap's part: a confirmable request is repeated until it is
 * answered or its time is over.
 */
#include "libgroupkey/coap.h"
#include "tests/crash/crash.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define UTC_S      INT64_C(2000000000) /* 2033: later than any release */
#define START_MS   1000000
#define AIR_MIN_MS 20
#define AIR_MAX_MS 200
#define AGAIN_MS   2000 /* RFC 7252 section 4.8: ACK_TIMEOUT */
#define CODE_POST  2
#define STEPS_MAX  200000

struct world world;
const char *const group_names[GROUPS] = { "lights", "meters", "blinds" };

/* chance, memory, traces */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t chance(void)
{
	world.chance += UINT64_C(0x9e3779b97f4a7c15);
	return mix(world.chance);
}

int64_t chance_between(int64_t from, int64_t to)
{
	return from + (int64_t)(chance() % (uint64_t)(to - from + 1));
}

void *must_alloc(void *old, size_t size)
{
	void *block = realloc(old, size ? size : 1);

	if (!block)
		abort();
	return block;
}

void tell(const char *format, ...)
{
	va_list args;

	if (!world.trace)
		return;
	printf("# %9lld.%03d ", (long long)(world.now_ms / 1000), (int)(world.now_ms % 1000));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* nodes */

static struct gk_addr addr_of(int index)
{
	struct gk_addr addr = { .ip = { 0xfd }, .port = 5683 };

	addr.ip[15] = (uint8_t)(index + 2);
	return addr;
}

static struct gk_addr router_addr(void)
{
	return addr_of(-1);
}

struct node *world_node(const struct gk_addr *addr)
{
	int index = addr->ip[15] - 2;

	return index >= 0 && index < NODES && world.node[index].member ? &world.node[index] : NULL;
}

struct gk_now world_now(void)
{
	return (struct gk_now){ { world.now_ms }, { UTC_S + world.now_ms / 1000 } };
}

void world_begin(uint64_t seed)
{
	world.seed = seed;
	world.chance = mix(seed + 1);
	world.now_ms = START_MS;
	world.deadline_ms = INT64_MAX;
	disk_begin();
	observer_begin();
	for (int i = 0; i < NODES; i++) {
		struct node *node = &world.node[i];
		node->index = i;
		node->addr = addr_of(i);
		snprintf(node->name, sizeof(node->name), "node%d", i);
		snprintf(node->base, sizeof(node->base), "coap://[fd00::%x]:5683", i + 2);
		for (size_t k = 0; k < sizeof(node->seed); k++)
			node->seed[k] = (uint8_t)chance();
		for (int g = 0; g < GROUPS; g++)
			node->place[g].out_num = INT64_MAX;
	}
}

/* Who is provisioned anew does not remember what it was about to ask. */
static void forget_calls(int index)
{
	for (size_t i = 0; i < world.call_count; i++) {
		struct call *call = &world.calls[i];
		if (!call->open || (call->from != index && call->to != index))
			continue;
		call->open = false;
		free(call->bytes);
		call->bytes = NULL;
	}
}

void world_node_new(int index, const struct io_bundle *b)
{
	struct node *node = &world.node[index];
	struct gk_env env = test_env(&node->test_env, world.seed * 1000 + 500 + (uint64_t)index +
							      100 * node->bundles++);
	struct gk_member_config config = {
		.token = gk_span(b->token, b->token_len),
		.osc_id = gk_span(b->osc_id, b->osc_id_len),
		.ms = gk_span(b->ms, b->ms_len),
		.salt = gk_span(b->salt, b->salt_len),
		.key_seed = gk_span(node->seed, sizeof(node->seed)),
		.name = gk_span_str(node->name),
		.kdc = router_addr(),
		.control_base = gk_span_str(node->base),
	};

	observer_issued(config.token);
	forget_calls(index);
	gk_member_free(node->member);
	node->member = NULL;
	node->token_void = false;
	if (gk_member_new(&env, &config, &node->member))
		abort();
}

struct gk_membership_info world_info(const struct node *node, int group)
{
	struct gk_membership_info info = { .num = -1 };

	if (!node->member || gk_member_info(node->member, gk_span_str(group_names[group]), &info))
		return (struct gk_membership_info){ .num = -1 };
	return info;
}

static void carry_out(struct node *node, const struct gk_event *e)
{
	switch (e->kind) {
	case GK_EVENT_REQUEST:
		world_open_call(node->index, KDC, e->id, e->bytes, e->timeout_ms);
		break;
	case GK_EVENT_REPLY:
		world_send(PACKET_REPLY, node->index, KDC, e->id - 1, e->bytes);
		break;
	case GK_EVENT_MULTICAST:
		for (int i = 0; i < NODES; i++) {
			if (i != node->index && world.node[i].member)
				world_send(PACKET_GROUP, node->index, i, 0, e->bytes);
		}
		break;
	case GK_EVENT_CONFIRM:
		world_send(e->token_len ? PACKET_ANSWER : PACKET_CONFIRM, node->index, KDC,
			   gk_span_uint(gk_span(e->token, e->token_len)), e->bytes);
		break;
	case GK_EVENT_NOTE:
		observer_member_note(node, &e->note);
		break;
	default:
		violated("members do what they can", "an event of kind %d", (int)e->kind);
	}
}

void world_drain(struct node *node)
{
	struct gk_event e;

	while (gk_member_event(node->member, &e))
		carry_out(node, &e);
	observer_member(node);
}

static void check(const struct node *node, enum gk_err err)
{
	if (err)
		violated("members do what they can", "%s: %s", node->name, gk_strerror(err));
}

bool world_join(int index, int group)
{
	struct node *node = &world.node[index];

	if (!node->member)
		return false;
	tell("%s joins %s", node->name, group_names[group]);
	enum gk_err err =
		gk_member_join(node->member, gk_span_str(group_names[group]), 6, world_now());
	if (err && err != GK_ERR_STATE)
		check(node, err);
	world_drain(node);
	return err == GK_OK;
}

/* datagrams */

void world_send(enum packet_kind kind, int from, int to, uint64_t call, struct gk_span bytes)
{
	struct packet **at = &world.packets;

	if (world.loss && kind != PACKET_VERDICT && chance() % 100 < world.loss)
		return;
	struct packet *p = must_alloc(NULL, sizeof(*p) + bytes.len);
	*p = (struct packet){
		.kind = kind, .from = from, .to = to, .call = call, .len = bytes.len
	};
	p->at_ms = world.now_ms + chance_between(AIR_MIN_MS, AIR_MAX_MS);
	if (bytes.len)
		memcpy(p->bytes, bytes.data, bytes.len);
	while (*at && (*at)->at_ms <= p->at_ms)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
}

void world_open_call(int from, int to, uint64_t id, struct gk_span bytes, uint32_t timeout_ms)
{
	world.calls = must_alloc(world.calls, (world.call_count + 1) * sizeof(*world.calls));
	struct call *call = &world.calls[world.call_count];

	*call = (struct call){ .open = true,
			       .from = from,
			       .to = to,
			       .id = id,
			       .len = bytes.len,
			       .message_id = ++world.message_id,
			       .life = world.life,
			       .deadline_ms = world.now_ms + timeout_ms,
			       .again_ms = world.now_ms + AGAIN_MS,
			       .pause_ms = 2 * AGAIN_MS };
	call->bytes = must_alloc(NULL, bytes.len);
	memcpy(call->bytes, bytes.data, bytes.len);
	tell("%d asks %d, call %zu, %zu bytes", from, to, world.call_count, bytes.len);
	world_send(PACKET_REQUEST, from, to, world.call_count++, bytes);
}

static struct gk_span bytes_of(const struct packet *p)
{
	return gk_span(p->bytes, p->len);
}

void world_put_token(struct gk_exchange *exchange, uint64_t token)
{
	for (size_t i = exchange->token_len; i-- > 0; token >>= 8)
		exchange->token[i] = (uint8_t)token;
}

static struct gk_exchange exchange_of(const struct packet *p, uint64_t id)
{
	struct gk_exchange exchange = { .id = id,
					.peer = addr_of(p->from),
					.message_id = (uint16_t)id,
					.token_len = 2,
					.token = { (uint8_t)(id >> 8), (uint8_t)id } };

	if (p->kind == PACKET_QUESTION) {
		exchange.multicast = true;
		exchange.token_len = GW_QUESTION_TOKEN;
		world_put_token(&exchange, p->call);
	}
	return exchange;
}

static void node_takes(struct node *node, const struct packet *p, uint64_t id)
{
	struct gk_exchange exchange = exchange_of(p, id);

	check(node, gk_member_receive(node->member, &exchange, bytes_of(p), world_now()));
	world_drain(node);
}

/* The answer to a call, or that none came. */
static void end_call(struct call *call, struct gk_span bytes)
{
	call->open = false;
	free(call->bytes);
	call->bytes = NULL;
	if (call->from == KDC) {
		if (world.daemon && call->life == world.life)
			daemon_answer(call->id, bytes);
		return;
	}
	struct node *node = &world.node[call->from];
	check(node, gk_member_answer(node->member, call->id, bytes, world_now()));
	world_drain(node);
}

static void arrive(const struct packet *p)
{
	const uint64_t no_call = UINT64_C(1) << 40;

	if (p->kind == PACKET_REPLY) {
		if (p->call < world.call_count && world.calls[p->call].open)
			end_call(&world.calls[p->call], bytes_of(p));
	} else if (p->to != KDC) {
		node_takes(&world.node[p->to], p,
			   p->kind == PACKET_REQUEST ? p->call + 1 : no_call + chance() % no_call);
	} else if (!world.daemon) {
		tell("nobody hears %d", p->from);
	} else if (p->kind == PACKET_REQUEST) {
		daemon_request(p->from, world.calls[p->call].message_id, p->call, bytes_of(p));
	} else if (p->kind == PACKET_CONFIRM || p->kind == PACKET_ANSWER) {
		daemon_group_answer(p->call, bytes_of(p));
	} else {
		daemon_verdict(p->from);
	}
}

static void tend_call(size_t i)
{
	struct call *call = &world.calls[i];

	if (!call->open)
		return;
	if (call->from == KDC && (!world.daemon || call->life != world.life)) {
		end_call(call, gk_span(NULL, 0));
	} else if (call->deadline_ms <= world.now_ms) {
		end_call(call, gk_span(NULL, 0));
	} else if (call->again_ms <= world.now_ms) {
		call->again_ms = world.now_ms + call->pause_ms;
		call->pause_ms *= 2;
		world_send(PACKET_REQUEST, call->from, call->to, i,
			   gk_span(call->bytes, call->len));
	}
}

/* time */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_ms(void)
{
	int64_t next = world.packets ? world.packets->at_ms : INT64_MAX;

	for (size_t i = 0; i < world.call_count; i++) {
		if (world.calls[i].open)
			next = earlier(
				next, earlier(world.calls[i].again_ms, world.calls[i].deadline_ms));
	}
	for (int i = 0; i < NODES; i++) {
		if (world.node[i].member)
			next = earlier(next, gk_member_next_expiry(world.node[i].member).ms);
	}
	return world.daemon ? earlier(next, world.deadline_ms) : next;
}

static void expire_nodes(void)
{
	for (int i = 0; i < NODES; i++) {
		struct node *node = &world.node[i];
		if (!node->member || gk_member_next_expiry(node->member).ms > world.now_ms)
			continue;
		check(node, gk_member_expire(node->member, world_now()));
		world_drain(node);
	}
}

static void heal(void)
{
	if (disk_fault_now() != FAULT_NONE && world.fault_ms <= world.now_ms) {
		tell("the disk is well again");
		disk_fault(FAULT_NONE);
	}
	if (world.utc_wrong_s && world.ntp_ms <= world.now_ms)
		world.utc_wrong_s = 0;
}

/* @return false: nothing happens until then */
static bool step(int64_t end_ms)
{
	int64_t at_ms = next_ms();

	if (at_ms > end_ms) {
		world.now_ms = end_ms;
		return false;
	}
	if (at_ms > world.now_ms)
		world.now_ms = at_ms;
	heal();
	while (world.packets && world.packets->at_ms <= world.now_ms) {
		struct packet *p = world.packets;
		world.packets = p->next;
		arrive(p);
		free(p);
	}
	for (size_t i = 0; i < world.call_count; i++)
		tend_call(i);
	expire_nodes();
	if (world.daemon && world.deadline_ms <= world.now_ms)
		daemon_turn();
	return true;
}

void world_run(int64_t ms)
{
	int64_t end_ms = world.now_ms + ms;

	for (int steps = 0; step(end_ms); steps++) {
		if (steps > STEPS_MAX) {
			violated("the world comes to rest", "after %d steps", steps);
			return;
		}
	}
}

/* what is wanted */

static const char *place_unsettled(const struct node *node, int g,
				   const struct gk_group_info *group)
{
	static char text[160];
	const struct place *place = &node->place[g];
	struct gk_membership_info info = world_info(node, g);
	struct gk_member_info member;
	bool listed = false;
	size_t at = 0;

	while (group && !listed && gk_kdc_member_next(world.daemon->kdc, group->name, &at, &member))
		listed = gk_span_equal(member.name, gk_span_str(node->name)) &&
			 member.presence != GK_BANNED;
	bool wanted = place->wanted;
	// The KDC may still have who gave up joining.
	if (place->free && !info.joined)
		return NULL;
	if (place->unsure || place->free || node->revoke_unsure)
		wanted = listed;
	bool newest = group && info.joined && info.num == group->num &&
		      gk_span_equal(info.gid, gk_id_span(&group->gid));
	bool agrees = listed && newest && gk_span_equal(info.sender_id, member.sender_id);
	if (wanted ? agrees : !listed && !newest)
		return NULL;
	snprintf(text, sizeof(text), "%s in %s: wanted %d, listed %d, joined %d, num %lld of %lld",
		 node->name, group_names[g], wanted, listed, info.joined, (long long)info.num,
		 group ? (long long)group->num : -1);
	return text;
}

const char *world_unsettled(void)
{
	if (!world.daemon)
		return "no power";
	if (gw_outbox_error(&world.daemon->outbox))
		return "the store refuses";
	for (int g = 0; g < GROUPS; g++) {
		struct gk_group_info info;
		bool found = false;
		size_t at = 0;
		while (!found && gk_kdc_group_next(world.daemon->kdc, &at, &info))
			found = gk_span_equal(info.name, gk_span_str(group_names[g]));
		for (int i = 0; i < NODES; i++) {
			const char *why =
				world.node[i].member
					? place_unsettled(&world.node[i], g, found ? &info : NULL)
					: NULL;
			if (why)
				return why;
		}
	}
	return NULL;
}

static bool is_idle(void)
{
	bool idle = !world.packets;

	for (size_t i = 0; i < world.call_count; i++)
		idle &= !world.calls[i].open;
	return idle;
}

bool world_settle(int64_t ms)
{
	int64_t end_ms = world.now_ms + ms;

	for (int steps = 0; !is_idle() || world_unsettled(); steps++) {
		if (!step(end_ms) || steps > STEPS_MAX)
			return false;
	}
	return true;
}

void world_speak(int index, int group)
{
	struct node *node = &world.node[index];
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer writer = gk_coap_begin(&buf, CODE_POST);

	gk_coap_put_payload(&writer, gk_span_str("hello"));
	check(node, gk_member_say(node->member, gk_span_str(group_names[group]), gk_buf_span(&buf),
				  world_now()));
	world.heard = 0;
	world_drain(node);
}
