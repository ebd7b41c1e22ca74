// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What a member asks of the KDC, and what the answers mean: a row of a table for each kind.
 */
#include "member_task.h"

/* leaving */

static void done_leave(struct gk_task_answer *a)
{
	if (a->msg->code == GK_COAP_DELETED)
		gk_membership_left(a->ms);
	else
		gk_task_complain(a->m, a->ms, "the KDC refuses to let us leave");
}

/* catching up (P 11.3) */

static enum gk_err build_stale(struct gk_task_request *r)
{
	uint8_t bytes[9];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_int(&buf, r->ms->num);
	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_CBOR);
	gk_coap_put_payload(&r->w, gk_buf_span(&buf));
	return GK_OK;
}

static void fetch_whole(struct gk_membership *ms)
{
	gk_blob_wipe(&ms->member->env, &ms->held);
	gk_task_want(ms, GK_TASK_MATERIAL);
}

/* No payload: the KDC no longer knows, forget everybody. 4.00: it has nothing newer than ours. */
static void done_stale(struct gk_task_answer *a)
{
	struct gk_membership *ms = a->ms;
	bool told = a->msg->code == GK_COAP_CONTENT && a->msg->payload.len;
	struct gk_material held;

	if (told)
		gk_membership_remove_peers(ms, a->msg->payload);
	else
		gk_membership_remove_all_peers(ms);
	if (!ms->held.data || gk_material_read(gk_blob_span(&ms->held), &held))
		gk_task_want(ms, GK_TASK_MATERIAL);
	else if (told && !held.has_sid && gk_membership_lists_own(ms, a->msg->payload))
		gk_membership_lose_sid(ms); /* ours is another's, or will be */
	else if (!told && !held.has_sid && ms->has_sid)
		fetch_whole(ms); /* it says which Sender ID is ours now; a monitor has none */
	else
		gk_membership_install_held(ms, GK_VIA_PULL, a->now);
}

/* Another Sender ID than ours: the answer that gave it to us was lost. */
static bool sid_differs(const struct gk_membership *ms, const struct gk_material *material)
{
	return ms->has_sid && material->has_sid &&
	       !gk_span_equal(gk_id_span(&ms->sid), material->sid);
}

/* Newer material is on its way, or will be asked for. */
static bool awaits_newer(const struct gk_membership *ms)
{
	return ms->held.data || ms->wants & 1u << GK_TASK_MATERIAL ||
	       ms->due_ms[GK_DUE_RECOVER] != GK_NEVER;
}

/* Without newer material, and with ours at its end, only a new Sender ID is safe: our sequence
 * number for the old one is given up, and may not start again. */
void gk_membership_answered(struct gk_membership *ms, const struct gk_material *material,
			    struct gk_span payload)
{
	if (material->num > ms->num)
		gk_membership_hold(ms, payload, material->num);
	else if ((!ms->has_material && !awaits_newer(ms)) || sid_differs(ms, material))
		gk_membership_lose_sid(ms);
}

static void done_material(struct gk_task_answer *a)
{
	struct gk_material material;

	if (a->msg->code != GK_COAP_CONTENT || gk_material_read(a->msg->payload, &material)) {
		gk_task_complain(a->m, a->ms, "the KDC gives no material");
		gk_task_want(a->ms, GK_TASK_MATERIAL);
		gk_task_pause(a->m, ++a->m->failures, a->now);
		return;
	}
	gk_membership_answered(a->ms, &material, a->msg->payload);
}

/* {get_creds: [these and nobody else, or all others; [], ids]} (R 4.4.1). The ids follow. */
static struct gk_buf *open_filter(struct gk_task_request *r, bool these, size_t count)
{
	struct gk_buf *buf;

	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	buf = gk_coap_open_payload(&r->w);
	gk_put_map(buf, 1);
	gk_put_int(buf, GK_PARAM_GET_CREDS);
	gk_put_array(buf, 3);
	gk_put_bool(buf, these);
	gk_put_array(buf, 0);
	gk_put_array(buf, count);
	return buf;
}

static enum gk_err build_senders(struct gk_task_request *r)
{
	const struct gk_membership *ms = r->ms;
	size_t count = ms->unknown_count < GK_UNKNOWN_MAX ? ms->unknown_count : GK_UNKNOWN_MAX;
	struct gk_buf *buf = open_filter(r, true, count);

	for (size_t i = 0; i < count; i++)
		gk_put_bytes(buf, gk_id_span(&ms->unknown[i]));
	return GK_OK;
}

static enum gk_err build_newcomers(struct gk_task_request *r)
{
	const struct gk_membership *ms = r->ms;
	struct gk_buf *buf = open_filter(r, false, ms->peer_count + ms->has_sid);

	if (ms->has_sid)
		gk_put_bytes(buf, gk_id_span(&ms->sid));
	for (size_t i = 0; i < ms->peer_count; i++)
		gk_put_bytes(buf, gk_id_span(&ms->peers[i].id));
	return GK_OK;
}

enum { C_NUM, C_CREDS, C_ROLES, C_IDS, C_COUNT };

static const struct gk_cbor_field creds_fields[C_COUNT] = {
	[C_NUM] = { GK_PARAM_NUM, GK_CBOR_UINT, true },
	[C_CREDS] = { GK_PARAM_CREDS, GK_CBOR_ARRAY, true },
	[C_ROLES] = { GK_PARAM_PEER_ROLES, GK_CBOR_ARRAY, true },
	[C_IDS] = { GK_PARAM_PEER_IDENTIFIERS, GK_CBOR_ARRAY, true },
};

