// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "client.h"

#include "delivery.h"
#include "group.h"
#include "ledger.h"

#include "presence.h"

#include <string.h>

#define EXPIRY_CHECK_S 600
#define CHURN_COST_MS  15000  /* what a join, a renewal, a new association or new rights cost ... */
#define CHURN_BURST_MS 480000 /* ... of this: 32 at once, then four a minute */
#define KID_LEN        3
#define KID_TRIES      16

/* finding */

struct gk_client *gk_client_find(const struct gk_kdc *kdc, struct gk_span id)
{
	struct gk_link *link = gk_hash_find(&kdc->clients_by_id, id);

	for (; link; link = gk_hash_next(link)) {
		struct gk_client *client = GK_OWNER(link, struct gk_client, by_id);

		if (gk_span_equal(gk_id_span(&client->id), id))
			return client;
	}
	return NULL;
}

struct gk_client *gk_client_find_by_kid(const struct gk_kdc *kdc, struct gk_span kid)
{
	struct gk_link *link = gk_hash_find(&kdc->associations_by_kid, kid);

	for (; link; link = gk_hash_next(link)) {
		struct gk_client *client = GK_OWNER(link, struct gk_client, assoc.by_kid);

		if (!client->session &&
		    gk_span_equal(gk_id_span(&client->assoc.ctx.recipient_id), kid))
			return client;
	}
	return NULL;
}

/* O 4.2: unique among our Recipient IDs, and unlike the one that the client chose. */
enum gk_err gk_client_choose_kid(struct gk_kdc *kdc, struct gk_span other, struct gk_id *kid)
{
	for (int i = 0; i < KID_TRIES; i++) {
		struct gk_id id = { .len = KID_LEN };
		enum gk_err err = gk_random(&kdc->env, id.data, KID_LEN);

		if (err)
			return err;
		if (gk_client_find_by_kid(kdc, gk_id_span(&id)) ||
		    gk_span_equal(gk_id_span(&id), other))
			continue;
		*kid = id;
		return GK_OK;
	}
	return GK_ERR_NO_SPACE;
}

/* life */

enum gk_err gk_client_new(struct gk_kdc *kdc, struct gk_client **out)
{
	enum gk_err err = gk_hash_reserve(&kdc->clients_by_id);
	struct gk_client *client;

	if (!err)
		err = gk_hash_reserve(&kdc->associations_by_kid);
	if (!err)
		err = gk_kdc_reserve_timers(kdc, 2);
	if (err)
		return err;
	client = gk_alloc(&kdc->env, sizeof(*client));
	if (!client) {
		gk_kdc_release_timers(kdc, 2);
		return GK_ERR_NO_MEMORY;
	}
	gk_timer_init(&client->expiry, GK_TIMER_CLIENT_EXPIRY, client);
	gk_timer_init(&client->forget, GK_TIMER_CLIENT_FORGET, client);
	*out = client;
	return GK_OK;
}

/* What it is found by when it asks. */
static struct gk_span association_key(const struct gk_client *client)
{
	return gk_id_span(client->session ? &client->session->id : &client->assoc.ctx.recipient_id);
}

static void end_association(struct gk_kdc *kdc, struct gk_client *client)
{
	struct gk_association *assoc = &client->assoc;

	if (assoc->ctx.aead || client->session)
		gk_hash_remove(&kdc->associations_by_kid, &assoc->by_kid);
	gk_oscore_wipe(&assoc->ctx);
	gk_kept_wipe(&kdc->env, &assoc->kept);
	gk_free(&kdc->env, client->session, sizeof(*client->session));
	client->session = NULL;
}

void gk_client_free(struct gk_kdc *kdc, struct gk_client *client)
{
	end_association(kdc, client);
	gk_address_forget(kdc, client);
	if (!client->candidate && gk_client_find(kdc, gk_id_span(&client->id)) == client)
		gk_hash_remove(&kdc->clients_by_id, &client->by_id);
	gk_timer_clear(&kdc->timers, &client->expiry);
	gk_timer_clear(&kdc->timers, &client->forget);
	gk_kdc_release_timers(kdc, 2);
	gk_blob_wipe(&kdc->env, &client->scope);
	gk_client_drop_transfers(kdc, client);
	gk_free(&kdc->env, client, sizeof(*client));
}

enum gk_err gk_client_link(struct gk_kdc *kdc, struct gk_client *client)
{
	enum gk_err err = gk_hash_reserve(&kdc->associations_by_kid);

	if (err)
		return err;
	gk_hash_add(&kdc->associations_by_kid, &client->assoc.by_kid, association_key(client));
	return GK_OK;
}

