// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A member as the KDC sees it: it joined, answers what is asked under its association, and asks
 * something itself now and then. Who is told that it is no member joins again.
 */
#include "tests/reach/reach.h"

#include "libgroupkey/numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUM_PATH          "ace-group/" GROUP "/num"
#define JOINING_MS        (2 * MINUTE_MS) /* in which all come at first */
#define PLAYED_JOINING_MS 10000
#define TALK_MS           (3 * MINUTE_MS)
#define QUIET_TALK_MS     (6 * HOUR_MS)
#define AGAIN_MS          30000
#define WAKE_MS           HOUR_MS
#define AWAKE_MS          3000

static void give_address(const struct world *w, struct node *node)
{
	static const uint8_t ip[14] = { 0xfd, [8] = 2, [11] = 0xff, [12] = 0xfe };
	char text[IO_ADDR_TEXT];

	memcpy(node->addr.ip, ip, sizeof(ip));
	node->addr.ip[14] = (uint8_t)((node->index + 2) >> 8);
	node->addr.ip[15] = (uint8_t)(node->index + 2);
	if (w->played)
		memcpy(node->addr.ip, w->played->nodes[node->index].ip, REACH_IP_LEN);
	node->addr.port = 5683;
	snprintf(node->control, sizeof(node->control), "coap://%s/ace-group/" GROUP "/node",
		 io_addr_format(&node->addr, text));
}

static void wake(struct world *w, uint64_t index, void *ptr);

void node_begin(struct world *w, int index)
{
	struct node *node = &w->nodes[index];

	node->index = index;
	snprintf(node->name, sizeof(node->name), "n%d", index);
	give_address(w, node);
	node->on = node->linked = true;
	node->parent = GATEWAY;
	node->apart_ms = GK_NEVER;
	node->checked_ms = node->removed_ms = -1;
	node->sleepy = happens(w, w->opt.sleepy) && !story_is_router(w, index);
	node->quiet = happens(w, w->opt.quiet);
	if (w->played && !w->played->nodes[index].member)
		return;
	node->raw.env = test_env(&node->env, mix(w->opt.seed) + 2 + (uint64_t)index);
	must(w, gk_key_generate(&node->raw.env, GK_CRV_P256, &node->raw.key), "gk_key_generate");
	gateway_provision(w, node);
	world_in(w, between(w, 100, w->played ? PLAYED_JOINING_MS : JOINING_MS),
		 node->sleepy ? wake : node_talk, (uint64_t)index);
}

/* getting in */

/* @return false: the KDC did not answer */
static bool ask_plain(struct world *w, struct node *node, struct gk_span message,
		      struct raw_answer *answer)
{
	struct gk_span reply = gateway_serve(w, node, message);
	struct gk_buf bytes = gk_buf(answer->bytes, sizeof(answer->bytes));

	answer->protected = false;
	gk_buf_add(&bytes, reply);
	return reply.len && !gk_coap_parse(gk_buf_span(&bytes), &answer->msg);
}

static bool ask_once(struct world *w, struct node *node, struct gk_span message,
		     struct raw_answer *answer)
{
	struct raw *raw = &node->raw;
	struct gk_buf sent = gk_buf(raw->sent, sizeof(raw->sent));
	struct gk_buf plain = gk_buf(answer->bytes, sizeof(answer->bytes));
	struct gk_span reply;

	must(w, gk_oscore_protect_request(&raw->assoc, message, &sent, &raw->ref), "protect");
	reply = gateway_serve(w, node, gk_buf_span(&sent));
	answer->protected = reply.len && !gk_oscore_unprotect_response(&raw->assoc, &raw->ref,
								       reply, &plain, NULL);
	if (!answer->protected)
		gk_buf_add(&plain, reply);
	return reply.len && !gk_coap_parse(gk_buf_span(&plain), &answer->msg);
}

/* A KDC that was restarted does not know what it has heard before (RFC 9175). */
static bool ask_protected(struct world *w, struct node *node, struct gk_span message,
			  struct raw_answer *answer)
{
	struct gk_coap_option echo = { .number = GK_OPT_ECHO };
	uint8_t bytes[RAW_ROOM];
	struct gk_buf again = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer writer;
	struct gk_coap request;

	if (!ask_once(w, node, message, answer))
		return false;
	if (!answer->protected || answer->msg.code != GK_COAP_UNAUTHORIZED ||
	    !gk_coap_find(&answer->msg, GK_OPT_ECHO, &echo.value) ||
	    gk_coap_parse(message, &request))
		return true;
	writer = gk_coap_begin(&again, request.code);
	gk_coap_put_merged(&writer, &request, &echo, 1);
	gk_coap_put_payload(&writer, request.payload);
	return ask_once(w, node, gk_buf_span(&again), answer);
}

