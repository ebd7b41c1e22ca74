// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Keys, credentials and messages of COSE from anybody: what is accepted writes back and reads the
// same, and what is refused leaves its outputs alone.

#include "libgroupkey/cred.h"
#include "libgroupkey/numbers.h"

#include "tests/lib/env.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The key of RFC 9052 appendix C.4.1, whose message is in the corpus.
static const uint8_t key_bytes[] = { 0x84, 0x9b, 0x57, 0x86, 0x45, 0x7c, 0x14, 0x91,
				     0xbe, 0x3a, 0x76, 0xdc, 0xea, 0x6c, 0x42, 0x71 };
static struct gk_key_pair signer;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void start(void)
{
	static struct test_env state;
	static struct gk_env env;
	static uint8_t d[32] = { 1, 2, 3 };
	if (signer.pub.crv != 0)
		return;
	env = test_env(&state, 1);
	must(gk_global_init(&env) == GK_OK);
	must(gk_key_from_private(GK_CRV_P256, gk_span(d, sizeof(d)), &signer) == GK_OK);
}

static void read_key(struct gk_span input)
{
	struct gk_public_key key = { .crv = 0 }, back, in_ccs = { .crv = 0 };
	if (gk_ccs_read(input, &in_ccs) == GK_OK)
		must(gk_public_key_check(&in_ccs) == GK_OK);
	else
		must(in_ccs.crv == 0);

	if (gk_cose_key_read(input, &key) != GK_OK) {
		must(key.crv == 0);
		return;
	}
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	gk_cose_key_put(&buf, &key);
	must(gk_cose_key_read(gk_buf_span(&buf), &back) == GK_OK);
	must(memcmp(&key, &back, sizeof(key)) == 0);
}

static void decrypt(struct gk_span input)
{
	uint8_t bytes[256];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	enum gk_err err = gk_cose_decrypt0(input, gk_span(key_bytes, sizeof(key_bytes)), &out);
	must(err == GK_OK || err == GK_ERR_NO_SPACE || out.len == 0);
}

static void verify(struct gk_span input)
{
	struct gk_span payload = gk_span(NULL, 99);
	if (gk_cose_verify1(input, &signer.pub, &payload) != GK_OK)
		must(!payload.data && payload.len == 99);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	struct gk_span input = gk_span(data, size);
	read_key(input);
	decrypt(input);
	verify(input);
	return 0;
}
