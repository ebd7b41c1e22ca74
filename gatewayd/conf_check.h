// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What the table cannot say of a configuration: options that must go together, and those that are
 * made of others. conf_check.c has what is not about groups (conf_group.c) or the mark
 * (conf_mark.c). The calls return false if they refused it in 'report'.
 */
#ifndef GW_CONF_CHECK_H
#define GW_CONF_CHECK_H

#include "gatewayd/conf_files.h"

/** Check and complete a configuration whose values are read. */
GK_MUST_CHECK bool gw_conf_complete(const struct gw_report *report, const struct gw_files *files,
				    struct gw_conf *conf);
/** The same of its group 'i', whose setting is given. Those before it are complete. */
GK_MUST_CHECK bool gw_conf_complete_group(const struct gw_report *report,
					  const config_setting_t *setting, struct gw_conf *conf,
					  size_t i);
/** The same of the store's mark, by default a file named for 'state_dir'. */
GK_MUST_CHECK bool gw_conf_check_mark(const struct gw_report *report, const struct gw_files *files,
				      struct gw_conf *conf);

/** @return the port of an endpoint that the table took; 0: NULL */
uint16_t gw_conf_port(const char *endpoint);

#endif
