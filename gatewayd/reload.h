// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The configuration is read again while we run: validated as a whole, then swapped, or refused and
 * nothing changes (docs/state.md section 8).
 */
#ifndef GW_RELOAD_H
#define GW_RELOAD_H

#include "gatewayd/daemon.h"

#define GW_RELOAD_TEXT (2 * GW_CONF_ERROR)

/**
 * Read the files of 'daemon->conf_paths', and put them into effect; what can be stored or not
 * decides what of it can be. The log tells of it too, whoever asked.
 * @param text  gets one line that says what was done, or what is wrong, with file, line and option
 * @return true: it is in effect
 */
bool gw_reload(struct gw_daemon *daemon, char *text, size_t size);

#endif
