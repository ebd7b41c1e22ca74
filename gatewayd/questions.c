// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/questions.h"
#include "io/loop.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gw_question {
	struct gw_question *next;
	uint64_t id;
	int64_t deadline_ms;
	uint8_t token[GW_QUESTION_TOKEN];
};

bool gw_questions_find(const struct gw_questions *questions, struct gk_span token, uint64_t *id)
{
	for (const struct gw_question *q = questions->list; q; q = q->next) {
		if (token.len != sizeof(q->token) || memcmp(token.data, q->token, token.len) != 0)
			continue;
		*id = q->id;
		return true;
	}
	return false;
}

static bool draw(const struct gw_questions *questions, uint8_t token[static GW_QUESTION_TOKEN])
{
	struct gk_env env = io_env();
	struct gk_span drawn = { token, GW_QUESTION_TOKEN };
	uint64_t id;

	do {
		if (!env.random(env.ctx, token, GW_QUESTION_TOKEN))
			return false;
	} while (gw_questions_find(questions, drawn, &id));
	return true;
}

int gw_questions_add(struct gw_questions *questions, uint64_t id, uint32_t timeout_ms,
		     struct gk_mono now, uint8_t token[static GW_QUESTION_TOKEN])
{
	struct gw_question *q = malloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	*q = (struct gw_question){
		.next = questions->list,
		.id = id,
		.deadline_ms = now.ms + timeout_ms,
	};
	if (!draw(questions, q->token)) {
		free(q);
		return -EIO;
	}
	memcpy(token, q->token, sizeof(q->token));
	questions->list = q;
	return 0;
}

static void remove_at(struct gw_question **at)
{
	struct gw_question *q = *at;

	*at = q->next;
	free(q);
}

void gw_questions_drop(struct gw_questions *questions, uint64_t id)
{
	for (struct gw_question **at = &questions->list; *at; at = &(*at)->next) {
		if ((*at)->id != id)
			continue;
		remove_at(at);
		return;
	}
}

bool gw_questions_expire(struct gw_questions *questions, struct gk_mono now, uint64_t *id)
{
	for (struct gw_question **at = &questions->list; *at; at = &(*at)->next) {
		if ((*at)->deadline_ms > now.ms)
			continue;
		*id = (*at)->id;
		remove_at(at);
		return true;
	}
	return false;
}

struct gk_mono gw_questions_next_expiry(const struct gw_questions *questions)
{
	struct gk_mono next = { GK_NEVER };

	for (const struct gw_question *q = questions->list; q; q = q->next) {
		if (q->deadline_ms < next.ms)
			next.ms = q->deadline_ms;
	}
	return next;
}

void gw_questions_free(struct gw_questions *questions)
{
	while (questions->list)
		remove_at(&questions->list);
}
