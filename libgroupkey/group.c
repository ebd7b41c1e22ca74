// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "group.h"

#include "client.h"
#include "delivery.h"
#include "presence.h"
#include "uri.h"

#include <string.h>

#define RETRY_MS      1000 /* after a rekeying that found no entropy */
#define GID_EPOCH_LEN 4
#define GROUP_TIMERS  6

/* the group itself */

static enum gk_err begin(struct gk_group *group, struct gk_kdc *kdc, struct gk_span name)
{
	struct gk_tree_group of = { 0 };

	group->kdc = kdc;
	memcpy(group->name, name.data, name.len);
	group->name_len = (uint8_t)name.len;
	group->stale_count = 1;
	group->last_sid = UINT8_MAX;
	group->stats.ended_ms = 0;
	gk_timer_init(&group->rekey, GK_TIMER_REKEY, group);
	gk_timer_init(&group->period, GK_TIMER_PERIOD, group);
	gk_timer_init(&group->cast, GK_TIMER_CAST, group);
	gk_timer_init(&group->confirm, GK_TIMER_CONFIRM, group);
	gk_timer_init(&group->beacon, GK_TIMER_BEACON, group);
	gk_timer_init(&group->judge, GK_TIMER_JUDGE, group);
	of.name = gk_group_name(group);
	return gk_keytree_init(&group->tree, &kdc->env, &of);
}

enum gk_err gk_group_new(struct gk_kdc *kdc, struct gk_span name, struct gk_group **out)
{
	struct gk_group **at = &kdc->groups, *group;
	enum gk_err err;

	if (name.len == 0 || name.len > GK_GROUP_NAME_MAX)
		return GK_ERR_RANGE;
	err = gk_kdc_reserve_timers(kdc, GROUP_TIMERS);
	if (err)
		return err;
	group = gk_alloc(&kdc->env, sizeof(*group));
	if (group)
		err = begin(group, kdc, name);
	if (!group || err) {
		gk_free(&kdc->env, group, sizeof(*group));
		gk_kdc_release_timers(kdc, GROUP_TIMERS);
		return GK_ERR_NO_MEMORY;
	}
	while (*at) /* in the order of configuration */
		at = &(*at)->next;
	*at = group;
	*out = group;
	return GK_OK;
}

static void clear_timers(struct gk_group *group)
{
	struct gk_timers *timers = &group->kdc->timers;

	gk_timer_clear(timers, &group->rekey);
	gk_timer_clear(timers, &group->period);
	gk_timer_clear(timers, &group->cast);
	gk_timer_clear(timers, &group->confirm);
	gk_timer_clear(timers, &group->beacon);
	gk_timer_clear(timers, &group->judge);
}

void gk_group_free(struct gk_group *group)
{
	struct gk_kdc *kdc = group->kdc;
	struct gk_group **at = &kdc->groups;

	while (*at != group)
		at = &(*at)->next;
	*at = group->next;

	for (size_t i = 0; i < group->count; i++)
		gk_node_free(group->nodes[i]);
	gk_free(&kdc->env, group->nodes, group->cap * sizeof(struct gk_node *));
	gk_group_trim_stale(group, 0);
	gk_cast_drop(group);
	gk_blob_wipe(&kdc->env, &group->sealed);
	gk_blob_wipe(&kdc->env, &group->issuers);
	gk_blob_wipe(&kdc->env, &group->sleepers);
	gk_keytree_wipe(&group->tree);
	gk_free(&kdc->env, group->by_slot, group->slot_cap * sizeof(struct gk_node *));
	clear_timers(group);
	gk_kdc_release_timers(kdc, GROUP_TIMERS);
	gk_free(&kdc->env, group, sizeof(*group));
}

struct gk_span gk_group_name(const struct gk_group *group)
{
	return gk_span(group->name, group->name_len);
}

void gk_group_put_path(struct gk_buf *buf, const struct gk_group *group)
{
	gk_buf_add(buf, gk_blob_span(&group->kdc->roots.groups));
	gk_buf_byte(buf, '/');
	gk_buf_add(buf, gk_group_name(group));
}

