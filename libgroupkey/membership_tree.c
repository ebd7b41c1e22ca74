// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The rekeying scheme "tree" at a member (docs/rekeying.md sections 5, 8 to 10): keys of the tree
 * as they come by unicast, messages of the KDC to the group, confirmations.
 *
 * Nobody protects these messages but the KDC's signature: nothing here changes before it, but the
 * count of what was refused.
 */
#include "member.h"

#include "uri.h"

#include <string.h>

#define MATERIAL_ROOM   2048
#define SEGMENTS_MAX    8     /* of control_group_uri; ours have two */
#define VERIFY_PAUSE_MS 5000  /* between signatures that anyone can make us verify */
#define PARTS_WAIT_MS   10000 /* for another part, before we ask */

static struct gk_tree_group tree_of(const struct gk_membership *ms)
{
	struct gk_tree_group group = { .name = gk_membership_name(ms) };

	memcpy(group.base_iv, ms->tree.base_iv, sizeof(group.base_iv));
	return group;
}

static void forget_parts(struct gk_membership *ms)
{
	gk_blob_wipe(&ms->member->env, &ms->tree.parts.seen);
	gk_wipe(&ms->tree.parts, sizeof(ms->tree.parts));
	ms->due_ms[GK_DUE_PARTS] = GK_NEVER;
}

static void forget_confirming(struct gk_membership *ms)
{
	gk_wipe(&ms->tree.confirming, sizeof(ms->tree.confirming));
	ms->due_ms[GK_DUE_CONFIRM] = GK_NEVER;
}

/* what the KDC says by unicast */

void gk_membership_leave_tree(struct gk_membership *ms)
{
	forget_parts(ms);
	forget_confirming(ms);
	ms->due_ms[GK_DUE_RECOVER] = GK_NEVER;
	gk_wipe(&ms->tree, sizeof(ms->tree));
}

void gk_membership_enter_tree(struct gk_membership *ms, const struct gk_public_key *signer)
{
	gk_membership_leave_tree(ms);
	if (!signer)
		return;
	ms->tree.offered = true;
	ms->tree.signer = *signer;
}

bool gk_membership_in_tree(const struct gk_membership *ms)
{
	return ms->tree.path_len && ms->tree.path.known;
}

bool gk_membership_shows_num(const struct gk_membership *ms)
{
	return gk_membership_in_tree(ms) && ms->has_material;
}

/* Split a path without '/' in front as Uri-Path is (RFC 7252 section 6.4).
 * @return the number of segments, or SEGMENTS_MAX + 1 if there are more */
static size_t split(struct gk_span path, struct gk_span segments[static SEGMENTS_MAX])
{
	size_t count = 0, from = 0;

	for (size_t i = 0; i <= path.len; i++) {
		if (i < path.len && path.data[i] != '/')
			continue;
		if (count == SEGMENTS_MAX)
			return SEGMENTS_MAX + 1;
		segments[count++] = gk_span_sub(path, from, i - from);
		from = i + 1;
	}
	return count;
}

static bool take_uri(struct gk_membership_tree *tree, struct gk_span uri)
{
	struct gk_span path, segments[SEGMENTS_MAX];
	struct gk_addr group;

	if (gk_uri_read(uri, &group, &path) || group.ip[0] != 0xff || !path.len ||
	    path.len > sizeof(tree->uri_path) || split(path, segments) > SEGMENTS_MAX)
		return false;
	memcpy(tree->uri_path, path.data, path.len);
	tree->path_len = (uint8_t)path.len;
	tree->group = group;
	return true;
}

static bool read_path(struct gk_membership_tree *tree, const struct gk_material *material)
{
	struct gk_mgt_material mgt;

	if (gk_mgt_material_read(material->mgt, &mgt) ||
	    gk_keypath_read(mgt.path, (uint32_t)material->num, mgt.slot, &tree->path))
		return false;
	memcpy(tree->base_iv, mgt.base_iv, sizeof(tree->base_iv));
	tree->repeat = mgt.repeat;
	return true;
}

static void follow(struct gk_membership *ms, const struct gk_material *material)
{
	struct gk_membership_tree *tree = &ms->tree;

	gk_wipe(&tree->path, sizeof(tree->path));
	if (material->has_mgt) {
		if (!read_path(tree, material))
			gk_member_note(ms, GK_NOTE_ERROR, GK_VIA_NONE,
				       "mgt_key_material cannot be used");
	} else if (tree->next.known && tree->next.num == material->num) {
		tree->path = tree->next;
	}
	gk_wipe(&tree->next, sizeof(tree->next));
}

