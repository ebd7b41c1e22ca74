// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What a service manager is told of us: sd_notify(3), which is one datagram.
 */
#ifndef GW_NOTIFY_H
#define GW_NOTIFY_H

#include "libgroupkey/groupkey.h"

/**
 * Tell who started us how far we are, if it wants to know: if NOTIFY_SOCKET is in the environment.
 * @param state  "READY=1", "STOPPING=1"; more than one with newlines between them
 * @return 0: told, or nobody wants to know; -errno
 */
GK_MUST_CHECK int gw_notify(const char *state);

#endif
