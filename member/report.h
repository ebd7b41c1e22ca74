// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What happens to us, for whoever runs us: one JSON object a line on stdout. gkmember(1) lists
 * them. If stdout cannot be written to, nobody is served by our going on, and we end.
 */
#ifndef GKM_REPORT_H
#define GKM_REPORT_H

#include "io/log.h"
#include "libgroupkey/groupkey.h"

/** Zero-initialise. */
struct gkm_report {
	struct log_limit refused; /* anyone can send what is refused */
};

/** Report what the member notes. What it heard and is no text is passed over. */
void gkm_report_note(struct gkm_report *report, const struct gk_member *member,
		     const struct gk_note *note, struct gk_now now);
/** Report where we stand in a group that we asked to join. */
void gkm_report_status(const struct gk_member *member, struct gk_span group);
/** Report something that could not be done. @param group may be empty */
void gkm_report_error(struct gk_span group, const char *reason);

#endif
