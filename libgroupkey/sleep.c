// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Who is asleep most of the time: whose token says so, who said so when it joined, or whom the
 * group's configuration names, or all of the group by it. Any of these suffices. Of a sleepy member
 * silence says nothing until sleep_max_s, and no rekeying waits for it.
 */
#include "delivery.h"
#include "presence.h"

#include <string.h>

/* the names of the configuration */

enum gk_err gk_sleepers_check(const struct gk_presence_config *config)
{
	if (config->sleeper_count > GK_SLEEPERS_MAX)
		return GK_ERR_RANGE;
	for (size_t i = 0; i < config->sleeper_count; i++) {
		if (config->sleepers[i].len == 0 || config->sleepers[i].len > GK_NAME_MAX)
			return GK_ERR_RANGE;
	}
	return GK_OK;
}

/* A span each, and the bytes of all of them behind. */
enum gk_err gk_sleepers_copy(const struct gk_env *env, const struct gk_presence_config *config,
			     struct gk_blob *copy)
{
	size_t spans = config->sleeper_count * sizeof(struct gk_span), len = spans;
	struct gk_span *span;
	uint8_t *at;

	*copy = (struct gk_blob){ NULL, 0 };
	for (size_t i = 0; i < config->sleeper_count; i++)
		len += config->sleepers[i].len;
	if (!len)
		return GK_OK;
	span = gk_alloc(env, len);
	if (!span)
		return GK_ERR_NO_MEMORY;
	*copy = (struct gk_blob){ (uint8_t *)span, len };
	at = copy->data + spans;
	for (size_t i = 0; i < config->sleeper_count; i++) {
		struct gk_span name = config->sleepers[i];

		memcpy(at, name.data, name.len);
		span[i] = gk_span(at, name.len);
		at += name.len;
	}
	return GK_OK;
}

static bool is_named(const struct gk_presence_config *config, struct gk_span name)
{
	for (size_t i = 0; i < config->sleeper_count; i++) {
		if (gk_span_equal(config->sleepers[i], name))
			return true;
	}
	return false;
}

/* who it is */

static bool is_declared(const struct gk_node *node)
{
	const struct gk_presence_config *config = &node->group->config.presence;
	const struct gk_client *client = node->client;

	return node->sleepy || client->sleepy || config->sleepy ||
	       is_named(config, gk_span(client->name, client->name_len));
}

bool gk_node_sleeps(const struct gk_node *node)
{
	return node->sleeps;
}

void gk_sleep_judge(struct gk_node *node, struct gk_now now)
{
	bool sleeps = is_declared(node);

	if (node->sleeps == sleeps)
		return;
	node->sleeps = sleeps;
	gk_delivery_recount(node, now);
	gk_presence_retime(node, now);
}

void gk_sleep_judge_client(struct gk_client *client, struct gk_now now)
{
	for (struct gk_node *node = client->nodes; node; node = node->next_of_client)
		gk_sleep_judge(node, now);
}

void gk_sleep_judge_group(struct gk_group *group, struct gk_now now)
{
	for (size_t i = 0; i < group->count; i++)
		gk_sleep_judge(group->nodes[i], now);
}