/* candidates */

static void remove_candidate(struct gk_kdc *kdc, struct gk_client *candidate)
{
	struct gk_client **at = &kdc->candidates;

	while (*at != candidate)
		at = &(*at)->next_candidate;
	*at = candidate->next_candidate;
	kdc->candidate_count--;
}

static void drop_candidate(struct gk_kdc *kdc, struct gk_client *candidate)
{
	remove_candidate(kdc, candidate);
	gk_client_free(kdc, candidate);
}

/* Per address, so that who replays a client's post from elsewhere does not push out the client's
 * own. */
static void bound_candidates_like(struct gk_kdc *kdc, const struct gk_client *newest)
{
	struct gk_client *oldest = NULL;
	size_t count = 0;

	for (struct gk_client *c = kdc->candidates; c; c = c->next_candidate) {
		if (!gk_id_equal(&c->id, &newest->id) ||
		    memcmp(c->posted_from.ip, newest->posted_from.ip, sizeof(c->posted_from.ip)) !=
			    0)
			continue;
		oldest = oldest ? oldest : c;
		count++;
	}
	if (count > GK_CANDIDATES_PER_ID)
		drop_candidate(kdc, oldest);
}

struct gk_client *gk_client_find_candidate(struct gk_kdc *kdc, const struct gk_addr *from)
{
	struct gk_client *newest = NULL;

	for (struct gk_client *c = kdc->candidates; c; c = c->next_candidate) {
		const struct gk_addr *at = &c->posted_from;

		if (memcmp(at->ip, from->ip, sizeof(at->ip)) == 0 && at->port == from->port &&
		    at->scope == from->scope)
			newest = c;
	}
	return newest;
}

static void arm_candidate_timer(struct gk_kdc *kdc)
{
	gk_timer_clear(&kdc->timers, &kdc->candidate_timer);
	if (kdc->candidates)
		gk_timer_set(&kdc->timers, &kdc->candidate_timer,
			     kdc->candidates->posted_ms + GK_CANDIDATE_MS);
}

void gk_client_add_candidate(struct gk_kdc *kdc, struct gk_client *client,
			     const struct gk_addr *from, struct gk_now now)
{
	struct gk_client **at = &kdc->candidates;

	client->candidate = true;
	client->answer.outsider = true;
	client->posted_ms = now.mono.ms;
	client->posted_from = *from;
	while (*at)
		at = &(*at)->next_candidate;
	*at = client;
	client->next_candidate = NULL;
	kdc->candidate_count++;
	bound_candidates_like(kdc, client);
	if (kdc->candidate_count > GK_CANDIDATES_MAX)
		drop_candidate(kdc, kdc->candidates);
	arm_candidate_timer(kdc);
}

void gk_client_forget(struct gk_kdc *kdc, struct gk_client *client)
{
	gk_kept_wipe(&kdc->env, &client->assoc.kept);
	gk_client_drop_transfers(kdc, client);
}

void gk_client_drop_candidates(struct gk_kdc *kdc, struct gk_now now)
{
	while (kdc->candidates && kdc->candidates->posted_ms + GK_CANDIDATE_MS <= now.mono.ms)
		drop_candidate(kdc, kdc->candidates);
	arm_candidate_timer(kdc);
}

/* a candidate proves that it has the key */

/* Looked at again before long, since the calendar may be corrected meanwhile. */
static int64_t expiry_ms(const struct gk_client *client, struct gk_now now)
{
	int64_t left_s = client->exp.s - now.utc.s;

	if (left_s < 0)
		left_s = 0;
	return now.mono.ms + 1000 * (left_s < EXPIRY_CHECK_S ? left_s : EXPIRY_CHECK_S);
}

void gk_client_arm_expiry(struct gk_kdc *kdc, struct gk_client *client, struct gk_now now)
{
	gk_timer_set(&kdc->timers, &client->expiry, expiry_ms(client, now));
}

static void adopt(struct gk_kdc *kdc, struct gk_client *client, struct gk_client *candidate)
{
	struct gk_blob scope = client->scope;

	gk_session_end(kdc, client);
	end_association(kdc, client);
	gk_hash_remove(&kdc->associations_by_kid, &candidate->assoc.by_kid);
	client->assoc = candidate->assoc;
	candidate->assoc = (struct gk_association){ 0 };
	client->session = candidate->session;
	candidate->session = NULL;
	gk_hash_add(&kdc->associations_by_kid, &client->assoc.by_kid, association_key(client));
	client->generation++;
	for (struct gk_node *node = client->nodes; node; node = node->next_of_client)
		gk_observe_forget(node); /* O 6 */
	client->scope = candidate->scope;
	candidate->scope = scope;
	client->exp = candidate->exp;
	client->iat = candidate->iat;
	client->exi_number = candidate->exi_number;
	client->sleepy = candidate->sleepy;
	client->name_len = candidate->name_len;
	memcpy(client->name, candidate->name, sizeof(client->name));
	gk_client_drop_transfers(kdc, client);
}

