// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * UDP endpoints as text, and as the kernel has them. IPv6 only; IPv4 peers appear mapped.
 */
#ifndef IO_ADDR_H
#define IO_ADDR_H

#include <netinet/in.h>

#include "libgroupkey/groupkey.h"

/** The port of CoAP (RFC 7252 section 6.1). */
#define IO_ADDR_COAP_PORT  5683
#define IO_ADDR_COAPS_PORT 5684

/** Room for "[address%interface]:port" and its NUL. */
#define IO_ADDR_TEXT 80

/**
 * Parse "[fd00::1]:5683" or "[fe80::1%lowpan0]". After '%' comes the name or the index of an
 * interface that exists.
 * @param port  used where the text has none
 * @return false: not that; 'addr' is as before
 */
bool io_addr_parse(const char *text, uint16_t port, struct gk_addr *addr);
/** Format as io_addr_parse() reads it. @param out at least IO_ADDR_TEXT bytes @return out */
const char *io_addr_format(const struct gk_addr *addr, char *out);

/** @return true if it means something only together with an interface: fe80::/10 */
bool io_addr_is_link_local(const struct gk_addr *addr);
/** @return true if both are the same endpoint */
bool io_addr_equal(const struct gk_addr *a, const struct gk_addr *b);

/** Convert for the kernel, and back. */
struct sockaddr_in6 io_addr_to_sockaddr(const struct gk_addr *addr);
struct gk_addr io_addr_from_sockaddr(const struct sockaddr_in6 *sockaddr);

#endif
