// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "cred.h"
#include "numbers.h"

static enum gk_err read_key(struct gk_span ccs, struct gk_public_key *key)
{
	static const struct gk_cbor_field claims[] = { { GK_CLAIM_CNF, GK_CBOR_MAP, true } };
	static const struct gk_cbor_field methods[] = { { GK_CNF_COSE_KEY, GK_CBOR_MAP, true } };
	struct gk_cbor_item cnf, cose_key;

	enum gk_err err = gk_cbor_read_map(ccs, claims, 1, &cnf);
	if (err == GK_OK)
		err = gk_cbor_read_map(cnf.encoded, methods, 1, &cose_key);
	if (err == GK_OK)
		err = gk_cose_key_read(cose_key.encoded, key);
	return err;
}

enum gk_err gk_ccs_read_own(struct gk_span ccs, struct gk_public_key *key)
{
	struct gk_public_key found;
	if (ccs.len > GK_CRED_MAX || read_key(ccs, &found) != GK_OK)
		return GK_ERR_CREDENTIAL;
	*key = found;
	return GK_OK;
}

enum gk_err gk_ccs_read(struct gk_span ccs, struct gk_public_key *key)
{
	struct gk_public_key found;
	if (gk_ccs_read_own(ccs, &found) != GK_OK || gk_public_key_check(&found) != GK_OK)
		return GK_ERR_CREDENTIAL;
	*key = found;
	return GK_OK;
}

void gk_ccs_put(struct gk_buf *buf, struct gk_span name, const struct gk_public_key *key)
{
	gk_put_map(buf, 2);
	gk_put_uint(buf, GK_CLAIM_SUB);
	gk_put_text(buf, name);
	gk_put_uint(buf, GK_CLAIM_CNF);
	gk_put_map(buf, 1);
	gk_put_uint(buf, GK_CNF_COSE_KEY);
	gk_cose_key_put(buf, key);
}

void gk_pop_put_client(struct gk_buf *buf, struct gk_span scope, struct gk_span n_s,
		       struct gk_span n_c)
{
	gk_put_bytes(buf, scope);
	gk_put_bytes(buf, n_s);
	gk_put_bytes(buf, n_c);
}

void gk_pop_put_kdc(struct gk_buf *buf, struct gk_span n_c, struct gk_span n_kdc)
{
	gk_put_bytes(buf, n_c);
	gk_put_bytes(buf, n_kdc);
}
