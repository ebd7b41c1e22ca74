// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * CBOR and CoAP by hand, for client.h and kdc.h. A failure here fails the running cmocka test.
 */
#ifndef TEST_CONFORMANCE_BYTES_H
#define TEST_CONFORMANCE_BYTES_H

#include "libgroupkey/crypto.h"

#define CF_NONE (-1)

/* writing */

/** Bytes that are put together. More than fit fail the test. */
struct bytes {
	uint8_t data[4096];
	size_t len;
};

struct gk_span all_of(const struct bytes *b);
/** Append what hexadecimal text spells. */
void put_hex(struct bytes *b, const char *text);
void put_raw(struct bytes *b, struct gk_span raw);
/** Append the head of a data item, in the shortest form. */
void put_head(struct bytes *b, unsigned major, uint64_t value);
void put_int(struct bytes *b, int64_t value);
void put_bstr(struct bytes *b, struct gk_span content);
void put_tstr(struct bytes *b, const char *text);
/** Append a scope entry [group, Tperm] (P 3). */
void put_entry(struct bytes *b, const char *group, uint32_t roles);

/** Append a CCS {2: name, 8: {1: COSE_Key}}. @param alg  as client_use_key() */
void put_ccs(struct bytes *b, const char *name, const struct gk_public_key *pub, int alg);
/** Append an option. @param last  number of the one before; 0 at first */
void put_option(struct bytes *b, unsigned *last, unsigned number, struct gk_span value);

/* reading: items of definite length, heads in the shortest form, or the test fails */

/** @return the encoded value under a label; empty: not there */
struct gk_span in_map(struct gk_span map, int64_t label);
bool has(struct gk_span map, int64_t label);
size_t map_size(struct gk_span map);
/** @return an encoded element */
struct gk_span in_array(struct gk_span array, size_t i);
size_t array_size(struct gk_span array);
/** @return the content of an encoded string; anything else fails */
struct gk_span bstr(struct gk_span encoded);
struct gk_span tstr(struct gk_span encoded);
int64_t integer(struct gk_span encoded);

/** @return a message's options and, if 'value' is not NULL, the place-th one of a number in them,
 * or its data NULL */
struct gk_span options_in(struct gk_span message, unsigned number, size_t place,
			  struct gk_span *value);
/** @return an option as a number; CF_NONE: it is not there */
int64_t option_in(struct gk_span message, unsigned number);
struct gk_span payload_in(struct gk_span message);
/** The path of a request as text. */
void path_in(struct gk_span message, char *path, size_t size);

/** Append an unsigned integer as an option; a path as one of Uri-Path for each segment. */
void put_option_uint(struct bytes *b, unsigned *last, unsigned number, uint32_t value);
void put_path(struct bytes *b, unsigned *last, const char *path);
/** The parts of options_in() and option_in(): options without the code before them. */
struct gk_span walk_options(struct gk_span options, unsigned wanted, size_t place,
			    struct gk_span *value);
int64_t option_number(struct gk_span options, unsigned number);
/** The public key in a CCS. */
struct gk_public_key key_in(struct gk_span ccs);

#endif
