// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/issue.h"

#include "libgroupkey/numbers.h"

#include <stdlib.h>
#include <string.h>

struct gk_key_pair issue_key(int crv, uint8_t seed)
{
	uint8_t d[32];
	struct gk_key_pair key;

	memset(d, seed, sizeof(d));
	if (gk_key_from_private(crv, gk_span(d, sizeof(d)), &key))
		abort();
	return key;
}

void issue_put_issuer(struct gk_buf *buf, const struct gk_key_pair *key)
{
	gk_cose_key_put(buf, &key->pub);
}

static void put_claim(struct gk_buf *buf, int label, int64_t value)
{
	if (!value)
		return;
	gk_put_int(buf, label);
	gk_put_int(buf, value);
}

void issue_put_cwt(struct gk_buf *buf, const struct issue_cwt *cwt)
{
	uint8_t ccs_bytes[512], claims_bytes[512], bytes[1024];
	struct gk_buf ccs = gk_buf(ccs_bytes, sizeof(ccs_bytes));
	struct gk_buf claims = gk_buf(claims_bytes, sizeof(claims_bytes));
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	(cwt->dh ? gk_ccs_put_dh : gk_ccs_put)(&ccs, gk_span_str(cwt->name), cwt->key);
	/* the pairs of the CCS, and more of them */
	gk_put_map(&claims, 2u + (cwt->exp != 0) + (cwt->nbf != 0));
	gk_buf_add(&claims, gk_span_sub(gk_buf_span(&ccs), 1, SIZE_MAX));
	put_claim(&claims, GK_CLAIM_EXP, cwt->exp);
	put_claim(&claims, GK_CLAIM_NBF, cwt->nbf);
	if (gk_cose_sign1(gk_buf_span(&claims), cwt->issuer, &message))
		abort();
	if (cwt->tags == 2)
		gk_put_tag(buf, GK_TAG_CWT);
	gk_buf_add(buf, gk_span_sub(gk_buf_span(&message), cwt->tags ? 0 : 1, SIZE_MAX));
	if (buf->overflow)
		abort();
}
