// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kernel.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

enum {
	DISCARD_PORT = 9 // RFC 863
};

struct target {
	int ifindex;
	const uint8_t *ip;
};

static struct nl_msg *build(int type, int flags, struct ndmsg head, const struct target *target)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);

	head.ndm_family = AF_INET6;
	head.ndm_ifindex = target->ifindex;
	if (msg && nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO) == 0 &&
	    nla_put(msg, NDA_DST, REACH_IP_LEN, target->ip) == 0)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static void keep_record(void *ctx, const struct reach_record *record)
{
	*(struct reach_record *)ctx = *record;
}

static void drop_record(void *ctx, const struct reach_record *record)
{
	(void)ctx;
	(void)record;
}

// What the kernel holds at this moment, which may be ahead of the notices. -ENOENT: nothing.
static int look_up(struct reach_kernel *kernel, const struct target *target,
		   struct reach_record *record)
{
	struct nl_msg *msg = build(RTM_GETNEIGH, 0, (struct ndmsg){ 0 }, target);

	*record = (struct reach_record){ 0 };
	return reach_kernel_ask_take(kernel, msg, keep_record, record);
}

// Have an entry that holds a link-layer address verified at once.
static int ask_again(struct reach_kernel *kernel, const struct target *target)
{
	const struct ndmsg head = { .ndm_state = NUD_PROBE };
	struct nl_msg *msg = build(RTM_NEWNEIGH, NLM_F_REPLACE, head, target);

	return reach_kernel_ask_take(kernel, msg, drop_record, NULL);
}

// Have an entry resolved as if there were a packet for it.
static int ask_anew(struct reach_kernel *kernel, const struct target *target)
{
	const struct ndmsg head = { .ndm_flags = NTF_USE };
	struct nl_msg *msg = build(RTM_NEWNEIGH, NLM_F_CREATE, head, target);

	return reach_kernel_ask_take(kernel, msg, drop_record, NULL);
}

static int send_datagram(struct reach_kernel *kernel, const struct target *target)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT) };
	struct in6_pktinfo out = { .ipi6_ifindex = (unsigned int)target->ifindex };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(out))] = { 0 };
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	if (kernel->udp < 0)
		kernel->udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (kernel->udp < 0)
		return -errno;
	memcpy(&to.sin6_addr, target->ip, REACH_IP_LEN);
	cmsg->cmsg_level = IPPROTO_IPV6;
	cmsg->cmsg_type = IPV6_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(out));
	memcpy(CMSG_DATA(cmsg), &out, sizeof(out));
	return sendmsg(kernel->udp, &msg, 0) < 0 ? -errno : 0;
}

// ENOENT, EINVAL: the entry went, or failed, since it was looked at.
static int ask_kernel(struct reach_kernel *kernel, const struct target *target, bool has_lladdr)
{
	int rc = has_lladdr ? ask_again(kernel, target) : -ENOENT;

	return rc == -ENOENT || rc == -EINVAL ? ask_anew(kernel, target) : rc;
}

static int ask(struct reach_kernel *kernel, const struct target *target, bool has_lladdr)
{
	int rc = kernel->may_not_probe ? -EPERM : ask_kernel(kernel, target, has_lladdr);
	bool first = !kernel->may_not_probe;

	if (rc != -EPERM)
		return rc;
	kernel->may_not_probe = true;
	rc = send_datagram(kernel, target);
	return first ? -EPERM : rc;
}

static bool is_valid(const struct target *target)
{
	static const uint8_t unspecified[REACH_IP_LEN];

	return target->ifindex > 0 && target->ip[0] != 0xff &&
	       memcmp(target->ip, unspecified, REACH_IP_LEN) != 0;
}

int reach_kernel_probe(struct reach_monitor *monitor, int ifindex, const uint8_t *ip)
{
	struct reach_kernel *kernel = (struct reach_kernel *)monitor;
	const struct target target = { .ifindex = ifindex, .ip = ip };
	struct reach_record now;
	int rc;

	if (!is_valid(&target))
		return -EINVAL;
	rc = look_up(kernel, &target, &now);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	// NUD_PROBE would turn an entry that the operator fixed into one that can fail.
	if (now.type == REACH_RECORD_FIXED)
		return -EOPNOTSUPP;
	if (now.type == REACH_RECORD_RESOLVING)
		return 0;
	return ask(kernel, &target,
		   now.event.state == REACH_REACHABLE || now.event.state == REACH_STALE);
}
