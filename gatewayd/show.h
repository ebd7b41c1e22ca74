// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Groups, members and clients as gatewayctl shows them: objects in JSON for programs, rows of a
 * table for people. gatewayctl(8) says what each name means. No keys are among it.
 */
#ifndef GW_SHOW_H
#define GW_SHOW_H

#include "io/json.h"
#include "libgroupkey/groupkey.h"
#include <stdio.h>

#define GW_TIME_TEXT 21

/** A time as "2026-11-22T08:00:00Z"; what is later than 9999 as its end. @return text */
const char *gw_show_time(struct gk_utc utc, char text[static GW_TIME_TEXT]);

/* as objects, or elements of an array */

void gw_show_group(struct io_json *json, const struct gk_group_info *info);
void gw_show_member(struct io_json *json, const struct gk_member_info *info, struct gk_mono now);
/** Where a member was heard from, as the member 'addresses' of the object that is open. */
void gw_show_addresses(struct io_json *json, const struct gk_member_info *info);
void gw_show_client(struct io_json *json, const struct gk_client_info *info);

/* as rows */

#define GW_TABLE_COLUMNS 13

/** A table begins all zero. Rows are given twice, since ten thousand of them are not to be kept:
 * once to be measured, and once more to be printed. */
struct gw_table {
	FILE *out; /* NULL: measuring */
	size_t width[GW_TABLE_COLUMNS];
};

/* Without 'info' it is the heads of the columns. */

void gw_show_group_row(struct gw_table *table, const struct gk_group_info *info);
/** The newest rekeying of a group. */
void gw_show_rekeying_row(struct gw_table *table, const struct gk_group_info *info);
/** Who of its members is there. */
void gw_show_presence_row(struct gw_table *table, const struct gk_group_info *info);
void gw_show_member_row(struct gw_table *table, const struct gk_member_info *info,
			struct gk_mono now);
void gw_show_client_row(struct gw_table *table, const struct gk_client_info *info);

#endif
