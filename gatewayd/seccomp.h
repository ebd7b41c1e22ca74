// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The filter of system calls: what gatewayd never calls is not there for whoever gets to run code
 * in it. On x86-64 and aarch64, with libseccomp; elsewhere there is none.
 *
 * It is installed once, when all is open, and no reload changes it. Source: seccomp(2).
 */
#ifndef GW_SECCOMP_H
#define GW_SECCOMP_H

#include "libgroupkey/groupkey.h"
#include <stdbool.h>
#include <stddef.h>

/** What happens to a call that is not in the table. */
enum gw_seccomp {
	GW_SECCOMP_OFF,  /* nothing: there is no filter */
	GW_SECCOMP_LOG,  /* it is made, and the kernel's log tells */
	GW_SECCOMP_DENY, /* it fails with ENOSYS */
	GW_SECCOMP_KILL  /* the process is killed, by SIGSYS */
};

/**
 * Install it, for good; no_new_privs is set.
 * @return NULL, or why there is no filter, which is then as before
 */
GK_MUST_CHECK const char *gw_seccomp_install(enum gw_seccomp wanted);

/** @return "off", "log", "deny" or "kill" */
const char *gw_seccomp_name(enum gw_seccomp filter);

/** The names of the calls that are allowed with any arguments: lines of them, with blanks between.
 * The last line is NULL. */
extern const char *const gw_seccomp_calls[];

#endif
