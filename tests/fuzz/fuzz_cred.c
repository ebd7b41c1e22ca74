// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Credentials of all formats from anybody, and issuers from a file. What is read is within the
// input, the same again when it is read again, and of a point on its curve; what is refused leaves
// the output alone.

#include "libgroupkey/cred.h"
#include "libgroupkey/numbers.h"

#include "tests/lib/certs.h"
#include "tests/lib/env.h"
#include "tests/lib/hex.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int formats[] = { GK_HEADER_KCCS, GK_HEADER_KCWT, GK_HEADER_X5CHAIN, GK_HEADER_X5BAG };

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool is_within(struct gk_span part, struct gk_span whole)
{
	return part.len && part.data >= whole.data &&
	       part.data + part.len <= whole.data + whole.len;
}

static void read_one(int fmt, struct gk_span input)
{
	struct gk_cred cred = { .alg = -99 }, again;

	if (gk_cred_read(fmt, input, &cred) != GK_OK) {
		must(cred.alg == -99);
		return;
	}
	must(is_within(cred.binary, input) && gk_public_key_check(&cred.key) == GK_OK);
	must(gk_cred_read(fmt, input, &again) == GK_OK);
	must(gk_span_equal(cred.binary, again.binary));
}

/* The certificates of the corpus lead to this root; a CWT of anybody leads nowhere. */
static void check_one(int fmt, struct gk_span root, struct gk_span input)
{
	const struct gk_cred_rules rules = { .fmt = fmt,
					     .crv = GK_CRV_P256,
					     .alg = GK_ALG_ES256,
					     .issuers = root,
					     .now = { 1760000000 } };
	struct gk_cred cred, unchecked;

	if (gk_cred_check(&rules, input, &cred) == GK_OK)
		must(gk_cred_read(fmt, input, &unchecked) == GK_OK && fmt != GK_HEADER_KCWT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gk_span root; /* made once: what hex_span() makes is kept */
	struct gk_span input = gk_span(data, size);

	if (!root.data)
		root = hex_span(CERT_ROOT);

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		read_one(formats[i], input);
		check_one(formats[i], root, input);
		(void)!gk_cred_check_issuers(formats[i], input);
	}
	return 0;
}
