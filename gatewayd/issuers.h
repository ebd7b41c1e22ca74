// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Files that say who may issue the credentials of a group's members (groups[].cred_issuers_file).
 */
#ifndef GATEWAYD_ISSUERS_H
#define GATEWAYD_ISSUERS_H

#include "gatewayd/conf.h"

/**
 * Read those that a configuration names, and check them.
 * @param paths  of the configuration, for messages
 * @param conf   its groups get 'issuers', and 'core.cred_issuers' borrows from that
 * @param error  on failure gets one line
 */
GK_MUST_CHECK bool gw_issuers_load(const char *const *paths, struct gw_conf *conf, char *error,
				   size_t size);

#endif
