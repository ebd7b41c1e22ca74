// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The command line of gkmember(1).
 */
#ifndef GKM_OPTIONS_H
#define GKM_OPTIONS_H

#include "io/addr.h"
#include "io/bundle.h"

/** Texts borrow from the command line. */
struct gkm_options {
	const char *bundle;
	const char *groups[IO_BUNDLE_GROUPS_MAX];
	size_t group_count; /* 0: all of the bundle's */
	const char *kdc;    /* NULL: the bundle's */
	const char *interface;
	uint32_t roles;         /* 0: the bundle's */
	const char *state;      /* directory; NULL: none */
	struct gk_addr address; /* of group messages; its scope is not set */
	uint16_t port;          /* for requests to us; 0: any */
	bool has_port;          /* it was said */
	bool point_to_point;    /* do not announce rekeying by multicast */
	bool sign_protected;    /* countersign as aiocoap and Californium do */
	int cred_format;        /* of a credential that was issued to us; 0: none was */
	const char *cred, *cred_key, *cred_issuers; /* files; NULL: none */
	bool observe;                               /* take no requests of the KDC, and observe */
	bool sleepy; /* asleep most of the time; also if the bundle says so */
	bool debug;
	bool version, help; /* print it and end; nothing else is set then */
};

/** How to call gkmember, some lines. */
extern const char gkm_options_usage[];

/**
 * Read the command line.
 * @param error  on failure gets one line
 */
GK_MUST_CHECK bool gkm_options_read(int argc, char **argv, struct gkm_options *options, char *error,
				    size_t size);

#endif
