// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A network namespace of the test's own, so that no port of the machine is in the way and no
 * datagram leaves it. Needs root, or user namespaces.
 */
#ifndef TEST_NETNS_H
#define TEST_NETNS_H

#include <stdbool.h>

#include "libgroupkey/groupkey.h"

/** Move this process into a new namespace with 'lo' up. @return false: not permitted here */
bool netns_enter(void);
/**
 * Make a pair of connected Ethernet interfaces, up and with usable link-local addresses; after
 * netns_enter().
 * @return false: this kernel has none
 */
bool netns_veth(const char *name, const char *other);
/** The link-local address of an interface, port 0. @return false: it has none that is usable */
bool netns_link_local(const char *name, struct gk_addr *addr);

#endif
