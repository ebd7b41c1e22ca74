// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A rekeying message to the group is made and signed once (docs/rekeying.md sections 4, 7).
 */
#include "delivery.h"
#include "group.h"
#include "multicast.h"

#define MATERIAL_ROOM 1152
#define TAG_LEN       8 /* of AES-CCM-16-64-128 */
#define JOINED_ROOM   64

/** A message being made. */
struct making {
	struct gk_group *group;
	struct gk_keytree_rekeying tree;
	struct gk_rekeying message;
	size_t room; /* entries in one part */
};

/* Between the header, where the code is, and the payload. */
static size_t route_len(const struct gk_group *group)
{
	struct gk_buf buf = { 0 };

	gk_cast_put_route(&buf, group);
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
		.leisure_ms = gk_cast_leisure_ms(group),
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

	gk_cast_put_route(&buf, group);
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
	cast = gk_cast_new(group, parts);
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
