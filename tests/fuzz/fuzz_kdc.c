// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Messages to a KDC with two members, one of them in the tree: the first byte says whether the rest
// arrives as it is, inside of a member's association, as a member's answer to a rekeying message or
// to a probe, or as a confirmation. No input breaks a rule of pair.h, and there is one answer at
// most.

#include "libgroupkey/kdc.h"

#include "tests/lib/pair.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUTS_PER_LIFE 200

static struct pair p;
static struct pair_raw raw[2];

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void start(void)
{
	static const uint32_t all = GK_ROLE_ALL;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);
	static unsigned inputs;

	if (inputs++ % INPUTS_PER_LIFE)
		return;
	if (inputs > 1)
		must(pair_close(&p));
	else
		must(pair_global_init(NULL) == 0);
	pair_open(&p, 1);
	must(pair_serve(&p, &config) == GK_OK);
	for (unsigned i = 0; i < 2; i++) {
		pair_raw_open(&raw[i], &p, i + 1, i ? "two" : "one", NULL, &all, 1);
		raw[i].tree = i;
		must(pair_raw_join(&raw[i], PAIR_LIGHTS, 6, true) == GK_COAP_CREATED);
	}
}

static void ask(struct pair_raw *who, struct gk_span plain)
{
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;

	if (who->ctx.aead && gk_oscore_protect_request(&who->ctx, plain, &buf, &ref) == GK_OK)
		pair_raw_send(who, gk_buf_span(&buf));
	must(who->answers <= 1);
}

static void reply(struct pair_raw *who, struct gk_span plain)
{
	uint8_t bytes[4096], request[2048];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf opened = gk_buf(request, sizeof(request));
	const struct pair_message *m = pair_raw_asked(who);
	struct gk_oscore_ref ref;
	bool fresh;

	if (!m || gk_oscore_unprotect_request(&who->ctx, m->bytes, &opened, &ref, &fresh) ||
	    gk_oscore_protect_response(&who->ctx, &ref, plain, false, &buf))
		return;
	pair_drain_kdc(&p, gk_kdc_answer(p.kdc, m->id, gk_buf_span(&buf), p.now));
	pair_drain_kdc(&p, gk_kdc_answer(p.kdc, m->id, plain, p.now));
}

static void rekey(void)
{
	pair_drain_kdc(&p, gk_kdc_rekey(p.kdc, gk_span_str(PAIR_LIGHTS), p.now));
}

/* The newest message to the group is confirmed by these bytes, and by a right Gid and slot before
 * them. */
static void confirm(struct gk_span rest)
{
	struct gk_id gid = pair_group(&p).gid;
	struct gk_confirmation confirmation = { gk_id_span(&gid), 0, rest };
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	pair_drain_kdc(&p, gk_kdc_confirmed(p.kdc, rest, p.now));
	gk_buf_byte(&buf, GK_COAP_CHANGED);
	gk_buf_byte(&buf, 0xff);
	gk_confirmation_put(&buf, &confirmation);
	pair_drain_kdc(&p, gk_kdc_confirmed(p.kdc, gk_buf_span(&buf), p.now));
	must(pair_group(&p).rekeying.confirmed == 0);
}

/* What a handshake brings, and a request in a session that has no token. */
static void shake_hands(struct pair_raw *who, struct gk_span bytes)
{
	uint8_t room[GK_PSK_ROOM];
	struct gk_buf key = gk_buf(room, sizeof(room));
	struct gk_id name;

	gk_kdc_set_dtls(p.kdc, true);
	must(gk_kdc_psk(p.kdc, bytes, p.now, &key, &name) != GK_OK || name.len == 8);
	must(gk_kdc_raw_key(p.kdc, bytes, p.now, &name) != GK_OK || name.len == 8);
	who->exchange.dtls = (struct gk_id){ 8, "nobody's" };
	pair_raw_send(who, bytes);
	must(who->answers <= 1);
	who->exchange.dtls = (struct gk_id){ 0 };
	gk_kdc_set_dtls(p.kdc, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gk_span rest;

	if (size < 1 || size > 2048)
		return 0;
	start();
	rest = gk_span(data + 1, size - 1);
	switch (data[0] & 7) {
	case 0:
		pair_raw_send(&raw[1], rest);
		must(raw[1].answers <= 1);
		break;
	case 1:
		ask(&raw[0], rest);
		break;
	case 2:
		rekey();
		reply(&raw[0], rest);
		break;
	case 4:
		rekey();
		confirm(rest);
		break;
	case 5:
		rekey();
		pair_drain_kdc(
			&p, gk_kdc_reach(p.kdc,
					 &(struct gk_reach_report){ raw[1].addr, GK_REACH_FAILED },
					 1, p.now));
		reply(&raw[1], rest);
		break;
	case 6:
		shake_hands(&raw[1], rest);
		break;
	default:
		pair_advance(&p, 10 * data[0]);
		ask(&raw[0], rest);
		break;
	}
	must(!p.broken[0]);
	return 0;
}
