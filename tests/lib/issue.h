// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** Credentials as somebody else would issue them, for tests. */
#ifndef TESTS_LIB_ISSUE_H
#define TESTS_LIB_ISSUE_H

#include "libgroupkey/cred.h"

/** A key of curve 'crv' from 32 bytes of 'seed'. */
struct gk_key_pair issue_key(int crv, uint8_t seed);
/** Append its public part as a COSE_Key, as in cred_issuers. */
void issue_put_issuer(struct gk_buf *buf, const struct gk_key_pair *key);

/** What a CWT says; 0: nothing. */
struct issue_cwt {
	const char *name;
	const struct gk_public_key *key;
	bool dh; /* the key says nothing of signatures */
	int64_t exp, nbf;
	const struct gk_key_pair *issuer;
	int tags; /* 0: none, 1: of the COSE_Sign1, 2: of the CWT too */
};
void issue_put_cwt(struct gk_buf *buf, const struct issue_cwt *cwt);

#endif
