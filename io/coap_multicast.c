// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/coap_inside.h"

#include <net/if.h>

// All CoAP nodes of a link, of a mesh, and of a site (RFC 7252 section 12.8, RFC 7346).
static const char *const all_nodes[] = { "ff02::fd", "ff03::fd", "ff05::fd" };

#define GROUPS (sizeof(all_nodes) / sizeof(all_nodes[0]))

bool io_coap_join(struct io_coap *coap, const char *interface)
{
	size_t joined = 0;

	if (if_nametoindex(interface) == 0) // libcoap would join by another one
		return false;
	for (size_t i = 0; i < GROUPS; i++)
		joined += coap_join_mcast_group_intf(coap->context, all_nodes[i], interface) == 0;
	return joined == GROUPS;
}

// libcoap keeps the address that the newest datagram of a session was sent to.
bool io_coap_is_multicast(const coap_session_t *session)
{
	return coap_is_mcast(coap_session_get_addr_local(session));
}
