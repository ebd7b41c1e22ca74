// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Where clients are: the addresses that their protected requests came from, the newest first. What
 * the kernel says is about the newest alone, since a client may have moved; but an interface has
 * its link-local address too, which it makes of the same identifier (RFC 4291 section 2.5.1) and by
 * which its neighbours know it.
 */
#include "kdc.h"

#include <string.h>

#define IID_AT  8
#define IID_LEN 8

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

static size_t find_address(const struct gk_client *client, const struct gk_addr *addr)
{
	size_t i = 0;

	while (i < client->address_count && !same_ip(&client->addresses[i], addr))
		i++;
	return i;
}

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

static void put_first(struct gk_client *client, const struct gk_addr *addr)
{
	size_t i = find_address(client, addr);

	if (i == GK_ADDRESSES_MAX)
		i--;
	else
		client->address_count += i == client->address_count;
	memmove(&client->addresses[1], &client->addresses[0], i * sizeof(*addr));
	client->addresses[0] = *addr;
}

void gk_address_heard(struct gk_kdc *kdc, struct gk_client *client, const struct gk_addr *addr,
		      struct gk_now now)
{
	struct gk_addr from = client->addresses[0];
	bool moved = client->address_count > 0;

	if (moved && same_ip(&client->addresses[0], addr)) {
		client->addresses[0].port = addr->port;
		return;
	}
	gk_address_forget(kdc, client);
	put_first(client, addr);
	if (moved)
		move_nodes(client, &from, addr, now);
	if (gk_hash_reserve(&kdc->addresses))
		return; /* the kernel may say what it likes of it */
	gk_hash_add(&kdc->addresses, &client->by_iid, identifier(addr));
	client->has_iid = true;
}

void gk_address_forget(struct gk_kdc *kdc, struct gk_client *client)
{
	if (client->has_iid)
		gk_hash_remove(&kdc->addresses, &client->by_iid);
	client->has_iid = false;
}

const struct gk_addr *gk_address_of(const struct gk_node *node)
{
	return node->client->address_count ? &node->client->addresses[0] : &node->address;
}

/* what the kernel says */

/* Of several words about a member the last one counts. */
static void note_word(struct gk_kdc *kdc, struct gk_node *node, enum gk_reach word)
{
	if (!node->told) {
		node->next_told = kdc->told;
		kdc->told = node;
	}
	node->told = true;
	node->word = (uint8_t)word;
}

static void take_report(struct gk_kdc *kdc, const struct gk_reach_report *report)
{
	struct gk_link *link = gk_hash_find(&kdc->addresses, identifier(&report->addr));

	for (; link; link = gk_hash_next(link)) {
		struct gk_client *client = GK_OWNER(link, struct gk_client, by_iid);

		if (!is_akin(&client->addresses[0], &report->addr))
			continue;
		for (struct gk_node *node = client->nodes; node; node = node->next_of_client)
			note_word(kdc, node, report->reach);
	}
}

void gk_address_reports(struct gk_kdc *kdc, const struct gk_reach_report *reports, size_t count,
			struct gk_now now)
{
	for (size_t i = 0; i < count; i++)
		take_report(kdc, &reports[i]);
	while (kdc->told) {
		struct gk_node *node = kdc->told;

		kdc->told = node->next_told;
		node->told = false;
		gk_presence_reach(node, node->word, now);
	}
}
