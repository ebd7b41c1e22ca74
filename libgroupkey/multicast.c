// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Rekeying messages to the group (docs/rekeying.md sections 4, 7, 9, 11, 12): made and signed once,
 * stored, sent 'repeat' times; confirmations of them; beacons.
 *
 * The first copy of a message in one part goes out at once, whatever the link's budget says, since
 * a departure takes effect with it; everything else waits for its share of the link. What members
 * send takes its share when it arrives.
 */
#include "kdc.h"

#include <string.h>

#define MATERIAL_ROOM       1152
#define TAG_LEN             8 /* of AES-CCM-16-64-128 */
#define JOINED_ROOM         64
#define ROUTE_ROOM          (GK_GROUP_NAME_MAX + 32) /* a message beside its payload */
#define HEADER_LEN          4                        /* of CoAP, without a token */
#define CONFIRMATION_LEN    32                       /* CoAP message of a confirmation */
#define CONFIRM_ALL_MAX     64                       /* members up to which 'auto' is 'all' */
#define CONFIRM_MARGIN_MS   2000                     /* for the way of the last confirmations */
#define LEISURE_MIN_MS      500
#define LEISURE_MAX_MS      600000
#define DEFAULT_BYTES_PER_S 7812 /* a quarter of 250 kbit/s */

static uint32_t jitter(struct gk_kdc *kdc, uint32_t max)
{
	uint32_t value = 0;

	if (gk_random(&kdc->env, (uint8_t *)&value, sizeof(value)))
		return max / 2;
	return max ? value % max : 0;
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

/* @return a place for a new cast; one that is sent, or the oldest one, makes room */
static struct gk_cast *new_cast(struct gk_group *group, size_t parts)
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
		     now.mono.ms + cast->leisure_ms + CONFIRM_MARGIN_MS +
			     (cast->copies ? 2 * (int64_t)group->config.rekey.repeat_ms : 0));
}

