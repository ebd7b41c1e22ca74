// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * An event as members of a JSON object, for people's programs; there is no way back. Every call
 * writes a comma first.
 */
#ifndef REACH_JSON_H
#define REACH_JSON_H

#include <stdio.h>

#include "reach.h"

/** @param value  bytes that would not print are written '?' */
void reach_json_string(FILE *out, const char *key, const char *value);
/** @param interface  name of the link that 'event' is about; may be "" */
void reach_json_event(FILE *out, const struct reach_event *event, const char *interface);

#endif
