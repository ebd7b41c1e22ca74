// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Rekeying messages to the group (docs/rekeying.md section 12): stored, sent 'repeat' times,
 * and sent again after a restart.
 *
 * The first copy of a message in one part goes out at once, whatever the link's budget says, since
 * a departure takes effect with it; everything else waits for its share of the link. What members
 * send takes its share when it arrives.
 */
#include "multicast.h"
#include "delivery.h"
#include "group.h"

#include <string.h>

uint32_t gk_cast_jitter(struct gk_kdc *kdc, uint32_t max)
{
	uint32_t value = 0;

	if (gk_random(&kdc->env, (uint8_t *)&value, sizeof(value)))
		return max / 2;
	return max ? value % max : 0;
}

void gk_cast_put_route(struct gk_buf *buf, const struct gk_group *group)
{
	struct gk_coap_writer w = gk_coap_begin(buf, GK_COAP_POST);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_blob_span(&group->kdc->roots.groups));
	gk_coap_put(&w, GK_OPT_URI_PATH, gk_group_name(group));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_buf_byte(buf, 0xff);
}

/* casts */

static void free_cast(const struct gk_env *env, struct gk_cast *cast)
{
	for (size_t i = 0; cast->parts && i < cast->count; i++)
		gk_blob_wipe(env, &cast->parts[i]);
	gk_free(env, cast->parts, cast->count * sizeof(*cast->parts));
	*cast = (struct gk_cast){ 0 };
}

static void remove_cast(struct gk_group *group, size_t i)
{
	free_cast(&group->kdc->env, &group->casts[i]);
	group->cast_count--;
	memmove(&group->casts[i], &group->casts[i + 1],
		(group->cast_count - i) * sizeof(group->casts[0]));
}

void gk_cast_drop(struct gk_group *group)
{
	while (group->cast_count)
		remove_cast(group, group->cast_count - 1);
	gk_timer_clear(&group->kdc->timers, &group->cast);
}

void gk_cast_forget(struct gk_group *group)
{
	static const struct gk_cast none;

	gk_cast_drop(group);
	gk_record_cast(group, &none, group->cast_parts);
	group->cast_parts = 0;
	group->confirming = false;
	gk_timer_clear(&group->kdc->timers, &group->confirm);
	gk_blob_wipe(&group->kdc->env, &group->sealed);
}

struct gk_cast *gk_cast_new(struct gk_group *group, size_t parts)
{
	struct gk_cast *cast;

	if (group->cast_count && !group->casts[group->cast_count - 1].copies)
		remove_cast(group, group->cast_count - 1);
	if (group->cast_count == GK_CASTS_MAX)
		remove_cast(group, 0);
	cast = &group->casts[group->cast_count];
	*cast = (struct gk_cast){ .num = group->num, .copies = group->config.rekey.repeat };
	cast->parts = gk_alloc(&group->kdc->env, parts * sizeof(*cast->parts));
	if (!cast->parts)
		return NULL;
	cast->count = parts;
	group->cast_count++;
	return cast;
}

/* sending */

static bool newest(const struct gk_group *group, const struct gk_cast *cast)
{
	return cast == &group->casts[group->cast_count - 1] && cast->num == group->num;
}

/* All who hear this copy confirm it within the leisure. */
static void await(struct gk_group *group, const struct gk_cast *cast, struct gk_now now)
{
	if (!newest(group, cast) || !group->confirming)
		return;
	gk_timer_set(&group->kdc->timers, &group->confirm,
		     now.mono.ms + cast->leisure_ms + GK_CONFIRM_MARGIN_MS +
			     (cast->copies ? 2 * (int64_t)group->config.rekey.repeat_ms : 0));
}

static void send_part(struct gk_group *group, struct gk_cast *cast, struct gk_now now)
{
	struct gk_kdc *kdc = group->kdc;
	struct gk_span bytes = gk_blob_span(&cast->parts[cast->next++]);
	size_t len = bytes.len - 1 + GK_CAST_HEADER_LEN; /* the code is in the header */

	gk_queue_add(&kdc->queue, &(struct gk_event){ .kind = GK_EVENT_MULTICAST,
						      .peer = group->config.rekey.control_group,
						      .bytes = bytes });
	gk_budget_charge(&kdc->budget, gk_air_of(len).bytes, now.mono.ms);
	group->totals.datagrams++;
	group->totals.bytes += len;
	if (newest(group, cast)) {
		group->stats.datagrams++;
		group->stats.bytes += len;
	}
}

/* One copy is complete: the next comes after a pause. */
static void end_copy(struct gk_group *group, struct gk_cast *cast, struct gk_now now)
{
	uint32_t pause_ms = group->config.rekey.repeat_ms;

	cast->next = 0;
	cast->copies--;
	cast->due_ms = now.mono.ms + pause_ms / 2 + gk_cast_jitter(group->kdc, pause_ms);
	await(group, cast, now);
}

