// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Which of our addresses and interfaces face the KDC, as the kernel would choose.
 */
#ifndef GKM_ROUTE_H
#define GKM_ROUTE_H

#include "io/addr.h"

struct gkm_route {
	struct gk_addr own; /* the source address towards the KDC; its port means nothing */
	unsigned interface; /* index of the one that has it */
};

/**
 * Ask the kernel. Nothing is sent.
 * @return 0; -ENODEV: no interface has that address; -ENETUNREACH and other -errno: no route
 */
GK_MUST_CHECK int gkm_route_find(const struct gk_addr *kdc, struct gkm_route *route);

#endif