void gk_group_put_uri_path(struct gk_buf *buf, const struct gk_group *group)
{
	gk_buf_byte(buf, '/');
	gk_buf_add(buf, gk_blob_span(&group->kdc->roots.groups));
	gk_buf_byte(buf, '/');
	gk_uri_put_segment(buf, gk_group_name(group));
}

struct gk_group *gk_group_find(const struct gk_kdc *kdc, struct gk_span name)
{
	for (struct gk_group *group = kdc->groups; group; group = group->next) {
		if (gk_span_equal(gk_group_name(group), name))
			return group;
	}
	return NULL;
}

struct gk_group *gk_group_find_served(const struct gk_kdc *kdc, struct gk_span name)
{
	struct gk_group *group = gk_group_find(kdc, name);

	return group && group->served ? group : NULL;
}

/* Gid = a random prefix for the group, then num: never twice, and unique among the KDC's groups
 * (RFC 10021 appendix C). */
struct gk_id gk_group_gid(const struct gk_group *group)
{
	struct gk_id gid = { .len = sizeof(group->gid_prefix) + GID_EPOCH_LEN };

	memcpy(gid.data, group->gid_prefix, sizeof(group->gid_prefix));
	for (size_t i = 0; i < GID_EPOCH_LEN; i++)
		gid.data[sizeof(group->gid_prefix) + i] =
			(uint8_t)(group->num >> 8 * (GID_EPOCH_LEN - 1 - i));
	return gid;
}

/* Material outlives the scheduled rekeying by one period, so that a KDC that was down for a
 * while does not leave a working group without keys. */
uint32_t gk_group_exi(const struct gk_group *group, struct gk_now now)
{
	int64_t age_s = (now.mono.ms - group->made_ms) / 1000;
	int64_t left_s = 2 * (int64_t)group->config.period_s - age_s;

	return left_s < 0 ? 0 : (uint32_t)left_s;
}

/* By elapsed time too: a router learns the time of day late, and then at once. */
struct gk_utc gk_group_exp(const struct gk_group *group, struct gk_now now)
{
	return (struct gk_utc){ now.utc.s + gk_group_exi(group, now) };
}

/* material */

static bool prefix_taken(const struct gk_group *group)
{
	for (const struct gk_group *g = group->kdc->groups; g; g = g->next) {
		if (g != group && memcmp(g->gid_prefix, group->gid_prefix, 2) == 0)
			return true;
	}
	return false;
}

/* The present material is made now. */
static void set_made(struct gk_group *group, struct gk_now now)
{
	group->made = now.utc;
	group->made_ms = now.mono.ms;
	group->inherited = false;
	gk_mark_num(group->kdc, group->num);
}

enum gk_err gk_group_create(struct gk_group *group, struct gk_now now)
{
	const struct gk_env *env = &group->kdc->env;
	enum gk_err err;

	do
		err = gk_random(env, group->gid_prefix, sizeof(group->gid_prefix));
	while (!err && prefix_taken(group));
	if (!err)
		err = gk_random(env, group->ms, sizeof(group->ms));
	if (!err)
		err = gk_random(env, group->tree.group.base_iv, sizeof(group->tree.group.base_iv));
	if (err)
		return err;
	group->num = group->kdc->first_num;
	gk_group_stale_now(group)->num = group->num;
	set_made(group, now);
	return GK_OK;
}

void gk_group_arm_period(struct gk_group *group)
{
	gk_timer_set(&group->kdc->timers, &group->period,
		     group->made_ms + 1000 * (int64_t)group->config.period_s);
}

/* Restarts do not put a rekeying off. If the clock went back meanwhile, the material counts as new
 * when it was restored. */
static void take_age(struct gk_group *group, struct gk_now now)
{
	int64_t age_s = now.utc.s - group->made.s;
	int64_t end_s = 2 * (int64_t)group->config.period_s;

	age_s = age_s < 0 ? 0 : age_s > end_s ? end_s : age_s;
	group->made_ms = now.mono.ms - 1000 * age_s;
	if (group->made_ms > group->resumed_ms)
		group->made_ms = group->resumed_ms;
	gk_group_arm_period(group);
}

