// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The values of a configuration by its table: their defaults, what the file has, and their end.
 */
#ifndef GW_CONF_VALUES_H
#define GW_CONF_VALUES_H

#include "gatewayd/conf_refuse.h"

/**
 * Put defaults in place; text that is replaced is freed.
 * @param base  the struct of the table's options
 * @return false  out of memory
 */
GK_MUST_CHECK bool gw_values_default(const struct gw_option *table, void *base);
/** Read the options that a setting has over their defaults. @return false: refused in 'report' */
GK_MUST_CHECK bool gw_values_members(const struct gw_report *report, const struct gw_option *table,
				     config_setting_t *setting, void *base);
/** The same of a setting that must have all that is required. */
GK_MUST_CHECK bool gw_values_read(const struct gw_report *report, const struct gw_option *table,
				  config_setting_t *setting, void *base);
/** Free texts and lists of texts, not the groups in a list. */
void gw_values_free(const struct gw_option *table, void *base);

/** @return where a text is in the list; its count: nowhere */
size_t gw_values_find(const struct gw_texts *texts, const char *text);

#endif