/* Credentials of a newer version than ours belong to it: fetch that first (P 11.3, case c). */
static void done_creds(struct gk_task_answer *a)
{
	struct gk_cbor_item item[C_COUNT];
	bool all = a->m->out.task == GK_TASK_CREDS;

	a->ms->unknown_count = 0;
	if (!all && a->msg->code != GK_COAP_CONTENT)
		gk_task_want(a->ms, GK_TASK_CREDS); /* it may not be able to choose */
	if (a->msg->code != GK_COAP_CONTENT ||
	    gk_cbor_read_map(a->msg->payload, creds_fields, C_COUNT, item))
		return; /* nobody has a credential: the zero-length byte string */
	if (item[C_NUM].number > a->ms->num) {
		gk_task_want(a->ms, GK_TASK_MATERIAL);
		gk_task_want(a->ms, GK_TASK_CREDS);
		return;
	}
	if (item[C_NUM].number < a->ms->num) {
		gk_task_want(a->ms, GK_TASK_CREDS);
		if (item[C_NUM].number >= a->m->out.num)
			return; /* a rekeying message overtook the answer */
		gk_task_complain(a->m, a->ms, "the KDC is behind the version that it gave us");
		gk_task_pause(a->m, ++a->m->failures, a->now);
		return;
	}
	if (gk_membership_set_peers(a->ms, item[C_CREDS].encoded, item[C_ROLES].encoded,
				    item[C_IDS].encoded, all, a->now))
		gk_task_complain(a->m, a->ms, "credentials of others cannot be used");
}

static void put_decimal(struct gk_buf *buf, int64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	gk_buf_add(buf, gk_span(digits + at, sizeof(digits) - at));
}

/* With our version, which tells the KDC that its message to the group has arrived. */
static enum gk_err build_check(struct gk_task_request *r)
{
	uint8_t bytes[32];
	struct gk_buf query = gk_buf(bytes, sizeof(bytes));

	r->m->out.checks = r->ms->checks;
	if (!gk_membership_shows_num(r->ms))
		return GK_OK;
	gk_buf_add(&query, gk_span_str("num="));
	put_decimal(&query, r->ms->num);
	gk_coap_put(&r->w, GK_OPT_URI_QUERY, gk_buf_span(&query));
	return GK_OK;
}

/* For the application. What was asked before it wanted to know is not what it waits for: the answer
 * may be as old. */
static void report_check(struct gk_task_answer *a, bool told, int64_t num)
{
	if (!a->m->out.checks)
		return;
	a->ms->checks = false;
	if (told)
		gk_queue_note(&a->m->queue, &(struct gk_note){ .kind = GK_NOTE_CHECKED,
							       .group = gk_membership_name(a->ms),
							       .num = num });
	else
		gk_task_complain(a->m, a->ms, "the KDC does not tell its newest version");
}

static void done_check(struct gk_task_answer *a)
{
	struct gk_cbor c = gk_cbor(a->msg->payload);
	int64_t num = gk_cbor_int(&c);
	bool told = a->msg->code == GK_COAP_CONTENT && !gk_cbor_end(&c);

	report_check(a, told, num);
	if (told && (num > a->ms->num || !a->ms->has_material))
		gk_task_want(a->ms, GK_TASK_MATERIAL);
}

/* Key Renewal */

static const struct gk_cbor_field renew_fields[] = {
	{ GK_PARAM_GROUP_SENDER_ID, GK_CBOR_BYTES, true },
};

/* 2.04, or 2.05 of older KDCs. */
static void done_renew(struct gk_task_answer *a)
{
	struct gk_cbor_item item;

	if ((a->msg->code != GK_COAP_CHANGED && a->msg->code != GK_COAP_CONTENT) ||
	    gk_cbor_read_map(a->msg->payload, renew_fields, 1, &item) ||
	    gk_membership_renew_sid(a->ms, item.string))
		gk_task_complain(a->m, a->ms, "the KDC gives no new Sender ID");
}

/* the table */

const struct gk_task_row gk_task_rows[GK_TASK_COUNT] = {
	[GK_TASK_TOKEN] = { GK_COAP_POST, NULL, gk_token_build, gk_token_done },
	[GK_TASK_LEAVE] = { GK_COAP_DELETE, "*", NULL, done_leave },
	[GK_TASK_JOIN] = { GK_COAP_POST, "", gk_join_build, gk_join_done },
	[GK_TASK_STALE] = { GK_COAP_FETCH, "stale-sids", build_stale, done_stale },
	[GK_TASK_MATERIAL] = { GK_COAP_GET, "*", NULL, done_material },
	[GK_TASK_OBSERVE] = { GK_COAP_GET, "", NULL, gk_watch_done },
	[GK_TASK_OBSERVE_NODE] = { GK_COAP_GET, "*", gk_watch_build_node, gk_watch_done },
	[GK_TASK_RENEW] = { GK_COAP_POST, "*", NULL, done_renew },
	[GK_TASK_SENDERS] = { GK_COAP_FETCH, "creds", build_senders, done_creds },
	[GK_TASK_NEWCOMERS] = { GK_COAP_FETCH, "creds", build_newcomers, done_creds },
	[GK_TASK_CREDS] = { GK_COAP_GET, "creds", NULL, done_creds },
	[GK_TASK_WHICH] = { GK_COAP_FETCH, "/", gk_which_build, gk_which_done },
	[GK_TASK_CHECK] = { GK_COAP_GET, "num", build_check, done_check },
	[GK_TASK_ACTIVE] = { GK_COAP_GET, "active", NULL, gk_active_done },
	[GK_TASK_KDC_CRED] = { GK_COAP_GET, "kdc-cred", NULL, gk_kdc_cred_done },
	[GK_TASK_CRED] = { GK_COAP_POST, "**cred", gk_cred_build, gk_cred_done },
};
