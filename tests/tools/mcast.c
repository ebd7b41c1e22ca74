// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * mcast listen INTERFACE '[GROUP]:PORT'      print each datagram: its source, and its bytes in hex
 * mcast send INTERFACE '[GROUP]:PORT' HEX    send one, from that port; it is looped back here too
 *
 * For tests that show a node a datagram which its link did not carry: what 'listen' printed in one
 * namespace is what 'send' says in another, byte for byte.
 */
#include "io/addr.h"
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX 1500

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "mcast: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set(int fd, int level, int option, const void *value, socklen_t len, const char *what)
{
	if (setsockopt(fd, level, option, value, len))
		die(what);
}

static int open_socket(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static int listen_to(const struct gk_addr *group)
{
	struct sockaddr_in6 address = io_addr_to_sockaddr(group), from;
	struct ipv6_mreq mreq = { address.sin6_addr, group->scope };
	uint8_t bytes[DATAGRAM_MAX];
	char text[IO_ADDR_TEXT];
	int fd = open_socket(), on = 1;
	ssize_t len;

	set(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on), "SO_REUSEADDR");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	set(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq), "IPV6_JOIN_GROUP");
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("listening");
	while ((len = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from,
			       &(socklen_t){ sizeof(from) })) >= 0) {
		struct gk_addr source = io_addr_from_sockaddr(&from);
		printf("%s ", io_addr_format(&source, text));
		for (ssize_t i = 0; i < len; i++)
			printf("%02x", bytes[i]);
		putchar('\n');
	}
	die("recvfrom");
}

static size_t read_hex(const char *text, uint8_t bytes[static DATAGRAM_MAX])
{
	size_t len = 0;
	unsigned byte;
	int used;

	while (len < DATAGRAM_MAX && sscanf(text, "%2x%n", &byte, &used) == 1 && used == 2) {
		bytes[len++] = (uint8_t)byte;
		text += 2;
	}
	return *text ? 0 : len;
}

static int send_to(const struct gk_addr *group, const char *hex)
{
	struct sockaddr_in6 address = io_addr_to_sockaddr(group);
	struct sockaddr_in6 own = { .sin6_family = AF_INET6, .sin6_port = address.sin6_port };
	int fd = open_socket(), hops = 64, on = 1;
	int index = (int)group->scope;
	uint8_t bytes[DATAGRAM_MAX];
	size_t len = read_hex(hex, bytes);

	if (len == 0) {
		fprintf(stderr, "mcast: not hex: %s\n", hex);
		return 2;
	}
	set(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on), "SO_REUSEADDR");
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)))
		die("bind");
	set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index), "IPV6_MULTICAST_IF");
	set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops), "IPV6_MULTICAST_HOPS");
	set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &on, sizeof(on), "IPV6_MULTICAST_LOOP");
	// Without a carrier the copy for the link is lost (ENOBUFS); the one for us is not.
	if (sendto(fd, bytes, len, 0, (struct sockaddr *)&address, sizeof(address)) < 0 &&
	    errno != ENOBUFS)
		die("sendto");
	return 0;
}

int main(int argc, char **argv)
{
	struct gk_addr group;

	if (argc < 4 || !io_addr_parse(argv[3], 0, &group) || group.port == 0) {
		fputs("usage: mcast listen INTERFACE '[GROUP]:PORT'\n"
		      "       mcast send INTERFACE '[GROUP]:PORT' HEX\n",
		      stderr);
		return 2;
	}
	group.scope = if_nametoindex(argv[2]);
	if (group.scope == 0)
		die(argv[2]);
	if (strcmp(argv[1], "listen") == 0)
		return listen_to(&group);
	return argc > 4 ? send_to(&group, argv[4]) : 2;
}