void gk_membership_take_path(struct gk_membership *ms, const struct gk_material *material)
{
	if (!ms->tree.offered)
		return;
	follow(ms, material);
	if (material->has_control_group && !take_uri(&ms->tree, material->control_group))
		gk_member_note(ms, GK_NOTE_ERROR, GK_VIA_NONE, "control_group_uri cannot be used");
	forget_parts(ms); /* they went with the keys before */
	if (ms->tree.confirming.num != material->num)
		forget_confirming(ms);
}

/* recovery */

/* P 11.3: once we know that we missed something, the material of V is used no more. What others
 * may ask at the same time, we ask after a while; and not at all if it has come until then. */
static void recover(struct gk_membership *ms, const struct gk_rekeying *message, struct gk_now now)
{
	uint32_t wait_ms =
		message->leisure_ms > GK_PULL_JITTER_MS ? message->leisure_ms : GK_PULL_JITTER_MS;

	if (message->num > ms->tree.told)
		ms->tree.told = message->num;
	ms->recovering = true;
	gk_membership_drop_material(ms);
	if (ms->due_ms[GK_DUE_RECOVER] == GK_NEVER)
		ms->due_ms[GK_DUE_RECOVER] = now.mono.ms + gk_member_jitter(ms->member, wait_ms);
}

/* Our own resource has all: the material, and our keys in the tree. */
void gk_membership_due_recover(struct gk_membership *ms, struct gk_now now)
{
	(void)now;
	if (gk_membership_newest(ms) < ms->tree.told)
		gk_task_want(ms, GK_TASK_MATERIAL);
}

/* messages in several parts */

/* What is sealed is sealed for one num. */
static bool is_same(const struct gk_rekeying *message, const uint8_t digest[static GK_HASH_LEN])
{
	uint8_t own[GK_HASH_LEN];

	return gk_sha256(message->material, own) == GK_OK && memcmp(own, digest, sizeof(own)) == 0;
}

static bool collects(const struct gk_parts *parts, const struct gk_rekeying *message)
{
	return parts->seen.data && parts->last_part == message->last_part &&
	       is_same(message, parts->digest);
}

static bool has_part(const struct gk_parts *parts, const struct gk_rekeying *message)
{
	return collects(parts, message) &&
	       parts->seen.data[message->part / 8] >> message->part % 8 & 1;
}

static bool begin_parts(struct gk_membership *ms, const struct gk_rekeying *message)
{
	struct gk_parts *parts = &ms->tree.parts;
	size_t len = message->last_part / 8 + 1;

	forget_parts(ms);
	parts->seen.data = gk_alloc(&ms->member->env, len);
	if (!parts->seen.data)
		return false;
	parts->seen.len = len;
	parts->num = message->num;
	parts->last_part = message->last_part;
	parts->missing = (size_t)message->last_part + 1;
	return gk_sha256(message->material, parts->digest) == GK_OK;
}

/* The rest is for others. */
static void keep_entries(struct gk_membership_tree *tree, struct gk_span entries)
{
	struct gk_buf kept = gk_buf(tree->parts.entries, sizeof(tree->parts.entries));

	kept.len = tree->parts.entries_len;
	for (size_t at = 0; at < entries.len; at += GK_TREE_ENTRY_LEN) {
		struct gk_span entry = gk_span_sub(entries, at, GK_TREE_ENTRY_LEN);

		if (entry.len == GK_TREE_ENTRY_LEN && kept.cap - kept.len >= entry.len &&
		    gk_keypath_wants(&tree->path, entry.data))
			gk_buf_add(&kept, entry);
	}
	tree->parts.entries_len = kept.len;
}

static bool add_part(struct gk_membership *ms, const struct gk_rekeying *message)
{
	struct gk_parts *parts = &ms->tree.parts;

	if (!collects(parts, message) && !begin_parts(ms, message))
		return false;
	parts->seen.data[message->part / 8] |= (uint8_t)(1u << message->part % 8);
	parts->missing--;
	keep_entries(&ms->tree, message->step.entries);
	return true;
}

void gk_membership_due_parts(struct gk_membership *ms, struct gk_now now)
{
	struct gk_rekeying missed = { .num = ms->tree.parts.num };

	forget_parts(ms);
	recover(ms, &missed, now);
}

/* confirmations */

