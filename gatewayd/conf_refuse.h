// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Refusing a configuration: one line that says where it is wrong and what is allowed there. All
 * return false. Only what reads the file uses this.
 */
#ifndef GW_CONF_REFUSE_H
#define GW_CONF_REFUSE_H

#include "gatewayd/conf_table.h"
#include <libconfig.h>

/** Where a message goes. */
struct gw_report {
	const char *file; /* the name of what is read */
	char *error;
	size_t size; /* of 'error'; GW_CONF_ERROR holds any message */
};

/**
 * Refuse a setting; the message has the file that it is of.
 * @param name    an option that it lacks; NULL: it is wrong itself
 * @param format  what is allowed
 */
__attribute__((format(printf, 4, 5))) bool gw_refuse(const struct gw_report *report,
						     const config_setting_t *setting,
						     const char *name, const char *format, ...);
/** Refuse what the table does not allow as the value of an option. */
bool gw_refuse_value(const struct gw_report *report, const config_setting_t *setting,
		     const struct gw_option *option);
/** Refuse one of the option's words, which has a reason why it cannot be had. */
bool gw_refuse_word(const struct gw_report *report, const config_setting_t *setting,
		    const struct gw_option *option, const struct gw_word *word);
/** Refuse a setting that lacks an option. */
bool gw_refuse_absence(const struct gw_report *report, const config_setting_t *setting,
		       const struct gw_option *option);
/** Refuse a setting that is not in the table. */
bool gw_refuse_unknown(const struct gw_report *report, const config_setting_t *setting,
		       const struct gw_option *table);
/** Refuse a line that is no setting. */
bool gw_refuse_line(const struct gw_report *report, unsigned line, const char *why);
/** Refuse the file as a whole. */
bool gw_refuse_file(const struct gw_report *report, const char *why);

#endif
