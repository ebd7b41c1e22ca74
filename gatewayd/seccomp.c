// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/seccomp.h"
#include "config.h"

/*
 * The table: what gatewayd and the libraries below it call once all is open. A call can have
 * several names: an old and a new one, with 32 and with 64 bits of time or length, with a path
 * alone and with a directory before it; glibc and musl differ in which they use. Names that this
 * machine does not have, as aarch64 has no open(), or that libseccomp does not know yet, are passed
 * over.
 */
const char *const gw_seccomp_calls[] = {
	/* The loop: waiting, its timer; libcoap's and libnl's own; SQLite waiting for a lock */
	"epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll ppoll_time64 "
	"select pselect6 pselect6_time64 timerfd_create timerfd_settime timerfd_settime64 "
	"nanosleep clock_nanosleep clock_nanosleep_time64 restart_syscall",

	/* What time it is, where the vDSO does not say it, and whether somebody sets it */
	"clock_gettime clock_gettime64 gettimeofday time adjtimex clock_adjtime "
	"clock_adjtime64",

	/* Sockets of the families below: CoAP, groups, the kernel, gatewayctl, syslog */
	"bind connect listen accept4 getsockname getpeername getsockopt setsockopt sendto "
	"sendmsg sendmmsg recvfrom recvmsg recvmmsg recvmmsg_time64",

	/* Files: the configuration and what it names, the log, the time zone for syslog(3) */
	"open openat openat2 close read readv write writev lseek _llseek fcntl fcntl64 stat "
	"stat64 fstat fstat64 lstat lstat64 newfstatat fstatat64 statx access faccessat "
	"faccessat2 readlink readlinkat",

	/* The store: SQLite's, the mark, which is made anew by name, and the reserve */
	"pread64 pwrite64 fsync fdatasync ftruncate ftruncate64 fallocate flock statfs "
	"statfs64 fstatfs fstatfs64 fchmod fchown fchown32 umask link linkat rename renameat "
	"renameat2 unlink unlinkat",

	/* Memory, but for code: see below */
	"brk munmap mremap madvise",

	/* Who we are; how much memory there is (qsort(3)); what we use of it; random bytes */
	"getpid gettid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 "
	"getgroups getgroups32 getrandom sysinfo getrusage",

	/* The C library's own: locks, signals, the end */
	"futex futex_time64 rt_sigaction rt_sigprocmask rt_sigreturn exit exit_group",

	NULL,
};

const char *gw_seccomp_name(enum gw_seccomp filter)
{
	static const char *const names[] = {
		[GW_SECCOMP_OFF] = "off",
		[GW_SECCOMP_LOG] = "log",
		[GW_SECCOMP_DENY] = "deny",
		[GW_SECCOMP_KILL] = "kill",
	};

	return names[filter];
}

#if defined(GK_HAVE_SECCOMP) && GK_HAVE_SECCOMP &&                                                 \
	((defined(__x86_64__) && !defined(__ILP32__)) || defined(__aarch64__))
#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GROUP_MAX    1024
#define TYPE_MASK    0xf /* of a socket's type, which flags go with */

/* F2FS_IOC_GET_FEATURES of linux/f2fs.h, which is not everywhere: SQLite asks, we do without. */
#define F2FS_FEATURES 0x8004f50c

/* The kernel takes 32 bits of most arguments, and libraries differ in what they
 * leave above them. */
#define LOW(arg, mask, value)                                                                      \
	{                                                                                          \
		(arg), SCMP_CMP_MASKED_EQ, (mask), (value)                                         \
	}
#define IS(arg, value)     LOW(arg, UINT32_MAX, value)
#define HAS_NOT(arg, bits) LOW(arg, bits, 0)
#define ARGS_MAX           3

