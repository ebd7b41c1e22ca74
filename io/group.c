// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "libgroupkey/coap.h"

// RFC 7252 section 3: version, type and token length in the first byte
#define VERSION_SHIFT 6
#define TYPE_SHIFT    4
#define VERSION       1
#define TYPE_NON      1
#define TOKEN_LEN_MAX 8
#define HEADER_LEN    4

// RFC 7252 section 5.3.1 asks for 32 random bits; every byte crosses the radio once per hop.
#define TOKEN_LEN 4

// Datagrams read in one turn of the loop, at most; the rest is still there in the next.
#define READ_MAX 64

// Our own come back within a turn or two, and there are never more of them meanwhile.
#define SENT_MAX 16

// The scope of a multicast address is the low half of its second byte (RFC 4291 section 2.7).
#define SCOPE_LINK_LOCAL 2

// RFC 7252 section 3: code classes; 0.00 is no message.
#define CLASS_SHIFT   5
#define CLASS_REQUEST 0
#define CLASS_SUCCESS 2

static const struct role {
	bool joins;    // takes what comes to the group, else what comes to us
	bool sends;    // to groups
	bool draws;    // a token for each message to the group, and knows its own by it
	uint8_t takes; // this class of codes
} roles[] = {
	[IO_GROUP_MEMBER] = { true, true, true, CLASS_REQUEST },
	[IO_GROUP_CONTROL_MEMBER] = { true, false, false, CLASS_REQUEST },
	[IO_GROUP_CONTROL_SENDER] = { false, true, false, CLASS_SUCCESS },
};

// RFC 4291 section 2.7.1, on the link.
static const struct in6_addr all_nodes = { { { 0xff, 0x02, [15] = 1 } } };

struct io_group {
	int fd;
	const struct role *role;
	struct sockaddr_in6 address;
	uint32_t interface;
	io_group_message_fn *handler;
	void *ctx;
	uint64_t dropped;
	uint16_t message_id;
	size_t sent; // how many; sent % SENT_MAX is the place of the next
	uint8_t sent_tokens[SENT_MAX][TOKEN_LEN];
};

/* Opening */

static int set_option(int fd, int option, int value)
{
	return setsockopt(fd, IPPROTO_IPV6, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_reuse(int fd)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ? -errno : 0;
}

static int join(const struct io_group *group, const struct in6_addr *address)
{
	struct ipv6_mreq mreq = {
		.ipv6mr_multiaddr = *address,
		.ipv6mr_interface = group->interface,
	};

	if (setsockopt(group->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq)) < 0)
		return -errno;
	return 0;
}

// A group's address takes nothing from unicast sockets on the same port. A sender's own is any, and
// Linux hands a datagram to one socket only of several: that of another interface should not be
// asked. This needs Linux 5.7, or privileges; without, there is one sender to a port and machine.
static int bind_socket(const struct io_group *group)
{
	struct sockaddr_in6 own = group->address;

	if (!group->role->joins) {
#ifdef SO_BINDTOIFINDEX
		int interface = (int)group->interface;
		setsockopt(group->fd, SOL_SOCKET, SO_BINDTOIFINDEX, &interface, sizeof(interface));
#endif
		own.sin6_addr = in6addr_any;
		own.sin6_scope_id = 0;
	}
	return bind(group->fd, (struct sockaddr *)&own, sizeof(own)) < 0 ? -errno : 0;
}

static int set_up(struct io_group *group)
{
	const struct {
		int option, value;
	} options[] = {
		{ IPV6_V6ONLY, 1 },
		{ IPV6_MULTICAST_IF, (int)group->interface },
		{ IPV6_MULTICAST_LOOP, 1 },
		{ IPV6_RECVPKTINFO, 1 },
	};
	int err = set_reuse(group->fd);

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && err == 0; i++)
		err = set_option(group->fd, options[i].option, options[i].value);

#ifdef IPV6_MULTICAST_ALL
	// Linux 4.20. Without it we get the messages of groups that others have joined: bound to
	// one group's address, those of the same group on other interfaces; as a sender, our own.
	set_option(group->fd, IPV6_MULTICAST_ALL, 0);
#endif

	if (err == 0)
		err = bind_socket(group);
	// Every node is in the latter, but a socket hears it only if it says so.
	return err < 0 ? err
		       : join(group, group->role->joins ? &group->address.sin6_addr : &all_nodes);
}

int io_group_open(struct io_group **out, enum io_group_role role, const struct gk_addr *address,
		  io_group_message_fn *handler, void *ctx)
{
	struct gk_env env = io_env();
	struct io_group *group;
	int err;

	if (address->ip[0] != 0xff || address->port == 0 || address->scope == 0)
		return -EINVAL;

	group = calloc(1, sizeof(*group));
	if (!group)
		return -ENOMEM;

	*group = (struct io_group){
		.fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
		.role = &roles[role],
		.address = io_addr_to_sockaddr(address),
		.interface = address->scope,
		.handler = handler,
		.ctx = ctx,
	};
	if (group->fd < 0)
		err = -errno;
	else if (!env.random(env.ctx, (uint8_t *)&group->message_id, sizeof(group->message_id)))
		err = -EIO;
	else
		err = set_up(group);
	if (err < 0) {
		io_group_close(group);
		return err;
	}

	*out = group;
	return 0;
}

