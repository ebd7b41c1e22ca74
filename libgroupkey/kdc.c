// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kdc.h"

#include "client.h"
#include "cose.h"
#include "delivery.h"
#include "group.h"
#include "ledger.h"
#include "presence.h"
#include "serve.h"

#include <string.h>

#define REPLY_ROOM 1400 /* one block, and what goes with it */
#define VERDICT_MS 5000 /* the kernel's default is 3 solicitations, a second apart */

/* life */

static enum gk_err seed_tables(struct gk_kdc *kdc)
{
	uint64_t seed[4];
	enum gk_err err = gk_random(&kdc->env, (uint8_t *)seed, sizeof(seed));

	gk_hash_init(&kdc->clients_by_id, &kdc->env, seed[0]);
	gk_hash_init(&kdc->issued_by_client, &kdc->env, seed[0]); /* the same keys */
	gk_hash_init(&kdc->revoked_by_client, &kdc->env, seed[0]);
	gk_hash_init(&kdc->associations_by_kid, &kdc->env, seed[1]);
	gk_hash_init(&kdc->addresses, &kdc->env, seed[2]);
	gk_hash_init(&kdc->requests, &kdc->env, seed[3]);
	return err;
}

static enum gk_err set_config(struct gk_kdc *kdc, const struct gk_kdc_config *config)
{
	enum gk_err err = GK_OK;

	memcpy(kdc->as_key, config->as_key.data, sizeof(kdc->as_key));
	if (config->as_public_key.len) {
		err = gk_cose_key_read(config->as_public_key, &kdc->as_public_key);
		if (!err)
			err = gk_public_key_check(&kdc->as_public_key);
	}
	if (!err)
		err = gk_roots_set(&kdc->env, &kdc->roots, config->group_path, config->authz_path);
	if (!err)
		err = gk_blob_set(&kdc->env, &kdc->audience, config->audience);
	if (!err)
		err = gk_blob_set(&kdc->env, &kdc->as_uri, config->as_uri);
	return err ? err : gk_blob_set(&kdc->env, &kdc->issuer, config->issuer);
}

static void init_parts(struct gk_kdc *kdc, const struct gk_kdc_config *config)
{
	gk_queue_init(&kdc->queue, &kdc->env);
	gk_timers_init(&kdc->timers, &kdc->env);
	gk_timer_init(&kdc->candidate_timer, GK_TIMER_CANDIDATES, kdc);
	gk_timer_init(&kdc->notice_timer, GK_TIMER_NOTICES, kdc);
	gk_timer_init(&kdc->budget_timer, GK_TIMER_BUDGET, kdc);
	gk_timer_init(&kdc->outsider_timer, GK_TIMER_OUTSIDERS, kdc);
	gk_timer_init(&kdc->update_timer, GK_TIMER_UPDATES, kdc);
	gk_budget_init(&kdc->budget, config->rekeying_bps, 0);
}

static bool is_config_possible(const struct gk_kdc_config *config)
{
	return config->as_key.len == GK_AEAD_KEY_MAX && config->audience.len > 0 &&
	       config->audience.len <= GK_AUDIENCE_MAX && config->issuer.len <= GK_AUDIENCE_MAX &&
	       config->as_uri.len <= GK_AS_URI_MAX;
}

enum gk_err gk_kdc_new(const struct gk_env *env, const struct gk_kdc_config *config,
		       struct gk_kdc **out)
{
	struct gk_kdc *kdc;
	enum gk_err err;

	if (!is_config_possible(config))
		return GK_ERR_RANGE;
	kdc = gk_alloc(env, sizeof(*kdc));
	if (!kdc)
		return GK_ERR_NO_MEMORY;
	kdc->env = *env;
	kdc->high_num = -1;
	kdc->verdict_ms = VERDICT_MS;
	kdc->discovery = config->discovery;
	init_parts(kdc, config);
	err = seed_tables(kdc);
	if (!err)
		err = set_config(kdc, config);
	if (!err)
		err = gk_kdc_reserve_timers(kdc, 5);
	if (err) {
		gk_kdc_free(kdc);
		return err;
	}
	*out = kdc;
	return GK_OK;
}