static bool is_urgent(const struct gk_group *group, const struct gk_cast *cast)
{
	return cast->next == 0 && cast->copies == group->config.rekey.repeat;
}

static void send_due(struct gk_group *group, struct gk_cast *cast, struct gk_now now)
{
	while (cast->copies && cast->due_ms <= now.mono.ms) {
		int64_t ready_ms = gk_budget_ready_ms(&group->kdc->budget, now.mono.ms);

		if (ready_ms > now.mono.ms && !is_urgent(group, cast)) {
			cast->due_ms = ready_ms;
			return;
		}
		send_part(group, cast, now);
		if (cast->next == cast->count)
			end_copy(group, cast, now);
	}
}

/* The newest one stays, for gk_cast_again(). */
void gk_cast_pump(struct gk_group *group, struct gk_now now)
{
	int64_t due_ms = GK_NEVER;

	for (size_t i = 0; i < group->cast_count;) {
		struct gk_cast *cast = &group->casts[i];

		send_due(group, cast, now);
		if (!cast->copies && !newest(group, cast)) {
			remove_cast(group, i);
			continue;
		}
		if (cast->copies && cast->due_ms < due_ms)
			due_ms = cast->due_ms;
		i++;
	}
	if (due_ms != GK_NEVER)
		gk_timer_set(&group->kdc->timers, &group->cast, due_ms);
}

/* the store */

static enum gk_err read_part(struct gk_span bytes, struct gk_rekeying *message)
{
	struct gk_coap coap;
	enum gk_err err = gk_coap_parse(bytes, &coap);

	return err ? err : gk_rekeying_read(coap.payload, message);
}

/* The first part to come says how many there are. */
static enum gk_err begin_restore(struct gk_group *group, int64_t num, size_t count)
{
	struct gk_cast *cast = &group->casts[0];

	cast->parts = gk_alloc(&group->kdc->env, count * sizeof(*cast->parts));
	if (!cast->parts)
		return GK_ERR_NO_MEMORY;
	cast->num = num;
	cast->count = count;
	group->cast_count = 1;
	group->cast_parts = count;
	return GK_OK;
}

enum gk_err gk_cast_restore(struct gk_group *group, size_t part, int64_t num,
			    struct gk_span message)
{
	struct gk_cast *cast = &group->casts[0];
	struct gk_rekeying read;
	enum gk_err err = read_part(message, &read);

	if (err)
		return err;
	if (read.type != GK_REKEYING || read.part != part || read.num != num || num > group->num)
		return GK_ERR_RANGE;
	if (!group->cast_count)
		err = begin_restore(group, num, read.last_part + 1u);
	else if (cast->num != num || cast->count != read.last_part + 1u || cast->parts[part].data)
		err = GK_ERR_RANGE;
	return err ? err : gk_blob_set(&group->kdc->env, &cast->parts[part], message);
}

enum gk_err gk_cast_restored(const struct gk_group *group)
{
	for (size_t i = 0; i < group->cast_parts; i++) {
		if (!group->casts[0].parts[i].data)
			return GK_ERR_MISSING;
	}
	return GK_OK;
}

/* @return true if there is somebody in the tree who may not have the present material */
static bool is_wanted(const struct gk_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		if (group->nodes[i]->in_tree && group->nodes[i]->num < group->num)
			return true;
	}
	return false;
}

void gk_cast_settle(struct gk_group *group)
{
	if (group->cast_count && !is_wanted(group))
		gk_cast_drop(group);
}

void gk_cast_again(struct gk_group *group, struct gk_now now)
{
	struct gk_cast *cast = group->cast_count ? &group->casts[group->cast_count - 1] : NULL;

	if (cast && newest(group, cast) && !cast->copies && !cast->leisure_ms && is_wanted(group)) {
		cast->copies = group->config.rekey.repeat;
		cast->due_ms = now.mono.ms;
	}
	gk_cast_pump(group, now);
}

static void resume_cast(struct gk_group *group, struct gk_cast *cast, struct gk_now now)
{
	struct gk_rekeying message;
	enum gk_err err = read_part(gk_blob_span(&cast->parts[0]), &message);

	if (!err)
		err = gk_blob_set(&group->kdc->env, &group->sealed, message.material);
	if (err) { /* it was read before: no memory */
		gk_queue_close(&group->kdc->queue);
		return;
	}
	cast->copies = group->config.rekey.repeat;
	cast->due_ms = now.mono.ms;
	cast->leisure_ms = message.leisure_ms;
	group->confirming = message.leisure_ms;
}

bool gk_cast_resume(struct gk_group *group, struct gk_now now)
{
	gk_cast_reset_beacon(group, now);
	if (!group->cast_count)
		return false;
	if (group->casts[0].num != group->num || !is_wanted(group)) {
		gk_cast_drop(group);
		return false;
	}
	resume_cast(group, &group->casts[0], now);
	return true;
}
