// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/privilege.h"
#include "gatewayd/handover.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(cap) (UINT64_C(1) << (cap))

/* Sockets may have ports below 1024. */
#define TO_OPEN BIT(CAP_NET_BIND_SERVICE)

/* To be uid 0 gives no capabilities any more, a change of uid neither takes nor gives any, none can
 * become ambient; the ..._LOCKED bits make that final. */
#define SECUREBITS                                                                                 \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                           \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |   \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

__attribute__((format(printf, 3, 4))) static bool fail(char *error, size_t size, const char *format,
						       ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return false;
}

/*
 * Capabilities, by capget(2) and capset(2): of libcap nothing else would be used.
 */

static uint64_t permitted(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (syscall(SYS_capget, &header, data) != 0)
		return 0;
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

/* Inheritable ones stay empty, and with them the kernel empties the ambient ones. */
static bool keep(uint64_t wanted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
	uint64_t kept = permitted() & wanted;

	data[0].effective = data[0].permitted = (uint32_t)kept;
	data[1].effective = data[1].permitted = (uint32_t)(kept >> 32);
	return syscall(SYS_capset, &header, data) == 0;
}

/*
 * The bounding set is what programs that we execute could have. We execute none, so failing does
 * not matter: PR_CAPBSET_DROP takes CAP_SETPCAP; a jail that has dropped it has seen to the set.
 */
static void drop_bounding_set(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/*
 * The user
 */

static bool find_user(const char *name, struct gw_owner *owner, char *error, size_t size)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(name);
	if (!entry && errno != 0 && errno != ENOENT)
		return fail(error, size, "user: \"%s\" cannot be looked up: %s", name,
			    strerror(errno));
	if (!entry)
		return fail(error, size,
			    "user: there is no \"%s\" on this machine: add it, as with 'useradd "
			    "--system --shell /usr/sbin/nologin %s', or name another in the "
			    "configuration",
			    name, name);
	*owner = (struct gw_owner){ name, entry->pw_uid, entry->pw_gid };
	return true;
}

/* setresuid() to another user than root clears all capabilities, unless PR_SET_SECUREBITS has said
 * SECBIT_NO_SETUID_FIXUP; where CAP_SETPCAP is missing for that, PR_SET_KEEPCAPS keeps them too. */
static bool become(const struct gw_owner *owner)
{
	drop_bounding_set();
	if (prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0) != 0 &&
	    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return false;
	// Where CAP_SETGID is missing there may be no groups to leave, and no user to become.
	return (setgroups(0, NULL) == 0 || getgroups(0, NULL) == 0) &&
	       setresgid(owner->gid, owner->gid, owner->gid) == 0 &&
	       setresuid(owner->uid, owner->uid, owner->uid) == 0;
}

bool gw_privilege_take_user(const struct gw_conf *conf, char *error, size_t size)
{
	struct gw_owner owner;

	if (geteuid() != 0)
		return true;
	if (!find_user(conf->user, &owner, error, size) || !gw_handover(conf, &owner, error, size))
		return false;
	if (!become(&owner))
		return fail(error, size,
			    "user: cannot become %s: %s; that takes CAP_SETUID, CAP_SETGID and, "
			    "for files, CAP_CHOWN",
			    owner.name, strerror(errno));
	if (!keep(TO_OPEN | (conf->net_admin ? BIT(CAP_NET_ADMIN) : 0)))
		return fail(error, size, "capabilities cannot be given up: %s", strerror(errno));
	return gw_handover_check(conf, owner.name, error, size);
}

bool gw_privilege_may_probe(const struct gw_conf *conf)
{
	return conf->net_admin && permitted() & BIT(CAP_NET_ADMIN);
}

/*
 * The end of it
 */

static void name_user(struct gw_rights *rights)
{
	const struct passwd *entry = getpwuid(geteuid());

	if (entry)
		snprintf(rights->user, sizeof(rights->user), "%s", entry->pw_name);
	else
		snprintf(rights->user, sizeof(rights->user), "%lu", (unsigned long)geteuid());
}

bool gw_privilege_seal(bool net_admin, struct gw_rights *rights, char *error, size_t size)
{
	if (!keep(net_admin ? BIT(CAP_NET_ADMIN) : 0))
		return fail(error, size, "capabilities cannot be given up: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail(error, size, "new privileges cannot be ruled out: %s", strerror(errno));
	*rights = (struct gw_rights){ .net_admin = permitted() & BIT(CAP_NET_ADMIN) };
	name_user(rights);
	return true;
}
