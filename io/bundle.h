// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What a node is provisioned with: its token, the key material inside of that, where the KDC is and
 * which groups to join. A file of one JSON object, mode 0600, that `gatewayctl client add` writes
 * and gkmember reads:
 *
 *   {"name":"lamp1","kdc":"[fd00::1]:5683","token":"d083...","osc":{"id":"01","ms":"...",
 *    "salt":"..."},"groups":["lights"],"roles":[6],"exp":1790000000}
 *
 * token, id, ms and salt are hex. Salt may be absent (RFC 9203 section 3.2.1). For a KDC with other
 * paths than the usual ones there is "group_path":"kdc/groups" too, or "authz_path":"kdc/authz";
 * for a node that is asleep most of the time, "sleepy":true.
 * Nothing else may be absent, and nothing else may be there.
 */
#ifndef IO_BUNDLE_H
#define IO_BUNDLE_H

#include "io/addr.h"
#include "io/json.h"

#define IO_BUNDLE_GROUPS_MAX 8
#define IO_BUNDLE_FILE_MAX   8192
#define IO_BUNDLE_ERROR      512

struct io_bundle {
	char name[33];
	char kdc[IO_ADDR_TEXT]; /* "[ADDRESS]:PORT", not looked at here */
	uint8_t token[768];
	size_t token_len;
	uint8_t osc_id[8];
	size_t osc_id_len;
	uint8_t ms[32];
	size_t ms_len;
	uint8_t salt[32];
	size_t salt_len; /* 0: none */
	/* In place of 'osc', for DTLS: where to, and a key with the psk_identity that names it, or
	 * the KDC's raw public key */
	char dtls[IO_ADDR_TEXT]; /* "[ADDRESS]:PORT"; empty: OSCORE */
	uint8_t identity[32];
	size_t identity_len;
	uint8_t psk[64];
	size_t psk_len; /* 0: raw public keys */
	uint8_t kdc_key[64];
	size_t kdc_key_len;
	char groups[IO_BUNDLE_GROUPS_MAX][65];
	uint32_t roles[IO_BUNDLE_GROUPS_MAX]; /* that the token grants in the group of the same
						 index */
	size_t group_count;                   /* at least 1 */
	int64_t exp;                          /* of the token: seconds since 1970 UTC */
	/* where the KDC has its groups, and takes tokens; "": where it has them by default */
	char group_path[GK_ROOT_MAX + 1], authz_path[GK_ROOT_MAX + 1];
	bool sleepy; /* asleep most of the time */
};

/**
 * Read a bundle from text.
 * @param bundle  set on success; holds keys, wipe it when done
 * @param error   on failure gets one line, "line:column: what is wrong"
 */
GK_MUST_CHECK bool io_bundle_parse(struct gk_span text, struct io_bundle *bundle, char *error,
				   size_t size);
/**
 * Read a bundle from a file that none but its owner may read or write.
 * @param error  on failure gets one line that begins with 'path'
 */
GK_MUST_CHECK bool io_bundle_read(const char *path, struct io_bundle *bundle, char *error,
				  size_t size);
/** Write a bundle as a value of JSON; 'key' as everywhere in json.h. */
void io_bundle_put(struct io_json *json, const char *key, const struct io_bundle *bundle);
/**
 * Create an empty file with mode 0600 for a bundle that is still to be had. A file that is there is
 * left alone and refused.
 * @param error  on failure gets one line that begins with 'path'
 * @return its descriptor, the caller's to close; -1: failure
 */
GK_MUST_CHECK int io_bundle_create(const char *path, char *error, size_t size);
/**
 * Write a bundle to the file that io_bundle_create() made, and on to stable storage.
 * @param error  on failure gets one line that begins with 'path'; removing the file is up
 *               to the caller
 */
GK_MUST_CHECK bool io_bundle_write(int fd, const char *path, const struct io_bundle *bundle,
				   char *error, size_t size);

#endif
