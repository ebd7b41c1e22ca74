// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What an operator should look at as long as it lasts: gatewayd(8) says what to do then. Nothing is
 * kept: alarms are read off the state.
 */
#ifndef GW_ALARM_H
#define GW_ALARM_H

#include "io/json.h"
#include "libgroupkey/groupkey.h"
#include <stdio.h>

struct gw_daemon;

enum gw_alarm_kind {
	GW_ALARM_BLIND,     /* the link's: nobody is judged */
	GW_ALARM_MASS_LOSS, /* too many of a group were lost at once: nobody of it is removed */
	GW_ALARM_ABSENT,    /* members are absent, and stay: evict is false */
	GW_ALARMS,
};

struct gw_alarm {
	enum gw_alarm_kind kind;
	enum gk_blindness blind; /* of GW_ALARM_BLIND */
	struct gk_span group;    /* of the others; borrowed from the KDC */
	size_t members, of;      /* of the others: so many of its members */
};

/** "blind", "mass-loss", "absent"; static. */
const char *gw_word_of_alarm(enum gw_alarm_kind kind);
/** Walk the alarms. 'at' starts as 0. */
bool gw_alarm_next(const struct gw_daemon *daemon, size_t *at, struct gw_alarm *alarm);
/** What alarm a group has by itself; the more urgent one of two. @return GW_ALARMS: none */
enum gw_alarm_kind gw_alarm_of_group(const struct gk_group_info *info);
/** Say it in a sentence, without a newline. */
void gw_alarm_print(FILE *out, const struct gw_alarm *alarm);
/** Put it as an element of the array that is open. */
void gw_alarm_json(struct io_json *json, const struct gw_alarm *alarm);

#endif
