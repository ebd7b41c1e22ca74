// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>

enum {
	// Datagrams thrown away behind a failed answer; more than any dump has.
	DISCARD_MAX = 65536
};

ssize_t reach_kernel_receive(struct reach_kernel *kernel, int from)
{
	struct sockaddr_nl sender = { 0 };
	struct iovec space = { kernel->datagram, sizeof(kernel->datagram) };
	struct msghdr msg = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &space,
		.msg_iovlen = 1,
	};
	ssize_t len;

	do {
		len = recvmsg(from, &msg, 0);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	// Port 0 is the kernel; a privileged process could write to us as well.
	if (msg.msg_namelen != sizeof(sender) || sender.nl_pid != 0)
		return 0;
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : len;
}

// A dump that is not read to its end makes the socket refuse the next one (EBUSY).
static void discard_rest(struct reach_kernel *kernel)
{
	for (int i = 0; i < DISCARD_MAX; i++) {
		if (reach_kernel_receive(kernel, kernel->requests) == -EAGAIN)
			return;
	}
}

struct answer {
	reach_record_callback *callback;
	void *ctx;
	bool interrupted;
};

// Take one datagram of an answer. Returns 1 if there is more to come.
static int take_part(struct reach_kernel *kernel, size_t len, struct answer *answer)
{
	struct reach_cursor cursor = reach_parse_begin(kernel->datagram, len);
	struct reach_record record;
	int rc;

	while ((rc = reach_parse_next(&cursor, &record)) > 0) {
		if (record.seq != kernel->seq)
			continue;
		answer->interrupted |= record.interrupted;
		if (record.type == REACH_RECORD_DONE)
			return record.error ? record.error : answer->interrupted ? -EAGAIN : 0;
		answer->callback(answer->ctx, &record);
	}
	if (rc < 0) {
		kernel->counts.malformed++;
		return rc;
	}
	return 1;
}

static int take_answer(struct reach_kernel *kernel, struct answer *answer)
{
	int rc;

	do {
		ssize_t len = reach_kernel_receive(kernel, kernel->requests);

		rc = len < 0 ? (int)len : take_part(kernel, (size_t)len, answer);
	} while (rc > 0);
	return rc;
}

int reach_kernel_ask_take(struct reach_kernel *kernel, struct nl_msg *msg,
			  reach_record_callback *callback, void *ctx)
{
	struct answer answer = { .callback = callback, .ctx = ctx };
	struct nlmsghdr *head;
	ssize_t sent;
	int rc;

	if (!msg)
		return -ENOMEM;
	head = nlmsg_hdr(msg);
	head->nlmsg_seq = ++kernel->seq;
	sent = send(kernel->requests, head, head->nlmsg_len, 0);
	rc = sent < 0 ? -errno : take_answer(kernel, &answer);
	nlmsg_free(msg);
	if (rc < 0)
		discard_rest(kernel);
	return rc;
}
