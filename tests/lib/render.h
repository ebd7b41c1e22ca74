// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Bytes as people read them in a document: hexadecimal, CoAP messages, CBOR in diagnostic notation
 * (RFC 8949 section 8) with the names of map keys as comments. Decodes by itself, with nothing of
 * libgroupkey, so that what a document shows was read by two programs.
 */
#ifndef TEST_RENDER_H
#define TEST_RENDER_H

#include "libgroupkey/buf.h"

#include <stdio.h>

/** Names of the keys of a map; ends with a NULL name. */
struct render_name {
	int64_t key;
	const char *name;
	const struct render_name *inner; /* of the map that is the value */
	bool embedded;                   /* the value is a byte string with CBOR in it */
};

/** "title" and the bytes, 32 to a line. */
void render_hex(FILE *out, const char *title, struct gk_span bytes);
/** A CBOR item. @return false: it is not well-formed; then so much was written */
bool render_cbor(FILE *out, struct gk_span bytes, const struct render_name *names);
/**
 * A CoAP message: code, options, payload.
 * @param names  of the payload, which is CBOR; shown in hex if there is none in it
 */
void render_coap(FILE *out, const char *title, struct gk_span message,
		 const struct render_name *names);

#endif
