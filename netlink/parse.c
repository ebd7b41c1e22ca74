// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "parse.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

// IP6_RT_PRIO_USER of the kernel's net/ip6_fib.h, which it takes where it is told 0.
#define DEFAULT_METRIC 1024

// One attribute that a message may carry. Others are walked over, since kernels add them freely.
struct field {
	int type;
	int min, max; // bytes
};

// linux/neighbour.h has the states as bits, of which an entry has one or none.
static const struct {
	unsigned int nud;
	enum reach_record_type type;
	enum reach_state state;
} neighbour_states[] = {
	{ NUD_NONE, REACH_RECORD_EVENT, REACH_UNKNOWN },
	{ NUD_INCOMPLETE, REACH_RECORD_RESOLVING, REACH_UNKNOWN },
	{ NUD_REACHABLE, REACH_RECORD_EVENT, REACH_REACHABLE },
	{ NUD_STALE, REACH_RECORD_EVENT, REACH_STALE },
	{ NUD_DELAY, REACH_RECORD_EVENT, REACH_STALE },
	{ NUD_PROBE, REACH_RECORD_EVENT, REACH_STALE },
	{ NUD_FAILED, REACH_RECORD_EVENT, REACH_FAILED },
	{ NUD_NOARP, REACH_RECORD_FIXED, REACH_UNKNOWN },
	{ NUD_PERMANENT, REACH_RECORD_FIXED, REACH_UNKNOWN },
};

// Bytes behind the message header. nlmsg_ok() has shown that there is one, and the rest is there.
static int body_len(const struct nlmsghdr *msg)
{
	return (int)(msg->nlmsg_len - NLMSG_HDRLEN);
}

// Find the attributes in 'fields' from 'attr' on; found[i] is NULL if absent. 'left' is tested
// before nla_ok(), which in libnl-tiny takes a negative rest for a huge one.
static int walk(const struct nlattr *attr, int left, const struct field *fields, size_t count,
		const struct nlattr **found)
{
	for (; left > 0; attr = nla_next(attr, &left)) {
		if (!nla_ok(attr, left))
			return -EBADMSG;
		for (size_t i = 0; i < count; i++) {
			if (nla_type(attr) != fields[i].type)
				continue;
			if (nla_len(attr) < fields[i].min || nla_len(attr) > fields[i].max)
				return -EBADMSG;
			found[i] = attr;
		}
	}
	return 0;
}

// The same for those of a message, behind a header of 'header' bytes.
static int collect(const struct nlmsghdr *msg, int header, const struct field *fields, size_t count,
		   const struct nlattr **found)
{
	int left = body_len(msg) - header;

	return left < 0 ? -EBADMSG : walk(nlmsg_attrdata(msg, header), left, fields, count, found);
}

static uint32_t read_u32(const struct nlattr *attr)
{
	uint32_t value;

	memcpy(&value, nla_data(attr), sizeof(value));
	return value;
}

