// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/issuers.h"
#include "io/file.h"
#include "io/pem.h"
#include "libgroupkey/cred.h"
#include <stdio.h>
#include <stdlib.h>

#define ISSUERS_MAX 65536 // 16 certificates, none of them large

static const char *load(struct gw_group_conf *group)
{
	const char *why = io_file_read(group->cred_issuers_file, ISSUERS_MAX, &group->issuers);

	if (why)
		return why;
	if (io_pem_is(gk_span(group->issuers.data, group->issuers.len)) &&
	    !io_pem_decode(&group->issuers))
		return "has a certificate that is no text as in RFC 7468";
	group->core.cred_issuers = gk_span(group->issuers.data, group->issuers.len);
	return gk_cred_check_issuers(group->core.cred_fmt, group->core.cred_issuers)
		       ? "must have 1 to 16 issuers of such credentials, and nothing else"
		       : NULL;
}

bool gw_issuers_load(const char *const *paths, struct gw_conf *conf, char *error, size_t size)
{
	for (size_t i = 0; i < conf->group_count; i++) {
		const char *why = conf->groups[i].cred_issuers_file ? load(&conf->groups[i]) : NULL;
		char option[64];

		if (!why)
			continue;
		snprintf(option, sizeof(option), "groups[%zu].cred_issuers_file", i);
		gw_conf_refuse(paths, option, why, error, size);
		return false;
	}
	return true;
}
