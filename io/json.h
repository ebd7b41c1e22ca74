// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * JSON (RFC 8259): a writer, one line a value, for what programs print; and a strict reader, a
 * cursor that is told what comes next, for the few files that are JSON. Neither makes a tree.
 *
 * Both have a sticky error: after the first, each step does nothing, and the last line checks once.
 */
#ifndef IO_JSON_H
#define IO_JSON_H

#include "libgroupkey/groupkey.h"

/** Objects and arrays in each other, as far as both sides go. */
#define IO_JSON_DEPTH_MAX 16

/* writing */

/** A value being written. Fields are the writer's own; 'text' is NUL-terminated. */
struct io_json {
	char *text;
	size_t len;
	size_t cap;
	bool failed;
	unsigned depth;
	char close[IO_JSON_DEPTH_MAX]; /* what ends each level */
	bool first[IO_JSON_DEPTH_MAX]; /* no comma goes before the next member */
};

/** Write into memory of its own; io_json_free() when done. */
void io_json_init(struct io_json *json);
/** Wipe and free what was written. */
void io_json_free(struct io_json *json);

/*
 * 'key' is the member's name inside an object, and NULL elsewhere. Calls in an order that makes no
 * JSON are a programmer's error and caught by assert().
 */

void io_json_object(struct io_json *json, const char *key);
void io_json_array(struct io_json *json, const char *key);
/** End the innermost object or array. */
void io_json_end(struct io_json *json);
/** Bytes as text: what is not UTF-8 becomes U+FFFD, control characters are escaped. */
void io_json_span(struct io_json *json, const char *key, struct gk_span text);
/** @param text  NULL gives null */
void io_json_text(struct io_json *json, const char *key, const char *text);
void io_json_int(struct io_json *json, const char *key, int64_t number);
/** A number with three decimals. @param thousandths  not negative */
void io_json_thousandths(struct io_json *json, const char *key, int64_t thousandths);
void io_json_bool(struct io_json *json, const char *key, bool value);
/** Bytes as text of lower-case hex digits. */
void io_json_hex(struct io_json *json, const char *key, struct gk_span bytes);
/**
 * @return the text, without a newline, valid until the next call; NULL: out of memory, or something
 *         is still open
 */
const char *io_json_finish(struct io_json *json);

/* reading */

/** A text being read. Fields are the reader's own. */
struct io_json_reader {
	struct gk_span text;
	size_t at;
	const char *error; /* static; NULL: none so far */
	unsigned depth;
	char close[IO_JSON_DEPTH_MAX];
	bool first[IO_JSON_DEPTH_MAX];
};

/** @param text  borrowed until the reading is over */
void io_json_read(struct io_json_reader *reader, struct gk_span text);
void io_json_read_object(struct io_json_reader *reader);
void io_json_read_array(struct io_json_reader *reader);
/**
 * Step to the next member of the innermost object or array, or leave it.
 * @return true if there is one; false at the end, and after an error
 */
bool io_json_read_more(struct io_json_reader *reader);
/**
 * Read a member's name, after io_json_read_more() in an object.
 * @param names  those that may come, up to a NULL; at most 32
 * @param seen   a bit for each that has come, to be 0 at first; one that comes twice is an error
 * @return its index in 'names'; that of the NULL after an error
 */
size_t io_json_read_name(struct io_json_reader *reader, const char *const *names, uint32_t *seen);
/**
 * Read text into out[0..cap), NUL included; after an error what is there means nothing. Empty text,
 * and text with control characters, is refused: whatever is read so is shown to someone one day.
 */
void io_json_read_text(struct io_json_reader *reader, char *out, size_t cap);
/** Read an integer. Fractions and exponents are refused. */
int64_t io_json_read_int(struct io_json_reader *reader, int64_t min, int64_t max);
/** Read true or false. */
bool io_json_read_bool(struct io_json_reader *reader);
/** Read hex digits as min..max bytes. @return how many; 0 after an error */
size_t io_json_read_hex(struct io_json_reader *reader, uint8_t *out, size_t min, size_t max);
/** Have the caller's own objection stand as the error, at the place reached. @param why static */
void io_json_read_refuse(struct io_json_reader *reader, const char *why);
/**
 * At the end: nothing but white space may follow.
 * @param error  after an error gets "line:column: what is wrong"
 * @return true if there was no error
 */
bool io_json_read_finish(struct io_json_reader *reader, char *error, size_t size);

#endif