/* Tokens may be revoked, and newer ones be put to use, between the post and the first request. */
uint8_t gk_client_refusal(const struct gk_kdc *kdc, const struct gk_client *candidate)
{
	struct gk_span id = gk_id_span(&candidate->id);
	const struct gk_client *known = gk_client_find(kdc, id);

	if (gk_ledger_is_revoked(kdc, id) || (known && candidate->iat.s < known->iat.s) ||
	    (known && !gk_session_is_of(known, candidate)))
		return GK_COAP_UNAUTHORIZED;
	if (kdc->storage == GK_STORAGE_NONE || (kdc->storage == GK_STORAGE_SCARCE && !known))
		return GK_COAP_UNAVAILABLE;
	return 0;
}

/* Membership belongs to the token's holder: a new association is no leave. */
struct gk_client *gk_client_confirm(struct gk_kdc *kdc, struct gk_client *candidate,
				    struct gk_now now)
{
	struct gk_client *client = gk_client_find(kdc, gk_id_span(&candidate->id));

	if (client ? !gk_client_may_churn(client, now) : gk_hash_reserve(&kdc->clients_by_id))
		return NULL;
	remove_candidate(kdc, candidate);
	arm_candidate_timer(kdc);
	if (client) {
		adopt(kdc, client, candidate);
		gk_client_free(kdc, candidate);
		gk_sleep_judge_client(client, now);
	} else {
		client = candidate;
		client->candidate = false;
		gk_client_drop_transfers(kdc, client);
		client->answer.outsider = false;
		gk_hash_add(&kdc->clients_by_id, &client->by_id, gk_id_span(&client->id));
	}
	gk_client_arm_expiry(kdc, client, now);
	gk_record_client(kdc, client);
	gk_queue_note(&kdc->queue,
		      &(struct gk_note){ .kind = GK_NOTE_TOKEN,
					 .name = gk_span(client->name, client->name_len),
					 .num = -1 });
	gk_client_recheck(kdc, client, now);
	return client;
}

/* R 5, case 3: a membership whose roles the token no longer grants has lost its authorisation. */
void gk_client_recheck(struct gk_kdc *kdc, struct gk_client *client, struct gk_now now)
{
	struct gk_node *node = client->nodes;

	(void)kdc;
	while (node) {
		struct gk_node *next = node->next_of_client;
		uint32_t granted =
			gk_scope_roles(gk_blob_span(&client->scope), gk_group_name(node->group));

		if (node->roles & ~granted)
			gk_group_remove(node, GK_NOTE_EVICTED, "roles no longer granted", now);
		node = next;
	}
}

/* The eviction notices go out under the association before it ends (R 5, O 4.3). */
void gk_client_expire(struct gk_kdc *kdc, struct gk_client *client, struct gk_now now)
{
	if (client->exp.s > now.utc.s) {
		gk_client_arm_expiry(kdc, client, now);
		return;
	}
	client->ending = true;
	while (client->nodes)
		gk_group_remove(client->nodes, GK_NOTE_EVICTED, "token expired", now);
	if (kdc->exi_ended < client->exi_number) {
		kdc->exi_ended = client->exi_number;
		gk_record_mark(kdc);
	}
	gk_session_end(kdc, client);
	gk_record_client_gone(kdc, client);
	gk_client_free(kdc, client);
}

bool gk_account_take(int64_t *account_ms, int64_t cost_ms, int64_t burst_ms, struct gk_now now)
{
	int64_t account = *account_ms > now.mono.ms ? *account_ms : now.mono.ms;

	if (account - now.mono.ms > burst_ms - cost_ms)
		return false;
	*account_ms = account + cost_ms;
	return true;
}

bool gk_client_may_churn(struct gk_client *client, struct gk_now now)
{
	return gk_account_take(&client->churn_ms, CHURN_COST_MS, CHURN_BURST_MS, now);
}

/* transfers in blocks */

void gk_client_drop_transfers(struct gk_kdc *kdc, struct gk_client *client)
{
	gk_transfer_drop(kdc, &client->request);
	gk_transfer_drop(kdc, &client->answer);
}
