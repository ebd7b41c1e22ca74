// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What an eavesdropper with a good memory sees: under one sender's key, no Partial IV ever goes
 * with two different ciphertexts. Keys cannot be seen; each is named by what it was derived for.
 *
 *   requests of a node to the KDC      node, its life, kid
 *   requests of the KDC to a node,
 *   and answers with an own Partial IV node, its association
 *   answers without one                the request's name, and who answers
 *   group messages                     Gid, kid
 */
#include "tests/sim/sim.h"

#include "libgroupkey/coap.h"

#include <stdlib.h>
#include <string.h>

#define OPT_OSCORE 9 /* RFC 8613 section 2 */

enum space { TO_KDC = 1, FROM_KDC, KDC_ANSWERS, NODE_ANSWERS, IN_GROUP, GROUP_ANSWERS };

/* a set that remembers a value with each key */

struct seen {
	uint64_t key, value; /* key 0: empty */
};

static struct seen *find_slot(struct seen *table, size_t cap, uint64_t key)
{
	size_t i = key & (cap - 1);

	while (table[i].key && table[i].key != key)
		i = (i + 1) & (cap - 1);
	return &table[i];
}

static void grow(struct world *w)
{
	size_t cap = w->seen_cap ? 2 * w->seen_cap : 1 << 16;
	struct seen *table = must_alloc(NULL, cap * sizeof(*table));

	memset(table, 0, cap * sizeof(*table));
	for (size_t i = 0; i < w->seen_cap; i++) {
		if (w->seen[i].key)
			*find_slot(table, cap, w->seen[i].key) = w->seen[i];
	}
	free(w->seen);
	w->seen = table;
	w->seen_cap = cap;
}

/* 64 bits: of a million keys two are alike once in 40 million runs. */
uint64_t *wire_remember(struct world *w, uint64_t key)
{
	struct seen *slot;

	if (2 * w->seen_count >= w->seen_cap)
		grow(w);
	key = key ? key : 1;
	slot = find_slot(w->seen, w->seen_cap, key);
	w->seen_count += !slot->key;
	slot->key = key;
	return &slot->value;
}

bool seen_first(struct world *w, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t *value = wire_remember(w, mix(mix(mix(a + 1) + b + 1) + c + 1));
	bool first = !*value;

	*value = 1;
	return first;
}

void seen_free(struct world *w)
{
	free(w->seen);
}

/* looking at messages */

uint64_t wire_digest(struct gk_span bytes)
{
	uint64_t h = bytes.len + 1;

	for (size_t i = 0; i < bytes.len; i += 8)
		h = mix(h * 257 + gk_span_uint(gk_span_sub(bytes, i, 8)));
	return h;
}

static uint64_t digest_id(const struct gk_id *id)
{
	return wire_digest(gk_id_span(id));
}

/* @return false if the option is shorter than it says */
static bool take_id(struct gk_span *rest, size_t len, struct gk_id *id)
{
	if (rest->len < len || gk_id_set(id, gk_span_sub(*rest, 0, len)))
		return false;
	*rest = gk_span_sub(*rest, len, rest->len);
	return true;
}

/* RFC 8613 section 6.1: flags, Partial IV, length and kid context, kid. */
static bool read_option(struct gk_span rest, struct wire_view *view)
{
	uint8_t flags = rest.len ? rest.data[0] : 0;
	size_t context_len = 0;

	rest = gk_span_sub(rest, 1, rest.len);
	if (!take_id(&rest, flags & 7, &view->piv))
		return false;
	if (flags & 0x10) {
		if (!rest.len)
			return false;
		context_len = rest.data[0];
		rest = gk_span_sub(rest, 1, rest.len);
	}
	return take_id(&rest, context_len, &view->context) &&
	       (!(flags & 0x08) || take_id(&rest, rest.len, &view->kid));
}

struct wire_view wire_look(struct gk_span message)
{
	struct wire_view view = { 0 };
	struct gk_span option;
	struct gk_coap msg;