static void post_token(struct world *w, struct node *node)
{
	uint8_t payload_bytes[RAW_ROOM], bytes[RAW_ROOM];
	struct gk_buf payload = gk_buf(payload_bytes, sizeof(payload_bytes));
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct raw_answer answer;

	node->raw.associated = false;
	raw_put_token(&payload, &node->raw);
	raw_put_request(&message, GK_COAP_POST, "authz-info", GK_CF_ACE, gk_buf_span(&payload));
	if (ask_plain(w, node, gk_buf_span(&message), &answer))
		raw_take_token_answer(&node->raw, &answer);
}

void node_join(struct world *w, struct node *node)
{
	uint8_t payload_bytes[RAW_ROOM], bytes[RAW_ROOM];
	struct gk_buf payload = gk_buf(payload_bytes, sizeof(payload_bytes));
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct raw_flaws flaws = { .control = node->control, .tree = w->opt.tree };
	struct raw_answer answer;

	post_token(w, node);
	if (!node->raw.associated)
		return;
	raw_put_join(&payload, &node->raw, GROUP, &flaws);
	raw_put_request(&message, GK_COAP_POST, "ace-group/" GROUP, GK_CF_ACE_GROUPCOMM,
			gk_buf_span(&payload));
	if (!ask_protected(w, node, gk_buf_span(&message), &answer) || !answer.protected ||
	    answer.msg.code >> 5 != 2)
		broken(w, RULE_CALLS, node->index, "the join is refused with %d.%02d",
		       answer.msg.code >> 5, answer.msg.code & 0x1f);
	w->tally[JOINS]++;
}

/* saying something */

static bool is_heard(struct world *w, const struct node *node)
{
	return w->kdc && world_joins(w, node) && world_sees(w) && air_carries(w, 64, false);
}

/* @return false: it is told that it is no member */
static bool ask_num(struct world *w, struct node *node)
{
	uint8_t bytes[64];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct raw_answer answer;

	raw_put_request(&message, GK_COAP_GET, NUM_PATH, -1, RAW_NO_PAYLOAD);
	if (!ask_protected(w, node, gk_buf_span(&message), &answer) || !kernel_send(w, node) ||
	    !air_carries(w, 64, false))
		return true;
	return answer.protected && answer.msg.code == GK_COAP_CONTENT;
}

static void say(struct world *w, struct node *node)
{
	if (!is_heard(w, node))
		return;
	w->tally[TALKS]++;
	trace(w, node->index, "says something", 0, NULL);
	kernel_heard(w, node);
	if (!node->raw.associated || !ask_num(w, node))
		node_join(w, node);
	if (node->member)
		node->heard_ms = w->now.mono.ms;
}

void node_talk(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];
	int64_t next_ms = gap(w, node->quiet ? QUIET_TALK_MS : TALK_MS);

	(void)ptr;
	say(w, node);
	if (!w->played || !node->member)
		world_in(w, node->member ? next_ms : AGAIN_MS, node_talk, index);
}

static void sleep_on(struct world *w, uint64_t index, void *ptr)
{
	(void)ptr;
	w->nodes[index].awake = false;
}

static void wake(struct world *w, uint64_t index, void *ptr)
{
	struct node *node = &w->nodes[index];

	(void)ptr;
	w->tally[NAPS]++;
	node->awake = true;
	say(w, node);
	world_in(w, AWAKE_MS, sleep_on, index);
	world_in(w, node->member ? gap(w, WAKE_MS) : AGAIN_MS, wake, index);
}

/* answering */

bool node_is_meant(const struct node *node, struct gk_span message)
{
	struct gk_oscore_option option;

	return node->raw.associated && !gk_oscore_peek(message, &option, NULL) && option.has_kid &&
	       gk_span_equal(option.kid, gk_id_span(&node->raw.assoc.recipient_id));
}

bool node_is_asked(const struct node *node, struct gk_span message)
{
	uint8_t bytes[RAW_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	bool fresh;

	return node_is_meant(node, message) &&
	       !gk_oscore_unprotect_request(&node->raw.assoc, message, &plain, &ref, &fresh) &&
	       bytes[0] == GK_COAP_GET;
}

static uint8_t answer_to(uint8_t code)
{
	static const uint8_t codes[] = { [GK_COAP_GET] = GK_COAP_CONTENT,
					 [GK_COAP_POST] = GK_COAP_CHANGED,
					 [GK_COAP_DELETE] = GK_COAP_DELETED };

	return code < sizeof(codes) && codes[code] ? codes[code] : GK_COAP_NOT_ALLOWED;
}

size_t node_answer(struct world *w, struct node *node, struct gk_span message, uint8_t *bytes,
		   size_t size)
{
	uint8_t plain_bytes[RAW_ROOM], code;
	struct gk_buf plain = gk_buf(plain_bytes, sizeof(plain_bytes)), out = gk_buf(bytes, size);
	struct gk_oscore_ref ref;
	bool fresh;

	if (!node->raw.associated ||
	    gk_oscore_unprotect_request(&node->raw.assoc, message, &plain, &ref, &fresh))
		return 0;
	code = answer_to(plain_bytes[0]);
	must(w, gk_oscore_protect_response(&node->raw.assoc, &ref, gk_span(&code, 1), false, &out),
	     "answer");
	return out.len;
}
