// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/* A member's shell, and the application behind it: it says numbers, and tells who read which. */
#include "tests/sim/sim.h"

#include "libgroupkey/coap.h"

#include <stdlib.h>
#include <string.h>

#define CODE_POST       2    /* RFC 7252 section 12.1.1 */
#define CODE_CONTENT    0x45 /* 2.05 */
#define REJOIN_DELAY_MS 30000
#define RESPONSE_CHANCE 0.2
#define UNAWARE         0.35 /* in a mixed world: whose software knows point-to-point only, now */

static void must(struct world *w, const struct node *node, enum gk_err err, const char *what)
{
	if (err)
		broken(w, RULE_CALLS, node->index, "%s: %s", what, gk_strerror(err));
}

/* life */

void node_init(struct world *w, int index)
{
	struct node *node = &w->nodes[index];
	unsigned low = (unsigned)index + 2;

	node->index = index;
	snprintf(node->name, sizeof(node->name), "node%d", index);
	node->addr = (struct gk_addr){ .ip = { 0xfd }, .port = 5683 };
	node->addr.ip[14] = (uint8_t)(low >> 8);
	node->addr.ip[15] = (uint8_t)low;
	snprintf(node->base, sizeof(node->base), "coap://[fd00::%x]:5683", low);
	for (size_t i = 0; i < sizeof(node->key_seed); i++)
		node->key_seed[i] = (uint8_t)chance_next(&w->chance);
	node->wake_ms = GK_NEVER;
	for (int g = 0; g < SIM_GROUPS; g++)
		node->place[g] = (struct place){ .out_num = 0, .num_seen = -1, .behind_ms = -1 };
}

/* It gives no address for requests; and the KDC's messages to groups are such, too. */
static void observe(struct node *node, struct gk_member_config *config)
{
	config->observe = true;
	config->control_base = (struct gk_span){ NULL, 0 };
	node->point_to_point = true;
}

void node_start(struct world *w, struct node *node)
{
	const struct gk_client_bundle *b = &node->bundle;
	struct gk_env env = test_env(
		&node->env, mix(mix(w->opt.seed + 2) + (uint64_t)node->index + 1) + ++node->life);
	struct gk_member_config config = {
		.token = gk_span(b->token, b->token_len),
		.osc_id = gk_span(b->osc_id, sizeof(b->osc_id)),
		.ms = gk_span(b->ms, sizeof(b->ms)),
		.salt = gk_span(b->salt, sizeof(b->salt)),
		.key_seed = gk_span(node->key_seed, sizeof(node->key_seed)),
		.name = gk_span_str(node->name),
		.kdc = gateway_addr(),
		.control_base = gk_span_str(node->base),
		.rejoin_delay_ms = REJOIN_DELAY_MS,
	};

	node->point_to_point = w->opt.scheme == SIM_MIXED && happens(w, UNAWARE);
	config.point_to_point = node->point_to_point;
	node->observes = w->opt.observers > 0 && happens(w, w->opt.observers);
	if (node->observes)
		observe(node, &config);

	trace(w, node->index, "switched on, life", (int64_t)node->life, NULL);
	must(w, node, gk_member_new(&env, &config, &node->member), "gk_member_new");
	node->reach = node->hears = true;
	node->reach_ms = w->now.mono.ms;
	expect_catch_up(w, node);
	for (int g = 0; g < SIM_GROUPS; g++) {
		if (node->place[g].wanted)
			node_join(w, node, g);
	}
}

void node_stop(struct world *w, struct node *node)
{
	if (!node->member)
		return;
	trace(w, node->index, "switched off", 0, NULL);
	gk_member_free(node->member);
	node->member = NULL;
	node->tuned = false;
	node->wake_ms = GK_NEVER;
	node->lost_ms = w->now.mono.ms;
	calls_drop(w, node->index);
	if (node->env.blocks)
		broken(w, RULE_MEMORY, node->index, "%zu blocks left", node->env.blocks);
}

/* looking */

bool node_in_reach(const struct world *w, const struct node *node)
{
	return node->member && node->reach && w->link_up;
}

