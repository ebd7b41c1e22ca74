// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

// Decimal digits alone: strtoul() would take signs, blanks and other bases.
static bool parse_number(const char *text, uint32_t max, uint32_t *number)
{
	uint64_t sum = 0;

	if (*text == '\0')
		return false;

	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		sum = sum * 10 + (uint64_t)(*text - '0');
		if (sum > max)
			return false;
	}

	*number = (uint32_t)sum;
	return true;
}

static bool parse_zone(const char *text, uint32_t *scope)
{
	unsigned index = if_nametoindex(text);

	if (index > 0) {
		*scope = index;
		return true;
	}
	return parse_number(text, UINT32_MAX, scope) && *scope > 0;
}

bool io_addr_parse(const char *text, uint16_t port, struct gk_addr *addr)
{
	struct gk_addr found = { .port = port };
	char host[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
	const char *end = strchr(text, ']');

	if (text[0] != '[' || !end || (size_t)(end - text - 1) >= sizeof(host))
		return false;

	memcpy(host, text + 1, (size_t)(end - text - 1));
	host[end - text - 1] = '\0';

	char *zone = strchr(host, '%');
	if (zone) {
		*zone++ = '\0';
		if (!parse_zone(zone, &found.scope))
			return false;
	}
	if (inet_pton(AF_INET6, host, found.ip) != 1)
		return false;

	if (end[1] != '\0') {
		uint32_t number;
		if (end[1] != ':' || !parse_number(end + 2, UINT16_MAX, &number))
			return false;
		found.port = (uint16_t)number;
	}

	*addr = found;
	return true;
}

const char *io_addr_format(const struct gk_addr *addr, char *out)
{
	char host[INET6_ADDRSTRLEN], name[IF_NAMESIZE], zone[IF_NAMESIZE + 1] = "";

	if (addr->scope > 0 && if_indextoname(addr->scope, name))
		snprintf(zone, sizeof(zone), "%%%s", name);
	else if (addr->scope > 0)
		snprintf(zone, sizeof(zone), "%%%u", addr->scope);

	inet_ntop(AF_INET6, addr->ip, host, sizeof(host));
	snprintf(out, IO_ADDR_TEXT, "[%s%s]:%u", host, zone, addr->port);
	return out;
}

bool io_addr_is_link_local(const struct gk_addr *addr)
{
	return addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

bool io_addr_equal(const struct gk_addr *a, const struct gk_addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->port == b->port &&
	       a->scope == b->scope;
}

struct sockaddr_in6 io_addr_to_sockaddr(const struct gk_addr *addr)
{
	struct sockaddr_in6 sockaddr = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(addr->port),
		.sin6_scope_id = addr->scope,
	};

	memcpy(&sockaddr.sin6_addr, addr->ip, sizeof(addr->ip));
	return sockaddr;
}

struct gk_addr io_addr_from_sockaddr(const struct sockaddr_in6 *sockaddr)
{
	struct gk_addr addr = {
		.port = ntohs(sockaddr->sin6_port),
		.scope = sockaddr->sin6_scope_id,
	};

	memcpy(addr.ip, &sockaddr->sin6_addr, sizeof(addr.ip));
	return addr;
}
