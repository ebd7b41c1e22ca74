// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Figures in the text format that Prometheus reads, version 0.0.4, or the same as one object in
 * JSON. What they are is metrics.c's matter.
 *
 * Source: prometheus.io/docs/instrumenting/exposition_formats.
 */
#ifndef GW_EXPOSITION_H
#define GW_EXPOSITION_H

#include "io/json.h"
#include "libgroupkey/groupkey.h"
#include <stdio.h>

/** One figure, or several that differ in their labels. */
struct gw_family {
	const char *name; /* ends with its unit; of a counter with "_total" */
	const char *help; /* one line */
	bool counter;     /* it only grows, until a restart; else it goes up and down */
	bool labelled;    /* each sample has labels; else there is one without */
	bool thousandths; /* values are given in thousandths of the unit, and not negative */
};

struct gw_label {
	const char *name;
	struct gk_span value; /* any bytes; what is not printable UTF-8 is shown as U+FFFD */
};

/** Where they go. Begins with 'out' or 'json' set, the rest all zero. */
struct gw_exposition {
	FILE *out;            /* as text */
	struct io_json *json; /* as members of the object that is open; NULL: as text */
	const struct gw_family *family;
};

/** Begin with a family; the names of all differ. @param family  borrowed until its end */
void gw_exposition_begin(struct gw_exposition *exposition, const struct gw_family *family);
/** Add a sample. Those of a family have the same labels, in one order. */
void gw_exposition_add(struct gw_exposition *exposition, const struct gw_label *labels,
		       size_t count, int64_t value);
/** End it. */
void gw_exposition_end(struct gw_exposition *exposition);

#endif
