// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What the words of a line stand for, which is all of an event but its addresses and its name.
static const struct {
	const char *kind, *word;
	struct reach_event event;
} words[] = {
	{ "link", "up", { .kind = REACH_LINK, .present = true, .up = true, .lower_up = true } },
	{ "link", "lower-down", { .kind = REACH_LINK, .present = true, .up = true } },
	{ "link", "down", { .kind = REACH_LINK, .present = true } },
	{ "link", "gone", { .kind = REACH_LINK } },
	{ "address", "added", { .kind = REACH_ADDRESS, .present = true } },
	{ "address", "gone", { .kind = REACH_ADDRESS } },
	{ "route", "added", { .kind = REACH_ROUTE, .present = true } },
	{ "route", "gone", { .kind = REACH_ROUTE } },
	{ "proxy", "added", { .kind = REACH_PROXY, .present = true } },
	{ "proxy", "gone", { .kind = REACH_PROXY } },
	{ "neighbour", "unknown", { .kind = REACH_NEIGHBOUR, .state = REACH_UNKNOWN } },
	{ "neighbour", "reachable", { .kind = REACH_NEIGHBOUR, .state = REACH_REACHABLE } },
	{ "neighbour", "stale", { .kind = REACH_NEIGHBOUR, .state = REACH_STALE } },
	{ "neighbour", "failed", { .kind = REACH_NEIGHBOUR, .state = REACH_FAILED } },
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static bool says(const struct reach_event *word, const struct reach_event *event)
{
	if (word->kind != event->kind)
		return false;
	if (word->kind == REACH_NEIGHBOUR)
		return word->state == event->state;
	if (word->kind != REACH_LINK || !word->present)
		return word->present == event->present;
	return event->present && word->up == event->up &&
	       (!word->up || word->lower_up == event->lower_up);
}

static void printable_name(const char *name, char *out)
{
	size_t len = strnlen(name, REACH_NAME_LEN - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = name[i] <= ' ' || name[i] > '~' ? '?' : name[i];
	out[len] = '\0';
}

void reach_event_format(const struct reach_event *event, char text[REACH_TEXT_LEN])
{
	char ip[INET6_ADDRSTRLEN], gateway[INET6_ADDRSTRLEN], name[REACH_NAME_LEN];
	size_t i = 0;
	int len;

	while (i < WORDS && !says(&words[i].event, event))
		i++;
	if (i == WORDS) {
		snprintf(text, REACH_TEXT_LEN, "?");
		return;
	}
	inet_ntop(AF_INET6, event->ip, ip, sizeof(ip));
	inet_ntop(AF_INET6, event->gateway, gateway, sizeof(gateway));
	printable_name(event->name, name);
	len = snprintf(text, REACH_TEXT_LEN, "%s %d %s %s", words[i].kind, event->ifindex,
		       words[i].word, event->kind == REACH_LINK ? name : ip);
	if (event->kind == REACH_ROUTE)
		len += snprintf(text + len, REACH_TEXT_LEN - (size_t)len, " via %s", gateway);
	if (event->kind == REACH_ROUTE && event->metric)
		snprintf(text + len, REACH_TEXT_LEN - (size_t)len, " metric %" PRIu32,
			 event->metric);
}

static bool find_words(const char *kind, const char *word, struct reach_event *event)
{
	for (size_t i = 0; i < WORDS; i++) {
		if (strcmp(kind, words[i].kind) != 0 || strcmp(word, words[i].word) != 0)
			continue;
		*event = words[i].event;
		return true;
	}
	return false;
}

static bool parse_object(const char *object, struct reach_event *event)
{
	if (event->kind != REACH_LINK)
		return inet_pton(AF_INET6, object, event->ip) == 1;
	if (strlen(object) >= REACH_NAME_LEN)
		return false;
	strcpy(event->name, object);
	return true;
}

struct tail {
	char via[64], gateway[64], metric[64], number[64], extra[2];
	int found;
};

static bool parse_number(const char *text, uint32_t *number)
{
	unsigned long value;
	char *end;

	if (text[0] < '1' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	*number = (uint32_t)value;
	return *end == '\0' && errno == 0 && value <= UINT32_MAX;
}

// What comes behind the destination of a route.
static bool parse_tail(const struct tail *tail, struct reach_event *event)
{
	if ((tail->found != 2 && tail->found != 4) || strcmp(tail->via, "via") != 0 ||
	    inet_pton(AF_INET6, tail->gateway, event->gateway) != 1)
		return false;
	return tail->found == 2 ||
	       (strcmp(tail->metric, "metric") == 0 && parse_number(tail->number, &event->metric));
}

// Words are cut at 63 characters, longer than any that is valid.
bool reach_event_parse(const char *line, struct reach_event *event)
{
	char kind[64], word[64], object[64];
	struct reach_event read;
	struct tail tail;
	int ifindex;
	int found = sscanf(line, "%63s %9d %63s %63s %63s %63s %63s %63s %1s", kind, &ifindex, word,
			   object, tail.via, tail.gateway, tail.metric, tail.number, tail.extra);

	tail.found = found - 4;
	if (found < 4 || !find_words(kind, word, &read) || ifindex <= 0)
		return false;
	read.ifindex = ifindex;
	if (!parse_object(object, &read))
		return false;
	if (read.kind == REACH_ROUTE ? !parse_tail(&tail, &read) : found != 4)
		return false;
	*event = read;
	return true;
}
