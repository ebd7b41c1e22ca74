// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/alarm.h"
#include "gatewayd/daemon.h"
#include "gatewayd/words.h"
#include "libgroupkey/buf.h"

const char *gw_word_of_alarm(enum gw_alarm_kind kind)
{
	static const char *const words[GW_ALARMS] = {
		[GW_ALARM_BLIND] = "blind",
		[GW_ALARM_MASS_LOSS] = "mass-loss",
		[GW_ALARM_ABSENT] = "absent",
	};

	return kind < GW_ALARMS ? words[kind] : "";
}

/* A group can have absent members and be blind: then that counts, since it has to see first. */
enum gw_alarm_kind gw_alarm_of_group(const struct gk_group_info *info)
{
	if (info->blind == GK_BLIND_MASS_LOSS)
		return GW_ALARM_MASS_LOSS;
	return info->absent > 0 && !info->evict ? GW_ALARM_ABSENT : GW_ALARMS;
}

static bool tell_group(const struct gk_group_info *info, struct gw_alarm *alarm)
{
	*alarm = (struct gw_alarm){
		.kind = gw_alarm_of_group(info),
		.group = info->name,
		.members = info->absent,
		.of = info->members,
	};
	if (alarm->kind == GW_ALARM_MASS_LOSS)
		alarm->members += info->suspect;
	return alarm->kind != GW_ALARMS;
}

/* Position 0 is the link's, those behind it are the groups'. */
bool gw_alarm_next(const struct gw_daemon *daemon, size_t *at, struct gw_alarm *alarm)
{
	struct gk_group_info info;
	size_t group = *at > 0 ? *at - 1 : 0;
	enum gk_blindness why = *at > 0 ? GK_BLIND_NOT : daemon->segment.blind;

	if (why) {
		*alarm = (struct gw_alarm){ .kind = GW_ALARM_BLIND, .blind = why };
		*at = 1;
		return true;
	}
	while (gk_kdc_group_next(daemon->kdc, &group, &info)) {
		*at = group + 1;
		if (tell_group(&info, alarm))
			return true;
	}
	return false;
}

static void print_members(FILE *out, const struct gw_alarm *alarm)
{
	fprintf(out, "group %.*s: %zu of %zu members ", (int)alarm->group.len,
		(const char *)alarm->group.data, alarm->members, alarm->of);
}

void gw_alarm_print(FILE *out, const struct gw_alarm *alarm)
{
	switch (alarm->kind) {
	case GW_ALARM_BLIND:
		fprintf(out, "%s: no member is judged", gk_blindness_str(alarm->blind));
		break;
	case GW_ALARM_MASS_LOSS:
		print_members(out, alarm);
		fprintf(out,
			"lost at once: none is removed until enough are heard of again, or "
			"'gatewayctl confirm %.*s' says that they are gone",
			(int)alarm->group.len, (const char *)alarm->group.data);
		break;
	case GW_ALARM_ABSENT:
		print_members(out, alarm);
		fputs("absent, and not removed (evict = false)", out);
		break;
	case GW_ALARMS:
		break;
	}
}

void gw_alarm_json(struct io_json *json, const struct gw_alarm *alarm)
{
	io_json_object(json, NULL);
	io_json_text(json, "alarm", gw_word_of_alarm(alarm->kind));
	if (alarm->kind == GW_ALARM_BLIND) {
		io_json_text(json, "reason", gw_word_of_blindness(alarm->blind));
	} else {
		io_json_span(json, "group", alarm->group);
		io_json_int(json, "members", (int64_t)alarm->members);
		io_json_int(json, "of", (int64_t)alarm->of);
	}
	io_json_end(json);
}
