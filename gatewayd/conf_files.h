// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The files of a configuration, parsed by libconfig and looked at as one: of an option at the top
 * level counts what the last file says that has it. Settings know the file and the line they are
 * of.
 */
#ifndef GW_CONF_FILES_H
#define GW_CONF_FILES_H

#include "gatewayd/conf_refuse.h"

/** Bytes of a file at most. Also keeps line numbers below 65536, where libconfig loses count. */
#define GW_FILE_MAX 65535

struct gw_files {
	config_t *parsed; /* each without the options that a later one has */
	size_t count;
};

/** @param room  how many files there will be, at least 1; @return false: out of memory */
GK_MUST_CHECK bool gw_files_init(struct gw_files *files, size_t room);
/**
 * Parse another file, for which there is room.
 * @param report  its 'file' stands in all messages about these options, and is borrowed
 * @return false  refused in 'report'
 */
GK_MUST_CHECK bool gw_files_add(struct gw_files *files, const struct gw_report *report,
				struct gk_span text);
/** @return the option at the top level; NULL: in none of them */
config_setting_t *gw_files_find(const struct gw_files *files, const char *name);
/** @return what a message points at that is about an option which none of them has */
const config_setting_t *gw_files_start(const struct gw_files *files);
void gw_files_free(struct gw_files *files);

#endif