static void free_linked(struct gk_kdc *kdc, struct gk_hash *table,
			void (*drop)(struct gk_kdc *, struct gk_link *))
{
	for (size_t i = 0; i < table->size; i++) {
		while (table->buckets[i])
			drop(kdc, table->buckets[i]);
	}
	gk_hash_wipe(table);
}

static void drop_client(struct gk_kdc *kdc, struct gk_link *link)
{
	gk_client_free(kdc, GK_OWNER(link, struct gk_client, by_id));
}

static void drop_request(struct gk_kdc *kdc, struct gk_link *link)
{
	struct gk_request *request = GK_OWNER(link, struct gk_request, by_id);

	gk_hash_remove(&kdc->requests, link);
	gk_blob_wipe(&kdc->env, &request->notice);
	gk_free(&kdc->env, request, sizeof(*request));
}

void gk_kdc_free(struct gk_kdc *kdc)
{
	struct gk_env env;

	if (!kdc)
		return;
	env = kdc->env;
	gk_client_drop_candidates(kdc, (struct gk_now){ .mono = { GK_NEVER } });
	gk_transfer_drop_idle(kdc, (struct gk_now){ .mono = { GK_NEVER } });
	while (kdc->groups)
		gk_group_free(kdc->groups);
	free_linked(kdc, &kdc->clients_by_id, drop_client);
	free_linked(kdc, &kdc->requests, drop_request);
	gk_client_drop_notices(kdc);
	gk_ledger_wipe(kdc);
	gk_evidence_wipe(kdc);
	gk_hash_wipe(&kdc->associations_by_kid);
	gk_hash_wipe(&kdc->addresses);
	gk_queue_wipe(&kdc->queue);
	gk_timers_wipe(&kdc->timers);
	gk_blob_wipe(&env, &kdc->audience);
	gk_blob_wipe(&env, &kdc->issuer);
	gk_blob_wipe(&env, &kdc->as_uri);
	gk_roots_wipe(&env, &kdc->roots);
	for (size_t i = 0; i < 2; i++) {
		for (size_t fmt = 0; fmt < GK_CRED_FORMATS; fmt++) {
			gk_blob_wipe(&env, &kdc->sign_cred[fmt][i]);
			gk_blob_wipe(&env, &kdc->dh_cred[fmt][i]);
		}
	}
	gk_free(&env, kdc, sizeof(*kdc));
}

enum gk_err gk_kdc_reserve_timers(struct gk_kdc *kdc, size_t count)
{
	enum gk_err err = gk_timers_reserve(&kdc->timers, kdc->timers_wanted + count);

	if (!err)
		kdc->timers_wanted += count;
	return err;
}

void gk_kdc_release_timers(struct gk_kdc *kdc, size_t count)
{
	kdc->timers_wanted -= count;
}

void gk_kdc_set_dtls(struct gk_kdc *kdc, bool offered)
{
	kdc->dtls = offered;
}

enum gk_err gk_kdc_restore(struct gk_kdc *kdc, const struct gk_record *record, struct gk_now now)
{
	enum gk_err err = gk_record_restore(kdc, record, now);

	kdc->marked = kdc->marked || (!err && record->table == GK_TABLE_MARK);
	return err;
}

/* what arrives */

/* To many at once, an error or an empty list is no answer (RFC 7252 section 8.2). */
static bool has_something(const struct gk_call *call)
{
	struct gk_coap answer;

	return !gk_coap_parse(gk_buf_span(&call->reply), &answer) &&
	       answer.code == GK_COAP_CONTENT && answer.payload.len;
}

static void receive_plain(struct gk_kdc *kdc, const struct gk_exchange *exchange,
			  const struct gk_coap *msg, struct gk_now now)
{
	uint8_t bytes[REPLY_ROOM];
	struct gk_call call = {
		.kdc = kdc,
		.exchange = exchange,
		.msg = *msg,
		.outer_observe = -1,
		.now = now,
		.reply = gk_buf(bytes, sizeof(bytes)),
	};

	gk_resource_serve(&call);
	if (!exchange->multicast || has_something(&call))
		gk_queue_reply(&kdc->queue, exchange, gk_buf_span(&call.reply));
	gk_blob_wipe(&kdc->env, &call.large);
}

