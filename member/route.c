// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/route.h"
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connecting a datagram socket chooses a route and a source address, and sends nothing. */
static int find_source(const struct gk_addr *kdc, struct gk_addr *own)
{
	struct sockaddr_in6 address = io_addr_to_sockaddr(kdc);
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, len) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		err = -errno;
	else
		*own = io_addr_from_sockaddr(&address);
	close(fd);
	return err;
}

static bool has_address(const struct ifaddrs *entry, const struct gk_addr *own)
{
	const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)(void *)entry->ifa_addr;

	return address && address->sin6_family == AF_INET6 &&
	       memcmp(&address->sin6_addr, own->ip, sizeof(own->ip)) == 0 &&
	       (!own->scope || own->scope == address->sin6_scope_id);
}

static int find_interface(const struct gk_addr *own, unsigned *interface)
{
	struct ifaddrs *all;
	unsigned found = 0;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *entry = all; entry && !found; entry = entry->ifa_next) {
		if (has_address(entry, own))
			found = if_nametoindex(entry->ifa_name);
	}
	freeifaddrs(all);
	if (!found)
		return -ENODEV;
	*interface = found;
	return 0;
}

int gkm_route_find(const struct gk_addr *kdc, struct gkm_route *route)
{
	struct gkm_route found;
	int err = find_source(kdc, &found.own);

	if (!err)
		err = find_interface(&found.own, &found.interface);
	if (!err)
		*route = found;
	return err;
}
