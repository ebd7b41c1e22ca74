// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** A credential that was issued to this member, from files. */
#ifndef MEMBER_CREDENTIAL_H
#define MEMBER_CREDENTIAL_H

#include "libgroupkey/mem.h"
#include "member/options.h"

/** What the files have; 'cred' borrows from it. */
struct gkm_credential {
	struct gk_blob bytes, issuers;
	uint8_t key[32];
	struct gk_member_cred cred;
};

/**
 * Read what the options name.
 * @param error  on failure gets one line
 * @return false: a file cannot be read, or is not what it should be
 */
GK_MUST_CHECK bool gkm_credential_load(const struct gkm_options *options,
				       struct gkm_credential *credential, char *error, size_t size);
/** Wipe and free. */
void gkm_credential_wipe(struct gkm_credential *credential);

#endif