struct gk_membership_info node_info(const struct node *node, const struct group *group)
{
	struct gk_membership_info info;

	if (!node->member || gk_member_info(node->member, gk_span_str(group->name), &info))
		return (struct gk_membership_info){ .num = -1 };
	return info;
}

struct node *node_named(struct world *w, struct gk_span name)
{
	char text[16] = "";
	int index;

	if (name.len >= sizeof(text))
		return NULL;
	memcpy(text, name.data, name.len);
	if (sscanf(text, "node%d", &index) != 1 || index < 0 || index >= w->opt.nodes)
		return NULL;
	return &w->nodes[index];
}

int group_named(const struct world *w, struct gk_span name)
{
	for (int g = 0; g < SIM_GROUPS; g++) {
		if (gk_span_equal(name, gk_span_str(w->groups[g].name)))
			return g;
	}
	return -1;
}

/* waking */

static void drain(struct world *w, struct node *node);

static void wake(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];

	(void)ptr;
	if (!node->member || node->wake_ms != w->now.mono.ms)
		return;
	node->wake_ms = GK_NEVER;
	must(w, node, gk_member_expire(node->member, w->now), "gk_member_expire");
	drain(w, node);
}

static void schedule(struct world *w, struct node *node)
{
	int64_t next_ms = gk_member_next_expiry(node->member).ms;

	if (next_ms < w->now.mono.ms)
		next_ms = w->now.mono.ms;
	if (next_ms == GK_NEVER || next_ms == node->wake_ms)
		return;
	node->wake_ms = next_ms;
	world_at(w, next_ms, wake, (uint64_t)node->index);
}

/* what it reads */

static bool read_number(struct gk_span message, uint64_t *number)
{
	struct gk_coap msg;

	if (gk_coap_parse(message, &msg) || msg.payload.len != 8)
		return false;
	*number = gk_span_uint(msg.payload);
	return true;
}

static void check_reading(struct world *w, const struct node *node, uint64_t number)
{
	const struct said *said = &w->said[number];
	const struct place *place = &node->place[said->group];

	if (node_info(node, &w->groups[said->group]).num != said->num)
		broken(w, RULE_SECRET, node->index,
		       "reads what was said under num %lld with num %lld", (long long)said->num,
		       (long long)node_info(node, &w->groups[said->group]).num);
	if (said->num >= place->out_num)
		broken(w, RULE_SECRET, node->index, "departed before num %lld, reads num %lld",
		       (long long)place->out_num, (long long)said->num);
	if (said->num >= w->nodes[said->speaker].place[said->group].out_num)
		broken(w, RULE_SECRET, node->index, "listens to the departed node%d",
		       said->speaker);
	if (!seen_first(w, (uint64_t)node->index, node->life, number))
		broken(w, RULE_REPLAY, node->index, "reads message %llu again",
		       (unsigned long long)number);
}

static void respond(struct world *w, struct node *node, uint64_t id)
{
	uint8_t bytes[16];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer writer = gk_coap_begin(&buf, CODE_CONTENT);
	enum gk_err err;

	gk_coap_put_payload(&writer, gk_span_str("heard"));
	err = gk_member_respond(node->member, id, gk_buf_span(&buf), w->now);
	if (err != GK_ERR_STATE)
		must(w, node, err, "gk_member_respond");
}

static void take_message(struct world *w, struct node *node, const struct gk_event *e)
{
	int group = group_named(w, e->note.group);
	uint64_t number;

	if (!read_number(e->note.message, &number) || number >= w->said_count || group < 0 ||
	    w->said[number].group != group) {
		broken(w, RULE_SECRET, node->index, "reads what nobody said");
		return;
	}
	w->tally[READINGS]++;
	check_reading(w, node, number);
	if (number == w->said_count - 1 && !e->note.pairwise)
		w->readers[node->index] = true;
	if (node->place[group].roles & 4 && (e->note.pairwise || happens(w, RESPONSE_CHANCE)))
		respond(w, node, e->id);
}

/* events */

