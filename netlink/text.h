// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * An event as a line of text, and back. Writing it is reach_event_format() of reach.h. Pure.
 */
#ifndef REACH_TEXT_H
#define REACH_TEXT_H

#include "reach.h"

/**
 * Read a line as reach_event_format() writes it; any amount of white space may separate the words.
 *
 * @param line   without newline; every byte may be hostile
 * @param event  set only if true is returned
 * @return whether it is an event
 */
REACH_MUST_CHECK bool reach_event_parse(const char *line, struct reach_event *event);

#endif
