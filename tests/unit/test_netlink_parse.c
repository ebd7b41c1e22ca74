// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * netlink/parse.c on messages built byte by byte, and netlink/timing.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/parse.h"
#include "netlink/reach.h"
#include "netlink/timing.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t NODE[REACH_IP_LEN] = { 0xfd, [15] = 0x01 };
static const uint8_t ROUTER[REACH_IP_LEN] = { 0xfe, 0x80, [15] = 0x02 };
static const uint8_t ALL_NODES[REACH_IP_LEN] = { 0xff, 0x02, [15] = 0x01 };

/*
 * Building datagrams
 */

struct datagram {
	_Alignas(4) uint8_t bytes[4096];
	size_t len;
	size_t message; // where the newest one begins
};

static void put(struct datagram *d, const void *bytes, size_t len)
{
	assert_true(d->len + NLMSG_ALIGN(len) <= sizeof(d->bytes));
	memcpy(d->bytes + d->len, bytes, len);
	memset(d->bytes + d->len + len, 0, NLMSG_ALIGN(len) - len);
	d->len += NLMSG_ALIGN(len);
}

static struct nlmsghdr *newest(struct datagram *d)
{
	return (struct nlmsghdr *)(void *)(d->bytes + d->message);
}

static void begin(struct datagram *d, uint16_t type, const void *head, size_t len)
{
	const struct nlmsghdr message = { .nlmsg_type = type, .nlmsg_seq = 5 };

	d->message = d->len;
	put(d, &message, sizeof(message));
	put(d, head, len);
	newest(d)->nlmsg_len = (uint32_t)(d->len - d->message);
}

static void attribute(struct datagram *d, uint16_t type, const void *bytes, size_t len)
{
	const struct rtattr head = { .rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(len) };

	put(d, &head, sizeof(head));
	put(d, bytes, len);
	newest(d)->nlmsg_len = (uint32_t)(d->len - d->message);
}

static void add_neighbour(struct datagram *d, uint16_t type, uint16_t nud, const uint8_t *ip)
{
	const struct ndmsg head = { .ndm_family = AF_INET6, .ndm_ifindex = 7, .ndm_state = nud };
	const uint8_t lladdr[8] = { 2 };

	begin(d, type, &head, sizeof(head));
	attribute(d, NDA_DST, ip, REACH_IP_LEN);
	attribute(d, NDA_LLADDR, lladdr, sizeof(lladdr));
}

static void add_link(struct datagram *d, uint16_t type, unsigned int flags, const char *name)
{
	const struct ifinfomsg head = { .ifi_index = 7, .ifi_flags = flags };

	begin(d, type, &head, sizeof(head));
	attribute(d, IFLA_IFNAME, name, strlen(name) + 1);
}

static void add_address(struct datagram *d, uint16_t type, uint32_t flags)
{
	const struct ifaddrmsg head = { .ifa_family = AF_INET6,
					.ifa_prefixlen = 64,
					.ifa_index = 7 };

	begin(d, type, &head, sizeof(head));
	attribute(d, IFA_ADDRESS, NODE, sizeof(NODE));
	attribute(d, IFA_FLAGS, &flags, sizeof(flags));
}

static const struct rtmsg host_route = {
	.rtm_family = AF_INET6,
	.rtm_dst_len = 128,
	.rtm_table = RT_TABLE_MAIN,
	.rtm_type = RTN_UNICAST,
};

static void add_route(struct datagram *d, uint16_t type, const struct rtmsg *head,
		      const uint8_t *ip)
{
	const uint32_t out = 7, table = head->rtm_table;

	begin(d, type, head, sizeof(*head));
	attribute(d, RTA_TABLE, &table, sizeof(table));
	attribute(d, RTA_DST, ip, REACH_IP_LEN);
	attribute(d, RTA_GATEWAY, ROUTER, sizeof(ROUTER));
	attribute(d, RTA_OIF, &out, sizeof(out));
}

static void add_done(struct datagram *d, uint16_t type, int error)
{
	begin(d, type, &error, sizeof(error));
}

// One well-formed message of each kind.
static void add_everything(struct datagram *d)
{
	add_neighbour(d, RTM_NEWNEIGH, NUD_FAILED, NODE);
	add_link(d, RTM_NEWLINK, IFF_UP | IFF_RUNNING, "lowpan0");
	add_address(d, RTM_NEWADDR, IFA_F_PERMANENT);
	add_route(d, RTM_NEWROUTE, &host_route, NODE);
	add_done(d, NLMSG_DONE, 0);
}

/*
 * Looking at results
 */

// Parse from a heap block of exactly 'len' bytes, so that a sanitizer sees one byte too many.
static int parse_exactly(const void *bytes, size_t len, struct reach_record *records, size_t max,
			 size_t *count)
{
	void *block = malloc(len ? len : 1);
	struct reach_record record;
	struct reach_cursor cursor;
	int result = 0, rc;

	assert_non_null(block);
	memcpy(block, bytes, len);
	cursor = reach_parse_begin(block, len);
	*count = 0;
	while ((rc = reach_parse_next(&cursor, &record)) != 0) {
		if (rc < 0)
			result = rc;
		else if (*count < max)
			records[(*count)++] = record;
	}
	free(block);
	return result;
}

