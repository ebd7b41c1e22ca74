// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "reach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "batch.h"
#include "seam.h"
#include "text.h"

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
	bool timed; // 'timing' is set
	struct reach_timing timing;
	size_t looks;
	char *trace_text;         // a copy
	struct reach_trace trace; // behind the next event
	int64_t next_ms;          // of that event; -1: there is none
	struct reach_event next;
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

static int fake_timing(struct reach_monitor *monitor, int ifindex, struct reach_timing *timing)
{
	const struct fake *fake = fake_of(monitor);

	(void)ifindex;
	if (!fake->timed)
		return -ENODEV;
	*timing = fake->timing;
	return 0;
}

static void fake_look(struct reach_monitor *monitor)
{
	fake_of(monitor)->looks++;
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
	free(fake->trace_text);
	free(fake);
}

static const struct reach_operations fake_operations = {
	.fd = fake_fd,
	.read = fake_read,
	.probe = fake_probe,
	.timing = fake_timing,
	.look = fake_look,
	.counts = fake_counts,
	.close = fake_close,
};

int reach_fake_open(struct reach_monitor **monitor)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	int error;

	if (!fake)
		return -ENOMEM;
	fake->next_ms = -1;
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

static int parse_script(char *script, struct reach_batch *batch, size_t *line)
{
	for (char *next = script; next;) {
		char *text = strsep(&next, "\n");
		struct reach_event event;

		++*line;
		text += strspn(text, " \t");
		if (*text == '\0' || *text == '#')
			continue;
		if (!reach_event_parse(text, &event))
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

/*
 * Traces
 */

// Go through all of it. Returns the number of the first line that is wrong, or 0.
static size_t find_wrong_line(const char *text, size_t len)
{
	struct reach_trace trace = reach_trace_begin(text, len);
	struct reach_event event;
	int64_t at_ms;
	int rc;

	while ((rc = reach_trace_next(&trace, &at_ms, &event)) > 0)
		;
	return rc < 0 ? trace.line : 0;
}

// No line is wrong any more.
static void step(struct fake *fake)
{
	if (reach_trace_next(&fake->trace, &fake->next_ms, &fake->next) != 1)
		fake->next_ms = -1;
}

int reach_fake_trace_load(struct reach_monitor *monitor, const char *text, size_t len, size_t *line)
{
	struct fake *fake = fake_of(monitor);
	size_t wrong = find_wrong_line(text, len);
	char *copy;

	if (wrong > 0) {
		if (line)
			*line = wrong;
		return -EINVAL;
	}
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, text, len);
	free(fake->trace_text);
	fake->trace_text = copy;
	fake->trace = reach_trace_begin(copy, len);
	step(fake);
	return 0;
}

int64_t reach_fake_trace_next_ms(const struct reach_monitor *monitor)
{
	return ((const struct fake *)monitor)->next_ms;
}

int reach_fake_trace_advance(struct reach_monitor *monitor, int64_t now_ms)
{
	struct fake *fake = fake_of(monitor);

	while (fake->next_ms >= 0 && fake->next_ms <= now_ms) {
		if (reach_fake_say(monitor, &fake->next, 1) < 0)
			return -ENOMEM;
		step(fake);
	}
	return 0;
}

void reach_fake_read_result(struct reach_monitor *monitor, int result)
{
	fake_of(monitor)->read_result = result;
}

void reach_fake_probe_result(struct reach_monitor *monitor, int result)
{
	fake_of(monitor)->probe_result = result;
}

void reach_fake_timing(struct reach_monitor *monitor, const struct reach_timing *timing)
{
	struct fake *fake = fake_of(monitor);

	fake->timed = timing != NULL;
	if (timing)
		fake->timing = *timing;
}

size_t reach_fake_looks(const struct reach_monitor *monitor)
{
	return ((const struct fake *)monitor)->looks;
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
