// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kept.h"

#include "crypto.h"

#include <string.h>

static bool same_endpoint(const struct gk_addr *a, const struct gk_addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->port == b->port &&
	       a->scope == b->scope;
}

static bool digest_of(struct gk_span request, uint8_t hash[static GK_HASH_LEN])
{
	return gk_sha256(request, hash) == GK_OK;
}

bool gk_kept_is(const struct gk_kept *kept, const struct gk_exchange *exchange,
		struct gk_span request, struct gk_now now)
{
	uint8_t hash[GK_HASH_LEN];

	return now.mono.ms < kept->until_ms && kept->message_id == exchange->message_id &&
	       kept->token_len == exchange->token_len &&
	       memcmp(kept->token, exchange->token, kept->token_len) == 0 &&
	       same_endpoint(&kept->peer, &exchange->peer) && digest_of(request, hash) &&
	       memcmp(kept->digest, hash, sizeof(kept->digest)) == 0;
}

bool gk_kept_matches(const struct gk_kept *kept, const struct gk_exchange *exchange,
		     struct gk_span request, struct gk_now now)
{
	return kept->answer.data && gk_kept_is(kept, exchange, request, now);
}

enum gk_err gk_kept_begin(const struct gk_env *env, struct gk_kept *kept,
			  const struct gk_exchange *exchange, struct gk_span request,
			  struct gk_now now)
{
	uint8_t hash[GK_HASH_LEN];

	gk_kept_wipe(env, kept);
	if (!digest_of(request, hash))
		return GK_ERR_CRYPTO;
	memcpy(kept->digest, hash, sizeof(kept->digest));
	kept->peer = exchange->peer;
	kept->message_id = exchange->message_id;
	kept->token_len = exchange->token_len;
	memcpy(kept->token, exchange->token, sizeof(kept->token));
	kept->until_ms = now.mono.ms + GK_EXCHANGE_LIFETIME_MS;
	return GK_OK;
}

enum gk_err gk_kept_answer(const struct gk_env *env, struct gk_kept *kept, struct gk_span answer)
{
	return gk_blob_set(env, &kept->answer, answer);
}

enum gk_err gk_kept_set(const struct gk_env *env, struct gk_kept *kept,
			const struct gk_exchange *exchange, struct gk_span request,
			struct gk_span answer, struct gk_now now)
{
	enum gk_err err = gk_kept_begin(env, kept, exchange, request, now);

	if (!err)
		err = gk_kept_answer(env, kept, answer);
	if (err)
		gk_kept_wipe(env, kept);
	return err;
}

void gk_kept_wipe(const struct gk_env *env, struct gk_kept *kept)
{
	gk_blob_wipe(env, &kept->answer);
	kept->until_ms = 0;
}