static struct reach_record parse_one(const struct datagram *d)
{
	struct reach_record records[2];
	size_t count;

	assert_int_equal(parse_exactly(d->bytes, d->len, records, 2, &count), 0);
	assert_int_equal(count, 1);
	return records[0];
}

static void assert_malformed(const struct datagram *d)
{
	struct reach_record record;
	size_t count;

	assert_int_equal(parse_exactly(d->bytes, d->len, &record, 1, &count), -EBADMSG);
	assert_int_equal(count, 0);
}

static void assert_text(const struct reach_record *record, const char *expected)
{
	char text[REACH_TEXT_LEN];

	assert_int_equal(record->type, REACH_RECORD_EVENT);
	reach_event_format(&record->event, text);
	assert_string_equal(text, expected);
}

/*
 * Neighbours
 */

static void neighbour_state_follows_from_nud(void **state)
{
	static const struct {
		uint16_t nud;
		enum reach_record_type type;
		enum reach_state state;
	} rows[] = {
		{ NUD_NONE, REACH_RECORD_EVENT, REACH_UNKNOWN },
		{ NUD_REACHABLE, REACH_RECORD_EVENT, REACH_REACHABLE },
		{ NUD_STALE, REACH_RECORD_EVENT, REACH_STALE },
		{ NUD_DELAY, REACH_RECORD_EVENT, REACH_STALE },
		{ NUD_PROBE, REACH_RECORD_EVENT, REACH_STALE },
		{ NUD_FAILED, REACH_RECORD_EVENT, REACH_FAILED },
		// being asked: what was known before still holds
		{ NUD_INCOMPLETE, REACH_RECORD_RESOLVING, REACH_UNKNOWN },
		// the kernel never asks these
		{ NUD_PERMANENT, REACH_RECORD_FIXED, REACH_UNKNOWN },
		{ NUD_NOARP, REACH_RECORD_FIXED, REACH_UNKNOWN },
		// no such states
		{ NUD_REACHABLE | NUD_FAILED, REACH_RECORD_EVENT, REACH_UNKNOWN },
		{ 0x8000, REACH_RECORD_EVENT, REACH_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct datagram d = { 0 };
		struct reach_record record;

		add_neighbour(&d, RTM_NEWNEIGH, rows[i].nud, NODE);
		record = parse_one(&d);
		if (record.type != rows[i].type || record.event.state != rows[i].state)
			fail_msg("row %zu: type %d, state %d", i, record.type, record.event.state);
		assert_int_equal(record.event.kind, REACH_NEIGHBOUR);
		assert_int_equal(record.event.ifindex, 7);
		assert_memory_equal(record.event.ip, NODE, sizeof(NODE));
	}
}

static void deleted_neighbour_is_unknown_whatever_its_state(void **state)
{
	static const uint16_t nuds[] = { NUD_REACHABLE, NUD_STALE, NUD_FAILED, NUD_INCOMPLETE,
					 NUD_PERMANENT };

	(void)state;
	for (size_t i = 0; i < LENGTH(nuds); i++) {
		struct datagram d = { 0 };
		struct reach_record record;

		add_neighbour(&d, RTM_DELNEIGH, nuds[i], NODE);
		record = parse_one(&d);
		assert_text(&record, "neighbour 7 unknown fd00::1");
	}
}

static void neighbours_that_are_not_ours_to_watch_are_ignored(void **state)
{
	struct datagram multicast = { 0 }, bridge = { 0 }, ipv4 = { 0 };
	const struct ndmsg bridge_head = { .ndm_family = AF_BRIDGE, .ndm_ifindex = 7 };
	const struct ndmsg ipv4_head = { .ndm_family = AF_INET, .ndm_ifindex = 7 };

	(void)state;
	add_neighbour(&multicast, RTM_NEWNEIGH, NUD_REACHABLE, ALL_NODES);
	assert_int_equal(parse_one(&multicast).type, REACH_RECORD_IGNORED);
	begin(&bridge, RTM_NEWNEIGH, &bridge_head, sizeof(bridge_head));
	attribute(&bridge, NDA_LLADDR, NODE, 6);
	assert_int_equal(parse_one(&bridge).type, REACH_RECORD_IGNORED);
	begin(&ipv4, RTM_NEWNEIGH, &ipv4_head, sizeof(ipv4_head));
	attribute(&ipv4, NDA_DST, NODE, 4);
	assert_int_equal(parse_one(&ipv4).type, REACH_RECORD_IGNORED);
}

static void proxied_entry_comes_and_goes_whatever_its_state(void **state)
{
	static const struct {
		uint16_t type, nud;
		const char *text;
	} rows[] = {
		{ RTM_NEWNEIGH, NUD_NONE, "proxy 7 added fd00::1" },
		{ RTM_NEWNEIGH, NUD_FAILED, "proxy 7 added fd00::1" },
		{ RTM_DELNEIGH, NUD_NONE, "proxy 7 gone fd00::1" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct ndmsg head = { .ndm_family = AF_INET6,
				      .ndm_ifindex = 7,
				      .ndm_state = rows[i].nud,
				      .ndm_flags = NTF_PROXY };
		struct datagram d = { 0 };
		struct reach_record record;

		begin(&d, rows[i].type, &head, sizeof(head));
		attribute(&d, NDA_DST, NODE, sizeof(NODE));
		record = parse_one(&d);
		assert_text(&record, rows[i].text);
		head.ndm_ifindex = 0; // of no link
		memcpy(d.bytes + NLMSG_HDRLEN, &head, sizeof(head));
		assert_int_equal(parse_one(&d).type, REACH_RECORD_IGNORED);
	}
}

/*
 * Links
 */

static void link_is_up_only_with_carrier(void **state)
{
	static const struct {
		uint16_t type;
		unsigned int flags;
		const char *text;
	} rows[] = {
		{ RTM_NEWLINK, IFF_UP | IFF_RUNNING, "link 7 up lowpan0" },
		{ RTM_NEWLINK, IFF_UP, "link 7 down lowpan0" },      // no carrier
		{ RTM_NEWLINK, IFF_RUNNING, "link 7 down lowpan0" }, // switched off
		{ RTM_NEWLINK, 0, "link 7 down lowpan0" },
		{ RTM_DELLINK, IFF_UP | IFF_RUNNING, "link 7 gone lowpan0" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct datagram d = { 0 };
		struct reach_record record;

		add_link(&d, rows[i].type, rows[i].flags, "lowpan0");
		record = parse_one(&d);
		assert_text(&record, rows[i].text);
		assert_false(rows[i].type == RTM_DELLINK && record.event.up);
	}
}

static void link_below_counts_in_the_same_namespace_only(void **state)
{
	const int32_t elsewhere = 0;
	const uint32_t huge = 0x80000000, below = 6;
	struct datagram d = { 0 };

	(void)state;
	add_link(&d, RTM_NEWLINK, IFF_UP | IFF_RUNNING, "lowpan0");
	assert_int_equal(parse_one(&d).lower, 0);
	attribute(&d, IFLA_LINK, &below, sizeof(below));
	assert_int_equal(parse_one(&d).lower, 6);
	attribute(&d, IFLA_LINK_NETNSID, &elsewhere, sizeof(elsewhere));
	assert_int_equal(parse_one(&d).lower, 0);
	attribute(&d, IFLA_LINK, &huge, sizeof(huge));
	assert_malformed(&d);
}

static void link_that_leaves_a_bridge_is_not_gone(void **state)
{
	const struct ifinfomsg head = { .ifi_family = AF_BRIDGE, .ifi_index = 7 };
	struct datagram d = { 0 };

	(void)state;
	begin(&d, RTM_DELLINK, &head, sizeof(head));
	attribute(&d, IFLA_IFNAME, "lowpan0", 8);
	assert_int_equal(parse_one(&d).type, REACH_RECORD_IGNORED);
}

static void link_name_must_end_with_its_only_nul(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "lowpan0", 7 },           // no NUL
		{ "low\0an0", 8 },          // another within
		{ "", 1 },                  // empty
		{ "", 0 },                  // nothing at all
		{ "0123456789abcdef", 17 }, // longer than IFNAMSIZ
		{ "0123456789abcdef", 16 }, // as long, without NUL
	};
	const struct ifinfomsg head = { .ifi_index = 7 };

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct datagram d = { 0 };

		begin(&d, RTM_NEWLINK, &head, sizeof(head));
		attribute(&d, IFLA_IFNAME, rows[i].bytes, rows[i].len);
		assert_malformed(&d);
	}
}

