// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * secrets collect STORE...       print the keys in gatewayd's stores, one line of hex digits each
 * secrets search KEYS PATH...    look for each key of the files in directory KEYS in all files of
 * or under PATH: as bytes, in hex, in base64 and base64url, of which it may be any part
 *
 * 'search' says where a key is, and not which; at last how many keys it looked for in how many
 * bytes. Exit status 1: there is one; 2: it could not look, or had nothing to look for or in.
 */
#include "libgroupkey/cbor.h"
#include "libgroupkey/groupkey.h"
#include "tests/lib/hex.h"
#include <errno.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MIN      16
#define KEY_MAX      64
#define PATTERN_MAX  (2 * KEY_MAX)
#define DISTINCT_MIN 8 /* a key with fewer different bytes is none, and would be found anywhere */
#define SHOWN_MAX    20
#define HASH_BITS    22
#define STRIDE       8 /* bytes of a pattern that are hashed; all are longer */

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "secrets: %s: %s\n", what, why);
	exit(2);
}

static void *grow(void *old, size_t count, size_t size)
{
	void *block = count & (count - 1) ? old : realloc(old, (count ? 2 * count : 1) * size);

	if (!block)
		die("memory", strerror(errno));
	return block;
}

/*
 * Collecting
 */

/* Names and scopes may have the length of a key. */
static bool is_text(struct gk_span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.data[i] < ' ' || bytes.data[i] > '~')
			return false;
	}
	return true;
}

static void print_key(struct gk_span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		printf("%02x", bytes.data[i]);
	puts("");
}

/* Whatever is as long as our keys is one. */
static void walk(struct gk_span encoded)
{
	struct gk_cbor c = gk_cbor(encoded);
	struct gk_cbor_iter it = gk_cbor_array(&c);

	while (gk_cbor_more(&c, &it)) {
		struct gk_cbor_item item = gk_cbor_item(&c, GK_CBOR_ANY);
		if (item.kind == GK_CBOR_ARRAY)
			walk(item.encoded);
		else if (item.kind == GK_CBOR_BYTES && !is_text(item.string) &&
			 (item.string.len == 16 || item.string.len == 32))
			print_key(item.string);
	}
}

static void collect(const char *path)
{
	char sql[128];
	sqlite3 *db;
	sqlite3_stmt *statement;
	int code;

	snprintf(sql, sizeof(sql), "SELECT value FROM record WHERE kind IN (%d, %d, %d, %d)",
		 GK_TABLE_KDC, GK_TABLE_CLIENT, GK_TABLE_GROUP, GK_TABLE_TREE);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) ||
	    sqlite3_prepare_v2(db, sql, -1, &statement, NULL))
		die(path, sqlite3_errmsg(db));
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		walk(gk_span(sqlite3_column_blob(statement, 0),
			     (size_t)sqlite3_column_bytes(statement, 0)));
	if (code != SQLITE_DONE)
		die(path, sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

/*
 * Keys and what they may look like
 */

struct key {
	uint8_t bytes[KEY_MAX];
	size_t len;
	const char *file;
};

struct pattern {
	struct pattern *next; /* with the same hash */
	const struct key *key;
	const char *form;
	size_t len;
	uint8_t bytes[PATTERN_MAX];
};

static struct key *keys;
static size_t key_count;
static struct pattern *patterns[1u << HASH_BITS];
static unsigned long long searched_bytes;
static size_t searched_files, found;

static uint32_t hash(const uint8_t *bytes)
{
	uint64_t x;

	memcpy(&x, bytes, STRIDE);
	return (uint32_t)(x * UINT64_C(0x9e3779b97f4a7c15) >> (64 - HASH_BITS));
}

static void add_pattern(const struct key *key, const char *form, struct gk_span bytes)
{
	struct pattern *pattern = calloc(1, sizeof(*pattern));
	struct pattern **head = &patterns[hash(bytes.data)];

	if (!pattern)
		die("memory", strerror(errno));
	*pattern = (struct pattern){ *head, key, form, bytes.len, { 0 } };
	memcpy(pattern->bytes, bytes.data, bytes.len);
	*head = pattern;
}

static void add_hex(const struct key *key, const char *digits)
{
	uint8_t text[2 * KEY_MAX];

	for (size_t i = 0; i < key->len; i++) {
		text[2 * i] = (uint8_t)digits[key->bytes[i] >> 4];
		text[2 * i + 1] = (uint8_t)digits[key->bytes[i] & 15];
	}
	add_pattern(key, "hex", gk_span(text, 2 * key->len));
}

/* Six bits, the first of which is bit 'at' of what 'shift' other bytes and the key are together. */
static unsigned sextet(const struct key *key, size_t shift, size_t at)
{
	unsigned value = 0;

	for (size_t bit = at - 8 * shift; bit < at - 8 * shift + 6; bit++)
		value = value << 1 | (key->bytes[bit / 8] >> (7 - bit % 8) & 1u);
	return value;
}

/* The characters that depend on nothing but the key, where it begins 'shift' bytes behind a group
 * of three. */
static void add_base64(const struct key *key, const char *form, const char *last_two, size_t shift)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	uint8_t text[PATTERN_MAX];
	size_t len = 0, end = 8 * (shift + key->len);

	for (size_t at = (8 * shift + 5) / 6 * 6; at + 6 <= end; at += 6) {
		unsigned value = sextet(key, shift, at);
		text[len++] = (uint8_t)(value < 62 ? letters[value] : last_two[value - 62]);
	}
	add_pattern(key, form, gk_span(text, len));
}

