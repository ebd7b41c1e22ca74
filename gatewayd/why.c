// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/why.h"
#include "gatewayd/calls.h"
#include "gatewayd/show.h"
#include "gatewayd/words.h"
#include "io/addr.h"
#include "libgroupkey/buf.h"
#include <inttypes.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Times
 */

static int64_t seconds_since(int64_t mono_ms, struct gk_now now)
{
	return (now.mono.ms - mono_ms) / 1000;
}

static int64_t seconds_until(int64_t mono_ms, struct gk_now now)
{
	return mono_ms > now.mono.ms ? (mono_ms - now.mono.ms + 999) / 1000 : 0;
}

/* By the calendar, as far as that is believed now; what is to come is not said to be earlier. */
static const char *show_time(int64_t mono_ms, struct gk_now now, char text[static GW_TIME_TEXT])
{
	int64_t s =
		mono_ms > now.mono.ms ? seconds_until(mono_ms, now) : -seconds_since(mono_ms, now);

	return gw_show_time((struct gk_utc){ now.utc.s + s }, text);
}

/*
 * Facts
 */

const char *gw_why_fact(const struct gk_evidence *evidence, char text[static GW_WHY_TEXT])
{
	static const char *const details[] = {
		[GK_FACT_SILENT] = " for %" PRIu32 " s",
		[GK_FACT_PROBED] = ": probe %" PRIu32,
		[GK_FACT_PROBED_BY_MULTICAST] = ": probe %" PRIu32,
		[GK_FACT_WITNESSED] = ": %" PRIu32,
	};
	size_t i = (size_t)evidence->fact, len;

	len = (size_t)snprintf(text, GW_WHY_TEXT, "%s", gk_fact_str(evidence->fact));
	if (evidence->fact == GK_FACT_BLIND)
		len += (size_t)snprintf(text + len, GW_WHY_TEXT - len, ": %s",
					gk_blindness_str((enum gk_blindness)evidence->detail));
	else if (evidence->detail > 0 && i < COUNT(details) && details[i])
		len += (size_t)snprintf(text + len, GW_WHY_TEXT - len, details[i],
					evidence->detail);
	if (evidence->times > 1)
		snprintf(text + len, GW_WHY_TEXT - len, " (%" PRIu32 " times)", evidence->times);
	return text;
}

/*
 * What comes next
 */

static const char *say_answer(const struct gk_outlook *outlook, const char *when, char *text)
{
	if (outlook->probe == 0)
		snprintf(text, GW_WHY_TEXT,
			 "its answer is waited for until %s; without one it is suspect", when);
	else
		snprintf(text, GW_WHY_TEXT,
			 "the answer to probe %" PRIu32 " of %" PRIu32
			 " is waited for until %s; without one %s",
			 outlook->probe, outlook->probes, when,
			 outlook->probe < outlook->probes ? "it is asked again" : "it is absent");
	return text;
}

static const char *say_sight(const struct gw_why_next *next, char *text)
{
	if (next->blind == GK_BLIND_MASS_LOSS)
		snprintf(text, GW_WHY_TEXT,
			 "nobody is removed until enough are heard of again, or 'gatewayctl "
			 "confirm %.*s' says that they are gone",
			 (int)next->group.len, (const char *)next->group.data);
	else
		snprintf(text, GW_WHY_TEXT, "nobody is judged while the gateway is blind: %s",
			 gk_blindness_str(next->blind));
	return text;
}

const char *gw_why_next(const struct gw_why_next *next, struct gk_now now,
			char text[static GW_WHY_TEXT])
{
	static const char *const sentences[] = {
		[GK_NEXT_NOTHING] =
			"it can be asked nothing, and stays until it leaves, is evicted,"
			" or its token ends",
		[GK_NEXT_CHECK] = "it is asked at %s, if it stays silent",
		[GK_NEXT_VERDICT] = "the kernel's verdict is waited for until %s; then it is asked "
				    "itself",
		[GK_NEXT_REMOVAL] = "it is removed at %s, unless it is heard of",
		[GK_NEXT_ASKED] = "it stays (evict = false), and is asked again at %s",
		[GK_NEXT_WAIT] =
			"its time is over: it is removed as soon as enough others are heard "
			"of, and evict_rate allows it",
		[GK_NEXT_REJOIN] = "it may join again with its token",
	};
	const struct gk_outlook *outlook = &next->outlook;
	char when[64], time[GW_TIME_TEXT];

	snprintf(when, sizeof(when), "%s, in %" PRId64 " s", show_time(outlook->at_ms, now, time),
		 seconds_until(outlook->at_ms, now));
	if (next->banned)
		return strcpy(text, "it is banned: it cannot join before gatewayctl unban");
	if (outlook->next == GK_NEXT_ANSWER)
		return say_answer(outlook, when, text);
	if (outlook->next == GK_NEXT_SIGHT)
		return say_sight(next, text);
	snprintf(text, GW_WHY_TEXT, sentences[outlook->next], when);
	return text;
}

