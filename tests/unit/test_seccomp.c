// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The filter, from the inside: each test is a process of its own that installs it and then calls.
 */
#include "config.h"
#include "gatewayd/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* How a process ended that has called something. */
#define WORKED       0
#define FAILED       1 /* in another way */
#define NOT_THERE    2 /* ENOSYS */
#define NO_FILTER    3
#define BY_SIGNAL(n) (0x100 + (n))

static int as_result(long result)
{
	return result >= 0 ? WORKED : errno == ENOSYS ? NOT_THERE : FAILED;
}

/* @return how it ends to make that call under that filter */
static int try(enum gw_seccomp filter, int (*call)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		const struct rlimit none = { 0, 0 };
		setrlimit(RLIMIT_CORE, &none);
		// Not _exit(): with a sanitizer that calls more.
		syscall(SYS_exit_group, gw_seccomp_install(filter) ? NO_FILTER : call());
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? BY_SIGNAL(WTERMSIG(status)) : WEXITSTATUS(status);
}

static int do_nothing(void)
{
	return WORKED;
}

static void need_filter(void)
{
	if (try(GW_SECCOMP_KILL, do_nothing) != NO_FILTER)
		return;
	print_message("SKIP: needs libseccomp, x86-64 or aarch64, and a kernel with filters\n");
	skip();
}

/*
 * What it is for. Each of these does no harm where it is let through.
 */

static int execute(void)
{
	char *const nothing[] = { NULL };

	return as_result(syscall(SYS_execve, "/nonexistent", nothing, nothing));
}

static int make_process(void)
{
	long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (child == 0)
		_exit(0);
	return as_result(child);
}

