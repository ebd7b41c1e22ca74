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
	coap->joined = joined > 0;
	return joined == GROUPS;
}

// libcoap keeps the address that the newest datagram of a session was sent to.
bool io_coap_is_multicast(const coap_session_t *session)
{
	return coap_is_mcast(coap_session_get_addr_local(session));
}

#if LIBCOAP_VERSION < 4003001

/*
 * libcoap 4.3.0 keeps a request that came by multicast for a random part of 5 s, so that its answer
 * goes out then (RFC 7252 section 8.2). Who answers by another way, in a time of its own, would be
 * late by that. The time is drawn as a byte, from a source that can be replaced: 1 makes it 20 ms,
 * and 0, which libcoap takes for ever, is not drawn.
 */
static bool hurries; // the source is the whole process's, and is not told for whom it draws

static int draw(void *out, size_t len)
{
	struct gk_env env = io_env();
	uint8_t *byte = out;

	if (!env.random(env.ctx, out, len))
		return 0;
	if (len == 1 && (hurries || *byte == 0))
		*byte = 1;
	return 1;
}

bool io_coap_hurry(bool at_once)
{
	bool before = hurries;

	coap_set_prng(draw);
	hurries = at_once;
	return before;
}

#else

bool io_coap_hurry(bool at_once)
{
	return at_once;
}

#endif