void gk_group_resume(struct gk_group *group, struct gk_now now)
{
	group->resumed_ms = now.mono.ms;
	if (group->inherited)
		take_age(group, now);
	else
		gk_group_arm_period(group);
}

/* What was made in this life has an exact age, and what is wrong is the date of its making. */
void gk_group_correct_age(struct gk_group *group, struct gk_now now)
{
	if (group->inherited)
		take_age(group, now);
	else
		group->made.s = now.utc.s - (now.mono.ms - group->made_ms) / 1000;
}

enum gk_err gk_group_renew(struct gk_group *group, struct gk_now now)
{
	struct gk_kdc *kdc = group->kdc;
	uint8_t fresh[GK_MS_LEN + sizeof(group->secret)];
	enum gk_err err;

	if (group->num + 2 >= UINT32_MAX)
		return GK_ERR_SEQUENCE;
	err = gk_random(&kdc->env, fresh, sizeof(fresh));
	if (err)
		return err;
	memcpy(group->ms, fresh, sizeof(group->ms));
	memcpy(group->secret, fresh + sizeof(group->ms), sizeof(group->secret));
	gk_wipe(fresh, sizeof(fresh));
	group->old_num = group->num;
	/* Departures too many to be told of in one message: one version more, so that the members
	 * see a gap, and ask (P 11.3). */
	do {
		group->num++;
		gk_group_begin_stale(group);
	} while (group->stale[group->stale_count - 2].count > GK_STALE_TOLD_MAX);
	set_made(group, now);
	group->used = group->count > 0;
	group->rekey_pending = false;
	group->joiner = NULL;
	gk_timer_clear(&kdc->timers, &group->rekey);
	gk_group_arm_period(group);
	return GK_OK;
}

void gk_group_distribute(struct gk_group *group, const char *reason, struct gk_now now)
{
	bool cast = gk_cast_rekey(group, now);

	gk_wipe(group->secret, sizeof(group->secret));
	gk_record_group(group);
	group->totals.count++;
	gk_kdc_note_group(group->kdc, GK_NOTE_REKEYED, group, reason);
	gk_delivery_begin(group, cast, now);
	gk_cast_pump(group, now);
	gk_observe_rekeyed(group, now);
}

void gk_group_rekey(struct gk_group *group, struct gk_now now, const char *reason)
{
	if (gk_group_renew(group, now)) {
		gk_kdc_note_group(group->kdc, GK_NOTE_ERROR, group,
				  "no new material could be made; trying again");
		gk_timer_set(&group->kdc->timers, &group->rekey, now.mono.ms + RETRY_MS);
		return;
	}
	gk_group_distribute(group, reason, now);
}

/* The first departure opens the window; further ones do not prolong it. */
void gk_group_schedule_rekey(struct gk_group *group, struct gk_now now)
{
	group->rekey_pending = true;
	if (group->served && !group->rekey.slot)
		gk_timer_set(&group->kdc->timers, &group->rekey,
			     now.mono.ms + group->config.coalesce_ms);
}

/* members */

struct gk_node *gk_group_node_of(const struct gk_group *group, const struct gk_client *client)
{
	struct gk_node *node = client->nodes;

	while (node && node->group != group)
		node = node->next_of_client;
	return node;
}

static struct gk_span client_name(const struct gk_node *node)
{
	return gk_span(node->client->name, node->client->name_len);
}

static struct gk_node *find_node(const struct gk_group *group, struct gk_span name,
				 struct gk_span (*name_of)(const struct gk_node *))
{
	for (size_t i = 0; i < group->count; i++) {
		if (gk_span_equal(name_of(group->nodes[i]), name))
			return group->nodes[i];
	}
	return NULL;
}

/* Node names are ours and unique: a client cannot take one for its own name. */
struct gk_node *gk_group_node_named(const struct gk_group *group, struct gk_span name)
{
	struct gk_node *node = find_node(group, name, gk_node_name);

	return node ? node : find_node(group, name, client_name);
}