static void send_part(struct gk_group *group, struct gk_cast *cast, struct gk_now now)
{
	struct gk_kdc *kdc = group->kdc;
	struct gk_span bytes = gk_blob_span(&cast->parts[cast->next++]);
	size_t len = bytes.len - 1 + HEADER_LEN; /* the code is in the header */

	gk_queue_add(&kdc->queue, &(struct gk_event){ .kind = GK_EVENT_MULTICAST,
						      .peer = group->config.rekey.control_group,
						      .bytes = bytes });
	gk_budget_charge(&kdc->budget, gk_air_of(len).bytes, now.mono.ms);
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
	cast->due_ms = now.mono.ms + pause_ms / 2 + jitter(group->kdc, pause_ms);
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

/* making */

/* RFC 7252 section 8.2: lb_Leisure = S * G / R. */
static uint32_t leisure_ms(const struct gk_group *group)
{
	uint64_t rate = group->kdc->budget.bytes_per_s ? group->kdc->budget.bytes_per_s
						       : DEFAULT_BYTES_PER_S;
	uint64_t members = gk_keytree_members(&group->tree);
	uint64_t ms = members * gk_air_of(CONFIRMATION_LEN).bytes * 1000 / rate;

	return (uint32_t)(ms < LEISURE_MIN_MS   ? LEISURE_MIN_MS
			  : ms > LEISURE_MAX_MS ? LEISURE_MAX_MS
						: ms);
}

int64_t gk_cast_patience_ms(const struct gk_group *group)
{
	const struct gk_rekey_config *rekey = &group->config.rekey;

	return (int64_t)leisure_ms(group) + CONFIRM_MARGIN_MS +
	       2 * (int64_t)rekey->repeat * rekey->repeat_ms;
}

static bool wants_confirmations(const struct gk_group *group)
{
	enum gk_confirm confirm = group->config.rekey.confirm;

	return confirm == GK_CONFIRM_ALL ||
	       (confirm == GK_CONFIRM_AUTO && gk_keytree_members(&group->tree) <= CONFIRM_ALL_MAX);
}

/** A message being made. */
struct making {
	struct gk_group *group;
	struct gk_keytree_rekeying tree;
	struct gk_rekeying message;
	size_t room; /* entries in one part */
};

static void put_route(struct gk_buf *buf, const struct gk_group *group)
{
	struct gk_coap_writer w = gk_coap_begin(buf, GK_COAP_POST);

	gk_coap_put(&w, GK_OPT_URI_PATH, gk_span_str("ace-group"));
	gk_coap_put(&w, GK_OPT_URI_PATH, gk_group_name(group));
	gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	gk_buf_byte(buf, 0xff);
}

/* Between the header, where the code is, and the payload. */
static size_t route_len(const struct gk_group *group)
{
	struct gk_buf buf = { 0 };

	put_route(&buf, group);
	return buf.len - 1;
}

static size_t entry_count(const struct making *m)
{
	return m->tree.entries.len / GK_TREE_ENTRY_LEN;
}

/* @return false: what the message says beside the material does not fit into one part */
static bool put_material(struct making *m, bool joiner, struct gk_buf *plain, struct gk_now now)
{
	gk_buf_truncate(plain, 0);
	gk_group_put_rekeying(plain, m->group, joiner, NULL, now);
	m->message.material = gk_span(NULL, plain->len + TAG_LEN);
	return !plain->overflow &&
	       entry_count(m) <= gk_rekeying_room(&m->message, route_len(m->group));
}

/* Once: the nonce is that of the version. */
static enum gk_err seal(struct making *m, struct gk_span plain)
{
	struct gk_group *group = m->group;
	uint8_t bytes[MATERIAL_ROOM + TAG_LEN];
	struct gk_buf sealed = gk_buf(bytes, sizeof(bytes));
	enum gk_err err =
		gk_rekeying_seal(&group->tree.group, (uint32_t)group->old_num, (uint32_t)group->num,
				 gk_keytree_root(&group->tree)->key.bytes, plain, &sealed);

	if (!err)
		err = gk_blob_set(&group->kdc->env, &group->sealed, gk_buf_span(&sealed));
	m->message.material = gk_blob_span(&group->sealed);
	return err;
}

/* If the joiner's credential would make it several parts, others will ask for it. */
static enum gk_err make_material(struct making *m, struct gk_now now)
{
	uint8_t bytes[MATERIAL_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	if (!gk_group_joiner_fits(m->group) || !put_material(m, true, &plain, now))
		(void)put_material(m, false, &plain, now);
	err = gk_buf_err(&plain);
	if (!err)
		err = seal(m, gk_buf_span(&plain));
	gk_wipe(bytes, sizeof(bytes));
	return err;
}

static enum gk_err fill(struct making *m, struct gk_buf *joined, struct gk_now now)
{
	struct gk_group *group = m->group;
	enum gk_err err;

	gk_put_array(joined, m->tree.joined_count);
	for (size_t i = 0; i < m->tree.joined_count; i++)
		gk_put_uint(joined, m->tree.joined[i]);
	m->message = (struct gk_rekeying){
		.type = GK_REKEYING,
		.num = (uint32_t)group->num,
		.old_num = (uint32_t)group->old_num,
		.leisure_ms = wants_confirmations(group) ? leisure_ms(group) : 0,
		.step = { .num = (uint32_t)group->num,
			  .height = group->tree.height,
			  .joined = gk_buf_span(joined) },
	};
	err = gk_buf_err(joined);
	return err ? err : make_material(m, now);
}

static enum gk_err make_part(struct making *m, size_t part, struct gk_blob *out)
{
	const struct gk_group *group = m->group;
	uint8_t bytes[GK_REKEYING_COAP_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	put_route(&buf, group);
	m->message.part = (uint16_t)part;
	m->message.step.entries =
		gk_span_sub(gk_blob_span(&m->tree.entries), part * m->room * GK_TREE_ENTRY_LEN,
			    m->room * GK_TREE_ENTRY_LEN);
	err = gk_rekeying_put(&buf, gk_group_name(group), &m->message,
			      gk_kdc_sign_key(group->kdc, group->config.sign_alg),
			      m->tree.old_root);
	return err ? err : gk_blob_set(&group->kdc->env, out, gk_buf_span(&buf));
}

/* The numbers of the parts take room themselves. @return how many parts, 0: no entry fits */
static size_t split(struct making *m)
{
	size_t count = entry_count(m), overhead = route_len(m->group), parts = 1, before = 0;

	while (parts != before) {
		before = parts;
		m->message.part = m->message.last_part = (uint16_t)(parts - 1);
		m->room = gk_rekeying_room(&m->message, overhead);
		if (!m->room || count / m->room > UINT16_MAX - 1)
			return 0;
		parts = count > before * m->room ? (count + m->room - 1) / m->room : before;
	}
	return parts;
}

static enum gk_err make(struct making *m, struct gk_now now)
{
	uint8_t bytes[JOINED_ROOM];
	struct gk_buf joined = gk_buf(bytes, sizeof(bytes));
	struct gk_group *group = m->group;
	size_t before = group->cast_parts;
	struct gk_cast *cast;
	enum gk_err err = fill(m, &joined, now);
	size_t parts = err ? 0 : split(m);

	if (!parts)
		return err ? err : GK_ERR_NO_SPACE;
	cast = new_cast(group, parts);
	if (!cast)
		return GK_ERR_NO_MEMORY;
	cast->leisure_ms = m->message.leisure_ms;
	for (size_t i = 0; !err && i < parts; i++)
		err = make_part(m, i, &cast->parts[i]);
	group->cast_parts = parts;
	if (!err)
		gk_record_cast(group, cast, before);
	return err;
}

static bool has_readers(const struct gk_group *group)
{
	size_t joiner = group->joiner && group->joiner->in_tree;

	return gk_keytree_members(&group->tree) > joiner;
}

static enum gk_err rekey_tree(struct gk_group *group, struct making *m)
{
	enum gk_err err =
		gk_keytree_rekey(&group->tree, (uint32_t)group->num, group->secret, &m->tree);

	for (size_t i = 0; !err && i < group->tree.changed_count; i++)
		gk_record_tree(group, group->tree.changed[i]);
	return err;
}

/* No half-made rekeying may go on: what fails here ends the object. */
bool gk_cast_rekey(struct gk_group *group, struct gk_now now)
{
	struct making m = { .group = group };
	bool readers = has_readers(group);
	enum gk_err err = GK_OK;

	if (gk_keytree_members(&group->tree) || group->tree.left_count)
		err = rekey_tree(group, &m);
	gk_timer_clear(&group->kdc->timers, &group->confirm);
	gk_blob_wipe(&group->kdc->env, &group->sealed);
	if (!err && readers)
		err = make(&m, now);
	group->confirming = readers && m.message.leisure_ms;
	gk_keytree_done(&group->tree, &m.tree);
	gk_wipe(&m, sizeof(m));
	if (err)
		gk_queue_close(&group->kdc->queue);
	gk_cast_reset_beacon(group, now);
	return readers && !err;
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

/* confirmations */

/* The group that has, or had, this Gid. */
static struct gk_group *group_of(struct gk_kdc *kdc, struct gk_span gid)
{
	for (struct gk_group *group = kdc->groups; group; group = group->next) {
		struct gk_id now = gk_group_gid(group);

		if (group->served && gid.len == now.len &&
		    memcmp(gid.data, group->gid_prefix, sizeof(group->gid_prefix)) == 0)
			return group;
	}
	return NULL;
}

static struct gk_node *node_at(const struct gk_group *group, uint16_t slot)
{
	return slot < group->slot_cap ? group->by_slot[slot] : NULL;
}

static bool is_right(const struct gk_group *group, const struct gk_node *node,
		     const struct gk_confirmation *confirmation)
{
	struct gk_tree_name leaf = { .level = 0, .index = confirmation->slot };
	struct gk_id gid = gk_group_gid(group);
	uint8_t mac[GK_REKEYING_MAC_LEN];

	return node && gk_span_equal(gk_id_span(&gid), confirmation->gid) && group->sealed.len &&
	       confirmation->mac.len == sizeof(mac) &&
	       gk_confirmation_mac(gk_group_name(group), (uint32_t)group->num, node->slot,
				   gk_blob_span(&group->sealed),
				   gk_keytree_node(&group->tree, leaf)->key.bytes,
				   gk_keytree_root(&group->tree)->key.bytes, mac) == GK_OK &&
	       gk_equal(mac, confirmation->mac.data, sizeof(mac));
}

/* A second one of the same member is of no use but to the account of the link: one for each copy,
 * and one more (docs/rekeying.md section 9), so that replays do not empty it. */
static void accept(struct gk_group *group, struct gk_node *node, struct gk_now now)
{
	if (node->confirmations > group->config.rekey.repeat)
		return;
	node->confirmations++;
	gk_budget_charge(&group->kdc->budget, gk_air_of(CONFIRMATION_LEN).bytes, now.mono.ms);
	if (node->num == group->num)
		return;
	gk_client_seen(node->client, now);
	gk_delivery_confirmed(node, GK_VIA_MULTICAST, now);
}

void gk_cast_receive(struct gk_kdc *kdc, struct gk_span message, struct gk_now now)
{
	struct gk_confirmation confirmation;
	struct gk_coap coap;
	struct gk_group *group;
	struct gk_node *node;

	if (gk_coap_parse(message, &coap) || coap.code != GK_COAP_CHANGED ||
	    gk_confirmation_read(coap.payload, &confirmation))
		return;
	group = group_of(kdc, confirmation.gid);
	if (!group)
		return;
	node = node_at(group, confirmation.slot);
	if (is_right(group, node, &confirmation))
		accept(group, node, now);
	else
		group->confirmations_refused++;
}

/* the beacon: Trickle (RFC 6206) that is never suppressed, since nobody else sends it */

static void begin_interval(struct gk_group *group, int64_t start_ms)
{
	uint32_t half_ms = (uint32_t)(group->beacon_ms / 2);
	uint32_t at_ms = half_ms + jitter(group->kdc, half_ms);

	group->beacon_left_ms = group->beacon_ms - at_ms;
	gk_timer_set(&group->kdc->timers, &group->beacon, start_ms + at_ms);
}

void gk_cast_reset_beacon(struct gk_group *group, struct gk_now now)
{
	gk_timer_clear(&group->kdc->timers, &group->beacon);
	if (!group->config.rekey.beacon_min_s || !gk_keytree_members(&group->tree))
		return;
	group->beacon_ms = 1000 * (int64_t)group->config.rekey.beacon_min_s;
	begin_interval(group, now.mono.ms);
}

static void send_beacon(struct gk_group *group, struct gk_now now)
{
	uint8_t bytes[ROUTE_ROOM + 128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_rekeying beacon = { .type = GK_REKEYING_BEACON, .num = (uint32_t)group->num };
	struct gk_kdc *kdc = group->kdc;

	put_route(&buf, group);
	if (gk_rekeying_put(&buf, gk_group_name(group), &beacon,
			    gk_kdc_sign_key(kdc, group->config.sign_alg), NULL))
		return;
	gk_queue_add(&kdc->queue, &(struct gk_event){ .kind = GK_EVENT_MULTICAST,
						      .peer = group->config.rekey.control_group,
						      .bytes = gk_buf_span(&buf) });
	gk_budget_charge(&kdc->budget, gk_air_of(buf.len - 1 + HEADER_LEN).bytes, now.mono.ms);
}

void gk_cast_beacon(struct gk_group *group, struct gk_now now)
{
	int64_t max_ms = 1000 * (int64_t)group->config.rekey.beacon_max_s;

	if (!gk_keytree_members(&group->tree))
		return;
	send_beacon(group, now); /* in debt too: it is small and rare, and others wait for it */
	group->beacon_ms = 2 * group->beacon_ms < max_ms ? 2 * group->beacon_ms : max_ms;
	begin_interval(group, now.mono.ms + group->beacon_left_ms);
}
