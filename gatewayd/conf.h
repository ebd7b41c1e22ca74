// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The configuration: a libconfig file or several, checked against a table in conf_table.c that
 * gives each option's type, range, unit, default and destination. gatewayd.conf(5) says what they
 * mean. Nothing here is secret; keys are in files of their own, which this only names.
 */
#ifndef GW_CONF_H
#define GW_CONF_H

#include "libgroupkey/groupkey.h"
#include "libgroupkey/mem.h"
#include <stdio.h>

/** A list of texts, in the order of the file; they and the array are owned by what has the list. */
struct gw_texts {
	char **text;  /* NULL: none */
	size_t count; /* 0 unless the file has the option */
};

struct gw_group_conf {
	char *name;
	int mode;                      /* enum gk_mode */
	int scheme;                    /* enum gk_scheme */
	int confirm;                   /* enum gk_confirm */
	char *address;                 /* "[ADDRESS]:PORT" of a multicast group */
	char *cred_issuers_file;       /* NULL: none */
	struct gw_texts sleepers;      /* clients by name */
	struct gk_span *sleeper_names; /* the same, as the library has them */
	struct gk_blob issuers;        /* what gw_issuers_load() found in it */
	struct gk_group_config core;   /* has what is above too, and borrows from it */
};

/** Text is NUL-terminated and owned by the struct. */
struct gw_conf {
	char *interface;
	struct gw_texts watch;             /* other interfaces behind which nodes may be */
	uint32_t rate_kbps, share_percent; /* of the link; of that, for rekeying */
	uint32_t rekeying_bps;             /* which is so much */
	char *listen;                      /* "[ADDRESS]:PORT" or "[ADDRESS%INTERFACE]:PORT" */
	char *listen_dtls;                 /* the same for DTLS; NULL: none */
	char *state_dir;
	char *mark; /* path of the file; by default one of its own for each state_dir */
	char *control;
	char *user;     /* as whom we serve if we are started as root */
	bool net_admin; /* CAP_NET_ADMIN is kept */
	int seccomp;    /* enum gw_seccomp */
	int log_level;  /* enum log_level of io/log.h */
	int log_to_syslog;
	char *audience;
	char *as_key_file;
	char *as_public_key_file; /* NULL: none */
	char *as_issuer;          /* NULL: any */
	char *as_uri;             /* NULL: nobody is told */
	int discovery;            /* enum gk_discovery */
	char *group_path, *authz_path;
	struct gw_group_conf *groups;
	size_t group_count; /* at least 1 */
};

/** Room that holds any message of this file. */
#define GW_CONF_ERROR 512

/**
 * Read and check the files of a configuration: at the top level, an option of a later one replaces
 * that of an earlier one.
 *
 * @param paths  at least one; ends with NULL
 * @param conf   written only on success; then to be freed with gw_conf_free()
 * @param error  on failure gets one line, "file:line: key: what is allowed"
 * @return true if it can be used
 */
GK_MUST_CHECK bool gw_conf_read(const char *const *paths, struct gw_conf *conf, char *error,
				size_t size);
/** As gw_conf_read(), one file from memory. @param file stands in messages */
GK_MUST_CHECK bool gw_conf_parse(struct gk_span text, const char *file, struct gw_conf *conf,
				 char *error, size_t size);
/**
 * Refuse an option of a configuration that is valid in itself, in the same form.
 * @param option  as "groups[1].mode"; the line is its own, or that of what is around it
 */
void gw_conf_refuse(const char *const *paths, const char *option, const char *why, char *error,
		    size_t size);
/** Name the files: "a.conf, b.conf"; what does not fit is cut off. */
void gw_conf_name(const char *const *paths, char *text, size_t size);

/**
 * What differs between two configurations and cannot change while we run.
 * @return the option's name, as "audience"; NULL: nothing
 */
const char *gw_conf_fixed(const struct gw_conf *now, const struct gw_conf *wanted);
/** @return true if two lists have the same texts in the same order */
bool gw_conf_same_texts(const struct gw_texts *a, const struct gw_texts *b);
/** @return true if all options of two groups are the same */
bool gw_conf_same_group(const struct gw_group_conf *a, const struct gw_group_conf *b);
/** Find a group by name. @return NULL: none */
const struct gw_group_conf *gw_conf_find_group(const struct gw_conf *conf, struct gk_span name);
/**
 * Put another configuration in place of one that is in effect. Texts of options that cannot change
 * stay where they are, for those who borrow them.
 * @param wanted  taken, and emptied; nothing is fixed between the two
 */
void gw_conf_replace(struct gw_conf *now, struct gw_conf *wanted);
/** Print what is in effect, defaults included, in a form that gw_conf_read() takes. */
void gw_conf_print(const struct gw_conf *conf, FILE *out);
/** Free what the struct owns and empty it; an all-zero struct is allowed. */
void gw_conf_free(struct gw_conf *conf);

#endif