struct gk_span gk_node_name(const struct gk_node *node)
{
	return gk_span(node->name, node->name_len);
}

enum gk_err gk_node_new(struct gk_group *group, struct gk_client *client, struct gk_node **out)
{
	struct gk_kdc *kdc = group->kdc;
	enum gk_err err = gk_kdc_reserve_timers(kdc, 2);
	struct gk_node *node;

	if (err)
		return err;
	node = gk_alloc(&kdc->env, sizeof(*node));
	if (!node) {
		gk_kdc_release_timers(kdc, 2);
		return GK_ERR_NO_MEMORY;
	}
	node->group = group;
	node->client = client;
	gk_timer_init(&node->retry, GK_TIMER_RETRY, node);
	gk_timer_init(&node->check, GK_TIMER_CHECK, node);
	*out = node;
	return GK_OK;
}

void gk_node_free(struct gk_node *node)
{
	struct gk_kdc *kdc = node->group->kdc;

	gk_timer_clear(&kdc->timers, &node->retry);
	gk_timer_clear(&kdc->timers, &node->check);
	gk_observe_forget(node);
	gk_kdc_release_timers(kdc, 2);
	gk_blob_wipe(&kdc->env, &node->cred);
	gk_blob_wipe(&kdc->env, &node->control_path);
	gk_blob_wipe(&kdc->env, &node->scope);
	gk_free(&kdc->env, node, sizeof(*node));
}

static enum gk_err make_room(struct gk_group *group)
{
	const struct gk_env *env = &group->kdc->env;
	size_t cap = group->cap ? 2 * group->cap : 8;
	struct gk_node **nodes;

	if (group->count < group->cap)
		return GK_OK;
	nodes = env->alloc(env->ctx, group->nodes, cap * sizeof(struct gk_node *));
	if (!nodes)
		return GK_ERR_NO_MEMORY;
	group->nodes = nodes;
	group->cap = cap;
	return GK_OK;
}

/* "n" and the number; snprintf() belongs to the shell's world. */
static void write_name(struct gk_node *node)
{
	char digits[20];
	size_t count = 0;

	for (uint64_t n = node->number; n || !count; n /= 10)
		digits[count++] = (char)('0' + n % 10);
	node->name[0] = 'n';
	for (size_t i = 0; i < count; i++)
		node->name[1 + i] = digits[count - 1 - i];
	node->name_len = (uint8_t)(1 + count);
}

enum gk_err gk_group_add(struct gk_node *node, struct gk_now now)
{
	struct gk_group *group = node->group;
	enum gk_err err = make_room(group);

	if (err)
		return err;
	write_name(node);
	group->nodes[group->count++] = node;
	group->cred_bytes += node->cred.len;
	node->next_of_client = node->client->nodes;
	node->client->nodes = node;
	if (!node->client->address_count)
		gk_address_heard(group->kdc, node->client, &node->address, now);
	gk_presence_seen(node, GK_FACT_JOINED, now);
	return GK_OK;
}

static void unlink_node(struct gk_node *node)
{
	struct gk_group *group = node->group;
	struct gk_node **at = &node->client->nodes;
	size_t i = 0;

	while (*at != node)
		at = &(*at)->next_of_client;
	*at = node->next_of_client;
	while (group->nodes[i] != node)
		i++;
	memmove(&group->nodes[i], &group->nodes[i + 1],
		(group->count - i - 1) * sizeof(struct gk_node *));
	group->count--;
	group->cred_bytes -= node->cred.len;
	gk_client_drop_transfers(group->kdc, node->client); /* it may be of this group */
}

/* P 10: a node that is put out is told by exactly one message, which nothing waits for: a DELETE to
 * its control_uri, or a last answer to its observation of nodes/N. */
static void ask_to_leave(struct gk_node *node, struct gk_now now)
{
	uint8_t bytes[GK_URI_PATH_MAX + 16];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_DELETE);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_blob_span(&node->control_path));
	gk_client_tell_end(node->group->kdc, node, GK_OBSERVED_NOTHING, gk_buf_span(&buf), now);
}

