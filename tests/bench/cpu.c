// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "bench.h"

#include "libgroupkey/member.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS        20
#define PRIMITIVE_RUN 50

/* primitives, alone */

static double time_sign(const struct gk_key_pair *key)
{
	uint8_t message[512] = { 0 }, sig[GK_SIG_LEN];
	double start = bench_now_us();

	for (int i = 0; i < PRIMITIVE_RUN; i++) {
		message[0] = (uint8_t)i;
		if (gk_sign(key, gk_span(message, sizeof(message)), sig))
			bench_fail("no signature");
	}
	return (bench_now_us() - start) / PRIMITIVE_RUN;
}

static double time_verify(const struct gk_key_pair *key)
{
	uint8_t message[512] = { 0 }, sig[GK_SIG_LEN];
	double start;

	if (gk_sign(key, gk_span(message, sizeof(message)), sig))
		bench_fail("no signature");
	start = bench_now_us();
	for (int i = 0; i < PRIMITIVE_RUN; i++) {
		if (gk_verify(&key->pub, gk_span(message, sizeof(message)),
			      gk_span(sig, sizeof(sig))))
			bench_fail("a wrong signature");
	}
	return (bench_now_us() - start) / PRIMITIVE_RUN;
}

static double time_kdf(void)
{
	uint8_t key[GK_TREE_KEY_LEN] = { 0 };
	double start = bench_now_us();

	for (int i = 0; i < 20 * PRIMITIVE_RUN; i++) {
		if (gk_tree_derive(gk_span(key, sizeof(key)), GK_TREE_UP, 0, key))
			bench_fail("no derivation");
	}
	return (bench_now_us() - start) / (20 * PRIMITIVE_RUN);
}

static double time_aead(void)
{
	static const uint8_t key[GK_AEAD_KEY_MAX], nonce[GK_AEAD_NONCE_MAX];
	const struct gk_aead *aead = gk_aead_find(GK_ALG_AES_CCM_16_64_128);
	uint8_t seed[GK_TREE_KEY_LEN] = { 0 }, bytes[64];
	double start = bench_now_us();

	for (int i = 0; i < 20 * PRIMITIVE_RUN; i++) {
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));

		if (gk_aead_seal(aead, gk_span(key, aead->key_len), gk_span(nonce, aead->nonce_len),
				 gk_span(seed, sizeof(seed)), gk_span(seed, sizeof(seed)), &out))
			bench_fail("no encryption");
	}
	return (bench_now_us() - start) / (20 * PRIMITIVE_RUN);
}

static size_t log2_of(size_t size)
{
	size_t n = 0;

	while ((size_t)1 << n < size)
		n++;
	return n;
}

/* Signature; for each level a seed and a key and an entry (key and AEAD); MAC and material. */
static double kdc_floor(const struct gk_key_pair *key, size_t levels)
{
	return time_sign(key) + (double)levels * (3 * time_kdf() + time_aead()) + 4 * time_kdf() +
	       time_aead();
}

/* Of the departed's sibling, which has the most to derive. */
static double member_floor(const struct gk_key_pair *key, size_t levels)
{
	return time_verify(key) + (double)(2 * levels) * time_kdf() + 4 * time_kdf() +
	       2 * time_aead();
}

/* the member */

/** A member with material and path, as after its join. */
struct listener {
	struct gk_member *member;
	struct gk_membership *ms;
};

static void install(struct listener *l, const struct gk_node *node, struct gk_now now)
{
	uint8_t bytes[2048];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_material material;

	gk_put_map(&buf, GK_MATERIAL_PAIRS + gk_mgt_pairs(node));
	gk_group_put_material(&buf, node->group, true, node, now);
	gk_mgt_put(&buf, node, NULL);
	if (buf.overflow || gk_material_read(gk_buf_span(&buf), &material) ||
	    gk_membership_install(l->ms, &material, now))
		bench_fail("no material");
}

static void listen(struct listener *l, struct plant *plant, const struct gk_node *node)
{
	static const uint8_t seed[32] = { 1 }, secret[32] = { 2 };
	struct gk_member_config config = { .token = gk_span(secret, 32),
					   .osc_id = gk_span(secret, 8),
					   .ms = gk_span(secret, 32),
					   .key_seed = gk_span(seed, 32),
					   .control_base = gk_span_str("coap://[fd00::3]:5683"),
					   .kdc = { .port = 5683 } };
	struct gk_kdc *kdc = plant->kdc;

	if (gk_member_new(&plant->env, &config, &l->member) ||
	    gk_membership_new(l->member, gk_group_name(plant->group), 6, &l->ms) ||
	    gk_blob_set(&plant->env, &l->ms->kdc_cred,
			gk_kdc_cred(kdc, GK_ALG_ES256, GK_HEADER_KCCS)))
		bench_fail("no member");
	l->member->groups[l->member->group_count++] = l->ms;
	l->ms->in = true;
	gk_membership_enter_tree(l->ms, &gk_kdc_sign_key(kdc, GK_ALG_ES256)->pub);
	install(l, node, plant->now);
}

static double hear(struct listener *l, struct gk_span message, struct gk_now now)
{
	struct gk_exchange exchange = { .id = 1, .peer = { .port = 5686 } };
	double start = bench_now_us();

	if (gk_member_receive(l->member, &exchange, message, now))
		bench_fail("the member gave up");
	return bench_now_us() - start;
}

/* rows */

static void figure(const char *name, size_t size, double value, const char *beside, double floor)
{
	printf("%s.%zu %.0f us  %s %.0f us  ratio %.2f\n", name, size, value, beside, floor,
	       value / floor);
}

/* Each round the last member goes, whose sibling, or cousin, listens, and another one comes. */
static void run(struct plant *plant, double *kdc_us, double *member_us)
{
	uint8_t bytes[GK_REKEYING_COAP_MAX];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));
	struct listener l;

	*kdc_us = *member_us = 0;
	for (int i = 0; i < ROUNDS; i++) {
		size_t last = plant->group->count - 1;
		double us;

		listen(&l, plant, plant->group->by_slot[plant->group->nodes[last]->slot ^ 1]);
		(void)plant_leave(plant, &last, 1, &us, &message);
		*kdc_us += us / ROUNDS;
		*member_us += hear(&l, gk_buf_span(&message), plant->now) / ROUNDS;
		if (l.ms->num != plant->group->num)
			bench_fail("the member did not follow");
		gk_member_free(l.member);
		plant_rekey(plant, plant_join(plant));
	}
}

void bench_cpu(size_t size)
{
	struct plant plant;
	const struct gk_key_pair *key;
	double kdc_us, member_us;

	plant_open(&plant, size, GK_TREE, GK_CONFIRM_IMPLICIT);
	key = gk_kdc_sign_key(plant.kdc, GK_ALG_ES256);
	run(&plant, &kdc_us, &member_us);
	figure("kdc.departure.cpu", size, kdc_us, "primitives", kdc_floor(key, log2_of(size)));
	figure("member.departure.cpu", size, member_us, "primitives",
	       member_floor(key, log2_of(size)));
	plant_close(&plant);
}