static enum gk_err put_confirmation(const struct gk_membership *ms,
				    const struct gk_rekeying *message, struct gk_span gid,
				    const struct gk_keypath *path, struct gk_buf *buf)
{
	uint8_t mac[GK_REKEYING_MAC_LEN], bytes[GK_CONFIRM_MAX];
	struct gk_confirmation confirmation = { gid, path->slot, gk_span(mac, sizeof(mac)) };
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w;
	enum gk_err err = gk_confirmation_mac(gk_membership_name(ms), message->num, path->slot,
					      message->material, path->node[0].bytes,
					      gk_keypath_root(path), mac);

	gk_confirmation_put(&payload, &confirmation);
	w = gk_coap_begin(buf, GK_COAP_CHANGED);
	gk_coap_put_payload(&w, gk_buf_span(&payload));
	if (!err)
		err = gk_buf_err(&payload);
	return err ? err : gk_buf_err(buf);
}

/* One at a time: copies that come until then call for no other. */
static void confirm_later(struct gk_membership *ms, struct gk_now now)
{
	struct gk_confirming *confirming = &ms->tree.confirming;

	if (!confirming->leisure_ms || !confirming->left || ms->due_ms[GK_DUE_CONFIRM] != GK_NEVER)
		return;
	confirming->left--;
	ms->due_ms[GK_DUE_CONFIRM] =
		now.mono.ms + gk_member_jitter(ms->member, confirming->leisure_ms);
}

static void begin_confirming(struct gk_membership *ms, const struct gk_rekeying *message,
			     struct gk_span gid, const struct gk_keypath *path, struct gk_now now)
{
	struct gk_confirming *confirming = &ms->tree.confirming;
	struct gk_buf buf = gk_buf(confirming->message, sizeof(confirming->message));

	forget_confirming(ms);
	if (gk_sha256(message->material, confirming->digest) ||
	    put_confirmation(ms, message, gid, path, &buf))
		return;
	confirming->num = message->num;
	confirming->part = message->part;
	confirming->left = ms->tree.repeat + 1u;
	confirming->len = buf.len;
	confirming->leisure_ms = message->leisure_ms;
	confirm_later(ms, now);
}

/* To the KDC of our association and nobody else, whoever seemed to have sent the copy. */
void gk_membership_due_confirm(struct gk_membership *ms, struct gk_now now)
{
	const struct gk_confirming *confirming = &ms->tree.confirming;
	struct gk_addr peer = ms->member->kdc;

	(void)now;
	peer.port = ms->tree.group.port;
	gk_queue_add(&ms->member->queue,
		     &(struct gk_event){ .kind = GK_EVENT_CONFIRM,
					 .peer = peer,
					 .bytes = gk_span(confirming->message, confirming->len) });
}

/* rekeying messages */

/* What all members get names no single one's Sender ID or keys. */
static bool is_for_all(const struct gk_material *material)
{
	return material->stale.len && !material->has_sid && !material->has_mgt;
}

static void install(struct gk_membership *ms, const struct gk_rekeying *message,
		    const struct gk_keypath *next, struct gk_span payload, struct gk_now now)
{
	struct gk_material material;

	if (gk_material_read(payload, &material) || material.num != message->num ||
	    !is_for_all(&material)) {
		gk_membership_refuse(ms, "material that does not fit its message");
		recover(ms, message, now);
		return;
	}
	ms->tree.next = *next;
	if (gk_membership_take(ms, &material, payload, GK_VIA_MULTICAST, now) ==
	    GK_COAP_UNAVAILABLE)
		recover(ms, message, now);
	else if (gk_membership_newest(ms) == message->num)
		begin_confirming(ms, message, material.gid, next, now);
}

static bool opens(const struct gk_membership *ms, const struct gk_rekeying *message,
		  struct gk_keypath *next, struct gk_buf *plain)
{
	const struct gk_parts *parts = &ms->tree.parts;
	struct gk_tree_group group = tree_of(ms);
	struct gk_tree_step step = message->step;

	if (message->last_part)
		step.entries = gk_span(parts->entries, parts->entries_len);
	return gk_keypath_advance(&ms->tree.path, &group, &step, next) == GK_OK &&
	       gk_rekeying_open(&group, message, gk_keypath_root(next), plain) == GK_OK;
}

static void open_verified(struct gk_membership *ms, const struct gk_rekeying *message,
			  struct gk_now now)
{
	uint8_t bytes[MATERIAL_ROOM];
	struct gk_buf plain = gk_buf(bytes, sizeof(bytes));
	struct gk_keypath next = { 0 };