/* Where both are possible, its control_uri: it gave that for such requests, and its answer is
 * authenticated. What it observes of a group that is deleted tells of that (R 6.1), and then of no
 * eviction besides. */
static void tell_end(struct gk_node *node, bool deleted, struct gk_now now)
{
	bool told = deleted && gk_observe_finish(node, GK_OBSERVED_GROUP, GK_COAP_NOT_FOUND,
						 GK_ACE_ERROR_GROUP_DELETED, now);

	if (node->has_control)
		ask_to_leave(node, now);
	else if (!told)
		(void)gk_observe_finish(node, GK_OBSERVED_NODE, GK_COAP_NOT_FOUND,
					GK_ACE_ERROR_TERMINATED, now);
	if (node->client->ending)
		gk_observe_finish_all(node, now);
}

static enum gk_fact last_fact(const struct gk_node *node, enum gk_note_kind kind)
{
	if (kind == GK_NOTE_LEFT)
		return GK_FACT_LEFT;
	return node->evicting ? GK_FACT_REMOVED : GK_FACT_PUT_OUT;
}

/* Its end as a member, stored before it is told of. */
static void put_out(struct gk_node *node, enum gk_note_kind kind, const char *reason,
		    struct gk_now now)
{
	const struct gk_group *group = node->group;

	gk_record_node_gone(node);
	gk_kdc_note(group->kdc, kind, node, reason);
	gk_evidence_end(node, last_fact(node, kind), reason, now);
	if (kind == GK_NOTE_EVICTED)
		tell_end(node, group->dissolving, now);
	unlink_node(node);
	gk_node_free(node);
}

void gk_group_remove(struct gk_node *node, enum gk_note_kind kind, const char *reason,
		     struct gk_now now)
{
	struct gk_group *group = node->group;

	if (node->has_sid && gk_group_add_stale(group, &node->sid))
		gk_queue_close(&group->kdc->queue);
	if (group->joiner == node)
		group->joiner = NULL;
	gk_mgt_leave(node);
	gk_delivery_forget(node, now);
	gk_group_schedule_rekey(group, now);
	if (!group->gathering)
		gk_record_group(group); /* a crash must not forget the rekeying that is due */
	put_out(node, kind, reason, now);
	gk_delivery_pump(group, now);
}

/* the end of a group */

void gk_group_dissolve(struct gk_group *group, const char *reason, struct gk_now now)
{
	group->joiner = NULL;
	group->dissolving = true;
	while (group->count) {
		struct gk_node *node = group->nodes[group->count - 1];

		gk_mgt_leave(node);
		gk_delivery_forget(node, now);
		put_out(node, GK_NOTE_EVICTED, reason, now);
	}
	group->dissolving = false;
}

static void forget_keys(struct gk_group *group)
{
	gk_mgt_clear(group);
	gk_cast_drop(group);
	gk_blob_wipe(&group->kdc->env, &group->sealed);
	gk_wipe(group->ms, sizeof(group->ms));
	gk_wipe(group->secret, sizeof(group->secret));
	gk_wipe(group->tree.group.base_iv, sizeof(group->tree.group.base_iv));
}

/* It stays linked: requests under way know it, and its prefix is not given to another. */
void gk_group_end(struct gk_group *group)
{
	forget_keys(group);
	clear_timers(group);
	gk_group_trim_stale(group, 1);
	gk_group_stale_now(group)->count = 0;
	group->served = group->used = group->rekey_pending = group->inherited = false;
	group->confirming = group->blind = false;
	group->ended = true;
	group->stats = (struct gk_rekeying_stats){ 0 };
	group->confirmations_refused = 0;
	gk_record_group(group);
}

enum gk_err gk_group_revive(struct gk_group *group, struct gk_now now)
{
	uint8_t *base_iv = group->tree.group.base_iv;
	enum gk_err err = gk_random(&group->kdc->env, base_iv, sizeof(group->tree.group.base_iv));

	if (!err)
		err = gk_group_renew(group, now);
	if (err)
		return err;
	gk_wipe(group->secret, sizeof(group->secret)); /* there is no tree yet */
	group->ended = false;
	return GK_OK;
}