/*
 * Of whom
 */

struct subject {
	struct gk_group_info group;
	struct gk_member_info info; /* of a member, or of one who is banned */
	bool member;
	struct gw_why_next next;
	struct gk_span node, name;
	const char *state, *reason; /* words */
	const char *because;        /* and why, said to people; "": that is all */
	int64_t since_ms;           /* -1: not known */
	struct gk_now now;
};

static bool is_named(const struct gk_member_info *info, struct gk_span name)
{
	return gk_span_equal(info->node, name) || gk_span_equal(info->name, name);
}

/* Node names come first, and members before those who are banned. */
static void find_info(const struct gw_call *call, struct gk_span name, struct subject *subject)
{
	struct gk_member_info info;
	size_t at = 0;

	while (gk_kdc_member_next(call->daemon->kdc, subject->group.name, &at, &info)) {
		bool banned = info.presence == GK_BANNED;
		if (!is_named(&info, name) || (banned && subject->member))
			continue;
		subject->info = info;
		subject->member = subject->member || !banned;
		subject->next.banned = banned;
		if (gk_span_equal(info.node, name))
			return;
	}
}

/* Who is banned was perhaps never a member. */
static bool find_subject(const struct gw_call *call, struct subject *subject)
{
	const struct gk_kdc *kdc = call->daemon->kdc;
	struct gk_span name = gk_span_str(call->words[1]);
	struct gk_outlook *outlook = &subject->next.outlook;
	bool known = gk_kdc_outlook(kdc, subject->group.name, name, outlook);

	find_info(call, name, subject);
	subject->next.group = subject->group.name;
	subject->next.blind = subject->group.blind;
	subject->node = known ? outlook->node : subject->info.node;
	subject->name = known ? outlook->name : subject->info.name;
	return known || subject->next.banned;
}

static void describe_member(struct subject *subject)
{
	const struct gk_member_info *info = &subject->info;

	subject->state = gw_word_of_presence(info->presence);
	subject->reason = gw_word_of_fact(info->reason);
	subject->because = info->reason ? gk_fact_str(info->reason) : "";
	subject->since_ms = info->since_ms;
}

/* One who is no member any more: what is known of it is the last of the facts that were kept. */
static void describe_departed(const struct gw_call *call, struct subject *subject)
{
	struct gk_evidence evidence = { .fact = GK_FACT_NONE };
	const char *ended = subject->next.outlook.ended;
	size_t at = 0;

	subject->since_ms = -1;
	while (gk_kdc_evidence_next(call->daemon->kdc, subject->group.name,
				    gk_span_str(call->words[1]), &at, &evidence))
		subject->since_ms = evidence.at_ms;
	subject->state = subject->next.banned ? "banned" : ended ? "removed" : "left";
	subject->reason = gw_word_of_fact(evidence.fact);
	subject->because = ended ? ended : "";
}

static bool describe(const struct gw_call *call, struct subject *subject)
{
	if (!find_subject(call, subject))
		return false;
	if (subject->member)
		describe_member(subject);
	else
		describe_departed(call, subject);
	return true;
}

/*
 * For programs
 */

static void put_time(struct io_json *json, const char *key, int64_t mono_ms, struct gk_now now)
{
	char time[GW_TIME_TEXT];

	if (mono_ms < 0 || mono_ms == GK_NEVER)
		io_json_text(json, key, NULL);
	else
		io_json_text(json, key, show_time(mono_ms, now, time));
}

static void put_ago(struct io_json *json, const char *key, bool known, int64_t seconds)
{
	if (known)
		io_json_int(json, key, seconds);
	else
		io_json_text(json, key, NULL);
}

static void put_fact(struct io_json *json, const struct gk_evidence *evidence, struct gk_now now)
{
	char text[GW_WHY_TEXT];

	io_json_object(json, NULL);
	io_json_text(json, "fact", gw_word_of_fact(evidence->fact));
	put_time(json, "at", evidence->at_ms, now);
	io_json_int(json, "ago_s", seconds_since(evidence->at_ms, now));
	io_json_int(json, "times", evidence->times);
	io_json_int(json, "detail", evidence->detail);
	io_json_text(json, "text", gw_why_fact(evidence, text));
	io_json_end(json);
}

static void put_next(struct io_json *json, const struct subject *subject)
{
	int64_t at_ms = subject->next.outlook.at_ms;
	char text[GW_WHY_TEXT];

	io_json_object(json, "next");
	io_json_text(json, "text", gw_why_next(&subject->next, subject->now, text));
	put_time(json, "at", at_ms, subject->now);
	put_ago(json, "in_s", at_ms != GK_NEVER, seconds_until(at_ms, subject->now));
	io_json_end(json);
}