	if (gk_coap_parse(message, &msg) || !gk_coap_find(&msg, OPT_OSCORE, &option))
		return view;
	view.is_oscore = read_option(option, &view);
	view.fingerprint = wire_digest(msg.payload);
	return view;
}

/* nonces */

static void check_nonce(struct world *w, int from, const char *what, const uint64_t *name,
			const struct wire_view *view)
{
	uint64_t key = 0, *value;

	for (size_t i = 0; i < 5; i++)
		key = mix(key + name[i] + 1);
	value = wire_remember(w, key);
	if (*value && *value != view->fingerprint)
		broken(w, RULE_NONCE, from,
		       "%s: kid %llx, Partial IV %llu goes with two ciphertexts", what,
		       (unsigned long long)gk_span_uint(gk_id_span(&view->kid)),
		       (unsigned long long)gk_span_uint(gk_id_span(&view->piv)));
	*value = view->fingerprint;
}

static uint64_t key_of_kdc(const struct node *node)
{
	return (uint64_t)node->index << 32 | node->epoch;
}

static uint64_t life_of(const struct node *node)
{
	return (uint64_t)node->index << 32 | node->life;
}

void wire_request(struct world *w, int from, int to, struct gk_span message)
{
	struct wire_view view = wire_look(message);
	uint64_t piv = digest_id(&view.piv), kid = digest_id(&view.kid);

	if (!view.is_oscore)
		return;
	if (view.context.len)
		check_nonce(w, from, "group message",
			    (uint64_t[]){ IN_GROUP, digest_id(&view.context), kid, piv, 0 }, &view);
	else if (from == KDC)
		check_nonce(w, to, "request of the KDC",
			    (uint64_t[]){ FROM_KDC, key_of_kdc(&w->nodes[to]), piv, 0, 0 }, &view);
	else
		check_nonce(w, from, "request to the KDC",
			    (uint64_t[]){ TO_KDC, life_of(&w->nodes[from]), kid, piv, 0 }, &view);
}

void wire_question(struct world *w, const struct arrival *a)
{
	check_nonce(w, a->to, "question of the KDC",
		    (uint64_t[]){ FROM_KDC, key_of_kdc(&w->nodes[a->to]), digest_id(&a->view.piv),
				  0, 0 },
		    &a->view);
}

static void check_group_answer(struct world *w, const struct arrival *a,
			       const struct wire_view *view)
{
	uint64_t gid = digest_id(&a->view.context), kid = digest_id(&view->kid);

	if (view->piv.len)
		check_nonce(w, a->to, "group answer",
			    (uint64_t[]){ IN_GROUP, gid, kid, digest_id(&view->piv), 0 }, view);
	else
		check_nonce(w, a->to, "group answer",
			    (uint64_t[]){ GROUP_ANSWERS, gid, kid, digest_id(&a->view.kid),
					  digest_id(&a->view.piv) },
			    view);
}

void wire_reply(struct world *w, const struct arrival *a, struct gk_span message)
{
	struct wire_view view = wire_look(message);
	uint64_t kid = digest_id(&a->view.kid), piv = digest_id(&a->view.piv);

	if (!view.is_oscore)
		return;
	if (a->view.context.len)
		check_group_answer(w, a, &view);
	else if (a->to != KDC)
		check_nonce(w, a->to, "answer to the KDC",
			    (uint64_t[]){ NODE_ANSWERS, life_of(&w->nodes[a->to]), kid, piv, 0 },
			    &view);
	else if (view.piv.len)
		check_nonce(w, a->from, "answer of the KDC",
			    (uint64_t[]){ FROM_KDC, key_of_kdc(&w->nodes[a->from]),
					  digest_id(&view.piv), 0, 0 },
			    &view);
	else
		check_nonce(w, a->from, "answer of the KDC",
			    (uint64_t[]){ KDC_ANSWERS, life_of(&w->nodes[a->from]), kid, piv, 0 },
			    &view);
}
