// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tests/lib/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool set_up(const char *name)
{
	struct ifreq req = { .ifr_flags = 0 };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	ok = ioctl(fd, SIOCGIFFLAGS, &req) == 0;
	req.ifr_flags |= IFF_UP;
	ok = ok && ioctl(fd, SIOCSIFFLAGS, &req) == 0;
	close(fd);
	return ok;
}

// Duplicate address detection would keep a new address from use for a second or two.
static void switch_off_dad(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/accept_dad", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "0", 1) < 0)
		perror("accept_dad");
	close(fd);
}

bool netns_enter(void)
{
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;

	switch_off_dad();
	return set_up("lo");
}

struct request {
	struct nlmsghdr head;
	struct ifinfomsg link;
	uint8_t attributes[256];
};

static void *end_of(struct request *r)
{
	return (uint8_t *)r + NLMSG_ALIGN(r->head.nlmsg_len);
}

static struct rtattr *put(struct request *r, unsigned short type, const void *data, size_t len)
{
	struct rtattr *attribute = end_of(r);

	*attribute =
		(struct rtattr){ .rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(len) };
	if (len > 0)
		memcpy(RTA_DATA(attribute), data, len);
	r->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->head.nlmsg_len) + RTA_SPACE(len));
	return attribute;
}

static void end(struct request *r, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((uint8_t *)end_of(r) - (uint8_t *)nest);
}

static bool talk(const struct request *r)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr err;
	} answer = { .err.error = -EIO };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	bool ok;

	if (fd < 0)
		return false;

	ok = send(fd, r, r->head.nlmsg_len, 0) > 0 && recv(fd, &answer, sizeof(answer), 0) > 0 &&
	     answer.head.nlmsg_type == NLMSG_ERROR && answer.err.error == 0;
	close(fd);
	return ok;
}

static bool add_pair(const char *name, const char *other)
{
	struct request r = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.link)),
			  .nlmsg_type = RTM_NEWLINK,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
	};
	struct rtattr *info, *data, *peer;

	put(&r, IFLA_IFNAME, name, strlen(name) + 1);
	info = put(&r, IFLA_LINKINFO, NULL, 0);
	put(&r, IFLA_INFO_KIND, "veth", strlen("veth"));
	data = put(&r, IFLA_INFO_DATA, NULL, 0);
	peer = put(&r, VETH_INFO_PEER, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg));
	put(&r, IFLA_IFNAME, other, strlen(other) + 1);
	end(&r, peer);
	end(&r, data);
	end(&r, info);
	return talk(&r);
}

// The kernel gives the address when the carrier is there, a moment after the interface is up.
static bool wait_for_address(const char *name)
{
	struct gk_addr addr;

	for (int i = 0; i < 500; i++) {
		if (netns_link_local(name, &addr))
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

bool netns_veth(const char *name, const char *other)
{
	return add_pair(name, other) && set_up(name) && set_up(other) && wait_for_address(name) &&
	       wait_for_address(other);
}

static bool parse_ip(const char *digits, uint8_t ip[16])
{
	for (size_t i = 0; i < 16; i++) {
		unsigned byte;
		if (sscanf(digits + 2 * i, "%2x", &byte) != 1)
			return false;
		ip[i] = (uint8_t)byte;
	}
	return true;
}

bool netns_link_local(const char *name, struct gk_addr *addr)
{
	enum { LINK_LOCAL = 0x20, TENTATIVE = 0x40 }; // scope and flag in that file
	FILE *file = fopen("/proc/self/net/if_inet6", "re");
	char digits[33], interface[IF_NAMESIZE];
	unsigned index, scope, flags;
	bool found = false;

	if (!file)
		return false;

	while (!found && fscanf(file, "%32s %x %*x %x %x %15s", digits, &index, &scope, &flags,
				interface) == 5)
		if (strcmp(interface, name) == 0 && scope == LINK_LOCAL && !(flags & TENTATIVE)) {
			*addr = (struct gk_addr){ .scope = index };
			found = parse_ip(digits, addr->ip);
		}
	fclose(file);
	return found;
}
