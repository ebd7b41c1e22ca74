// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A look at the text of a configuration before libconfig sees it. Version 1.5 takes numbers modulo
 * 2^32, ends a string at \x00, and knows no bound on nesting but the size of its parser's stack.
 */
#ifndef GW_CONF_TEXT_H
#define GW_CONF_TEXT_H

#include <stddef.h>

/**
 * @param text  'len' bytes and a NUL
 * @param line  where it is wrong; set only then
 * @return what is allowed there, static; NULL: libconfig may read it
 */
const char *gw_conf_check_text(const char *text, size_t len, unsigned *line);

#endif