static void put_subject(struct io_json *json, const struct subject *subject)
{
	const struct gk_member_info *info = &subject->info;

	io_json_span(json, "group", subject->group.name);
	io_json_span(json, "name", subject->name);
	io_json_span(json, "node", subject->node);
	io_json_text(json, "state", subject->state);
	io_json_bool(json, "sleepy", subject->member && info->sleepy);
	put_ago(json, "since_s", subject->since_ms >= 0,
		seconds_since(subject->since_ms, subject->now));
	io_json_text(json, "reason", subject->reason);
	io_json_text(json, "last_sign", gw_word_of_fact(info->last_sign));
	put_ago(json, "last_seen_s", subject->member,
		seconds_since(info->last_seen_ms, subject->now));
	gw_show_addresses(json, info);
}

static void print_json(struct gw_call *call, const struct subject *subject)
{
	struct gk_evidence evidence;
	struct io_json json;
	size_t at = 0;

	io_json_init(&json);
	io_json_object(&json, NULL);
	put_subject(&json, subject);
	io_json_array(&json, "facts");
	while (gk_kdc_evidence_next(call->daemon->kdc, subject->group.name,
				    gk_span_str(call->words[1]), &at, &evidence))
		put_fact(&json, &evidence, subject->now);
	io_json_end(&json);
	put_next(&json, subject);
	io_json_end(&json);
	gw_call_print(call, &json);
}

/*
 * For people
 */

static void print_when(FILE *out, int64_t mono_ms, struct gk_now now)
{
	char time[GW_TIME_TEXT];

	fprintf(out, "%s, %" PRId64 " s ago", show_time(mono_ms, now, time),
		seconds_since(mono_ms, now));
}

/* One who is banned has a name or two, a member has both. */
static void print_names(FILE *out, const struct subject *subject)
{
	fputs("group ", out);
	gw_notes_put_name(out, subject->group.name);
	fputs(": ", out);
	gw_notes_put_name(out, subject->node.len > 0 ? subject->node : subject->name);
	if (subject->node.len > 0) {
		fputs(" (", out);
		gw_notes_put_name(out, subject->name);
		fputc(')', out);
	}
}

static void print_state(FILE *out, const struct subject *subject)
{
	print_names(out, subject);
	fprintf(out, " %s%s", subject->state,
		subject->member && subject->info.sleepy ? ", sleepy," : "");
	if (subject->since_ms >= 0) {
		fputs(" since ", out);
		print_when(out, subject->since_ms, subject->now);
	}
	fprintf(out, "%s%s\n", subject->because[0] ? ": " : "", subject->because);
}

static void print_member(FILE *out, const struct subject *subject)
{
	const struct gk_member_info *info = &subject->info;
	char address[IO_ADDR_TEXT];

	fputs("heard of at ", out);
	print_when(out, info->last_seen_ms, subject->now);
	fprintf(out, ": %s\nheard from", gk_fact_str(info->last_sign));
	for (size_t i = 0; i < info->address_count; i++)
		fprintf(out, " %s", io_addr_format(&info->addresses[i], address));
	fputc('\n', out);
}

static void print_fact(FILE *out, const struct gk_evidence *evidence, struct gk_now now)
{
	char time[GW_TIME_TEXT], text[GW_WHY_TEXT];

	fprintf(out, "%s %7" PRId64 " s ago  %s\n", show_time(evidence->at_ms, now, time),
		seconds_since(evidence->at_ms, now), gw_why_fact(evidence, text));
}

static void print_text(struct gw_call *call, const struct subject *subject)
{
	struct gk_evidence evidence;
	char text[GW_WHY_TEXT];
	size_t at = 0;

	print_state(call->out, subject);
	if (subject->member)
		print_member(call->out, subject);
	while (gk_kdc_evidence_next(call->daemon->kdc, subject->group.name,
				    gk_span_str(call->words[1]), &at, &evidence))
		print_fact(call->out, &evidence, subject->now);
	fprintf(call->out, "next: %s\n", gw_why_next(&subject->next, subject->now, text));
}

int gw_call_why(struct gw_call *call)
{
	struct subject subject = { .now = gw_now(call->daemon) };
	int status = gw_call_find_group(call, &subject.group);

	if (status)
		return status;
	if (!describe(call, &subject))
		return gw_call_fail(call, GW_REFUSED,
				    "%s: %s is no member, and none that left since the start and "
				    "is remembered",
				    call->words[0], call->words[1]);
	if (call->json)
		print_json(call, &subject);
	else
		print_text(call, &subject);
	return GW_DONE;
}
