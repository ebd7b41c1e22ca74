// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kdc.h"

#include "cose.h"

#include <string.h>

#define REPLY_ROOM 1024

/* life */

static enum gk_err seed_tables(struct gk_kdc *kdc)
{
	uint64_t seed[4];
	enum gk_err err = gk_random(&kdc->env, (uint8_t *)seed, sizeof(seed));

	gk_hash_init(&kdc->clients_by_id, &kdc->env, seed[0]);
	gk_hash_init(&kdc->associations_by_kid, &kdc->env, seed[1]);
	gk_hash_init(&kdc->nodes_by_ip, &kdc->env, seed[2]);
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
		err = gk_blob_set(&kdc->env, &kdc->audience, config->audience);
	return err ? err : gk_blob_set(&kdc->env, &kdc->issuer, config->issuer);
}

enum gk_err gk_kdc_new(const struct gk_env *env, const struct gk_kdc_config *config,
		       struct gk_kdc **out)
{
	struct gk_kdc *kdc;
	enum gk_err err;

	if (config->as_key.len != GK_AEAD_KEY_MAX || config->audience.len == 0 ||
	    config->audience.len > GK_AUDIENCE_MAX || config->issuer.len > GK_AUDIENCE_MAX)
		return GK_ERR_RANGE;
	kdc = gk_alloc(env, sizeof(*kdc));
	if (!kdc)
		return GK_ERR_NO_MEMORY;
	kdc->env = *env;
	gk_queue_init(&kdc->queue, &kdc->env);
	gk_timers_init(&kdc->timers, &kdc->env);
	gk_timer_init(&kdc->candidate_timer, GK_TIMER_CANDIDATES, kdc);
	gk_timer_init(&kdc->notice_timer, GK_TIMER_NOTICES, kdc);
	gk_timer_init(&kdc->budget_timer, GK_TIMER_BUDGET, kdc);
	gk_budget_init(&kdc->budget, config->rekeying_bps, 0);
	err = seed_tables(kdc);
	if (!err)
		err = set_config(kdc, config);
	if (!err)
		err = gk_kdc_reserve_timers(kdc, 3);
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
	while (kdc->groups)
		gk_group_free(kdc->groups);
	free_linked(kdc, &kdc->clients_by_id, drop_client);
	free_linked(kdc, &kdc->requests, drop_request);
	gk_client_drop_notices(kdc);
	gk_hash_wipe(&kdc->associations_by_kid);
	gk_hash_wipe(&kdc->nodes_by_ip);
	gk_queue_wipe(&kdc->queue);
	gk_timers_wipe(&kdc->timers);
	gk_blob_wipe(&env, &kdc->audience);
	gk_blob_wipe(&env, &kdc->issuer);
	for (size_t i = 0; i < 2; i++) {
		gk_blob_wipe(&env, &kdc->sign_cred[i]);
		gk_blob_wipe(&env, &kdc->dh_cred[i]);
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

/* own keys */

static size_t key_slot(int sign_alg)
{
	return sign_alg == GK_ALG_EDDSA;
}

const struct gk_key_pair *gk_kdc_sign_key(const struct gk_kdc *kdc, int sign_alg)
{
	return &kdc->sign_key[key_slot(sign_alg)];
}

struct gk_span gk_kdc_cred(const struct gk_kdc *kdc, int sign_alg)
{
	return gk_blob_span(&kdc->sign_cred[key_slot(sign_alg)]);
}

const struct gk_key_pair *gk_kdc_dh_key(const struct gk_kdc *kdc, int sign_alg)
{
	return &kdc->dh_key[key_slot(sign_alg)];
}

struct gk_span gk_kdc_dh_cred(const struct gk_kdc *kdc, int sign_alg)
{
	return gk_blob_span(&kdc->dh_cred[key_slot(sign_alg)]);
}

static enum gk_err need_key(struct gk_kdc *kdc, int crv, struct gk_key_pair *key)
{
	enum gk_err err;

	if (!crv)
		return GK_ERR_UNSUPPORTED;
	if (key->pub.crv)
		return GK_OK;
	err = gk_key_generate(&kdc->env, crv, key);
	if (!err)
		gk_record_kdc(kdc);
	return err;
}

static enum gk_err need_cred(struct gk_kdc *kdc, const struct gk_key_pair *key,
			     void (*put)(struct gk_buf *, struct gk_span,
					 const struct gk_public_key *),
			     struct gk_blob *cred)
{
	uint8_t bytes[GK_CRED_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	if (cred->data)
		return GK_OK;
	put(&buf, gk_blob_span(&kdc->audience), &key->pub);
	err = gk_buf_err(&buf);
	return err ? err : gk_blob_set(&kdc->env, cred, gk_buf_span(&buf));
}

/* Make what is missing of keys and credentials for a group. */
static enum gk_err need_keys(struct gk_kdc *kdc, const struct gk_group_config *config)
{
	size_t i = key_slot(config->sign_alg);
	enum gk_err err = need_key(kdc, gk_sign_curve(config->sign_alg), &kdc->sign_key[i]);

	if (!err)
		err = need_cred(kdc, &kdc->sign_key[i], gk_ccs_put, &kdc->sign_cred[i]);
	if (err || config->mode != GK_MODE_PAIRWISE)
		return err;
	err = need_key(kdc, gk_dh_curve(config->sign_alg), &kdc->dh_key[i]);
	return err ? err : need_cred(kdc, &kdc->dh_key[i], gk_ccs_put_dh, &kdc->dh_cred[i]);
}

/* groups */

void gk_group_defaults(struct gk_group_config *config)
{
	*config = (struct gk_group_config){
		.sign_alg = GK_ALG_ES256,
		.rekey_on_join = true,
		.period_s = 86400,
		.coalesce_ms = 500,
		.in_flight = 8,
		.stale_sets = 3,
		.members_max = 10000,
		.rekey = { .scheme = GK_TREE,
			   .confirm = GK_CONFIRM_AUTO,
			   .repeat = 2,
			   .repeat_ms = 1000,
			   .control_group = { .ip = { 0xff, 0x03, [15] = 0xfd }, .port = 5686 },
			   .beacon_max_s = 3600 },
		.presence = { .check_interval_s = 300,
			      .probes = 3,
			      .probe_wait_s = 5,
			      .grace_s = 60,
			      .evict = true },
	};
}

#define YEAR_S 31536000u

struct bounds {
	uint32_t value, min, max;
};

static bool in_range(const struct bounds *bounds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bounds[i].value < bounds[i].min || bounds[i].value > bounds[i].max)
			return false;
	}
	return true;
}

static bool tree_in_range(const struct gk_rekey_config *c)
{
	const struct bounds bounds[] = {
		{ c->confirm, GK_CONFIRM_AUTO, GK_CONFIRM_NONE },
		{ c->repeat, 1, 10 },
		{ c->repeat_ms, 100, 60000 },
		{ c->control_group.port, 1, UINT16_MAX },
		{ c->control_group.ip[0], 0xff, 0xff },
		{ c->beacon_min_s, 0, c->beacon_max_s },
		{ c->beacon_max_s, 1, YEAR_S / 32 },
	};

	return in_range(bounds, sizeof(bounds) / sizeof(bounds[0]));
}

static bool config_in_range(const struct gk_group_config *c)
{
	const struct bounds bounds[] = {
		{ c->mode, GK_MODE_GROUP, GK_MODE_PAIRWISE },
		{ c->period_s, 10, YEAR_S },
		{ c->coalesce_ms, 0, 3600000 },
		{ c->in_flight, 1, GK_REQUESTS_MAX / 2 },
		{ c->stale_sets, 2, GK_STALE_SETS_MAX },
		{ c->members_max, 1, 60000 },
		{ c->rekey.scheme, GK_POINT_TO_POINT, GK_TREE },
		{ c->presence.check_interval_s, 1, YEAR_S },
		{ c->presence.probes, 1, 100 },
		{ c->presence.probe_wait_s, 1, 3600 },
		{ c->presence.grace_s, 0, YEAR_S },
	};

	return in_range(bounds, sizeof(bounds) / sizeof(bounds[0])) &&
	       (c->rekey.scheme == GK_POINT_TO_POINT || tree_in_range(&c->rekey)) &&
	       c->name.len >= 1 && c->name.len <= GK_GROUP_NAME_MAX;
}

static void serve(struct gk_group *group, const struct gk_group_config *config)
{
	group->config = *config;
	group->config.name = gk_group_name(group);
	gk_group_trim_stale(group, config->stale_sets);
	group->served = true;
}

/* Go on where a restart or a crash interrupted. */
static void resume(struct gk_group *group, struct gk_now now)
{
	bool cast;

	if (group->config.rekey.scheme == GK_POINT_TO_POINT)
		gk_mgt_clear(group);
	cast = gk_cast_resume(group, now);
	gk_group_resume(group, now);
	for (size_t i = 0; i < group->count; i++)
		gk_presence_excuse(group->nodes[i], now);
	if (group->rekey_pending)
		gk_group_rekey(group, now, "departure before the restart");
	else if (group->period.at_ms <= now.mono.ms)
		gk_group_rekey(group, now, "scheduled");
	else
		gk_delivery_begin(group, cast, now);
	gk_cast_pump(group, now);
}

static enum gk_err serve_new(struct gk_kdc *kdc, const struct gk_group_config *config,
			     struct gk_now now)
{
	struct gk_group *group;
	enum gk_err err = gk_group_new(kdc, config->name, &group);