/* Allowed with such arguments alone; any of a call's rows will do. */
static const struct row {
	const char *name;
	unsigned count;
	struct scmp_arg_cmp args[ARGS_MAX];
} rows[] = {
	/* UDP alone: for another protocol the kernel may load a module that is rarely tried. Of
	 * netlink only what is about links and nodes */
	{ "socket", 1, { IS(0, AF_UNIX) } },
	{ "socket", 3, { IS(0, AF_INET6), LOW(1, TYPE_MASK, SOCK_DGRAM), IS(2, 0) } },
	{ "socket", 3, { IS(0, AF_INET6), LOW(1, TYPE_MASK, SOCK_DGRAM), IS(2, IPPROTO_UDP) } },
	{ "socket", 2, { IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE) } },

	/* Nothing becomes code that was not code at the start */
	{ "mmap", 1, { HAS_NOT(2, PROT_EXEC) } },
	{ "mmap2", 1, { HAS_NOT(2, PROT_EXEC) } },
	{ "mprotect", 1, { HAS_NOT(2, PROT_EXEC) } },

	/* libcoap's sockets, if_nametoindex(3) and its reverse, SQLite, and whether the log is a
	 * terminal, as glibc and as musl ask */
	{ "ioctl", 1, { IS(1, FIONBIO) } },
	{ "ioctl", 1, { IS(1, SIOCGIFINDEX) } },
	{ "ioctl", 1, { IS(1, SIOCGIFNAME) } },
	{ "ioctl", 1, { IS(1, F2FS_FEATURES) } },
	{ "ioctl", 1, { IS(1, TCGETS) } },
	{ "ioctl", 1, { IS(1, TIOCGWINSZ) } },

	/* Limits are asked for, sysconf(3), and not set */
	{ "prlimit64", 1, { LOW(2, UINT64_MAX, 0) } },
};

static int add(scmp_filter_ctx filter, const struct row *row)
{
	int number = seccomp_syscall_resolve_name(row->name);

	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, row->count, row->args);
}

static int add_group(scmp_filter_ctx filter, const char *names)
{
	char copy[GROUP_MAX], *rest = copy;
	const char *name;
	int err = 0;

	assert(strlen(names) < sizeof(copy));
	strcpy(copy, names);
	while (!err && (name = strsep(&rest, " ")))
		err = add(filter, &(struct row){ .name = name });
	return err;
}

static int add_all(scmp_filter_ctx filter)
{
	// abort(3), of glibc and of musl, has to end us, and may end nobody else.
	const scmp_datum_t self = (scmp_datum_t)getpid();
	const struct row ends[] = { { "tgkill", 1, { IS(0, self) } },
				    { "tkill", 1, { IS(0, self) } } };
	int err = 0;

	for (size_t i = 0; !err && i < COUNT(ends); i++)
		err = add(filter, &ends[i]);
	for (size_t i = 0; !err && gw_seccomp_calls[i]; i++)
		err = add_group(filter, gw_seccomp_calls[i]);
	for (size_t i = 0; !err && i < COUNT(rows); i++)
		err = add(filter, &rows[i]);
	return err;
}

/* BADARCH: a call by another architecture's numbers, as i386's, is treated as one that is not in
 * the table. CTL_OPTIMIZE 2 makes the filter a binary tree, since each call goes through it. We can
 * do without either, where libseccomp does not know it. */
static int load(scmp_filter_ctx filter, uint32_t otherwise)
{
	int err = add_all(filter);

	(void)seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, otherwise);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return err ? err : seccomp_load(filter);
}

/*
 * ENOSYS, and not EPERM, since that is what every C library has an answer to: it goes on with the
 * older call that it used before, where EPERM would be taken for the last word.
 */
static uint32_t action_of(enum gw_seccomp wanted)
{
	return wanted == GW_SECCOMP_KILL  ? SCMP_ACT_KILL_PROCESS
	       : wanted == GW_SECCOMP_LOG ? SCMP_ACT_LOG
					  : SCMP_ACT_ERRNO(ENOSYS);
}

const char *gw_seccomp_install(enum gw_seccomp wanted)
{
	scmp_filter_ctx filter;
	int err;

	if (wanted == GW_SECCOMP_OFF)
		return "it is off";
	filter = seccomp_init(action_of(wanted));
	if (!filter)
		return "libseccomp does not know this kernel";
	err = load(filter, action_of(wanted));
	seccomp_release(filter);
	// seccomp_load(3) returns ECANCELED if it was the kernel that refused the filter.
	if (err == -ECANCELED)
		return "the kernel takes none";
	return err ? strerror(-err) : NULL;
}

#else

const char *gw_seccomp_install(enum gw_seccomp wanted)
{
	return wanted == GW_SECCOMP_OFF ? "it is off" : "this gatewayd was built without";
}

#endif
