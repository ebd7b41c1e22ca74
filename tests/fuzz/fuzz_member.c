// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Messages to a member: as they are, inside of its association as requests of the KDC, and as
// answers to each of its own requests. It survives, gives its memory back and repeats no nonce.

#include "libgroupkey/kdc.h"

#include "tests/lib/pair.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUTS_PER_LIFE 50

static struct pair p;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void start(void)
{
	static unsigned inputs;

	if (inputs++ % INPUTS_PER_LIFE)
		return;
	if (inputs > 1)
		must(pair_close(&p));
	else
		must(pair_global_init(NULL) == 0);
	pair_open(&p, 2);
	must(pair_serve(&p, NULL) == GK_OK);
	pair_join_all(&p, 2);
	must(pair_agree(&p, 0, 1));
	p.node[0].cut = true; // it hears what this program says
}

static bool is_request(struct gk_span plain)
{
	struct gk_coap msg;
	struct gk_span option;

	return !gk_coap_parse(plain, &msg) && msg.code && msg.code >> 5 == 0 &&
	       !gk_coap_find(&msg, 9, &option) && !gk_coap_find(&msg, 6, &option) &&
	       !gk_coap_find(&msg, 35, &option);
}

static bool is_response(struct gk_span plain)
{
	struct gk_coap msg;
	struct gk_span option;

	return !gk_coap_parse(plain, &msg) && msg.code >> 5 >= 2 && msg.code >> 5 <= 5 &&
	       !gk_coap_find(&msg, 9, &option) && !gk_coap_find(&msg, 6, &option) &&
	       !gk_coap_find(&msg, 35, &option);
}

static void answer(struct gk_span bytes, bool protect)
{
	(void)!gk_member_renew(p.node[0].member, gk_span_str(PAIR_LIGHTS), p.now);
	pair_drain_node(&p, 0);
	for (int i = 0; i < 200 && !pair_waiting(&p, 0); i++)
		pair_advance(&p, 30000);
	if (!pair_waiting(&p, 0))
		return;
	if (!protect)
		pair_forge_plain_answer(&p, 0, bytes);
	else if (is_response(bytes))
		pair_forge_answer(&p, 0, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gk_exchange exchange = { .id = 1 };
	struct gk_span rest;

	if (size < 1 || size > 1024)
		return 0;
	start();
	rest = gk_span(data + 1, size - 1);
	if ((data[0] & 3) == 0)
		(void)!gk_member_receive(p.node[0].member, &exchange, rest, p.now);
	else if ((data[0] & 3) == 1 && is_request(rest))
		pair_forge_request(&p, 0, rest);
	else
		answer(rest, data[0] & 1);
	pair_drain_node(&p, 0);
	(void)pair_say(&p, 0, PAIR_LIGHTS, "x");
	must(!p.broken[0]);
	return 0;
}