	if (opens(ms, message, &next, &plain)) {
		forget_parts(ms);
		install(ms, message, &next, gk_buf_span(&plain), now);
	} else if (message->last_part && ms->tree.parts.missing) {
		ms->due_ms[GK_DUE_PARTS] = now.mono.ms + PARTS_WAIT_MS;
	} else {
		forget_parts(ms);
		recover(ms, message, now);
	}
	gk_wipe(&next, sizeof(next));
	gk_wipe(bytes, sizeof(bytes));
}

static void refuse_signature(struct gk_membership *ms, struct gk_now now)
{
	gk_membership_refuse(ms, "wrong signature");
	gk_membership_failed(ms, &ms->tree.failures, now);
}

/* The MAC is made with a key that only the group has: it keeps outsiders from making us verify
 * signatures. */
static void take_rekeying(struct gk_membership *ms, const struct gk_rekeying *message,
			  struct gk_now now)
{
	const struct gk_membership_tree *tree = &ms->tree;
	struct gk_span name = gk_membership_name(ms);

	if (gk_rekeying_check_mac(message, name, gk_keypath_root(&tree->path)))
		gk_membership_refuse(ms, "wrong MAC");
	else if (has_part(&tree->parts, message))
		return; /* a copy */
	else if (gk_rekeying_verify(message, name, &tree->signer))
		refuse_signature(ms, now);
	else if (message->last_part && !add_part(ms, message))
		recover(ms, message, now); /* no memory for it */
	else
		open_verified(ms, message, now);
}

/* A beacon, or a rekeying message of which our keys are not the old ones. */
static void take_gap(struct gk_membership *ms, const struct gk_rekeying *message, struct gk_now now)
{
	struct gk_membership_tree *tree = &ms->tree;

	if (now.mono.ms < tree->next_verify_ms) { /* as good as traffic under an unknown Gid */
		gk_membership_pull_later(ms, GK_DUE_PULL, now);
		return;
	}
	tree->next_verify_ms = now.mono.ms + VERIFY_PAUSE_MS;
	if (gk_rekeying_verify(message, gk_membership_name(ms), &tree->signer))
		refuse_signature(ms, now);
	else
		recover(ms, message, now);
}

/* Whoever got the material by unicast, or in a Join Response, has nothing to compare it with. */
static void take_copy(struct gk_membership *ms, const struct gk_rekeying *message,
		      struct gk_now now)
{
	const struct gk_confirming *confirming = &ms->tree.confirming;

	if (message->type != GK_REKEYING || confirming->num != message->num)
		return;
	if (!is_same(message, confirming->digest))
		gk_membership_refuse(ms, "unlike the message that brought this version");
	else if (message->part == confirming->part)
		confirm_later(ms, now);
}

static bool follows(const struct gk_keypath *path, const struct gk_rekeying *message)
{
	return message->type == GK_REKEYING && path->known && path->num == message->old_num;
}

static void take_message(struct gk_membership *ms, const struct gk_rekeying *message,
			 struct gk_now now)
{
	int64_t newest = gk_membership_newest(ms);

	if (message->num < newest)
		ms->refused++; /* a late copy, or a replay: nothing to tell of */
	else if (message->num == newest)
		take_copy(ms, message, now);
	else if (follows(&ms->tree.path, message))
		take_rekeying(ms, message, now);
	else
		take_gap(ms, message, now);
}

/* whose message it is */

static bool is_to(const struct gk_membership *ms, const struct gk_coap *msg)
{
	struct gk_span path = gk_span(ms->tree.uri_path, ms->tree.path_len);
	struct gk_span segments[SEGMENTS_MAX];

	return path.len && gk_coap_path_is(msg, segments, split(path, segments));
}

static struct gk_membership *find_by_path(const struct gk_member *m, const struct gk_coap *msg)
{
	for (size_t i = 0; i < m->group_count; i++) {
		if (is_to(m->groups[i], msg))
			return m->groups[i];
	}
	return NULL;
}

void gk_membership_multicast(struct gk_member *m, struct gk_span bytes, struct gk_now now)
{
	struct gk_rekeying message;
	struct gk_membership *ms;
	struct gk_coap msg;
	enum gk_err err;

	if (gk_coap_parse(bytes, &msg) || msg.code != GK_COAP_POST ||
	    gk_coap_find_uint(&msg, GK_OPT_CONTENT_FORMAT, -1) != GK_CF_ACE_GROUPCOMM)
		return;
	ms = find_by_path(m, &msg);
	if (!ms)
		return;
	err = gk_rekeying_read(msg.payload, &message);
	if (!err)
		take_message(ms, &message, now);
	else if (err != GK_ERR_UNSUPPORTED) /* a type of which we know nothing */
		gk_membership_refuse(ms, "malformed");
}
