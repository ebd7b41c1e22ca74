// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GROUP "lights"
#define START 1000000

void bench_fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

double bench_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

size_t bench_chance(size_t bound)
{
	static uint64_t state = 42;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(state >> 33) % bound;
}

static void ignore_events(struct plant *plant)
{
	struct gk_event event;

	while (gk_kdc_event(plant->kdc, &event))
		;
}

static void number_id(struct gk_id *id, size_t number, uint8_t len)
{
	id->len = len;
	for (size_t i = 0; i < len; i++)
		id->data[i] = (uint8_t)(number >> 8 * (len - 1u - i));
}

/* As after a token and its first use. */
static struct gk_client *add_client(struct plant *plant, size_t number)
{
	struct gk_client *client;
	uint8_t secret[16] = { (uint8_t)number, (uint8_t)(number >> 8) };
	struct gk_id own, other;

	number_id(&own, number, 4);
	number_id(&other, number + 1, 4);
	if (gk_client_new(plant->kdc, &client) ||
	    gk_oscore_init(&client->assoc.ctx,
			   &(struct gk_oscore_input){ .alg = GK_ALG_AES_CCM_16_64_128,
						      .hkdf = GK_ALG_HMAC_256,
						      .master_secret = gk_span(secret, 16),
						      .sender_id = gk_id_span(&other),
						      .recipient_id = gk_id_span(&own) }) ||
	    gk_client_link(plant->kdc, client))
		bench_fail("no client");
	number_id(&client->id, number, 8);
	client->exp.s = INT64_MAX;
	client->assoc.synchronised = true;
	gk_hash_add(&plant->kdc->clients_by_id, &client->by_id, gk_id_span(&client->id));
	return client;
}

struct gk_node *plant_join(struct plant *plant)
{
	struct gk_group *group = plant->group;
	size_t number = ++group->next_node;
	struct gk_node *node;
	uint8_t cred[110] = { 0 };

	if (gk_node_new(group, add_client(plant, number), &node))
		bench_fail("no member");
	node->number = number;
	node->roles = GK_ROLE_REQUESTER | GK_ROLE_RESPONDER;
	node->has_sid = true;
	number_id(&node->sid, number, number < 256 ? 1 : 2);
	node->has_control = true;
	node->address.ip[0] = 0xfd;
	node->address.ip[14] = (uint8_t)(number >> 8);
	node->address.ip[15] = (uint8_t)number;
	if (gk_blob_set(&plant->env, &node->cred, gk_span(cred, sizeof(cred))) ||
	    gk_blob_set(&plant->env, &node->control_path,
			gk_span_str("ace-group/" GROUP "/node")) ||
	    gk_group_add(node, plant->now))
		bench_fail("no member");
	if (group->config.rekey.scheme == GK_TREE)
		gk_mgt_enter(node);
	return node;
}

static void all_have(struct gk_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		group->nodes[i]->num = group->num;
}

void plant_rekey(struct plant *plant, struct gk_node *joiner)
{
	struct gk_group *group = plant->group;

	if (gk_group_renew(group, plant->now))
		bench_fail("no new material");
	group->joiner = joiner;
	gk_group_distribute(group, "bench", plant->now);
	all_have(group);
	if (gk_queue_err(&plant->kdc->queue))
		bench_fail("the KDC gave up");
}

/* Keys for all at once, of which no message tells: they came one by one in real life. */
static void fill(struct plant *plant)
{
	struct gk_group *group = plant->group;
	struct gk_keytree_rekeying rekeying;

	for (size_t i = 0; i < plant->size; i++)
		(void)plant_join(plant);
	if (gk_group_renew(group, plant->now))
		bench_fail("no new material");
	if (group->config.rekey.scheme == GK_TREE) {
		if (gk_keytree_rekey(&group->tree, (uint32_t)group->num, group->secret, &rekeying))
			bench_fail("no keys");
		gk_keytree_done(&group->tree, &rekeying);
	}
	all_have(group);
}

void plant_open(struct plant *plant, size_t size, enum gk_scheme scheme, enum gk_confirm confirm)
{
	struct gk_kdc_config kdc = { .audience = gk_span_str("gatewayd"),
				     .as_key = gk_span("0123456789abcdef", 16) };
	struct gk_group_config config;

	*plant = (struct plant){ .now = { { START }, { START } }, .size = size };
	plant->env = test_env(&plant->test_env, size);
	gk_group_defaults(&config);
	config.name = gk_span_str(GROUP);
	config.members_max = 60000;
	config.rekey.scheme = scheme;
	config.rekey.confirm = confirm;
	config.rekey.repeat = 1;
	if (gk_kdc_new(&plant->env, &kdc, &plant->kdc) ||
	    gk_kdc_add_group(plant->kdc, &config, plant->now))
		bench_fail("no KDC");
	plant->group = plant->kdc->groups;
	fill(plant);
	ignore_events(plant);
}

void plant_close(struct plant *plant)
{
	gk_kdc_free(plant->kdc);
}

/* IEEE 802.15.4 frames of each message; its ciphertexts are its entries. */
static void count(struct cost *cost, struct gk_span bytes)
{
	struct gk_rekeying message;
	struct gk_coap coap;
	struct gk_air air = gk_air_of(bytes.len - 1 + 4);

	if (gk_coap_parse(bytes, &coap) || gk_rekeying_read(coap.payload, &message))
		bench_fail("a message that cannot be read");
	if (!cost->messages)
		cost->beside = bytes.len - 1 + 4 - message.step.entries.len;
	cost->ciphertexts += message.step.entries.len / GK_TREE_ENTRY_LEN;
	cost->messages++;
	cost->bytes += bytes.len - 1 + 4;
	cost->frames += air.frames;
}

struct cost plant_listen(struct plant *plant, struct gk_buf *keep)
{
	struct cost cost = { 0 };
	struct gk_event event;

	while (gk_kdc_event(plant->kdc, &event)) {
		if (event.kind != GK_EVENT_MULTICAST)
			continue;
		count(&cost, event.bytes);
		if (keep) {
			gk_buf_truncate(keep, 0);
			gk_buf_add(keep, event.bytes);
		}
	}
	return cost;
}

static int descending(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* By place in the list of members; from its end, so that the places stay. */
struct cost plant_leave(struct plant *plant, const size_t *members, size_t count_of, double *cpu_us,
			struct gk_buf *keep)
{
	size_t *order = malloc(count_of * sizeof(*order));
	double start;

	if (!order)
		bench_fail("no memory");
	memcpy(order, members, count_of * sizeof(*order));
	qsort(order, count_of, sizeof(*order), descending);
	ignore_events(plant);
	start = bench_now_us();
	for (size_t i = 0; i < count_of; i++)
		gk_group_remove(plant->group->nodes[order[i]], GK_NOTE_LEFT, NULL, plant->now);
	plant->now.mono.ms += plant->group->config.coalesce_ms;
	if (gk_kdc_expire(plant->kdc, plant->now))
		bench_fail("the KDC gave up");
	if (cpu_us)
		*cpu_us = bench_now_us() - start;
	free(order);
	return plant_listen(plant, keep);
}
