// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/notify.h"
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or '@' and a name in Linux's abstract namespace, which begins with a zero byte. */
static bool read_address(const char *text, struct sockaddr_un *address, socklen_t *len)
{
	size_t text_len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || text_len >= sizeof(address->sun_path))
		return false;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, text, text_len);
	if (text[0] == '@')
		address->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + text_len);
	return true;
}

static int send_datagram(const struct sockaddr_un *address, socklen_t len, const char *state)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)address, len) <
	    0)
		err = -errno;
	close(fd);
	return err;
}

int gw_notify(const char *state)
{
	const char *text = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t len;

	if (!text)
		return 0;
	return read_address(text, &address, &len) ? send_datagram(&address, len, state) : -EINVAL;
}
