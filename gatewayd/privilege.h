// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Least privilege: whoever starts us, we serve as a user that may nothing, and cannot become more.
 *
 *   gw_privilege_take_user()  started as root: the state becomes that user's, and so do we; of
 *                             root's capabilities stay those that opening takes
 *   gw_privilege_seal()       when all is open, before the first message is read: none stays but
 *                             CAP_NET_ADMIN, if the configuration says so
 *
 * What a later reload opens is opened with what is left. Source: capabilities(7), prctl(2).
 */
#ifndef GW_PRIVILEGE_H
#define GW_PRIVILEGE_H

#include "gatewayd/conf.h"
#include "gatewayd/seccomp.h"

/** Room that holds any message of this file. */
#define GW_PRIVILEGE_ERROR 1024

/** What is left of our rights, for those who ask. */
struct gw_rights {
	char user[33];          /* its name, or number; "": not sealed */
	bool net_admin;         /* CAP_NET_ADMIN is kept */
	enum gw_seccomp filter; /* of system calls, which is in effect */
};

/**
 * If we are root: hand the directories of the configuration over to its user (gatewayd/handover.h),
 * become that user, in its group and no other, and keep no capability but CAP_NET_BIND_SERVICE and
 * CAP_NET_ADMIN, as far as we had them. With the user root only capabilities go. Who is not root
 * stays who it is.
 *
 * Before anything is opened. The process can be traced and dumped after this as the system has it,
 * so io_secret_guard() comes later.
 *
 * @param error  on failure gets one line; then nobody goes on with what rights there are
 */
GK_MUST_CHECK bool gw_privilege_take_user(const struct gw_conf *conf, char *error, size_t size);

/** @return true if CAP_NET_ADMIN is to be kept, and is there */
bool gw_privilege_may_probe(const struct gw_conf *conf);

/**
 * Give up every capability but CAP_NET_ADMIN, and that too unless 'net_admin'; for good, as
 * no_new_privs is set.
 *
 * @param rights  gets what is left, with no filter
 * @param error   on failure gets one line
 */
GK_MUST_CHECK bool gw_privilege_seal(bool net_admin, struct gw_rights *rights, char *error,
				     size_t size);

#endif
