// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// An input is taken as a token, and as the claims inside of one that is properly encrypted. What is
// accepted keeps every promise of struct gk_cwt; what is refused is left alone.

#include "libgroupkey/cwt.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/oscore.h"
#include "libgroupkey/scope.h"

#include "tests/lib/env.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1000

static const uint8_t key_bytes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
static const uint8_t nonce[13];
static struct gk_cwt_issuer issuer;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void start(void)
{
	static struct test_env state;
	static struct gk_env env;
	static struct gk_key_pair as;
	if (issuer.key.len > 0)
		return;
	env = test_env(&state, 1);
	must(gk_global_init(&env) == GK_OK);
	must(gk_key_from_private(GK_CRV_P256, gk_span("0123456789abcdef0123456789abcdef", 32),
				 &as) == GK_OK);
	issuer = (struct gk_cwt_issuer){
		.key = gk_span(key_bytes, sizeof(key_bytes)),
		.public_key = as.pub,
		.issuer = gk_span_str("as"),
		.audience = gk_span_str("kdc"),
	};
}

static void check(const struct gk_cwt *cwt)
{
	size_t entries = 0;
	must(gk_scope_check_all(cwt->scope, &entries) == GK_OK && entries > 0);
	must(cwt->exp.s > NOW);
	must(cwt->exp.s < GK_NEVER || cwt->exi_s > 0);
	must(cwt->exi_s == -1 || (cwt->exi_s <= GK_EXI_MAX && cwt->cti.len > 0));
	if (!cwt->has_osc)
		return;
	must(cwt->osc_id.len <= GK_OSC_ID_MAX && cwt->salt.len <= GK_OSC_SALT_MAX);
	must(cwt->ms.len >= GK_OSC_MS_MIN && cwt->ms.len <= GK_OSC_MS_MAX);
	must(cwt->context_id.len <= GK_OSCORE_ID_CONTEXT_MAX);
	must(gk_aead_find(cwt->alg) && cwt->hkdf == GK_ALG_HMAC_256);
}

static void read_token(struct gk_span token)
{
	uint8_t bytes[GK_TOKEN_MAX];
	struct gk_buf scratch = gk_buf(bytes, sizeof(bytes));
	struct gk_cwt cwt, before;
	memset(&before, 0x5a, sizeof(before));
	cwt = before;
	struct gk_utc now = { NOW };
	if (gk_cwt_read(&issuer, token, now, &scratch, &cwt) == GK_CWT_FINE)
		check(&cwt);
	else
		must(memcmp(&cwt, &before, sizeof(cwt)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	read_token(gk_span(data, size));

	static uint8_t bytes[GK_TOKEN_MAX + 1];
	struct gk_buf token = gk_buf(bytes, sizeof(bytes));
	if (gk_cose_encrypt0(gk_span(data, size), issuer.key, gk_span(nonce, sizeof(nonce)),
			     &token) == GK_OK)
		read_token(gk_buf_span(&token));
	return 0;
}