static uint32_t read_ms(const struct nlattr *attr)
{
	uint64_t value;

	memcpy(&value, nla_data(attr), sizeof(value));
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void classify_neighbour(unsigned int nud, struct reach_record *record)
{
	// A state that a later kernel may invent tells us nothing, which is REACH_UNKNOWN.
	record->type = REACH_RECORD_EVENT;
	for (size_t i = 0; i < sizeof(neighbour_states) / sizeof(neighbour_states[0]); i++) {
		if (neighbour_states[i].nud != nud)
			continue;
		record->type = neighbour_states[i].type;
		record->event.state = neighbour_states[i].state;
	}
}

static int parse_neighbour(const struct nlmsghdr *msg, struct reach_record *record)
{
	static const struct field fields[] = { { NDA_DST, REACH_IP_LEN, REACH_IP_LEN } };
	const struct nlattr *dst = NULL;
	const struct ndmsg *head = nlmsg_data(msg);

	// Bridges report their forwarding entries by the same message, in a family of their own.
	if (body_len(msg) < (int)sizeof(*head))
		return -EBADMSG;
	if (head->ndm_family != AF_INET6)
		return 0;
	// The kernel lets a proxied entry be made for no link at all, and answers for it nowhere.
	if ((head->ndm_flags & NTF_PROXY) && head->ndm_ifindex == 0)
		return 0;
	if (collect(msg, sizeof(*head), fields, 1, &dst) < 0 || !dst || head->ndm_ifindex <= 0)
		return -EBADMSG;
	record->event.ifindex = head->ndm_ifindex;
	memcpy(record->event.ip, nla_data(dst), REACH_IP_LEN);
	if (head->ndm_flags & NTF_PROXY) {
		record->type = REACH_RECORD_EVENT;
		record->event.kind = REACH_PROXY;
		record->event.present = msg->nlmsg_type == RTM_NEWNEIGH;
		return 0;
	}
	record->event.kind = REACH_NEIGHBOUR;
	// A deleted entry carries the state that it had, often FAILED. It means unknown.
	classify_neighbour(msg->nlmsg_type == RTM_DELNEIGH ? NUD_NONE : head->ndm_state, record);
	return 0;
}

enum link_field { LINK_NAME, LINK_BELOW, LINK_ELSEWHERE, LINK_FIELDS };

static const struct field link_fields[LINK_FIELDS] = {
	[LINK_NAME] = { IFLA_IFNAME, 2, REACH_NAME_LEN },
	[LINK_BELOW] = { IFLA_LINK, sizeof(uint32_t), sizeof(uint32_t) },
	[LINK_ELSEWHERE] = { IFLA_LINK_NETNSID, 0, INT_MAX },
};

// Ends with the only NUL that it has.
static bool is_name(const struct nlattr *attr)
{
	const char *text = nla_data(attr);

	return memchr(text, '\0', (size_t)nla_len(attr)) == text + nla_len(attr) - 1;
}

static void put_link(const struct nlmsghdr *msg, const struct nlattr *const *found,
		     struct reach_record *record)
{
	const unsigned int need = IFF_UP | IFF_RUNNING;
	const struct ifinfomsg *head = nlmsg_data(msg);
	const struct nlattr *name = found[LINK_NAME];

	record->type = REACH_RECORD_EVENT;
	record->event.kind = REACH_LINK;
	record->event.ifindex = head->ifi_index;
	record->event.present = msg->nlmsg_type == RTM_NEWLINK;
	record->event.up = record->event.present && (head->ifi_flags & need) == need;
	record->event.lower_up = record->event.up; // who knows the link below will say
	memcpy(record->event.name, nla_data(name), (size_t)nla_len(name));
	// With IFLA_LINK_NETNSID the index is one of another namespace.
	if (found[LINK_BELOW] && !found[LINK_ELSEWHERE])
		record->lower = (int)read_u32(found[LINK_BELOW]);
}

static int parse_link(const struct nlmsghdr *msg, struct reach_record *record)
{
	const struct nlattr *found[LINK_FIELDS] = { NULL };
	const struct ifinfomsg *head = nlmsg_data(msg);

	// A port leaving a bridge is a RTM_DELLINK in AF_BRIDGE, and the link is still there.
	if (body_len(msg) < (int)sizeof(*head))
		return -EBADMSG;
	if (head->ifi_family != AF_UNSPEC)
		return 0;
	if (collect(msg, sizeof(*head), link_fields, LINK_FIELDS, found) < 0 ||
	    head->ifi_index <= 0)
		return -EBADMSG;
	if (!found[LINK_NAME] || !is_name(found[LINK_NAME]))
		return -EBADMSG;
	if (found[LINK_BELOW] && read_u32(found[LINK_BELOW]) > INT_MAX)
		return -EBADMSG;
	put_link(msg, found, record);
	return 0;
}

static int parse_address(const struct nlmsghdr *msg, struct reach_record *record)
{
	enum { PEER, LOCAL, FLAGS, COUNT };
	static const struct field fields[COUNT] = {
		[PEER] = { IFA_ADDRESS, REACH_IP_LEN, REACH_IP_LEN },
		[LOCAL] = { IFA_LOCAL, REACH_IP_LEN, REACH_IP_LEN },
		[FLAGS] = { IFA_FLAGS, sizeof(uint32_t), sizeof(uint32_t) },
	};
	const struct nlattr *found[COUNT] = { NULL };
	const struct ifaddrmsg *head = nlmsg_data(msg);
	const struct nlattr *ip;
	uint32_t flags;

	if (body_len(msg) < (int)sizeof(*head))
		return -EBADMSG;
	if (head->ifa_family != AF_INET6)
		return 0;
	if (collect(msg, sizeof(*head), fields, COUNT, found) < 0)
		return -EBADMSG;
	// On a point-to-point link IFA_ADDRESS is the other end's, and IFA_LOCAL ours.
	ip = found[LOCAL] ? found[LOCAL] : found[PEER];
	if (!ip || head->ifa_index == 0 || head->ifa_index > INT_MAX)
		return -EBADMSG;
	flags = found[FLAGS] ? read_u32(found[FLAGS]) : head->ifa_flags;
	record->type = REACH_RECORD_EVENT;
	record->event.kind = REACH_ADDRESS;
	record->event.ifindex = (int)head->ifa_index;
	// RFC 4862 section 5.4: a tentative address is not yet assigned, a duplicate one never is.
	record->event.present =
		msg->nlmsg_type == RTM_NEWADDR && !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
	memcpy(record->event.ip, nla_data(ip), REACH_IP_LEN);
	return 0;
}

// Host routes of the main table; not our own addresses (RTN_LOCAL) nor cached exceptions.
static bool is_host_route(const struct rtmsg *head, const struct nlattr *table)
{
	return head->rtm_dst_len == 128 && head->rtm_src_len == 0 &&
	       head->rtm_type == RTN_UNICAST && !(head->rtm_flags & RTM_F_CLONED) &&
	       (table ? read_u32(table) : head->rtm_table) == RT_TABLE_MAIN;
}

enum route_field { ROUTE_DST, ROUTE_OIF, ROUTE_GATEWAY, ROUTE_TABLE, ROUTE_METRIC, ROUTE_FIELDS };

static const struct field route_fields[ROUTE_FIELDS] = {
	[ROUTE_DST] = { RTA_DST, REACH_IP_LEN, REACH_IP_LEN },
	[ROUTE_OIF] = { RTA_OIF, sizeof(uint32_t), sizeof(uint32_t) },
	[ROUTE_GATEWAY] = { RTA_GATEWAY, REACH_IP_LEN, REACH_IP_LEN },
	[ROUTE_TABLE] = { RTA_TABLE, sizeof(uint32_t), sizeof(uint32_t) },
	[ROUTE_METRIC] = { RTA_PRIORITY, sizeof(uint32_t), sizeof(uint32_t) },
};

static void put_route(const struct nlmsghdr *msg, const struct nlattr *const *found,
		      struct reach_record *record)
{
	record->type = REACH_RECORD_EVENT;
	record->event.kind = REACH_ROUTE;
	record->event.ifindex = (int)read_u32(found[ROUTE_OIF]);
	record->event.present = msg->nlmsg_type == RTM_NEWROUTE;
	record->replaces = record->event.present && (msg->nlmsg_flags & NLM_F_REPLACE);
	memcpy(record->event.ip, nla_data(found[ROUTE_DST]), REACH_IP_LEN);
	if (found[ROUTE_METRIC] && read_u32(found[ROUTE_METRIC]) != DEFAULT_METRIC)
		record->event.metric = read_u32(found[ROUTE_METRIC]);
	if (found[ROUTE_GATEWAY])
		memcpy(record->event.gateway, nla_data(found[ROUTE_GATEWAY]), REACH_IP_LEN);
}

static int parse_route(const struct nlmsghdr *msg, struct reach_record *record)
{
	const struct nlattr *found[ROUTE_FIELDS] = { NULL };
	const struct rtmsg *head = nlmsg_data(msg);
	const struct nlattr *oif;

	if (body_len(msg) < (int)sizeof(*head))
		return -EBADMSG;
	if (head->rtm_family != AF_INET6)
		return 0;
	if (collect(msg, sizeof(*head), route_fields, ROUTE_FIELDS, found) < 0)
		return -EBADMSG;
	// No RTA_OIF: several next hops, or none at all (blackhole).
	oif = found[ROUTE_OIF];
	if (!is_host_route(head, found[ROUTE_TABLE]) || !oif)
		return 0;
	if (!found[ROUTE_DST] || read_u32(oif) == 0 || read_u32(oif) > INT_MAX)
		return -EBADMSG;
	put_route(msg, found, record);
	return 0;
}

// Those from PARM_REACHABLE to PARM_APP are always there.
enum parm_field {
	PARM_IFINDEX,
	PARM_REACHABLE,
	PARM_DELAY,
	PARM_RETRANS,
	PARM_UCAST,
	PARM_MCAST,
	PARM_APP,
	PARM_REPROBES,
	PARM_FIELDS
};

static const struct field parm_fields[PARM_FIELDS] = {
	[PARM_IFINDEX] = { NDTPA_IFINDEX, sizeof(uint32_t), sizeof(uint32_t) },
	[PARM_REACHABLE] = { NDTPA_BASE_REACHABLE_TIME, sizeof(uint64_t), sizeof(uint64_t) },
	[PARM_DELAY] = { NDTPA_DELAY_PROBE_TIME, sizeof(uint64_t), sizeof(uint64_t) },
	[PARM_RETRANS] = { NDTPA_RETRANS_TIME, sizeof(uint64_t), sizeof(uint64_t) },
	[PARM_UCAST] = { NDTPA_UCAST_PROBES, sizeof(uint32_t), sizeof(uint32_t) },
	[PARM_MCAST] = { NDTPA_MCAST_PROBES, sizeof(uint32_t), sizeof(uint32_t) },
	[PARM_APP] = { NDTPA_APP_PROBES, sizeof(uint32_t), sizeof(uint32_t) },
	[PARM_REPROBES] = { NDTPA_MCAST_REPROBES, sizeof(uint32_t), sizeof(uint32_t) },
};

static bool has_parms(const struct nlattr *const *found)
{
	size_t i = PARM_REACHABLE;

	while (i <= PARM_APP && found[i])
		i++;
	return i > PARM_APP;
}

// Returns 0 if they are of nothing that we could ever be asked about.
static int read_parms(const struct nlattr *nest, struct reach_parms *parms)
{
	const struct nlattr *found[PARM_FIELDS] = { NULL };
	uint32_t ifindex;

	if (walk(nla_data(nest), nla_len(nest), parm_fields, PARM_FIELDS, found) < 0 ||
	    !has_parms(found))
		return -EBADMSG;
	ifindex = found[PARM_IFINDEX] ? read_u32(found[PARM_IFINDEX]) : 0;
	if (ifindex > INT_MAX)
		return -EBADMSG;
	// Those of the kernel's blackhole device, which the initial namespace has and no list
	// shows.
	if (found[PARM_IFINDEX] && ifindex == 0)
		return 0;
	*parms = (struct reach_parms){
		.ifindex = (int)ifindex,
		.reachable_ms = read_ms(found[PARM_REACHABLE]),
		.delay_first_ms = read_ms(found[PARM_DELAY]),
		.retrans_ms = read_ms(found[PARM_RETRANS]),
		.ucast_probes = read_u32(found[PARM_UCAST]),
		.mcast_probes = read_u32(found[PARM_MCAST]),
		.app_probes = read_u32(found[PARM_APP]),
		.mcast_reprobes = found[PARM_REPROBES] ? read_u32(found[PARM_REPROBES]) : 0,
	};
	return 1;
}

static int parse_parms(const struct nlmsghdr *msg, struct reach_record *record)
{
	static const struct field fields[] = { { NDTA_PARMS, 0, INT_MAX } };
	const struct nlattr *nest = NULL;
	const struct ndtmsg *head = nlmsg_data(msg);
	int rc;

	if (body_len(msg) < (int)sizeof(*head))
		return -EBADMSG;
	if (head->ndtm_family != AF_INET6)
		return 0;
	if (collect(msg, sizeof(*head), fields, 1, &nest) < 0 || !nest)
		return -EBADMSG;
	rc = read_parms(nest, &record->parms);
	if (rc > 0)
		record->type = REACH_RECORD_PARMS;
	return rc < 0 ? rc : 0;
}

// NLMSG_ERROR and NLMSG_DONE both begin with a negative errno, or 0.
static int parse_done(const struct nlmsghdr *msg, struct reach_record *record)
{
	int error;

	if (body_len(msg) < (int)sizeof(error))
		return -EBADMSG;
	memcpy(&error, nlmsg_data(msg), sizeof(error));
	if (error > 0 || error == INT_MIN)
		return -EBADMSG;
	record->type = REACH_RECORD_DONE;
	record->error = error;
	return 0;
}

static const struct {
	unsigned int type;
	int (*parse)(const struct nlmsghdr *msg, struct reach_record *record);
} parsers[] = {
	{ RTM_NEWNEIGH, parse_neighbour }, { RTM_DELNEIGH, parse_neighbour },
	{ RTM_NEWROUTE, parse_route },     { RTM_DELROUTE, parse_route },
	{ RTM_NEWADDR, parse_address },    { RTM_DELADDR, parse_address },
	{ RTM_NEWLINK, parse_link },       { RTM_DELLINK, parse_link },
	{ RTM_NEWNEIGHTBL, parse_parms },  { NLMSG_ERROR, parse_done },
	{ NLMSG_DONE, parse_done },
};

static int parse_message(const struct nlmsghdr *msg, struct reach_record *record)
{
	for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
		if (parsers[i].type == msg->nlmsg_type)
			return parsers[i].parse(msg, record);
	}
	return 0;
}