enum gk_err gk_kdc_receive(struct gk_kdc *kdc, const struct gk_exchange *exchange,
			   struct gk_span message, struct gk_now now)
{
	struct gk_span option;
	struct gk_coap msg;

	if (gk_coap_parse(message, &msg) || msg.code == GK_COAP_EMPTY || msg.code >> 5 != 0)
		return gk_queue_err(&kdc->queue); /* not a request: silence */
	if (exchange->multicast && !gk_core_is_asked(&msg))
		return gk_queue_err(&kdc->queue);
	if (gk_coap_find(&msg, GK_OPT_OSCORE, &option))
		return gk_client_receive(kdc, exchange, message, now);
	if (exchange->dtls.len)
		gk_session_receive(kdc, exchange, message, &msg, now);
	else
		receive_plain(kdc, exchange, &msg, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_answer(struct gk_kdc *kdc, uint64_t id, struct gk_span message,
			  struct gk_now now)
{
	gk_client_answer(kdc, id, message, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_notified(struct gk_kdc *kdc, uint64_t id, enum gk_notified outcome,
			    struct gk_now now)
{
	gk_client_notified(kdc, id, outcome, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_unsent(struct gk_kdc *kdc, uint64_t id, struct gk_now now)
{
	gk_client_unsent(kdc, id, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_confirmed(struct gk_kdc *kdc, struct gk_span message, struct gk_now now)
{
	gk_cast_receive(kdc, message, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_reach(struct gk_kdc *kdc, const struct gk_reach_report *reports, size_t count,
			 struct gk_now now)
{
	gk_kernel_reports(kdc, reports, count, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_kernel_timing(struct gk_kdc *kdc, uint32_t verdict_ms)
{
	if (verdict_ms == 0 || verdict_ms > GK_VERDICT_MAX_MS)
		return GK_ERR_RANGE;
	kdc->verdict_ms = verdict_ms;
	return GK_OK;
}

/* what is known of the world */

/* Nobody is judged by what could not be heard, and what was given up to send meanwhile is sent
 * again. */
static void come_back(struct gk_group *group, enum gk_fact why, struct gk_now now)
{
	bool sees = group->served && !group->kdc->blind;

	for (size_t i = 0; sees && i < group->count; i++)
		gk_presence_resume(group->nodes[i], why, now);
	gk_witness_lost(group, now);
	for (size_t i = 0; group->served && i < group->count; i++)
		gk_delivery_wake(group->nodes[i], now);
	if (group->served)
		gk_cast_again(group, now);
}

static void all_come_back(struct gk_kdc *kdc, enum gk_fact why, struct gk_now now)
{
	for (struct gk_group *group = kdc->groups; group; group = group->next)
		come_back(group, why, now);
}

static void note_sight(struct gk_kdc *kdc, enum gk_blindness why)
{
	gk_queue_note(&kdc->queue,
		      &(struct gk_note){ .kind = why ? GK_NOTE_BLIND : GK_NOTE_SEES,
					 .num = -1,
					 .reason = why ? gk_blindness_str(why) : NULL });
}

/* Known of all; with those who are doubted it explains why nothing follows. */
static void note_blindness(struct gk_kdc *kdc, enum gk_blindness why, struct gk_now now)
{
	for (struct gk_group *group = kdc->groups; group; group = group->next) {
		for (size_t i = 0; i < group->count; i++) {
			if (gk_presence_is_doubted(group->nodes[i]))
				gk_evidence_add(group->nodes[i], GK_FACT_BLIND, why, now);
		}
	}
}

enum gk_err gk_kdc_blind(struct gk_kdc *kdc, enum gk_blindness why, struct gk_now now)
{
	bool recovered = kdc->blind && !why;

	if ((unsigned)why >= GK_BLIND_MASS_LOSS)
		return GK_ERR_RANGE;
	if (kdc->blind != why)
		note_sight(kdc, why);
	kdc->blind = why;
	if (why)
		note_blindness(kdc, why, now);
	if (recovered)
		all_come_back(kdc, GK_FACT_SEES, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_excuse(struct gk_kdc *kdc, struct gk_now now)
{
	all_come_back(kdc, GK_FACT_EXCUSED, now);
	return gk_queue_err(&kdc->queue);
}

/* Whose request was answered 5.03, without protection perhaps, said something all the same. */
enum gk_err gk_kdc_storage(struct gk_kdc *kdc, enum gk_storage storage, struct gk_now now)
{
	bool recovered = kdc->storage == GK_STORAGE_NONE && storage != GK_STORAGE_NONE;

	kdc->storage = storage;
	if (recovered)
		all_come_back(kdc, GK_FACT_EXCUSED, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_clock(struct gk_kdc *kdc, struct gk_now now)
{
	for (size_t i = 0; i < kdc->clients_by_id.size; i++) {
		struct gk_link *link = kdc->clients_by_id.buckets[i];

		for (; link; link = link->next)
			gk_client_arm_expiry(kdc, GK_OWNER(link, struct gk_client, by_id), now);
	}
	for (struct gk_group *group = kdc->groups; group; group = group->next) {
		if (group->served)
			gk_group_correct_age(group, now);
	}
	return gk_queue_err(&kdc->queue);
}

void gk_kdc_set_discovery(struct gk_kdc *kdc, enum gk_discovery discovery)
{
	kdc->discovery = discovery;
}

void gk_kdc_set_rekeying_bps(struct gk_kdc *kdc, uint32_t bps, struct gk_now now)
{
	struct gk_budget budget;

	gk_budget_init(&budget, bps, now.mono.ms);
	if (budget.bytes_per_s == kdc->budget.bytes_per_s)
		return; /* a full account is not to be had by asking for the same again */
	kdc->budget = budget;
	if (kdc->budget_timer.slot)
		gk_timer_set(&kdc->timers, &kdc->budget_timer, now.mono.ms);
}

/* what is due */

static void due_client(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	gk_client_expire(kdc, owner, now);
}

static void due_forget(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)now;
	gk_client_forget(kdc, owner);
}

static void due_rekey(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)kdc;
	gk_group_rekey(owner, now, "departure");
}

static void due_period(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)kdc;
	gk_group_rekey(owner, now, "scheduled");
}

static void due_retry(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)kdc;
	gk_delivery_retry(owner, now);
}

static void due_check(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)kdc;
	gk_presence_due(owner, now);
}

static void due_candidates(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)owner;
	gk_client_drop_candidates(kdc, now);
}

static void due_notices(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)owner;
	gk_client_send_notices(kdc, now);
}

static void due_outsiders(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)owner;
	gk_transfer_drop_idle(kdc, now);
}

static void due_cast(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)kdc;
	gk_cast_pump(owner, now);
}

static void due_confirm(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)kdc;
	gk_delivery_fall_back(owner, now);
}

static void due_beacon(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)kdc;
	gk_cast_beacon(owner, now);
}

static void due_updates(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)owner;
	gk_observe_update(kdc, now);
}

static void due_judge(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	(void)kdc;
	gk_witness_judge(owner, now);
}

/* Groups take turns in being the first. */
static void due_budget(struct gk_kdc *kdc, void *owner, struct gk_now now)
{
	struct gk_group *first = kdc->groups;

	(void)owner;
	for (struct gk_group *group = kdc->groups; group; group = group->next) {
		if (group == kdc->pumped && group->next)
			first = group->next;
	}
	kdc->pumped = first;
	for (struct gk_group *group = first; group; group = group->next)
		gk_delivery_pump(group, now);
	for (struct gk_group *group = kdc->groups; group != first; group = group->next)
		gk_delivery_pump(group, now);
}

struct gk_mono gk_kdc_next_expiry(const struct gk_kdc *kdc)
{
	return gk_timers_next(&kdc->timers);
}

/* What changes stored state has to wait while nothing can be stored. That a member is removed for
 * its absence, which is the end of a long story, presence.c puts off itself. */
static const struct due {
	void (*act)(struct gk_kdc *kdc, void *owner, struct gk_now now);
	bool stores;
} dues[] = {
	[GK_TIMER_CLIENT_EXPIRY] = { due_client, true },
	[GK_TIMER_CLIENT_FORGET] = { due_forget, false },
	[GK_TIMER_REKEY] = { due_rekey, true },
	[GK_TIMER_PERIOD] = { due_period, true },
	[GK_TIMER_RETRY] = { due_retry, false },
	[GK_TIMER_CHECK] = { due_check, false },
	[GK_TIMER_CANDIDATES] = { due_candidates, false },
	[GK_TIMER_NOTICES] = { due_notices, false },
	[GK_TIMER_CAST] = { due_cast, false },
	[GK_TIMER_CONFIRM] = { due_confirm, false },
	[GK_TIMER_BEACON] = { due_beacon, false },
	[GK_TIMER_BUDGET] = { due_budget, false },
	[GK_TIMER_OUTSIDERS] = { due_outsiders, false },
	[GK_TIMER_UPDATES] = { due_updates, false },
	[GK_TIMER_JUDGE] = { due_judge, false },
};

enum gk_err gk_kdc_expire(struct gk_kdc *kdc, struct gk_now now)
{
	struct gk_timer *timer;

	while ((timer = gk_timers_due(&kdc->timers, now.mono)) != NULL) {
		const struct due *due = &dues[timer->kind];

		if (due->stores && kdc->storage == GK_STORAGE_NONE)
			gk_timer_set(&kdc->timers, timer, now.mono.ms + GK_PUT_OFF_MS);
		else
			due->act(kdc, timer->owner, now);
	}
	return gk_queue_err(&kdc->queue);
}

bool gk_kdc_event(struct gk_kdc *kdc, struct gk_event *event)
{
	return gk_queue_take(&kdc->queue, event);
}

/* notes */

static void note_node(const struct gk_node *node, struct gk_note note)
{
	const struct gk_client *client = node->client;
	struct gk_id gid = gk_group_gid(node->group);

	note.group = gk_group_name(node->group);
	note.node = gk_node_name(node);
	note.name = gk_span(client->name, client->name_len);
	note.gid = gk_id_span(&gid);
	note.sid = gk_id_span(&node->sid);
	note.num = node->group->num;
	gk_queue_note(&node->group->kdc->queue, &note);
}

static bool is_about_presence(enum gk_note_kind kind)
{
	return kind == GK_NOTE_SUSPECT || kind == GK_NOTE_ABSENT || kind == GK_NOTE_ALARM ||
	       kind == GK_NOTE_PRESENT || kind == GK_NOTE_EVICTED;
}

void gk_kdc_note(struct gk_kdc *kdc, enum gk_note_kind kind, const struct gk_node *node,
		 const char *reason)
{
	struct gk_note note = { .kind = kind, .reason = reason };

	(void)kdc;
	if (is_about_presence(kind)) {
		note.last_sign = node->last_sign;
		note.last_seen_ms = node->last_seen_ms;
	}
	note_node(node, note);
}

void gk_kdc_note_delivered(const struct gk_node *node, enum gk_via via)
{
	note_node(node, (struct gk_note){ .kind = GK_NOTE_DELIVERED, .via = via });
}

void gk_kdc_note_group(struct gk_kdc *kdc, enum gk_note_kind kind, const struct gk_group *group,
		       const char *reason)
{
	struct gk_id gid = gk_group_gid(group);

	gk_queue_note(&kdc->queue, &(struct gk_note){ .kind = kind,
						      .group = gk_group_name(group),
						      .gid = gk_id_span(&gid),
						      .num = group->num,
						      .reason = reason });
}

/* the operator */

enum gk_err gk_kdc_rekey(struct gk_kdc *kdc, struct gk_span name, struct gk_now now)
{
	struct gk_group *group = gk_group_find_served(kdc, name);

	if (!group)
		return GK_ERR_UNKNOWN;
	if (kdc->storage == GK_STORAGE_NONE)
		return GK_ERR_NO_SPACE;
	gk_group_rekey(group, now, "operator");
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_evict(struct gk_kdc *kdc, struct gk_span name, struct gk_span member,
			 struct gk_now now)
{
	struct gk_group *group = gk_group_find_served(kdc, name);
	struct gk_node *node = group ? gk_group_node_named(group, member) : NULL;

	if (!node)
		return GK_ERR_UNKNOWN;
	if (kdc->storage == GK_STORAGE_NONE)
		return GK_ERR_NO_SPACE;
	gk_group_remove(node, GK_NOTE_EVICTED, "operator", now);
	return gk_queue_err(&kdc->queue);
}

void gk_kdc_presence_counts(const struct gk_kdc *kdc, struct gk_presence_counts *counts)
{
	*counts = kdc->presence_counts;
}
