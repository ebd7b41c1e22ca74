// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/notify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_notify.XXXXXX";
static char path[64], abstract[64];

/* The service manager's end. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	return fd;
}

static void assert_told(int fd, const char *state)
{
	char told[64];
	ssize_t len = recv(fd, told, sizeof(told), 0);

	assert_int_equal(len, strlen(state));
	assert_memory_equal(told, state, strlen(state));
	assert_true(recv(fd, told, sizeof(told), 0) < 0);
}

static void nobody_is_told_who_does_not_ask(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(gw_notify("READY=1"), 0);
}

static void a_state_is_one_datagram_to_a_path(void **state)
{
	int fd = listen_at(path);

	(void)state;
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(gw_notify("READY=1"), 0);
	assert_told(fd, "READY=1");
	assert_int_equal(gw_notify("STOPPING=1"), 0);
	assert_told(fd, "STOPPING=1");
	close(fd);
	unlink(path);
}

static void an_at_sign_stands_for_the_abstract_namespace(void **state)
{
	int fd = listen_at(abstract);

	(void)state;
	setenv("NOTIFY_SOCKET", abstract, 1);
	assert_int_equal(gw_notify("READY=1"), 0);
	assert_told(fd, "READY=1");
	close(fd);
}

static void who_is_not_there_is_an_error_and_not_the_end(void **state)
{
	(void)state;
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(gw_notify("READY=1"), -ENOENT);
}

static void what_is_no_address_is_refused(void **state)
{
	char longest[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	const char *const rows[] = { "", "run/notify", "vsock:2:1234", longest };

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setenv("NOTIFY_SOCKET", rows[i], 1);
		assert_int_equal(gw_notify("READY=1"), -EINVAL);
	}
}

static int make_names(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/notify", dir);
	snprintf(abstract, sizeof(abstract), "@%s", dir);
	return 0;
}

static int remove_names(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_told_who_does_not_ask),
		cmocka_unit_test(a_state_is_one_datagram_to_a_path),
		cmocka_unit_test(an_at_sign_stands_for_the_abstract_namespace),
		cmocka_unit_test(who_is_not_there_is_an_error_and_not_the_end),
		cmocka_unit_test(what_is_no_address_is_refused),
	};

	return cmocka_run_group_tests(tests, make_names, remove_names);
}
