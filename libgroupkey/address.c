// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Where clients are: the addresses that their protected requests came from, the newest first. What
 * the kernel says is about the newest alone, since a client may have moved; but an interface has
 * its link-local address too, which it makes of the same identifier (RFC 4291 section 2.5.1) and by
 * which its neighbours know it.
 */
#include "presence.h"

#include <string.h>

#define IID_AT  8
#define IID_LEN 8

#define FORMER_MAX (GK_ADDRESSES_MAX - 1)

static struct gk_span identifier(const struct gk_addr *addr)
{
	return gk_span(addr->ip + IID_AT, IID_LEN);
}

static bool is_link_local(const struct gk_addr *addr)
{
	return addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

static bool same_scope(const struct gk_addr *a, const struct gk_addr *b)
{
	return !a->scope || !b->scope || a->scope == b->scope;
}

static bool same_ip(const struct gk_addr *a, const struct gk_addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->scope == b->scope;
}

/* @return true if both are of one interface */
static bool is_akin(const struct gk_addr *a, const struct gk_addr *b)
{
	if (!same_scope(a, b))
		return false;
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 ||
	       (gk_span_equal(identifier(a), identifier(b)) &&
		is_link_local(a) != is_link_local(b));
}

/* what is heard */

/* Who takes requests does so at the port that it named, and at the address that it had then (a
 * control_uri with another is refused), until it is heard from elsewhere. */
static void move_node(struct gk_node *node, const struct gk_addr *from, const struct gk_addr *to)
{
	uint16_t port = node->has_control ? node->address.port : to->port;

	if (node->has_control && !same_ip(&node->address, from))
		return;
	node->address = *to;
	node->address.port = port;
}

static void move_nodes(struct gk_client *client, const struct gk_addr *from,
		       const struct gk_addr *to, struct gk_now now)
{
	for (struct gk_node *node = client->nodes; node; node = node->next_of_client) {
		move_node(node, from, to);
		gk_evidence_add(node, GK_FACT_ELSEWHERE, 0, now);
	}
}

static void unlink_client(struct gk_kdc *kdc, struct gk_client *client)
{
	if (client->has_iid)
		gk_hash_remove(&kdc->addresses, &client->by_iid);
	client->has_iid = false;
}

/* @return where in the former ones the newest one has its place: that of 'addr',
 * or of the oldest */
static size_t find_place(const struct gk_client *client, const struct gk_addr *addr)
{
	size_t count = client->address_count - 1u, i = 0;

	while (i < count && !same_ip(&client->former[i], addr))
		i++;
	return i < FORMER_MAX ? i : FORMER_MAX - 1;
}

/* Without memory for it, it is forgotten. */
static void keep_former(struct gk_kdc *kdc, struct gk_client *client, const struct gk_addr *addr)
{
	size_t i;

	if (!client->former)
		client->former = gk_alloc(&kdc->env, FORMER_MAX * sizeof(*client->former));
	if (!client->former)
		return;
	i = find_place(client, addr);
	if (i + 1u == client->address_count)
		client->address_count++;
	memmove(&client->former[1], &client->former[0], i * sizeof(*addr));
	client->former[0] = client->address;
}

void gk_address_heard(struct gk_kdc *kdc, struct gk_client *client, const struct gk_addr *addr,
		      struct gk_now now)
{
	struct gk_addr from = client->address;
	bool moved = client->address_count > 0;

	if (moved && same_ip(&from, addr)) {
		client->address.port = addr->port;
		return;
	}
	unlink_client(kdc, client);
	if (moved)
		keep_former(kdc, client, addr);
	else
		client->address_count = 1;
	client->address = *addr;
	if (moved)
		move_nodes(client, &from, addr, now);
	if (gk_hash_reserve(&kdc->addresses))
		return; /* the kernel may say what it likes of it */
	gk_hash_add(&kdc->addresses, &client->by_iid, identifier(addr));
	client->has_iid = true;
}

void gk_address_forget(struct gk_kdc *kdc, struct gk_client *client)
{
	unlink_client(kdc, client);
	gk_free(&kdc->env, client->former, FORMER_MAX * sizeof(*client->former));
	client->former = NULL;
	client->address_count = 0;
}

size_t gk_address_list(const struct gk_client *client, struct gk_addr list[GK_ADDRESSES_MAX])
{
	size_t count = client->address_count;

	if (count > 0)
		list[0] = client->address;
	if (count > 1)
		memcpy(&list[1], client->former, (count - 1) * sizeof(*list));
	return count;
}

const struct gk_addr *gk_address_of(const struct gk_node *node)
{
	return node->client->address_count ? &node->client->address : &node->address;
}

struct gk_client *gk_address_next(const struct gk_kdc *kdc, const struct gk_addr *addr,
				  const struct gk_client *after)
{
	struct gk_link *link = after ? gk_hash_next(&after->by_iid)
				     : gk_hash_find(&kdc->addresses, identifier(addr));

	for (; link; link = gk_hash_next(link)) {
		struct gk_client *client = GK_OWNER(link, struct gk_client, by_iid);

		if (is_akin(&client->address, addr))
			return client;
	}
	return NULL;
}
