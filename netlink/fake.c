// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "batch.h"
#include "seam.h"

enum {
	PROBES_MAX = 64, // a test that cares looks sooner
};

struct probe {
	int ifindex;
	uint8_t ip[REACH_IP_LEN];
};

struct fake {
	struct reach_monitor base;
	struct reach_batch batch; // waits for the next read
	struct probe probes[PROBES_MAX];
	size_t oldest, probe_count; // a ring
	int fd;
	int read_result, probe_result;
};

static struct fake *fake_of(struct reach_monitor *monitor)
{
	return (struct fake *)monitor;
}

static int fake_fd(const struct reach_monitor *monitor)
{
	return ((const struct fake *)monitor)->fd;
}

static int fake_read(struct reach_monitor *monitor, reach_callback *callback, void *ctx)
{
	struct fake *fake = fake_of(monitor);
	struct reach_batch batch = fake->batch;
	eventfd_t ignored;

	// Emptied first: the callback may probe, and a probe may be answered by the next event.
	(void)eventfd_read(fake->fd, &ignored);
	fake->batch = (struct reach_batch){ 0 };
	reach_batch_deliver(&batch, callback, ctx);
	return fake->read_result;
}

static int fake_probe(struct reach_monitor *monitor, int ifindex, const uint8_t *ip)
{
	struct fake *fake = fake_of(monitor);
	struct probe *probe = &fake->probes[(fake->oldest + fake->probe_count) % PROBES_MAX];

	probe->ifindex = ifindex;
	memcpy(probe->ip, ip, REACH_IP_LEN);
	if (fake->probe_count < PROBES_MAX)
		fake->probe_count++;
	else
		fake->oldest = (fake->oldest + 1) % PROBES_MAX;
	return fake->probe_result;
}

static struct reach_counts fake_counts(const struct reach_monitor *monitor)
{
	(void)monitor;
	return (struct reach_counts){ 0 };
}

static void fake_close(struct reach_monitor *monitor)
{
	struct fake *fake = fake_of(monitor);

	close(fake->fd);
	reach_batch_wipe(&fake->batch);
	free(fake);
}

static const struct reach_operations fake_operations = {
	.fd = fake_fd,
	.read = fake_read,
	.probe = fake_probe,
	.counts = fake_counts,
	.close = fake_close,
};

int reach_fake_open(struct reach_monitor **monitor)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	int error;

	if (!fake)
		return -ENOMEM;
	fake->base.operations = &fake_operations;
	fake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fake->fd < 0) {
		error = -errno;
		free(fake);
		return error;
	}
	*monitor = (struct reach_monitor *)fake;
	return 0;
}

int reach_fake_say(struct reach_monitor *monitor, const struct reach_event *events, size_t count)
{
	struct fake *fake = fake_of(monitor);

	if (reach_batch_reserve(&fake->batch, count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		reach_batch_add(&fake->batch, &events[i]);
	if (count > 0)
		(void)eventfd_write(fake->fd, 1);
	return 0;
}

/*
 * Scripts
 */

// What the third word of a line stands for.
static const struct {
	const char *kind, *word;
	struct reach_event event;
} words[] = {
	{ "link", "up", { .kind = REACH_LINK, .present = true, .up = true } },
	{ "link", "down", { .kind = REACH_LINK, .present = true } },
	{ "link", "gone", { .kind = REACH_LINK } },
	{ "address", "added", { .kind = REACH_ADDRESS, .present = true } },
	{ "address", "gone", { .kind = REACH_ADDRESS } },
	{ "route", "added", { .kind = REACH_ROUTE, .present = true } },
	{ "route", "gone", { .kind = REACH_ROUTE } },
	{ "neighbour", "unknown", { .kind = REACH_NEIGHBOUR, .state = REACH_UNKNOWN } },
	{ "neighbour", "reachable", { .kind = REACH_NEIGHBOUR, .state = REACH_REACHABLE } },
	{ "neighbour", "stale", { .kind = REACH_NEIGHBOUR, .state = REACH_STALE } },
	{ "neighbour", "failed", { .kind = REACH_NEIGHBOUR, .state = REACH_FAILED } },
};

static bool find_words(const char *kind, const char *word, struct reach_event *event)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(kind, words[i].kind) != 0 || strcmp(word, words[i].word) != 0)
			continue;
		*event = words[i].event;
		return true;
	}
	return false;
}

static bool parse_object(struct reach_event *event, const char *object)
{
	if (event->kind != REACH_LINK)
		return inet_pton(AF_INET6, object, event->ip) == 1;
	if (strlen(object) >= REACH_NAME_LEN)
		return false;
	strcpy(event->name, object);
	return true;
}

// Words are cut at 63 characters, longer than any that is valid.
static bool parse_line(const char *line, struct reach_event *event)
{
	char kind[64], word[64], object[64], via[64], gateway[64], extra[2];
	int ifindex;
	int found = sscanf(line, "%63s %9d %63s %63s %63s %63s %1s", kind, &ifindex, word, object,
			   via, gateway, extra);

	if (found < 4 || !find_words(kind, word, event) || ifindex <= 0)
		return false;
	event->ifindex = ifindex;
	if (!parse_object(event, object))
		return false;
	if (event->kind != REACH_ROUTE)
		return found == 4;
	return found == 6 && strcmp(via, "via") == 0 &&
	       inet_pton(AF_INET6, gateway, event->gateway) == 1;
}

static int parse_script(char *script, struct reach_batch *batch, size_t *line)
{
	for (char *next = script; next;) {
		char *text = strsep(&next, "\n");
		struct reach_event event;

		++*line;
		text += strspn(text, " \t");
		if (*text == '\0' || *text == '#')
			continue;
		if (!parse_line(text, &event))
			return -EINVAL;
		if (reach_batch_reserve(batch, 1) < 0)
			return -ENOMEM;
		reach_batch_add(batch, &event);
	}
	return 0;
}

int reach_fake_script(struct reach_monitor *monitor, const char *script, size_t *line)
{
	struct reach_batch batch = { 0 };
	char *copy = strdup(script);
	size_t at = 0;
	int rc = copy ? parse_script(copy, &batch, &at) : -ENOMEM;

	if (rc == 0)
		rc = reach_fake_say(monitor, batch.events, batch.count);
	if (rc == -EINVAL && line)
		*line = at;
	reach_batch_wipe(&batch);
	free(copy);
	return rc;
}

void reach_fake_read_result(struct reach_monitor *monitor, int result)
{
	fake_of(monitor)->read_result = result;
}

void reach_fake_probe_result(struct reach_monitor *monitor, int result)
{
	fake_of(monitor)->probe_result = result;
}

bool reach_fake_probed(struct reach_monitor *monitor, int *ifindex, uint8_t ip[REACH_IP_LEN])
{
	struct fake *fake = fake_of(monitor);
	const struct probe *probe = &fake->probes[fake->oldest];

	if (fake->probe_count == 0)
		return false;
	*ifindex = probe->ifindex;
	memcpy(ip, probe->ip, REACH_IP_LEN);
	fake->oldest = (fake->oldest + 1) % PROBES_MAX;
	fake->probe_count--;
	return true;
}