	if (err)
		return err;
	err = gk_group_create(group, now);
	if (err) {
		gk_group_free(group);
		return err;
	}
	serve(group, config);
	gk_group_arm_period(group);
	gk_record_group(group);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_add_group(struct gk_kdc *kdc, const struct gk_group_config *config,
			     struct gk_now now)
{
	struct gk_group *group;
	enum gk_err err;

	if (!config_in_range(config))
		return GK_ERR_RANGE;
	group = gk_group_find(kdc, config->name);
	if (group && group->served)
		return GK_ERR_STATE;
	if (group && group->count &&
	    (group->config.sign_alg != config->sign_alg || group->config.mode != config->mode))
		return GK_ERR_FORBIDDEN;
	err = need_keys(kdc, config);
	if (err)
		return err;
	if (!group)
		return serve_new(kdc, config, now);
	err = gk_mgt_restored(group);
	if (err)
		return err;
	serve(group, config);
	resume(group, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_restore(struct gk_kdc *kdc, const struct gk_record *record, struct gk_now now)
{
	return gk_record_restore(kdc, record, now);
}

/* what arrives */

static void receive_plain(struct gk_kdc *kdc, const struct gk_exchange *exchange,
			  const struct gk_coap *msg, struct gk_now now)
{
	uint8_t bytes[REPLY_ROOM];
	struct gk_call call = {
		.kdc = kdc,
		.exchange = exchange,
		.msg = *msg,
		.now = now,
		.reply = gk_buf(bytes, sizeof(bytes)),
	};

	gk_resource_serve(&call);
	gk_queue_reply(&kdc->queue, exchange, gk_buf_span(&call.reply));
}

enum gk_err gk_kdc_receive(struct gk_kdc *kdc, const struct gk_exchange *exchange,
			   struct gk_span message, struct gk_now now)
{
	struct gk_span option;
	struct gk_coap msg;

	if (gk_coap_parse(message, &msg) || msg.code == GK_COAP_EMPTY || msg.code >> 5 != 0)
		return gk_queue_err(&kdc->queue); /* not a request: silence */
	if (gk_coap_find(&msg, GK_OPT_OSCORE, &option))
		return gk_client_receive(kdc, exchange, message, now);
	receive_plain(kdc, exchange, &msg, now);
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_answer(struct gk_kdc *kdc, uint64_t id, struct gk_span message,
			  struct gk_now now)
{
	gk_client_answer(kdc, id, message, now);
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

enum gk_err gk_kdc_reach(struct gk_kdc *kdc, const struct gk_addr *addr, enum gk_reach reach,
			 struct gk_now now)
{
	struct gk_link *link = gk_hash_find(&kdc->nodes_by_ip, gk_span(addr->ip, sizeof(addr->ip)));

	for (; link; link = gk_hash_next(link)) {
		struct gk_node *node = GK_OWNER(link, struct gk_node, by_ip);

		if (memcmp(node->address.ip, addr->ip, sizeof(addr->ip)) == 0 &&
		    (!node->address.scope || !addr->scope || node->address.scope == addr->scope))
			gk_presence_reach(node, reach, now);
	}
	return gk_queue_err(&kdc->queue);
}

/* Back from blindness everybody has a whole interval to be heard of, and what was given up to send
 * meanwhile is sent again. */
static void come_back(struct gk_group *group, struct gk_now now)
{
	for (size_t i = 0; group->served && i < group->count; i++)
		gk_presence_excuse(group->nodes[i], now);
	for (size_t i = 0; group->served && i < group->count; i++)
		gk_delivery_wake(group->nodes[i], now);
	if (group->served)
		gk_cast_again(group, now);
}

enum gk_err gk_kdc_blind(struct gk_kdc *kdc, bool blind, struct gk_now now)
{
	bool recovered = kdc->blind && !blind;

	kdc->blind = blind;
	for (struct gk_group *group = kdc->groups; recovered && group; group = group->next)
		come_back(group, now);
	return gk_queue_err(&kdc->queue);
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

enum gk_err gk_kdc_expire(struct gk_kdc *kdc, struct gk_now now)
{
	static void (*const due[])(struct gk_kdc *, void *, struct gk_now) = {
		[GK_TIMER_CLIENT_EXPIRY] = due_client,
		[GK_TIMER_CLIENT_FORGET] = due_forget,
		[GK_TIMER_REKEY] = due_rekey,
		[GK_TIMER_PERIOD] = due_period,
		[GK_TIMER_RETRY] = due_retry,
		[GK_TIMER_CHECK] = due_check,
		[GK_TIMER_CANDIDATES] = due_candidates,
		[GK_TIMER_NOTICES] = due_notices,
		[GK_TIMER_CAST] = due_cast,
		[GK_TIMER_CONFIRM] = due_confirm,
		[GK_TIMER_BEACON] = due_beacon,
		[GK_TIMER_BUDGET] = due_budget,
	};
	struct gk_timer *timer;

	while ((timer = gk_timers_due(&kdc->timers, now.mono)) != NULL)
		due[timer->kind](kdc, timer->owner, now);
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

void gk_kdc_note(struct gk_kdc *kdc, enum gk_note_kind kind, const struct gk_node *node,
		 const char *reason)
{
	(void)kdc;
	note_node(node, (struct gk_note){ .kind = kind, .reason = reason });
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

static struct gk_group *served_group(const struct gk_kdc *kdc, struct gk_span name)
{
	struct gk_group *group = gk_group_find(kdc, name);

	return group && group->served ? group : NULL;
}

enum gk_err gk_kdc_rekey(struct gk_kdc *kdc, struct gk_span name, struct gk_now now)
{
	struct gk_group *group = served_group(kdc, name);

	if (!group)
		return GK_ERR_UNKNOWN;
	gk_group_rekey(group, now, "operator");
	return gk_queue_err(&kdc->queue);
}

enum gk_err gk_kdc_evict(struct gk_kdc *kdc, struct gk_span name, struct gk_span member,
			 struct gk_now now)
{
	struct gk_group *group = served_group(kdc, name);
	struct gk_node *node = group ? gk_group_node_named(group, member) : NULL;

	if (!node)
		return GK_ERR_UNKNOWN;
	gk_group_remove(node, GK_NOTE_EVICTED, "operator", now);
	return gk_queue_err(&kdc->queue);
}

static enum gk_delivery delivery_of(const struct gk_node *node)
{
	if (node->num == node->group->num)
		return GK_DELIVERY_CONFIRMED;
	if (node->delivery == GK_NODE_CAST)
		return GK_DELIVERY_MULTICAST;
	return node->delivery == GK_NODE_PARKED ? GK_DELIVERY_PARKED : GK_DELIVERY_UNICAST;
}

static void count_deliveries(const struct gk_group *group, struct gk_group_info *info)
{
	for (size_t i = 0; i < group->count; i++) {
		enum gk_delivery delivery = delivery_of(group->nodes[i]);

		info->confirmed += delivery == GK_DELIVERY_CONFIRMED;
		info->unicast += delivery == GK_DELIVERY_UNICAST;
		info->parked += delivery == GK_DELIVERY_PARKED;
		info->presumed += delivery == GK_DELIVERY_MULTICAST;
		info->in_tree += group->nodes[i]->in_tree;
	}
}

static struct gk_rekeying_info rekeying_of(const struct gk_group *group)
{
	const struct gk_rekeying_stats *stats = &group->stats;

	return (struct gk_rekeying_info){
		.num = group->num,
		.members = stats->members,
		.confirmed = stats->confirmed,
		.unicast = stats->unicast,
		.parked = stats->parked,
		.bytes = stats->bytes,
		.datagrams = stats->datagrams,
		.duration_ms = stats->ended_ms < 0 ? -1 : stats->ended_ms - stats->began_ms,
	};
}

bool gk_kdc_group_next(const struct gk_kdc *kdc, size_t *at, struct gk_group_info *info)
{
	const struct gk_group *group = kdc->groups;

	for (size_t i = 0; group && (i < *at || !group->served); group = group->next)
		i += group->served;
	if (!group)
		return false;
	(*at)++;
	*info = (struct gk_group_info){
		.name = gk_group_name(group),
		.mode = group->config.mode,
		.sign_alg = group->config.sign_alg,
		.num = group->num,
		.gid = gk_group_gid(group),
		.members = group->count,
		.scheme = group->config.rekey.scheme,
		.rekeying = rekeying_of(group),
		.confirmations_refused = group->confirmations_refused,
	};
	count_deliveries(group, info);
	return true;
}

bool gk_kdc_member_next(const struct gk_kdc *kdc, struct gk_span name, size_t *at,
			struct gk_member_info *info)
{
	const struct gk_group *group = served_group(kdc, name);
	const struct gk_node *node;

	if (!group || *at >= group->count)
		return false;
	node = group->nodes[(*at)++];
	*info = (struct gk_member_info){
		.name = gk_span(node->client->name, node->client->name_len),
		.node = gk_node_name(node),
		.sender_id = gk_id_span(&node->sid),
		.roles = node->roles,
		.presence = node->presence,
		.delivery = delivery_of(node),
		.in_tree = node->in_tree,
		.num = node->num,
		.address = node->address,
		.last_seen_ms = node->last_seen_ms,
	};
	return true;
}