struct reach_cursor reach_parse_begin(const void *bytes, size_t len)
{
	assert((uintptr_t)bytes % NLMSG_ALIGNTO == 0 && len <= INT_MAX);
	return (struct reach_cursor){ .at = (struct nlmsghdr *)(uintptr_t)bytes, .left = (int)len };
}

int reach_parse_next(struct reach_cursor *cursor, struct reach_record *record)
{
	const struct nlmsghdr *msg = cursor->at;
	struct reach_record found = { .type = REACH_RECORD_IGNORED };

	// The last message of a datagram may come without its padding, which leaves less than 0.
	if (cursor->left <= 0)
		return 0;
	if (!nlmsg_ok(msg, cursor->left)) {
		cursor->left = 0;
		return -EBADMSG;
	}
	cursor->at = nlmsg_next(cursor->at, &cursor->left);
	if (parse_message(msg, &found) < 0)
		return -EBADMSG;
	if (found.event.ip[0] == 0xff) // multicast: RFC 4291 section 2.7
		found.type = REACH_RECORD_IGNORED;
	found.seq = msg->nlmsg_seq;
	found.port = msg->nlmsg_pid;
	found.interrupted = msg->nlmsg_flags & NLM_F_DUMP_INTR;
	*record = found;
	return 1;
}
