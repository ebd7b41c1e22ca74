// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The options of the configuration file as a table, from which it is read, checked and printed.
 * Only conf.c and the files conf_*.c use this.
 */
#ifndef GW_CONF_TABLE_H
#define GW_CONF_TABLE_H

#include "gatewayd/conf.h"

enum gw_option_type {
	GW_TEXT,  /* char *: min..max bytes of printable UTF-8 that 'fits' */
	GW_TEXTS, /* struct gw_texts: up to 'most' such texts, none of them twice */
	GW_WORD,  /* int: one of 'words' */
	GW_INT,   /* uint32_t: min..max */
	GW_BOOL,  /* bool */
	GW_GROUP, /* options of 'sub', in the same struct */
	GW_LIST,  /* groups with the options of 'sub', a struct gw_group_conf for each */
};

struct gw_word {
	const char *text;
	int value;
	const char *refusal; /* why this one cannot be had; NULL: it can */
};

struct gw_option {
	const char *name;
	enum gw_option_type type;
	size_t offset;
	long min, max;
	const char *allowed; /* TEXT and TEXTS: what each is; INT: the unit */
	const char *reason;  /* INT: of the bounds */
	bool (*fits)(const char *text);
	const struct gw_word *words;
	const struct gw_option *sub;
	long most;        /* TEXTS: how many at most */
	const char *text; /* default of TEXT; NULL: none */
	long number;      /* default of WORD, INT and BOOL */
	bool required;
	const char *fixed; /* the whole name of one that needs a restart; NULL: it needs none */
};

/** Parse an endpoint without regard to its zone, an interface that may come later. */
bool gw_conf_endpoint(const char *text, struct gk_addr *addr);

/** @return where an option is in the struct 'base' */
const void *gw_option_of(const void *base, const struct gw_option *option);

/** The options of a file; ends with one that has no name. Offsets are in struct gw_conf. */
extern const struct gw_option gw_conf_options[];
/** The options of a group. Offsets are in struct gw_group_conf. */
extern const struct gw_option gw_group_options[];

#endif
