// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A message under a Gid that we do not know: we may have missed a rekeying. In one group we ask for
 * its version. Who is in several, which may share a multicast address, asks first of which of them
 * that is the Gid now (R 4.2.1, P 9.10): it is none of them if the message is of somebody else's
 * group, or of a member that is behind.
 */
#include "member_task.h"

static struct gk_membership *first_of(const struct gk_member *m, size_t *count)
{
	struct gk_membership *first = NULL;

	*count = 0;
	for (size_t i = m->group_count; i-- > 0;) {
		if (m->groups[i]->in) {
			first = m->groups[i];
			++*count;
		}
	}
	return first;
}

static void check_all(struct gk_member *m)
{
	for (size_t i = 0; i < m->group_count; i++) {
		if (m->groups[i]->in)
			gk_task_want(m->groups[i], GK_TASK_CHECK);
	}
}

static void note_gid(struct gk_member *m, struct gk_span gid)
{
	struct gk_id id;

	if (gk_id_set(&id, gid) || m->strange_count > GK_UNKNOWN_MAX)
		return;
	for (size_t i = 0; i < m->strange_count && i < GK_UNKNOWN_MAX; i++) {
		if (gk_id_equal(&m->strange[i], &id))
			return;
	}
	if (m->strange_count < GK_UNKNOWN_MAX)
		m->strange[m->strange_count] = id;
	m->strange_count++;
}

void gk_member_miss_gid(struct gk_member *m, struct gk_span gid, struct gk_now now)
{
	size_t count;
	struct gk_membership *first = first_of(m, &count);

	if (count == 1) {
		gk_membership_pull_later(first, GK_DUE_PULL, now);
	} else if (count) {
		note_gid(m, gid);
		gk_membership_pull_later(first, GK_DUE_WHICH, now);
	}
}

void gk_membership_due_which(struct gk_membership *ms, struct gk_now now)
{
	struct gk_member *m = ms->member;

	(void)now;
	if (m->strange_count && m->strange_count <= GK_UNKNOWN_MAX) {
		gk_task_want(ms, GK_TASK_WHICH);
		return;
	}
	m->strange_count = 0;
	check_all(m);
}

/* {gid: [ + bstr ]} */
enum gk_err gk_which_build(struct gk_task_request *r)
{
	const struct gk_member *m = r->m;
	size_t count = m->strange_count < GK_UNKNOWN_MAX ? m->strange_count : GK_UNKNOWN_MAX;
	struct gk_buf *buf;

	gk_coap_put_uint(&r->w, GK_OPT_CONTENT_FORMAT, GK_CF_ACE_GROUPCOMM);
	buf = gk_coap_open_payload(&r->w);
	gk_put_map(buf, 1);
	gk_put_int(buf, GK_PARAM_GID);
	gk_put_array(buf, count);
	for (size_t i = 0; i < count; i++)
		gk_put_bytes(buf, gk_id_span(&m->strange[i]));
	return GK_OK;
}

static void check_named(struct gk_member *m, struct gk_span names)
{
	struct gk_cbor c = gk_cbor(names);
	struct gk_cbor_iter it = gk_cbor_array(&c);

	while (gk_cbor_more(&c, &it)) {
		struct gk_membership *ms = gk_member_find(m, gk_cbor_text(&c));

		if (!c.err && ms && ms->in)
			gk_task_want(ms, GK_TASK_CHECK);
	}
}

/* Without a map none was found. */
void gk_which_done(struct gk_task_answer *a)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_GNAME, GK_CBOR_ARRAY, true },
	};
	struct gk_cbor_item item;

	a->m->strange_count = 0;
	if (a->msg->code != GK_COAP_CONTENT)
		check_all(a->m); /* it may not be able to tell */
	else if (!gk_cbor_read_map(a->msg->payload, fields, 1, &item))
		check_named(a->m, item.encoded);
}