static void count_way(struct world *w, enum gk_via via)
{
	w->tally[BY_MULTICAST] += via == GK_VIA_MULTICAST;
	w->tally[BY_UNICAST] += via == GK_VIA_UNICAST;
	w->tally[BY_OBSERVE] += via == GK_VIA_OBSERVE;
	w->tally[BY_PULL] += via == GK_VIA_PULL;
}

static void take_note(struct world *w, struct node *node, const struct gk_event *e)
{
	int g = group_named(w, e->note.group);

	switch (e->note.kind) {
	case GK_NOTE_MESSAGE:
		take_message(w, node, e);
		return;
	case GK_NOTE_RESPONSE:
		w->answered |= e->id == w->told;
		return;
	case GK_NOTE_REFUSED:
		w->tally[REFUSALS]++;
		return;
	case GK_NOTE_RECOVERED:
		w->tally[RECOVERIES]++;
		break;
	case GK_NOTE_LEFT:
		node->place[g].left_told = true;
		break;
	default:
		break;
	}
	trace(w, node->index, "member: note", e->note.kind, e->note.reason);
	trace(w, node->index, "member: num", e->note.num, g < 0 ? NULL : w->groups[g].name);
	if (e->note.kind == GK_NOTE_JOINED || e->note.kind == GK_NOTE_REKEYED ||
	    e->note.kind == GK_NOTE_RECOVERED) {
		count_way(w, e->note.via);
		check_member_num(w, node, g, e->note.via);
	}
}

static void send_reply(struct world *w, struct node *node, const struct gk_event *e)
{
	struct arrival *arrival = arrival_find(w, e->id);
	struct datagram *d;

	if (!arrival || arrival->to != node->index || arrival->replies++) {
		broken(w, RULE_NOTES, node->index, "a second answer, or one to nothing");
		return;
	}
	wire_reply(w, arrival, e->bytes);
	if (arrival->from != KDC) {
		w->tally[RESPONSES]++; /* nobody waits for those to what was said */
		if (w->told && !w->reply)
			w->reply = datagram_new(DG_GROUP, node->index, arrival->from, e->bytes);
		return;
	}
	d = datagram_new(DG_ANSWER, node->index, KDC, e->bytes);
	d->token = arrival->token;
	d->rekeying = arrival->rekeying;
	net_send(w, d);
}

static void send_multicast(struct world *w, const struct node *node, const struct gk_event *e)
{
	wire_request(w, node->index, node->index, e->bytes);
	if (w->direct)
		w->speech = datagram_new(DG_GROUP, node->index, node->index, e->bytes);
	else
		net_multicast(w, node->index, w->said[w->said_count - 1].group, e->bytes);
}

static bool is_to_member(const struct gk_event *e)
{
	return memcmp(e->peer.ip, gateway_addr().ip, sizeof(e->peer.ip)) != 0;
}

static void tell_directly(struct world *w, const struct node *node, const struct gk_event *e)
{
	wire_request(w, node->index, node->index, e->bytes);
	w->told = e->id;
	w->speech = datagram_new(DG_GROUP, node->index, node->index, e->bytes);
}

static void answer_question(struct world *w, const struct node *node, const struct gk_event *e)
{
	struct datagram *d = datagram_new(DG_ANSWER, node->index, KDC, e->bytes);
	struct arrival *arrival = arrival_find(w, e->id);

	if (!arrival || arrival->to != node->index || arrival->replies++)
		broken(w, RULE_NOTES, node->index, "a second answer, or one to nothing");
	if (arrival) {
		wire_question(w, arrival);
		wire_reply(w, arrival, e->bytes);
	}
	memcpy(&d->token, e->token, sizeof(d->token));
	net_send(w, d);
}

static void send_confirmation(struct world *w, const struct node *node, const struct gk_event *e)
{
	struct datagram *d = datagram_new(DG_CONFIRM, node->index, KDC, e->bytes);

	w->tally[CONFIRMS]++;
	cast_confirmed(w, node, e);
	d->rekeying = true;
	net_send(w, d);
}