void io_group_close(struct io_group *group)
{
	if (!group)
		return;

	if (group->fd >= 0)
		close(group->fd);
	free(group);
}

int io_group_fd(const struct io_group *group)
{
	return group->fd;
}

uint64_t io_group_dropped(const struct io_group *group)
{
	return group->dropped;
}

/* Receiving */

struct datagram {
	uint8_t bytes[IO_GROUP_DATAGRAM_MAX];
	size_t len;
	struct sockaddr_in6 from;
	struct in6_pktinfo to; // all 0: the kernel did not say
	bool cut;              // longer than 'bytes'
};

static struct in6_pktinfo find_destination(struct msghdr *msg)
{
	struct in6_pktinfo info = { .ipi6_ifindex = 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(&info, CMSG_DATA(c), sizeof(info));
	return info;
}

// @return false: nothing more has arrived
static bool receive(int fd, struct datagram *d)
{
	union {
		struct cmsghdr aligned;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
	struct iovec iov = { .iov_base = d->bytes, .iov_len = sizeof(d->bytes) };
	struct msghdr msg = {
		.msg_name = &d->from,
		.msg_namelen = sizeof(d->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len;

	do {
		len = recvmsg(fd, &msg, 0);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return false;

	d->len = (size_t)len;
	d->to = find_destination(&msg);
	d->cut = msg.msg_flags & MSG_TRUNC;
	return true;
}

// Read the header; the message proper, its code first, goes to 'message' (RFC 7252 section 3).
static bool parse(const struct datagram *d, struct gk_exchange *exchange, struct gk_buf *message)
{
	struct gk_span datagram = gk_span(d->bytes, d->len), token;
	uint8_t first;
	struct gk_coap msg;

	if (d->cut || datagram.len < HEADER_LEN)
		return false;

	first = d->bytes[0];
	exchange->token_len = first & 0x0f;
	token = gk_span_sub(datagram, HEADER_LEN, exchange->token_len);
	if (first >> TYPE_SHIFT != (VERSION << (VERSION_SHIFT - TYPE_SHIFT) | TYPE_NON) ||
	    exchange->token_len > TOKEN_LEN_MAX || token.len < exchange->token_len)
		return false;

	if (token.len > 0)
		memcpy(exchange->token, token.data, token.len);
	exchange->message_id = (uint16_t)gk_span_uint(gk_span_sub(datagram, 2, 2));
	exchange->peer = io_addr_from_sockaddr(&d->from);

	gk_buf_byte(message, d->bytes[1]);
	gk_buf_add(message, gk_span_sub(datagram, HEADER_LEN + token.len, datagram.len));
	return gk_coap_parse(gk_buf_span(message), &msg) == GK_OK;
}

// There are no responses to a group (RFC 7252 section 8), and no requests to a sender.
static bool is_taken(const struct role *role, uint8_t code)
{
	return code > 0 && code >> CLASS_SHIFT == role->takes;
}

static bool is_own(const struct io_group *group, const struct gk_exchange *exchange)
{
	for (size_t i = 0; i < SENT_MAX && i < group->sent; i++)
		if (exchange->token_len == TOKEN_LEN &&
		    memcmp(exchange->token, group->sent_tokens[i], TOKEN_LEN) == 0)
			return true;
	return false;
}

// The same group on another interface is another group, to which others belong.
static bool is_for_us(const struct io_group *group, const struct in6_pktinfo *to)
{
	return to->ipi6_ifindex == group->interface &&
	       (IN6_IS_ADDR_MULTICAST(&to->ipi6_addr) == group->role->joins ||
		IN6_ARE_ADDR_EQUAL(&to->ipi6_addr, &all_nodes));
}

static void take(struct io_group *group, const struct datagram *d)
{
	struct gk_exchange exchange = { .multicast = IN6_IS_ADDR_MULTICAST(&d->to.ipi6_addr) };
	uint8_t space[IO_GROUP_DATAGRAM_MAX];
	struct gk_buf message = gk_buf(space, sizeof(space));

	if (!is_for_us(group, &d->to))
		return;

	if (!parse(d, &exchange, &message) || !is_taken(group->role, space[0]))
		group->dropped++;
	else if (!is_own(group, &exchange))
		group->handler(group->ctx, &exchange, gk_buf_span(&message));
}

void io_group_read(struct io_group *group)
{
	struct datagram d;

	for (int i = 0; i < READ_MAX && receive(group->fd, &d); i++)
		take(group, &d);
}

/* Sending */

// A failed attempt uses up a message id, too: there are enough of them.
static int send_datagram(struct io_group *group, const struct sockaddr_in6 *to,
			 struct gk_span token, struct gk_span message)
{
	uint8_t space[IO_GROUP_DATAGRAM_MAX];
	struct gk_buf datagram = gk_buf(space, sizeof(space));

	group->message_id++;
	gk_buf_byte(&datagram,
		    (uint8_t)(VERSION << VERSION_SHIFT | TYPE_NON << TYPE_SHIFT | token.len));
	gk_buf_add(&datagram, gk_span_sub(message, 0, 1));
	gk_buf_byte(&datagram, (uint8_t)(group->message_id >> 8));
	gk_buf_byte(&datagram, (uint8_t)group->message_id);
	gk_buf_add(&datagram, token);
	gk_buf_add(&datagram, gk_span_sub(message, 1, message.len));
	if (datagram.overflow)
		return -EMSGSIZE;
	if (sendto(group->fd, datagram.data, datagram.len, 0, (const struct sockaddr *)to,
		   sizeof(*to)) < 0)
		return -errno;
	return 0;
}

static bool is_of_class(struct gk_span message, uint8_t class)
{
	struct gk_coap msg;

	return gk_coap_parse(message, &msg) == GK_OK && msg.code > 0 &&
	       msg.code >> CLASS_SHIFT == class;
}

// Nobody forwards a link-local message. Beyond the link the default of 1 would end at the first
// forwarder of a mesh; 64 is what hosts use for everything else.
static int hop_limit(const struct sockaddr_in6 *to)
{
	return (to->sin6_addr.s6_addr[1] & 0x0f) <= SCOPE_LINK_LOCAL ? 1 : 64;
}

static int draw_token(struct io_group *group, struct gk_span *token)
{
	uint8_t *next = group->sent_tokens[group->sent % SENT_MAX];
	struct gk_env env = io_env();

	if (!env.random(env.ctx, next, TOKEN_LEN))
		return -EIO;
	group->sent++;
	*token = gk_span(next, TOKEN_LEN);
	return 0;
}

// @param token  empty: a fresh one, if the role has tokens
static int send_request(struct io_group *group, const struct sockaddr_in6 *to, struct gk_span token,
			struct gk_span message)
{
	int err;

	if (!group->role->sends || !is_of_class(message, CLASS_REQUEST))
		return -EINVAL;

	err = set_option(group->fd, IPV6_MULTICAST_HOPS, hop_limit(to));
	// Known as ours before it is sent: on a loopback interface it is back at once.
	if (err == 0 && group->role->draws)
		err = draw_token(group, &token);
	return err < 0 ? err : send_datagram(group, to, token, message);
}

int io_group_send(struct io_group *group, struct gk_span message)
{
	return send_request(group, &group->address, gk_span(NULL, 0), message);
}

// From a port of our own, on our interface.
static int send_elsewhere(struct io_group *group, const struct gk_addr *to, struct gk_span token,
			  struct gk_span message)
{
	struct sockaddr_in6 address = io_addr_to_sockaddr(to);

	if (group->role->joins || !IN6_IS_ADDR_MULTICAST(&address.sin6_addr))
		return -EINVAL;

	address.sin6_scope_id = group->interface;
	return send_request(group, &address, token, message);
}

int io_group_send_to(struct io_group *group, const struct gk_addr *to, struct gk_span message)
{
	if (htons(to->port) != group->address.sin6_port)
		return -EINVAL;
	return send_elsewhere(group, to, gk_span(NULL, 0), message);
}

int io_group_ask(struct io_group *group, const struct gk_addr *to, struct gk_span token,
		 struct gk_span message)
{
	if (token.len == 0 || token.len > TOKEN_LEN_MAX || to->port == 0)
		return -EINVAL;
	return send_elsewhere(group, to, token, message);
}

static int send_answer(struct io_group *group, const struct sockaddr_in6 *to, struct gk_span token,
		       struct gk_span message)
{
	if (!group->role->joins || token.len > TOKEN_LEN_MAX ||
	    !is_of_class(message, CLASS_SUCCESS))
		return -EINVAL;

	return send_datagram(group, to, token, message);
}

int io_group_answer(struct io_group *group, const struct gk_addr *to, struct gk_span token,
		    struct gk_span message)
{
	struct sockaddr_in6 address = io_addr_to_sockaddr(to);

	return IN6_IS_ADDR_MULTICAST(&address.sin6_addr)
		       ? -EINVAL
		       : send_answer(group, &address, token, message);
}

int io_group_answer_all(struct io_group *group, uint16_t port, struct gk_span token,
			struct gk_span message)
{
	const struct sockaddr_in6 to = {
		.sin6_family = AF_INET6,
		.sin6_addr = all_nodes,
		.sin6_port = htons(port),
		.sin6_scope_id = group->interface,
	};
	int err = set_option(group->fd, IPV6_MULTICAST_HOPS, hop_limit(&to));

	return err < 0 ? err : send_answer(group, &to, token, message);
}
