// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Groups come, change and go by configuration.
 */
#include "delivery.h"
#include "group.h"
#include "presence.h"

#include <string.h>

/* values */

void gk_group_defaults(struct gk_group_config *config)
{
	*config = (struct gk_group_config){
		.active = true,
		.sign_alg = GK_ALG_ES256,
		.cred_fmt = GK_HEADER_KCCS,
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
			      .sleep_max_s = 86400,
			      .evict = true,
			      .evict_rate = 60,
			      .mass_loss_percent = 50,
			      .mass_loss_window_s = 600 },
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

static bool presence_in_range(const struct gk_presence_config *c)
{
	const struct bounds bounds[] = {
		{ c->check_interval_s, 1, YEAR_S }, { c->probes, 1, 100 },
		{ c->probe_wait_s, 1, 3600 },       { c->grace_s, 0, YEAR_S },
		{ c->sleep_max_s, 1, YEAR_S },      { c->evict_rate, 1, 60000 },
		{ c->mass_loss_percent, 1, 100 },   { c->mass_loss_window_s, 1, YEAR_S },
	};

	return in_range(bounds, sizeof(bounds) / sizeof(bounds[0]));
}

static bool config_in_range(const struct gk_group_config *c)
{
	const struct bounds bounds[] = {
		{ c->mode, GK_MODE_GROUP, GK_MODE_BOTH },
		{ c->period_s, 10, YEAR_S },
		{ c->coalesce_ms, 0, 3600000 },
		{ c->in_flight, 1, GK_REQUESTS_MAX / 2 },
		{ c->stale_sets, 2, GK_STALE_SETS_MAX },
		{ c->members_max, 1, 60000 },
		{ c->rekey.scheme, GK_POINT_TO_POINT, GK_TREE },
	};

	return in_range(bounds, sizeof(bounds) / sizeof(bounds[0])) &&
	       presence_in_range(&c->presence) &&
	       (c->rekey.scheme == GK_POINT_TO_POINT || tree_in_range(&c->rekey)) &&
	       c->name.len >= 1 && c->name.len <= GK_GROUP_NAME_MAX;
}

/* checks */

static bool is_supported(const struct gk_group_config *config)
{
	bool dh = config->mode == GK_MODE_PAIRWISE;
	int crv = dh ? gk_dh_curve(config->sign_alg) : gk_sign_curve(config->sign_alg);

	return gk_sign_curve(config->sign_alg) && gk_cred_has_curve(config->cred_fmt, crv) &&
	       (config->mode == GK_MODE_GROUP || gk_dh_curve(config->sign_alg));
}

/* How members of a group protect their messages is what they joined with. */
static bool is_alike(const struct gk_group *group, const struct gk_group_config *config)
{
	return group->config.sign_alg == config->sign_alg && group->config.mode == config->mode &&
	       group->config.cred_fmt == config->cred_fmt;
}

/* Members of the tree listen at the address that they were told when they joined. What a group that
 * was restored told them, nobody knows. */
static bool moves(const struct gk_group *group, const struct gk_group_config *config)
{
	const struct gk_addr *from = &group->config.rekey.control_group;
	const struct gk_addr *to = &config->rekey.control_group;

	return group->served &&
	       (memcmp(from->ip, to->ip, sizeof(from->ip)) != 0 || from->port != to->port);
}

static bool ends_tree(const struct gk_group *group, const struct gk_group_config *config)
{
	return gk_mgt_in_use(group) &&
	       (config->rekey.scheme == GK_POINT_TO_POINT || moves(group, config));
}

static bool needs_store(const struct gk_kdc *kdc, const struct gk_group *group,
			const struct gk_group_config *config)
{
	return !group || group->ended || !gk_kdc_has_keys(kdc, config) || ends_tree(group, config);
}

enum gk_err gk_kdc_check_group(const struct gk_kdc *kdc, const struct gk_group_config *config)
{
	const struct gk_group *group;

	if (!config_in_range(config))
		return GK_ERR_RANGE;
	if (!is_supported(config))
		return GK_ERR_UNSUPPORTED;
	if (gk_cred_check_issuers(config->cred_fmt, config->cred_issuers))
		return GK_ERR_CREDENTIAL;
	if (gk_sleepers_check(&config->presence))
		return GK_ERR_RANGE;
	group = gk_group_find(kdc, config->name);
	if (group && group->count && !is_alike(group, config))
		return GK_ERR_FORBIDDEN;
	if (kdc->storage == GK_STORAGE_NONE && needs_store(kdc, group, config))
		return GK_ERR_NO_SPACE;
	return GK_OK;
}

/* serving */

/* What the present configuration borrows from. */
static void point_at_lists(struct gk_group *group)
{
	group->config.cred_issuers = gk_blob_span(&group->issuers);
	group->config.presence.sleepers = (const struct gk_span *)(void *)group->sleepers.data;
}

/* What can fail of it. */
static enum gk_err take_lists(struct gk_group *group, const struct gk_group_config *config)
{
	const struct gk_env *env = &group->kdc->env;
	struct gk_blob issuers = { NULL, 0 }, sleepers;
	enum gk_err err = gk_sleepers_copy(env, &config->presence, &sleepers);

	if (!err && gk_cred_has_issuer(config->cred_fmt))
		err = gk_blob_set(env, &issuers, config->cred_issuers);
	if (err) {
		gk_blob_wipe(env, &sleepers);
		return err;
	}
	gk_blob_move(env, &group->issuers, &issuers);
	gk_blob_move(env, &group->sleepers, &sleepers);
	group->config.presence.sleeper_count = config->presence.sleeper_count;
	point_at_lists(group);
	return GK_OK;
}

static void serve(struct gk_group *group, const struct gk_group_config *config)
{
	group->config = *config;
	group->config.name = gk_group_name(group);
	point_at_lists(group);
	gk_group_trim_stale(group, config->stale_sets);
	group->served = true;
}

static const char *overdue(const struct gk_group *group, struct gk_now now)
{
	if (group->rekey_pending)
		return "departure before the restart";
	return group->period.at_ms <= now.mono.ms ? "scheduled" : NULL;
}

/* Go on where a restart or a crash interrupted. */
static void resume(struct gk_group *group, struct gk_now now)
{
	bool put_off = group->kdc->storage == GK_STORAGE_NONE;
	const char *reason;
	bool cast;

	if (group->config.rekey.scheme == GK_POINT_TO_POINT)
		gk_mgt_clear(group);
	cast = gk_cast_resume(group, now);
	gk_group_resume(group, now);
	gk_sleep_judge_group(group, now);
	for (size_t i = 0; i < group->count; i++)
		gk_presence_start(group->nodes[i], now);
	reason = overdue(group, now);
	if (reason && !put_off)
		gk_group_rekey(group, now, reason);
	else
		gk_delivery_begin(group, cast, now);
	if (put_off && group->rekey_pending)
		gk_group_schedule_rekey(group, now);
	gk_cast_pump(group, now);
}

/* Its first material is made, or (again after its end) its next. */
static enum gk_err begin(struct gk_group *group, const struct gk_group_config *config,
			 struct gk_now now)
{
	enum gk_err err = take_lists(group, config);

	if (!err)
		err = group->ended ? gk_group_revive(group, now) : gk_group_create(group, now);
	if (err)
		return err;
	serve(group, config);
	gk_group_arm_period(group);
	gk_record_group(group);
	return gk_queue_err(&group->kdc->queue);
}

static enum gk_err serve_new(struct gk_kdc *kdc, const struct gk_group_config *config,
			     struct gk_now now)
{
	struct gk_group *group;
	enum gk_err err = gk_group_new(kdc, config->name, &group);

	if (err)
		return err;
	err = begin(group, config, now);
	if (err && !group->served)
		gk_group_free(group);
	return err;
}

/* The mark of a store from before there were marks knows of no num, and has to before that store is
 * lost. */
static void mark_inherited(struct gk_kdc *kdc)
{
	if (kdc->marked || kdc->storage == GK_STORAGE_NONE)
		return;
	kdc->marked = true;
	gk_record_mark(kdc);
}

enum gk_err gk_kdc_add_group(struct gk_kdc *kdc, const struct gk_group_config *config,
			     struct gk_now now)
{
	struct gk_group *group = gk_group_find(kdc, config->name);
	enum gk_err err = group && group->served ? GK_ERR_STATE : gk_kdc_check_group(kdc, config);

	if (!err)
		err = gk_kdc_need_keys(kdc, config);
	if (err)
		return err;
	if (!group)
		return serve_new(kdc, config, now);
	if (group->ended)
		return begin(group, config, now);
	err = gk_mgt_restored(group);
	if (!err)
		err = take_lists(group, config);
	if (err)
		return err;
	serve(group, config);
	mark_inherited(kdc);
	resume(group, now);
	return gk_queue_err(&kdc->queue);
}

/* changing */

/* Who took part in it is told by messages of its own from now on, and takes part again once it has
 * joined again. */
static void end_tree(struct gk_group *group, struct gk_now now)
{
	gk_mgt_clear(group);
	gk_record_group(group);
	gk_delivery_fall_back(group, now);
}

static bool same_presence(const struct gk_presence_config *a, const struct gk_presence_config *b)
{
	return a->check_interval_s == b->check_interval_s && a->probes == b->probes &&
	       a->probe_wait_s == b->probe_wait_s && a->grace_s == b->grace_s &&
	       a->sleep_max_s == b->sleep_max_s && a->evict == b->evict &&
	       a->evict_rate == b->evict_rate && a->mass_loss_percent == b->mass_loss_percent &&
	       a->mass_loss_window_s == b->mass_loss_window_s;
}

static bool same_beacon(const struct gk_rekey_config *a, const struct gk_rekey_config *b)
{
	return a->beacon_min_s == b->beacon_min_s && a->beacon_max_s == b->beacon_max_s;
}

static void retime(struct gk_group *group, struct gk_now now)
{
	for (size_t i = 0; i < group->count; i++)
		gk_presence_retime(group->nodes[i], now);
	gk_witness_lost(group, now);
}

/* Timers that run by the old values. */
static void take_effect(struct gk_group *group, const struct gk_group_config *old,
			struct gk_now now)
{
	const struct gk_group_config *new = &group->config;

	if (old->period_s != new->period_s)
		gk_group_arm_period(group);
	if (!same_beacon(&old->rekey, &new->rekey))
		gk_cast_reset_beacon(group, now);
	if (!same_presence(&old->presence, &new->presence))
		retime(group, now);
	gk_sleep_judge_group(group, now);
	if (old->active != new->active)
		gk_observe_activity(group, now);
	gk_delivery_pump(group, now);
}

enum gk_err gk_kdc_change_group(struct gk_kdc *kdc, const struct gk_group_config *config,
				struct gk_now now)
{
	enum gk_err err = gk_kdc_check_group(kdc, config);
	struct gk_group *group = err ? NULL : gk_group_find_served(kdc, config->name);
	struct gk_group_config old;
	bool without_tree;

	if (!err && !group)
		err = GK_ERR_UNKNOWN;
	if (!err)
		err = gk_kdc_need_keys(kdc, config);
	if (!err)
		err = take_lists(group, config);
	if (err)
		return err;
	old = group->config;
	without_tree = ends_tree(group, config);
	serve(group, config);
	if (without_tree)
		end_tree(group, now);
	take_effect(group, &old, now);
	return gk_queue_err(&kdc->queue);
}

/* ending */

enum gk_err gk_kdc_remove_group(struct gk_kdc *kdc, struct gk_span name, struct gk_now now)
{
	struct gk_group *group = gk_group_find(kdc, name);

	if (!group || group->ended)
		return GK_ERR_UNKNOWN;
	if (kdc->storage == GK_STORAGE_NONE)
		return GK_ERR_NO_SPACE;
	gk_group_dissolve(group, "the group was deleted", now);
	gk_group_end(group);
	gk_kdc_note_group(kdc, GK_NOTE_ENDED, group, NULL);
	return gk_queue_err(&kdc->queue);
}

bool gk_kdc_unserved_next(const struct gk_kdc *kdc, size_t *at, struct gk_span *name)
{
	size_t i = 0;

	for (const struct gk_group *group = kdc->groups; group; group = group->next) {
		if (group->served || group->ended || i++ < *at)
			continue;
		(*at)++;
		*name = gk_group_name(group);
		return true;
	}
	return false;
}