static void add_patterns(const struct key *key)
{
	add_pattern(key, "bytes", gk_span(key->bytes, key->len));
	add_hex(key, "0123456789abcdef");
	add_hex(key, "0123456789ABCDEF");
	for (size_t shift = 0; shift < 3; shift++) {
		add_base64(key, "base64", "+/", shift);
		add_base64(key, "base64url", "-_", shift);
	}
}

static bool is_worth_it(const struct key *key)
{
	bool seen[256] = { false };
	size_t distinct = 0;

	for (size_t i = 0; i < key->len; i++) {
		distinct += !seen[key->bytes[i]];
		seen[key->bytes[i]] = true;
	}
	return key->len >= KEY_MIN && distinct >= DISTINCT_MIN;
}

static void add_key(const char *line, const char *file)
{
	struct key key = { .file = file };

	if (strspn(line, "0123456789abcdef") < 2 * KEY_MIN)
		die(file, "a line is no key");
	key.len = hex(line, key.bytes, sizeof(key.bytes));
	if (!is_worth_it(&key))
		return;
	keys = grow(keys, key_count, sizeof(*keys));
	keys[key_count++] = key;
}

/* Keys point to it. */
static const char *keep_name(const char *name)
{
	static char **names;
	static size_t name_count;

	names = grow(names, name_count, sizeof(*names));
	names[name_count] = strdup(name);
	if (!names[name_count])
		die(name, strerror(errno));
	return names[name_count++];
}

static int read_keys(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char line[2 * KEY_MAX + 2];
	const char *name = type == FTW_F ? keep_name(path + ftw->base) : NULL;
	FILE *file = name ? fopen(path, "r") : NULL;

	(void)st;
	if (type != FTW_F)
		return 0;
	if (!file)
		die(path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		add_key(line, name);
	fclose(file);
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, KEY_MAX);

	return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

static void prepare_keys(void)
{
	size_t count = key_count;

	qsort(keys, key_count, sizeof(*keys), compare_keys);
	key_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (key_count == 0 || compare_keys(&keys[key_count - 1], &keys[i]) != 0)
			keys[key_count++] = keys[i];
	}
	for (size_t i = 0; i < key_count; i++)
		add_patterns(&keys[i]);
}

/*
 * Searching
 */

static void look_at(const char *path, const uint8_t *bytes, size_t at, size_t len)
{
	for (const struct pattern *p = patterns[hash(bytes + at)]; p; p = p->next) {
		if (p->len > len - at || memcmp(p->bytes, bytes + at, p->len) != 0)
			continue;
		if (found++ < SHOWN_MAX)
			printf("%s: byte %zu: a key of %s, as %s\n", path, at, p->key->file,
			       p->form);
	}
}

static int search(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	FILE *file = type == FTW_F ? fopen(path, "rb") : NULL;
	uint8_t *bytes = malloc((size_t)st->st_size + 1);
	size_t len = 0;

	(void)ftw;
	if (type == FTW_NS || (type == FTW_F && (!file || !bytes)))
		die(path, strerror(errno));
	if (file) {
		len = fread(bytes, 1, (size_t)st->st_size, file);
		fclose(file);
		searched_files++;
		searched_bytes += len;
	}
	for (size_t at = 0; at + STRIDE <= len; at++)
		look_at(path, bytes, at, len);
	free(bytes);
	return 0;
}

static void each_file(const char *path,
		      int (*take)(const char *, const struct stat *, int, struct FTW *))
{
	if (nftw(path, take, 16, FTW_PHYS))
		die(path, strerror(errno));
}

static int search_all(char **argv)
{
	each_file(argv[0], read_keys);
	prepare_keys();
	if (key_count == 0)
		die(argv[0], "no keys");
	for (size_t i = 1; argv[i]; i++)
		each_file(argv[i], search);
	if (searched_bytes == 0)
		die(argv[1], "nothing to search");
	printf("%zu keys looked for in %llu bytes of %zu files, %zu found\n", key_count,
	       searched_bytes, searched_files, found);
	return found > 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "collect") == 0) {
		for (int i = 2; i < argc; i++)
			collect(argv[i]);
		return 0;
	}
	if (argc >= 4 && strcmp(argv[1], "search") == 0)
		return search_all(argv + 2);
	fprintf(stderr, "usage: secrets collect STORE... | secrets search KEYS PATH...\n");
	return 2;
}