/*
 * Addresses and routes
 */

static void address_counts_once_it_may_be_used(void **state)
{
	static const struct {
		uint16_t type;
		uint32_t flags;
		const char *text;
	} rows[] = {
		{ RTM_NEWADDR, IFA_F_PERMANENT, "address 7 added fd00::1" },
		{ RTM_NEWADDR, IFA_F_TENTATIVE, "address 7 gone fd00::1" },
		{ RTM_NEWADDR, IFA_F_DADFAILED, "address 7 gone fd00::1" },
		{ RTM_DELADDR, IFA_F_PERMANENT, "address 7 gone fd00::1" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct datagram d = { 0 };
		struct reach_record record;

		add_address(&d, rows[i].type, rows[i].flags);
		record = parse_one(&d);
		assert_text(&record, rows[i].text);
	}
}

static void address_on_a_point_to_point_link_is_our_own(void **state)
{
	struct datagram d = { 0 };
	struct reach_record record;

	(void)state;
	add_address(&d, RTM_NEWADDR, 0);
	attribute(&d, IFA_LOCAL, ROUTER, sizeof(ROUTER));
	record = parse_one(&d);
	assert_text(&record, "address 7 added fe80::2");
}

static void host_route_comes_and_goes_with_its_gateway(void **state)
{
	struct datagram added = { 0 }, gone = { 0 };
	struct reach_record record;

	(void)state;
	add_route(&added, RTM_NEWROUTE, &host_route, NODE);
	record = parse_one(&added);
	assert_text(&record, "route 7 added fd00::1 via fe80::2");
	assert_false(record.replaces);
	add_route(&gone, RTM_DELROUTE, &host_route, NODE);
	record = parse_one(&gone);
	assert_text(&record, "route 7 gone fd00::1 via fe80::2");
}

// The kernel's own choice is not mentioned.
static void host_route_has_a_metric(void **state)
{
	static const struct {
		uint32_t metric;
		const char *text;
	} rows[] = {
		{ 1024, "route 7 added fd00::1 via fe80::2" },
		{ 1, "route 7 added fd00::1 via fe80::2 metric 1" },
		{ UINT32_MAX, "route 7 added fd00::1 via fe80::2 metric 4294967295" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct datagram d = { 0 };
		struct reach_record record;

		add_route(&d, RTM_NEWROUTE, &host_route, NODE);
		attribute(&d, RTA_PRIORITY, &rows[i].metric, sizeof(rows[i].metric));
		record = parse_one(&d);
		assert_text(&record, rows[i].text);
	}
}

static void route_that_replaces_another_says_so(void **state)
{
	struct datagram d = { 0 };

	(void)state;
	add_route(&d, RTM_NEWROUTE, &host_route, NODE);
	newest(&d)->nlmsg_flags |= NLM_F_REPLACE;
	assert_true(parse_one(&d).replaces);
}

static void routes_that_say_nothing_about_a_node_are_ignored(void **state)
{
	struct rtmsg heads[] = {
		host_route, host_route, host_route, host_route, host_route, host_route,
	};
	struct datagram multicast = { 0 }, unreachable = { 0 };

	(void)state;
	heads[0].rtm_dst_len = 64;
	heads[1].rtm_src_len = 128;
	heads[2].rtm_type = RTN_LOCAL;
	heads[3].rtm_table = RT_TABLE_LOCAL;
	heads[4].rtm_flags = RTM_F_CLONED;
	heads[5].rtm_family = AF_INET;
	for (size_t i = 0; i < LENGTH(heads); i++) {
		struct datagram d = { 0 };

		add_route(&d, RTM_NEWROUTE, &heads[i], NODE);
		if (parse_one(&d).type != REACH_RECORD_IGNORED)
			fail_msg("row %zu", i);
	}
	add_route(&multicast, RTM_NEWROUTE, &host_route, ALL_NODES);
	assert_int_equal(parse_one(&multicast).type, REACH_RECORD_IGNORED);
	// without RTA_OIF: blackhole, or several next hops
	begin(&unreachable, RTM_NEWROUTE, &host_route, sizeof(host_route));
	attribute(&unreachable, RTA_DST, NODE, sizeof(NODE));
	assert_int_equal(parse_one(&unreachable).type, REACH_RECORD_IGNORED);
}

/*
 * Answers
 */

static void end_of_an_answer_carries_its_error(void **state)
{
	static const int errors[] = { 0, -ENOENT, -EPERM };

	(void)state;
	for (size_t i = 0; i < LENGTH(errors); i++) {
		struct datagram d = { 0 };
		struct reach_record record;

		add_done(&d, i == 0 ? NLMSG_DONE : NLMSG_ERROR, errors[i]);
		newest(&d)->nlmsg_flags = i == 0 ? NLM_F_DUMP_INTR : 0;
		record = parse_one(&d);
		assert_int_equal(record.type, REACH_RECORD_DONE);
		assert_int_equal(record.error, errors[i]);
		assert_int_equal(record.seq, 5);
		assert_int_equal(record.interrupted, i == 0);
	}
}

static void message_types_not_asked_for_are_ignored(void **state)
{
	static const uint16_t types[] = { NLMSG_NOOP, NLMSG_OVERRUN, RTM_GETNEIGH, RTM_NEWRULE,
					  0xffff };

	(void)state;
	for (size_t i = 0; i < LENGTH(types); i++) {
		struct datagram d = { 0 };

		begin(&d, types[i], "", 0);
		assert_int_equal(parse_one(&d).type, REACH_RECORD_IGNORED);
	}
}

/*
 * Hostile bytes
 */

static void messages_come_in_the_order_of_the_datagram(void **state)
{
	static const char *const texts[] = {
		"neighbour 7 failed fd00::1",
		"link 7 up lowpan0",
		"address 7 added fd00::1",
		"route 7 added fd00::1 via fe80::2",
	};
	struct reach_record records[8];
	struct datagram d = { 0 };
	size_t count;

	(void)state;
	add_everything(&d);
	assert_int_equal(parse_exactly(d.bytes, d.len, records, 8, &count), 0);
	assert_int_equal(count, LENGTH(texts) + 1);
	for (size_t i = 0; i < LENGTH(texts); i++)
		assert_text(&records[i], texts[i]);
	assert_int_equal(records[LENGTH(texts)].type, REACH_RECORD_DONE);
}

static void datagram_cut_anywhere_gives_only_whole_messages(void **state)
{
	struct reach_record whole[8], part[8];
	struct datagram d = { 0 };
	size_t count, ends[8] = { 0 };

	(void)state;
	add_everything(&d);
	assert_int_equal(parse_exactly(d.bytes, d.len, whole, 8, &count), 0);
	for (size_t i = 0, at = 0; i < count; i++) {
		at += NLMSG_ALIGN(((struct nlmsghdr *)(void *)(d.bytes + at))->nlmsg_len);
		ends[i] = at;
	}
	for (size_t cut = 0; cut < d.len; cut++) {
		size_t expected = 0, got;
		int rc = parse_exactly(d.bytes, cut, part, 8, &got);

		while (ends[expected] <= cut)
			expected++;
		assert_int_equal(got, expected);
		assert_int_equal(rc,
				 cut == 0 || cut == ends[expected - (expected > 0)] ? 0 : -EBADMSG);
		assert_memory_equal(part, whole, got * sizeof(whole[0]));
	}
}

static void add_one(struct datagram *d, size_t kind)
{
	switch (kind) {
	case 0:
		add_neighbour(d, RTM_NEWNEIGH, NUD_FAILED, NODE);
		return;
	case 1:
		add_link(d, RTM_NEWLINK, IFF_UP, "lowpan0");
		return;
	case 2:
		add_address(d, RTM_NEWADDR, 0);
		return;
	case 3:
		add_route(d, RTM_NEWROUTE, &host_route, NODE);
		return;
	default:
		add_done(d, NLMSG_ERROR, -ENOENT);
	}
}

static bool tells_something(const struct reach_record *record)
{
	return record->type != REACH_RECORD_IGNORED;
}

static void message_cut_anywhere_tells_nothing_without_what_it_needs(void **state)
{
	// Where a cut leaves header and needed attributes whole; the rest is optional.
	static const size_t enough[] = { 16 + 12 + 20, 0, 16 + 8 + 20, 0, 0 };

	(void)state;
	for (size_t kind = 0; kind < LENGTH(enough); kind++) {
		struct datagram d = { 0 };

		add_one(&d, kind);
		for (size_t len = 0; len < d.len; len++) {
			struct reach_record record;
			size_t count;

			newest(&d)->nlmsg_len = (uint32_t)len;
			(void)parse_exactly(d.bytes, len, &record, 1, &count);
			if ((count == 1 && tells_something(&record)) !=
			    (len > 0 && len == enough[kind]))
				fail_msg("kind %zu cut at %zu", kind, len);
		}
	}
}

static void length_beyond_the_datagram_ends_it(void **state)
{
	static const uint32_t lengths[] = { 0,          1,          15,         4096,
					    0x7fffffff, 0x80000000, 0xfffffffd, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		struct datagram d = { 0 };

		add_neighbour(&d, RTM_NEWNEIGH, NUD_FAILED, NODE);
		newest(&d)->nlmsg_len = lengths[i];
		add_neighbour(&d, RTM_NEWNEIGH, NUD_FAILED, NODE);
		assert_malformed(&d);
	}
}

static void attribute_length_that_lies_spoils_its_message_only(void **state)
{
	static const uint16_t lengths[] = { 0, 3, 0x00ff, 0x7fff, 0xffff };

	(void)state;
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		struct datagram d = { 0 };
		struct reach_record record;
		size_t count;

		add_neighbour(&d, RTM_NEWNEIGH, NUD_FAILED, NODE);
		memcpy(d.bytes + NLMSG_HDRLEN + sizeof(struct ndmsg), &lengths[i], 2);
		add_link(&d, RTM_NEWLINK, IFF_UP, "lowpan0");
		assert_int_equal(parse_exactly(d.bytes, d.len, &record, 1, &count), -EBADMSG);
		assert_int_equal(count, 1);
		assert_text(&record, "link 7 down lowpan0");
	}
}

static void attribute_of_another_size_is_malformed(void **state)
{
	const uint8_t zeros[20] = { 0 };
	const struct ndmsg neighbour = { .ndm_family = AF_INET6, .ndm_ifindex = 7 };

	(void)state;
	for (size_t len = 0; len <= sizeof(zeros); len++) {
		struct datagram d[6] = { 0 };
		const bool ok[6] = {
			len == 16, len == 16, len == 4, len == 4, len == 4, len == 16
		};

		begin(&d[0], RTM_NEWNEIGH, &neighbour, sizeof(neighbour));
		attribute(&d[0], NDA_DST, zeros, len);
		add_address(&d[1], RTM_NEWADDR, 0);
		attribute(&d[1], IFA_LOCAL, zeros, len);
		add_address(&d[2], RTM_NEWADDR, 0);
		attribute(&d[2], IFA_FLAGS, zeros, len);
		add_route(&d[3], RTM_NEWROUTE, &host_route, NODE);
		attribute(&d[3], RTA_OIF, "\1\0\0\1zzzzzzzzzzzzzzzz", len);
		add_route(&d[4], RTM_NEWROUTE, &host_route, NODE);
		attribute(&d[4], RTA_TABLE, zeros, len);
		add_route(&d[5], RTM_NEWROUTE, &host_route, NODE);
		attribute(&d[5], RTA_GATEWAY, zeros, len);
		for (size_t i = 0; i < LENGTH(d); i++) {
			struct reach_record record;
			size_t count;

			if (ok[i])
				assert_int_equal(
					parse_exactly(d[i].bytes, d[i].len, &record, 1, &count), 0);
			else
				assert_malformed(&d[i]);
		}
	}
}

static void missing_or_impossible_parts_are_malformed(void **state)
{
	const struct ndmsg no_index = { .ndm_family = AF_INET6 };
	const struct ndmsg negative = { .ndm_family = AF_INET6, .ndm_ifindex = -1 };
	const struct ndmsg neighbour = { .ndm_family = AF_INET6, .ndm_ifindex = 7 };
	const struct ifinfomsg link = { .ifi_index = 7 }, no_link = { .ifi_index = 0 };
	const struct ifaddrmsg address = { .ifa_family = AF_INET6, .ifa_index = 7 };
	const struct ifaddrmsg huge = { .ifa_family = AF_INET6, .ifa_index = 0x80000000 };
	const uint32_t out = 7, huge_out = 0x80000000;
	struct datagram d[10] = { 0 };

	(void)state;
	begin(&d[0], RTM_NEWNEIGH, &no_index, sizeof(no_index));
	attribute(&d[0], NDA_DST, NODE, sizeof(NODE));
	begin(&d[1], RTM_NEWNEIGH, &negative, sizeof(negative));
	attribute(&d[1], NDA_DST, NODE, sizeof(NODE));
	begin(&d[2], RTM_NEWNEIGH, &neighbour, sizeof(neighbour));
	begin(&d[3], RTM_NEWLINK, &link, sizeof(link));
	begin(&d[4], RTM_NEWLINK, &no_link, sizeof(no_link));
	attribute(&d[4], IFLA_IFNAME, "lowpan0", 8);
	begin(&d[5], RTM_NEWADDR, &address, sizeof(address));
	begin(&d[6], RTM_NEWADDR, &huge, sizeof(huge));
	attribute(&d[6], IFA_ADDRESS, NODE, sizeof(NODE));
	begin(&d[7], RTM_NEWROUTE, &host_route, sizeof(host_route));
	attribute(&d[7], RTA_OIF, &out, sizeof(out));
	begin(&d[8], RTM_NEWROUTE, &host_route, sizeof(host_route));
	attribute(&d[8], RTA_DST, NODE, sizeof(NODE));
	attribute(&d[8], RTA_OIF, &huge_out, sizeof(huge_out));
	add_done(&d[9], NLMSG_ERROR, ENOENT); // errors are negative
	for (size_t i = 0; i < LENGTH(d); i++)
		assert_malformed(&d[i]);
}

static void bytes_behind_the_last_message_or_attribute_are_malformed(void **state)
{
	(void)state;
	for (size_t extra = 1; extra < NLMSG_HDRLEN; extra++) {
		struct datagram d = { 0 };
		struct reach_record record;
		size_t count;

		add_link(&d, RTM_NEWLINK, IFF_UP, "lowpan0");
		assert_int_equal(parse_exactly(d.bytes, d.len + extra, &record, 1, &count),
				 -EBADMSG);
		assert_int_equal(count, 1);
	}
	for (uint32_t extra = 1; extra < 4; extra++) {
		struct datagram d = { 0 };

		add_link(&d, RTM_NEWLINK, IFF_UP, "lowpan0");
		newest(&d)->nlmsg_len += extra;
		d.len += extra;
		assert_malformed(&d);
	}
}

static void last_message_may_lack_its_padding(void **state)
{
	struct datagram d = { 0 };
	struct reach_record record;

	(void)state;
	add_link(&d, RTM_NEWLINK, IFF_UP, "wpan0"); // 6 bytes with its NUL, 2 of padding
	d.len -= 2;
	newest(&d)->nlmsg_len -= 2;
	record = parse_one(&d);
	assert_text(&record, "link 7 down wpan0");
}

static void any_byte_may_have_any_bit_flipped(void **state)
{
	struct datagram d = { 0 };

	(void)state;
	add_everything(&d);
	for (size_t bit = 0; bit < 8 * d.len; bit++) {
		struct reach_record records[8];
		size_t count;
		int rc;

		d.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		rc = parse_exactly(d.bytes, d.len, records, 8, &count);
		assert_true(rc == 0 || rc == -EBADMSG);
		for (size_t i = 0; i < count; i++) {
			char text[REACH_TEXT_LEN];

			assert_true(records[i].type != REACH_RECORD_EVENT ||
				    records[i].event.ifindex > 0);
			reach_event_format(&records[i].event, text);
		}
		d.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/*
 * How neighbours are asked
 */

static const uint64_t MS[] = { [NDTPA_BASE_REACHABLE_TIME] = 30000,
			       [NDTPA_RETRANS_TIME] = 1000,
			       [NDTPA_DELAY_PROBE_TIME] = 5000 };
static const uint32_t PROBES[] = { [NDTPA_UCAST_PROBES] = 1,
				   [NDTPA_MCAST_PROBES] = 2,
				   [NDTPA_APP_PROBES] = 3,
				   [NDTPA_MCAST_REPROBES] = 4 };
static const uint16_t NEEDED[] = { NDTPA_BASE_REACHABLE_TIME, NDTPA_RETRANS_TIME,
				   NDTPA_DELAY_PROBE_TIME,    NDTPA_UCAST_PROBES,
				   NDTPA_MCAST_PROBES,        NDTPA_APP_PROBES };

static void add_parm(struct datagram *d, uint16_t type)
{
	if (type < LENGTH(MS) && MS[type] > 0)
		attribute(d, type, &MS[type], sizeof(MS[type]));
	else
		attribute(d, type, &PROBES[type], sizeof(PROBES[type]));
}

// All but the one of type 'without'; what is in 'index' goes first.
static void begin_parms(struct datagram *nest, const uint32_t *index, uint16_t without)
{
	begin(nest, 0, "", 0);
	if (index)
		attribute(nest, NDTPA_IFINDEX, index, sizeof(*index));
	for (size_t i = 0; i < LENGTH(NEEDED); i++) {
		if (NEEDED[i] != without)
			add_parm(nest, NEEDED[i]);
	}
	if (without != NDTPA_MCAST_REPROBES)
		add_parm(nest, NDTPA_MCAST_REPROBES);
}

static void end_parms(struct datagram *d, const struct datagram *nest)
{
	const struct ndtmsg head = { .ndtm_family = AF_INET6 };

	begin(d, RTM_NEWNEIGHTBL, &head, sizeof(head));
	attribute(d, NDTA_NAME, "ndisc_cache", sizeof("ndisc_cache"));
	attribute(d, NDTA_PARMS, nest->bytes + NLMSG_HDRLEN, nest->len - NLMSG_HDRLEN);
}

static void add_parms(struct datagram *d, const uint32_t *index, uint16_t without)
{
	struct datagram nest = { 0 };

	begin_parms(&nest, index, without);
	end_parms(d, &nest);
}

static void parms_are_those_of_the_message(void **state)
{
	const struct ndtmsg ipv4 = { .ndtm_family = AF_INET };
	const uint32_t index = 7;
	struct datagram d = { 0 }, other = { 0 };
	struct reach_record record;

	(void)state;
	add_parms(&d, &index, 0);
	record = parse_one(&d);
	assert_int_equal(record.type, REACH_RECORD_PARMS);
	assert_int_equal(record.parms.ifindex, 7);
	assert_int_equal(record.parms.reachable_ms, 30000);
	assert_int_equal(record.parms.retrans_ms, 1000);
	assert_int_equal(record.parms.delay_first_ms, 5000);
	assert_int_equal(record.parms.ucast_probes, 1);
	assert_int_equal(record.parms.mcast_probes, 2);
	assert_int_equal(record.parms.app_probes, 3);
	assert_int_equal(record.parms.mcast_reprobes, 4);
	// Linux before 4.1 does not know those, and the default has no index.
	d = (struct datagram){ 0 };
	add_parms(&d, NULL, NDTPA_MCAST_REPROBES);
	record = parse_one(&d);
	assert_int_equal(record.parms.ifindex, 0);
	assert_int_equal(record.parms.mcast_reprobes, 0);
	begin(&other, RTM_NEWNEIGHTBL, &ipv4, sizeof(ipv4));
	assert_int_equal(parse_one(&other).type, REACH_RECORD_IGNORED);
}

// Linux lists its blackhole device in the initial namespace, which is where a router lives.
static void parms_of_a_device_without_an_index_are_passed_over(void **state)
{
	const uint32_t none = 0;
	struct datagram d = { 0 };

	(void)state;
	add_parms(&d, &none, 0);
	assert_int_equal(parse_one(&d).type, REACH_RECORD_IGNORED);
}

static void parms_beyond_what_we_count_to_saturate(void **state)
{
	const uint64_t huge = 0x100000001;
	struct datagram d = { 0 }, nest = { 0 };

	(void)state;
	begin_parms(&nest, NULL, 0);
	attribute(&nest, NDTPA_RETRANS_TIME, &huge, sizeof(huge));
	end_parms(&d, &nest);
	assert_int_equal(parse_one(&d).parms.retrans_ms, UINT32_MAX);
}

static void parms_without_what_is_needed_are_malformed(void **state)
{
	const struct ndtmsg head = { .ndtm_family = AF_INET6 };
	const uint32_t no_link = 0x80000000;
	struct datagram d = { 0 };

	(void)state;
	for (size_t i = 0; i < LENGTH(NEEDED); i++) {
		d = (struct datagram){ 0 };
		add_parms(&d, NULL, NEEDED[i]);
		assert_malformed(&d);
	}
	d = (struct datagram){ 0 };
	add_parms(&d, &no_link, 0);
	assert_malformed(&d);
	d = (struct datagram){ 0 };
	begin(&d, RTM_NEWNEIGHTBL, &head, sizeof(head));
	assert_malformed(&d); // none at all
	attribute(&d, NDTA_PARMS, NODE, 3);
	assert_malformed(&d); // no attributes in it
}

// At least what a kernel with HZ=1000 may take, whose timers beyond 512 ms have steps of 64 ms, and
// beyond 4096 ms of 512 ms; at most what is useful.
static void verdict_waits_for_the_longer_of_two_ways(void **state)
{
	static const struct {
		struct reach_parms parms;
		bool datagram;
		uint32_t least_ms, most_ms;
	} rows[] = {
		{ { .retrans_ms = 1000, .ucast_probes = 3, .mcast_probes = 3 }, false, 3192, 3405 },
		{ { .retrans_ms = 1000, .ucast_probes = 1, .mcast_probes = 3 }, false, 3192, 3405 },
		{ { .retrans_ms = 1000, .ucast_probes = 2, .mcast_reprobes = 3, .mcast_probes = 3 },
		  false,
		  5320,
		  5675 },
		{ { .retrans_ms = 1000, .ucast_probes = 1, .mcast_probes = 1, .app_probes = 2 },
		  false,
		  3192,
		  3405 },
		{ { .retrans_ms = 1000,
		    .ucast_probes = 3,
		    .mcast_probes = 3,
		    .delay_first_ms = 5000 },
		  true,
		  8704,
		  9040 },
		{ { .retrans_ms = 0, .ucast_probes = 3, .mcast_probes = 3 }, false, 30, 63 },
		{ { .retrans_ms = 1000 }, false, 0, 0 }, // asks nobody
		{ { .retrans_ms = UINT32_MAX,
		    .ucast_probes = UINT32_MAX,
		    .app_probes = UINT32_MAX },
		  true,
		  UINT32_MAX,
		  UINT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		uint32_t found = reach_timing_of(&rows[i].parms, rows[i].datagram).verdict_ms;

		if (found < rows[i].least_ms || found > rows[i].most_ms)
			fail_msg("row %zu: %u", i, found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbour_state_follows_from_nud),
		cmocka_unit_test(deleted_neighbour_is_unknown_whatever_its_state),
		cmocka_unit_test(neighbours_that_are_not_ours_to_watch_are_ignored),
		cmocka_unit_test(proxied_entry_comes_and_goes_whatever_its_state),
		cmocka_unit_test(link_is_up_only_with_carrier),
		cmocka_unit_test(link_below_counts_in_the_same_namespace_only),
		cmocka_unit_test(parms_are_those_of_the_message),
		cmocka_unit_test(parms_of_a_device_without_an_index_are_passed_over),
		cmocka_unit_test(parms_beyond_what_we_count_to_saturate),
		cmocka_unit_test(parms_without_what_is_needed_are_malformed),
		cmocka_unit_test(verdict_waits_for_the_longer_of_two_ways),
		cmocka_unit_test(link_that_leaves_a_bridge_is_not_gone),
		cmocka_unit_test(link_name_must_end_with_its_only_nul),
		cmocka_unit_test(address_counts_once_it_may_be_used),
		cmocka_unit_test(address_on_a_point_to_point_link_is_our_own),
		cmocka_unit_test(host_route_comes_and_goes_with_its_gateway),
		cmocka_unit_test(host_route_has_a_metric),
		cmocka_unit_test(route_that_replaces_another_says_so),
		cmocka_unit_test(routes_that_say_nothing_about_a_node_are_ignored),
		cmocka_unit_test(end_of_an_answer_carries_its_error),
		cmocka_unit_test(message_types_not_asked_for_are_ignored),
		cmocka_unit_test(messages_come_in_the_order_of_the_datagram),
		cmocka_unit_test(datagram_cut_anywhere_gives_only_whole_messages),
		cmocka_unit_test(message_cut_anywhere_tells_nothing_without_what_it_needs),
		cmocka_unit_test(length_beyond_the_datagram_ends_it),
		cmocka_unit_test(attribute_length_that_lies_spoils_its_message_only),
		cmocka_unit_test(attribute_of_another_size_is_malformed),
		cmocka_unit_test(missing_or_impossible_parts_are_malformed),
		cmocka_unit_test(bytes_behind_the_last_message_or_attribute_are_malformed),
		cmocka_unit_test(last_message_may_lack_its_padding),
		cmocka_unit_test(any_byte_may_have_any_bit_flipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
