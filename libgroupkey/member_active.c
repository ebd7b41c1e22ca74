// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * While its group is not active a member takes no message of it, and sends none (P 9.9). It asks
 * the KDC whether it is, when it asks for the version of the keys, and more often while it is not.
 * A KDC that refuses something for that reason has told it too. New keys it takes all the time.
 */
#include "member_task.h"

#define ASK_AGAIN_MS 300000 /* ... and as much as the half of it at random */

/* A new Sender ID or credential would be refused (P 9.2, 9.4), and nobody can use it. */
unsigned gk_membership_deferred(const struct gk_membership *ms)
{
	return ms->inactive ? 1u << GK_TASK_RENEW | 1u << GK_TASK_CRED : 0;
}

void gk_membership_set_active(struct gk_membership *ms, bool active, struct gk_now now)
{
	bool news = ms->inactive == active;

	ms->inactive = !active;
	ms->due_ms[GK_DUE_ACTIVE] = GK_NEVER;
	if (!active)
		ms->due_ms[GK_DUE_ACTIVE] =
			now.mono.ms + ASK_AGAIN_MS + gk_member_jitter(ms->member, ASK_AGAIN_MS / 2);
	if (news)
		gk_member_note(ms, active ? GK_NOTE_ACTIVE : GK_NOTE_INACTIVE, GK_VIA_PULL, NULL);
}

/* From a KDC that does not say, what we know holds. */
void gk_active_done(struct gk_task_answer *a)
{
	struct gk_cbor c = gk_cbor(a->msg->payload);
	bool active = gk_cbor_bool(&c);

	if (a->msg->code != GK_COAP_CONTENT || gk_cbor_end(&c))
		active = !a->ms->inactive;
	gk_membership_set_active(a->ms, active, a->now);
}