static int trace(void)
{
	return as_result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int mount_something(void)
{
	return as_result(syscall(SYS_mount, "", "/nonexistent", "", 0, NULL));
}

static int become_root(void)
{
	return as_result(syscall(SYS_setuid, 0));
}

static int make_namespace(void)
{
	return as_result(syscall(SYS_unshare, 0));
}

static int kill_another(void)
{
	return as_result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int kill_another_thread(void)
{
	return as_result(syscall(SYS_tkill, getppid(), 0));
}

static int load_program_into_kernel(void)
{
	return as_result(syscall(SYS_bpf, -1, NULL, 0));
}

static int connect_by_tcp(void)
{
	return as_result(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int speak_another_protocol(void)
{
	return as_result(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDPLITE));
}

static int speak_ipv4(void)
{
	return as_result(socket(AF_INET, SOCK_DGRAM, 0));
}

static int listen_to_all_frames(void)
{
	return as_result(socket(AF_PACKET, SOCK_RAW, 0));
}

static int change_the_packet_filter(void)
{
	return as_result(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
}

static int map_code(void)
{
	const void *at =
		mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return as_result(at == MAP_FAILED ? -1 : 0);
}

static int turn_data_into_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return as_result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int type_for_the_user(void)
{
	return as_result(ioctl(STDIN_FILENO, TIOCSTI, "x"));
}

static int lift_limits(void)
{
	struct rlimit limit = { 0, 0 };

	return as_result(syscall(SYS_prlimit64, 0, RLIMIT_CORE, &limit, NULL));
}

static const struct forbidden {
	const char *name;
	int (*call)(void);
} forbidden[] = {
	{ "execute", execute },
	{ "make_process", make_process },
	{ "trace", trace },
	{ "mount_something", mount_something },
	{ "become_root", become_root },
	{ "make_namespace", make_namespace },
	{ "kill_another", kill_another },
	{ "kill_another_thread", kill_another_thread },
	{ "load_program_into_kernel", load_program_into_kernel },
	{ "connect_by_tcp", connect_by_tcp },
	{ "speak_another_protocol", speak_another_protocol },
	{ "speak_ipv4", speak_ipv4 },
	{ "listen_to_all_frames", listen_to_all_frames },
	{ "change_the_packet_filter", change_the_packet_filter },
	{ "map_code", map_code },
	{ "turn_data_into_code", turn_data_into_code },
	{ "type_for_the_user", type_for_the_user },
	{ "lift_limits", lift_limits },
};

static void expect_all(enum gw_seccomp filter, int wanted)
{
	need_filter();
	for (size_t i = 0; i < COUNT(forbidden); i++) {
		int got = try(filter, forbidden[i].call);
		if (got != wanted)
			fail_msg("%s: %#x, not %#x", forbidden[i].name, (unsigned)got,
				 (unsigned)wanted);
	}
}

static void what_is_not_in_the_table_kills(void **state)
{
	(void)state;
	expect_all(GW_SECCOMP_KILL, BY_SIGNAL(SIGSYS));
}

static void what_is_not_in_the_table_is_denied_as_unknown(void **state)
{
	(void)state;
	expect_all(GW_SECCOMP_DENY, NOT_THERE);
}

/* To the caller it is as without. */
static void what_is_not_in_the_table_is_made_and_logged(void **state)
{
	(void)state;
	need_filter();
	for (size_t i = 0; i < COUNT(forbidden); i++) {
		int got = try(GW_SECCOMP_LOG, forbidden[i].call);
		if (got != WORKED && got != FAILED)
			fail_msg("%s: %#x", forbidden[i].name, (unsigned)got);
	}
}

static int has_filter(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0 ? WORKED : FAILED;
}

static void without_one_there_is_none(void **state)
{
	(void)state;
	assert_non_null(gw_seccomp_install(GW_SECCOMP_OFF));
	assert_int_equal(has_filter(), WORKED);
}

/*
 * What it leaves
 */

/* By no allocator: that of a sanitizer calls more. */
static int work(void)
{
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool ok = memory != MAP_FAILED && file >= 0 && write(file, memory, 1) == 1 &&
		  read(file, memory, 1) == 0 && close(file) == 0 &&
		  socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 &&
		  socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) >= 0 &&
		  socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >= 0 &&
		  sysconf(_SC_OPEN_MAX) > 0 && time(NULL) > 0 && getpid() > 0;

	return ok && munmap(memory, 4096) == 0 ? WORKED : FAILED;
}

/* As abort(3) does. */
static int end_by_abort(void)
{
	return as_result(raise(SIGABRT));
}

static int end_by_abort_of_musl(void)
{
	return as_result(syscall(SYS_tkill, getpid(), SIGABRT));
}

static void what_is_in_the_table_works(void **state)
{
	(void)state;
	need_filter();
	assert_int_equal(try(GW_SECCOMP_KILL, work), WORKED);
	assert_int_equal(try(GW_SECCOMP_KILL, end_by_abort), BY_SIGNAL(SIGABRT));
	assert_int_equal(try(GW_SECCOMP_KILL, end_by_abort_of_musl), BY_SIGNAL(SIGABRT));
}

/*
 * The table itself
 */

static bool is_in_table(const char *wanted, size_t len)
{
	for (size_t i = 0; gw_seccomp_calls[i]; i++) {
		for (const char *at = gw_seccomp_calls[i]; *at; at += strspn(at, " ")) {
			size_t this_len = strcspn(at, " ");
			if (this_len == len && memcmp(at, wanted, len) == 0)
				return true;
			at += this_len;
		}
	}
	return false;
}

/* Old names that newer machines, as aarch64, never had, and what is called there instead. */
static void old_calls_have_their_successors(void **state)
{
	static const char *const successors[][2] = {
		{ "access", "faccessat" },    { "epoll_wait", "epoll_pwait" },
		{ "getdents", "getdents64" }, { "link", "linkat" },
		{ "lstat", "newfstatat" },    { "open", "openat" },
		{ "poll", "ppoll" },          { "readlink", "readlinkat" },
		{ "rename", "renameat" },     { "rename", "renameat2" },
		{ "select", "pselect6" },     { "stat", "newfstatat" },
		{ "time", "gettimeofday" },   { "unlink", "unlinkat" },
		{ "access", "faccessat2" },   { "epoll_wait", "epoll_pwait2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(successors); i++) {
		const char *old = successors[i][0], *successor = successors[i][1];
		if (is_in_table(old, strlen(old)) && !is_in_table(successor, strlen(successor)))
			fail_msg("%s, but no %s", old, successor);
	}
}

/* A call of 32 bits of time, or of length, is there with 64 too. */
static void calls_with_time_have_both_variants(void **state)
{
	static const char *const variants[][2] = {
		{ "clock_gettime", "clock_gettime64" },
		{ "clock_nanosleep", "clock_nanosleep_time64" },
		{ "clock_adjtime", "clock_adjtime64" },
		{ "timerfd_settime", "timerfd_settime64" },
		{ "ppoll", "ppoll_time64" },
		{ "pselect6", "pselect6_time64" },
		{ "recvmmsg", "recvmmsg_time64" },
		{ "futex", "futex_time64" },
		{ "stat", "stat64" },
		{ "fstat", "fstat64" },
		{ "lstat", "lstat64" },
		{ "newfstatat", "fstatat64" },
		{ "statfs", "statfs64" },
		{ "ftruncate", "ftruncate64" },
		{ "fcntl", "fcntl64" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(variants); i++) {
		for (size_t j = 0; j < 2; j++) {
			if (!is_in_table(variants[i][j], strlen(variants[i][j])))
				fail_msg("no %s", variants[i][j]);
		}
	}
}

#if defined(GK_HAVE_SECCOMP) && GK_HAVE_SECCOMP
#include <seccomp.h>

static bool is_old(const char *name)
{
	static const char *const old[] = { "access", "epoll_wait", "link",   "lstat",  "open",
					   "poll",   "readlink",   "rename", "select", "stat",
					   "time",   "unlink",     "lstat" };

	for (size_t i = 0; i < COUNT(old); i++) {
		if (strcmp(name, old[i]) == 0)
			return true;
	}
	return false;
}

/*
 * A name that is misspelt would be passed over. And what x86-64 has and aarch64 has not is one of
 * the old calls, for which there is another.
 */
static void every_name_is_that_of_a_call(void **state)
{
	char line[1024], *rest, *name;

	(void)state;
	for (size_t i = 0; gw_seccomp_calls[i]; i++) {
		assert_true(strlen(gw_seccomp_calls[i]) < sizeof(line));
		strcpy(line, gw_seccomp_calls[i]);
		rest = line;
		while ((name = strsep(&rest, " "))) {
			if (seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR)
				fail_msg("%s is no call", name);
			if (seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name) >= 0 &&
			    seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, name) < 0 &&
			    !is_old(name))
				fail_msg("%s: what does aarch64 call?", name);
		}
	}
}
#else
static void every_name_is_that_of_a_call(void **state)
{
	(void)state;
	print_message("SKIP: needs libseccomp\n");
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_in_the_table_kills),
		cmocka_unit_test(what_is_not_in_the_table_is_denied_as_unknown),
		cmocka_unit_test(what_is_not_in_the_table_is_made_and_logged),
		cmocka_unit_test(without_one_there_is_none),
		cmocka_unit_test(what_is_in_the_table_works),
		cmocka_unit_test(old_calls_have_their_successors),
		cmocka_unit_test(calls_with_time_have_both_variants),
		cmocka_unit_test(every_name_is_that_of_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
