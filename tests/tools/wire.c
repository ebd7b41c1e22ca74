// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * wire INTERFACE    print each CoAP message in UDP and IPv6 that passes there, in or out
 *
 * One line each: milliseconds since 1970, in|out, source, destination, type, code, then for
 * messages of docs/rekeying.md what it is (rekeying, beacon), its num and its leisure in
 * milliseconds, and last the datagram in hex. '-' is where there is nothing to say. Nothing is
 * verified, and what the machine tells itself is left out.
 */
#include "io/addr.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/coap.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/rekeying.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#define PACKET_MAX  2048
#define ETHER_ALL   0x0003
#define ETHER_IPV6  0x86dd
#define COAP_HEADER 4
#define BUFFER      (8 << 20) /* what a busy machine may leave unread for a while */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Only all protocols together include what goes out. */
static int open_socket(const char *interface)
{
	struct sockaddr_ll own = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHER_ALL) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = BUFFER;

	if (fd < 0)
		die("socket");
	own.sll_ifindex = (int)if_nametoindex(interface);
	if (!own.sll_ifindex)
		die(interface);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)))
		die("bind");
	return fd;
}

/* When the newest packet passed, which may be a while before we come to read it. */
static int64_t stamp_ms(int fd)
{
	struct timeval stamp;

	if (ioctl(fd, SIOCGSTAMP, &stamp))
		die("SIOCGSTAMP");
	return (int64_t)stamp.tv_sec * 1000 + stamp.tv_usec / 1000;
}

static struct gk_addr endpoint(const struct in6_addr *ip, uint16_t port)
{
	struct gk_addr addr = { .port = ntohs(port) };

	memcpy(addr.ip, ip, sizeof(addr.ip));
	return addr;
}

/* What the code and all behind the token say. */
static void print_rekeying(struct gk_span message)
{
	struct gk_rekeying rekeying;
	struct gk_coap coap;

	if (gk_coap_parse(message, &coap) || coap.code != GK_COAP_POST ||
	    gk_rekeying_read(coap.payload, &rekeying))
		printf("- - -");
	else if (rekeying.type == GK_REKEYING_BEACON)
		printf("beacon %" PRIu32 " -", rekeying.num);
	else
		printf("rekeying %" PRIu32 " %" PRIu32, rekeying.num, rekeying.leisure_ms);
}

static void print_coap(struct gk_span datagram)
{
	static const char *const types[] = { "CON", "NON", "ACK", "RST" };
	uint8_t bytes[PACKET_MAX], first = datagram.data[0], code = datagram.data[1];
	struct gk_buf message = gk_buf(bytes, sizeof(bytes));

	gk_buf_byte(&message, code);
	gk_buf_add(&message, gk_span_sub(datagram, COAP_HEADER + (first & 0x0f), datagram.len));
	printf("%s %d.%02d ", types[first >> 4 & 3], code >> 5, code & 0x1f);
	print_rekeying(gk_buf_span(&message));
	putchar(' ');
	for (size_t i = 0; i < datagram.len; i++)
		printf("%02x", datagram.data[i]);
	putchar('\n');
}

static void print_packet(int fd, const uint8_t *packet, size_t len, bool out)
{
	char from[IO_ADDR_TEXT], to[IO_ADDR_TEXT];
	struct gk_addr source, destination;
	struct ip6_hdr ip;
	struct udphdr udp;
	size_t headers = sizeof(ip) + sizeof(udp);

	if (len < headers + COAP_HEADER)
		return;
	memcpy(&ip, packet, sizeof(ip));
	memcpy(&udp, packet + sizeof(ip), sizeof(udp));
	if (ip.ip6_nxt != IPPROTO_UDP)
		return;
	source = endpoint(&ip.ip6_src, udp.source);
	destination = endpoint(&ip.ip6_dst, udp.dest);
	printf("%" PRId64 " %s %s %s ", stamp_ms(fd), out ? "out" : "in",
	       io_addr_format(&source, from), io_addr_format(&destination, to));
	print_coap(gk_span(packet + headers, len - headers));
}

int main(int argc, char **argv)
{
	uint8_t packet[PACKET_MAX];
	struct sockaddr_ll from;
	ssize_t len;
	int fd;

	if (argc != 2) {
		fputs("usage: wire INTERFACE\n", stderr);
		return 2;
	}
	fd = open_socket(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("watching");
	while ((len = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from,
			       &(socklen_t){ sizeof(from) })) >= 0 ||
	       errno == ENETDOWN) {
		if (len >= 0 && from.sll_protocol == htons(ETHER_IPV6) &&
		    from.sll_pkttype != PACKET_LOOPBACK)
			print_packet(fd, packet, (size_t)len, from.sll_pkttype == PACKET_OUTGOING);
	}
	die("recvfrom");
}