static void carry_out(struct world *w, struct node *node, const struct gk_event *e)
{
	switch (e->kind) {
	case GK_EVENT_REQUEST:
		if (is_to_member(e)) {
			tell_directly(w, node, e);
			break;
		}
		trace(w, node->index, "member: request", (int64_t)e->id, NULL);
		wire_request(w, node->index, KDC, e->bytes);
		call_open(w, node->index, KDC, e, false);
		node->asked_ms = w->now.mono.ms;
		break;
	case GK_EVENT_REPLY:
		send_reply(w, node, e);
		break;
	case GK_EVENT_MULTICAST:
		send_multicast(w, node, e);
		break;
	case GK_EVENT_CONFIRM:
		if (e->token_len)
			answer_question(w, node, e);
		else
			send_confirmation(w, node, e);
		break;
	case GK_EVENT_NOTE:
		take_note(w, node, e);
		break;
	case GK_EVENT_CANCEL:
		w->tally[CANCELS]++;
		call_forget(w, node->index, e->id);
		break;
	case GK_EVENT_STORE:
	case GK_EVENT_PROBE:
	case GK_EVENT_END:
	case GK_EVENT_NOTIFY:
	case GK_EVENT_NONE:
		broken(w, RULE_NOTES, node->index, "an event of kind %d", e->kind);
		break;
	}
}

/* Who was in the tree once goes on listening, a member or not. */
static void tune_in(struct world *w, struct node *node)
{
	const struct gk_addr *to = &w->groups[0].config.rekey.control_group;

	for (int g = 0; g < SIM_GROUPS && !node->tuned; g++) {
		struct gk_membership_info info = node_info(node, &w->groups[g]);

		node->tuned = info.in_tree && info.control_group.port == to->port &&
			      memcmp(info.control_group.ip, to->ip, sizeof(to->ip)) == 0;
	}
}

static void drain(struct world *w, struct node *node)
{
	struct gk_event e;

	while (gk_member_event(node->member, &e))
		carry_out(w, node, &e);
	tune_in(w, node);
	schedule(w, node);
}

/* what arrives */

void node_receive(struct world *w, struct node *node, const struct datagram *d)
{
	struct gk_exchange exchange;
	struct datagram *ack;

	if (!node->member || ((d->kind == DG_REQUEST || d->kind == DG_QUESTION) && node->observes))
		return; /* there is no port for requests of the KDC */
	exchange = arrival_new(w, d);
	must(w, node, gk_member_receive(node->member, &exchange, gk_span(d->bytes, d->len), w->now),
	     "gk_member_receive");
	drain(w, node);
	if (d->kind != DG_REQUEST || arrival_find(w, exchange.id)->replies)
		return;
	ack = datagram_new(DG_ACK, node->index, KDC, (struct gk_span){ NULL, 0 });
	ack->token = d->token;
	ack->rekeying = d->rekeying;
	net_send(w, ack);
}

void node_answer(struct world *w, struct node *node, uint64_t core_id, struct gk_span bytes)
{
	trace(w, node->index, bytes.len ? "member: answered" : "member: no answer",
	      (int64_t)core_id, NULL);
	must(w, node, gk_member_answer(node->member, core_id, bytes, w->now), "gk_member_answer");
	drain(w, node);
}

/* Whatever it says, it is acknowledged if somebody waits for it. */
void node_notified(struct world *w, struct node *node, const struct datagram *d)
{
	bool expected = call_expects(w, node->index, d->token);
	struct datagram *reply = datagram_new(expected ? DG_ACK : DG_RESET, node->index, KDC,
					      (struct gk_span){ NULL, 0 });

	reply->token = d->call;
	reply->rekeying = d->rekeying;
	if (expected)
		call_answered(w, d);
	net_send(w, reply);
}

/* what it is told to do */

void node_join(struct world *w, struct node *node, int group)
{
	struct place *place = &node->place[group];
	enum gk_err err;

	place->wanted = true;
	place->left_told = false;
	if (!node->member)
		return;
	err = gk_member_join(node->member, gk_span_str(w->groups[group].name), place->roles,
			     w->now);
	if (err != GK_ERR_STATE)
		must(w, node, err, "gk_member_join");
	drain(w, node);
}

void node_leave(struct world *w, struct node *node, int group)
{
	trace(w, node->index, "wants to leave", 0, w->groups[group].name);
	node->place[group].wanted = false;
	expect_catch_up(w, node);
	must(w, node, gk_member_leave(node->member, gk_span_str(w->groups[group].name), w->now),
	     "gk_member_leave");
	drain(w, node);
}

void node_renew(struct world *w, struct node *node, int group)
{
	trace(w, node->index, "wants a new Sender ID", 0, w->groups[group].name);
	must(w, node, gk_member_renew(node->member, gk_span_str(w->groups[group].name), w->now),
	     "gk_member_renew");
	drain(w, node);
}

/* what it says */

static uint64_t new_number(struct world *w, const struct node *node, int group)
{
	if (w->said_count == w->said_cap) {
		w->said_cap = w->said_cap ? 2 * w->said_cap : 256;
		w->said = must_alloc(w->said, w->said_cap * sizeof(*w->said));
	}
	w->said[w->said_count] =
		(struct said){ group, node->index, node_info(node, &w->groups[group]).num };
	return w->said_count++;
}

static void put_number(struct gk_buf *buf, uint64_t number)
{
	struct gk_coap_writer writer = gk_coap_begin(buf, CODE_POST);
	uint8_t digits[8];

	for (size_t i = 0; i < sizeof(digits); i++)
		digits[i] = (uint8_t)(number >> 8 * (sizeof(digits) - 1 - i));
	gk_coap_put_payload(&writer, gk_span(digits, sizeof(digits)));
}

void node_say(struct world *w, struct node *node, int group)
{
	uint64_t number = new_number(w, node, group);
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	put_number(&buf, number);
	err = gk_member_say(node->member, gk_span_str(w->groups[group].name), gk_buf_span(&buf),
			    w->now);
	if (err != GK_ERR_UNKNOWN && err != GK_ERR_STATE && err != GK_ERR_SEQUENCE)
		must(w, node, err, "gk_member_say");
	w->tally[SAYINGS] += err == GK_OK;
	drain(w, node);
}

bool node_speak(struct world *w, struct node *node, int group)
{
	struct datagram *speech;

	w->direct = true;
	node_say(w, node, group);
	w->direct = false;
	speech = w->speech;
	w->speech = NULL;
	memset(w->readers, 0, (size_t)w->opt.nodes);
	for (int i = 0; speech && i < w->opt.nodes; i++) {
		speech->to = i;
		if (i != node->index)
			node_receive(w, &w->nodes[i], speech);
	}
	free(speech);
	return speech != NULL;
}

/* Who is not known, or has no numbers left, asks the KDC first. */
static void tell(struct world *w, struct node *node, const struct node *to, int group)
{
	struct gk_span sid = node_info(to, &w->groups[group]).sender_id;
	uint8_t bytes[32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	put_number(&buf, new_number(w, node, group));
	err = gk_member_tell(node->member, gk_span_str(w->groups[group].name), sid, &to->addr,
			     gk_buf_span(&buf), w->now);
	if (err != GK_ERR_UNKNOWN && err != GK_ERR_STATE && err != GK_ERR_SEQUENCE &&
	    err != GK_ERR_FORBIDDEN)
		must(w, node, err, "gk_member_tell");
	w->tally[SAYINGS] += err == GK_OK;
	drain(w, node);
}

bool node_tell(struct world *w, struct node *node, struct node *to, int group)
{
	struct datagram *speech;
	struct gk_span answer = { NULL, 0 };

	w->answered = false;
	tell(w, node, to, group);
	speech = w->speech;
	w->speech = NULL;
	if (speech) {
		speech->to = to->index;
		node_receive(w, to, speech);
		if (w->reply)
			answer = gk_span(w->reply->bytes, w->reply->len);
		node_answer(w, node, w->told, answer);
	}
	free(speech);
	free(w->reply);
	w->reply = NULL;
	w->told = 0;
	return w->answered;
}
