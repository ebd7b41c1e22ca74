// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store_row.h"
#include "gatewayd/store_sqlite.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/crypto.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void add_number(struct gk_buf *buf, size_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		gk_buf_byte(buf, (uint8_t)(number >> shift));
}

/* Of all that a row says; the length of the key keeps what is its end from being the value's. */
int gw_store_row_checksum(const struct gk_record *record, uint8_t out[static GW_STORE_CHECKSUM_LEN])
{
	size_t size = 8 + record->key.len + record->value.len;
	uint8_t *bytes = malloc(size), hash[GK_HASH_LEN];
	struct gk_buf buf = gk_buf(bytes, size);
	enum gk_err err;

	if (!bytes)
		return -ENOMEM;
	add_number(&buf, (size_t)record->table);
	add_number(&buf, record->key.len);
	gk_buf_add(&buf, record->key);
	gk_buf_add(&buf, record->value);
	err = gk_sha256(gk_buf_span(&buf), hash);
	explicit_bzero(bytes, size);
	free(bytes);
	if (err)
		return -E2BIG;
	memcpy(out, hash, GW_STORE_CHECKSUM_LEN);
	return 0;
}

static int verify(sqlite3_stmt *row, const struct gk_record *record)
{
	uint8_t checksum[GW_STORE_CHECKSUM_LEN];
	int err = gw_store_row_checksum(record, checksum);

	if (err)
		return err;
	if (sqlite3_column_type(row, 3) != SQLITE_BLOB ||
	    sqlite3_column_bytes(row, 3) != GW_STORE_CHECKSUM_LEN ||
	    memcmp(sqlite3_column_blob(row, 3), checksum, GW_STORE_CHECKSUM_LEN) != 0)
		return -EUCLEAN;
	return 0;
}

static bool read_record(sqlite3_stmt *row, struct gk_record *record)
{
	sqlite3_int64 kind = sqlite3_column_int64(row, 0);

	if (sqlite3_column_type(row, 0) != SQLITE_INTEGER || kind < 0 || kind > INT_MAX ||
	    sqlite3_column_type(row, 1) != SQLITE_BLOB ||
	    sqlite3_column_type(row, 2) != SQLITE_BLOB || sqlite3_column_bytes(row, 2) == 0)
		return false;

	record->table = (enum gk_table)kind;
	record->key.data = sqlite3_column_blob(row, 1);
	record->key.len = (size_t)sqlite3_column_bytes(row, 1);
	record->value.data = sqlite3_column_blob(row, 2);
	record->value.len = (size_t)sqlite3_column_bytes(row, 2);
	return kind != GW_STORE_TABLE_META || record->key.len == 0;
}

int gw_store_row_read(sqlite3_stmt *row, struct gk_record *record)
{
	return read_record(row, record) ? verify(row, record) : -EUCLEAN;
}

static int bind_bytes(sqlite3_stmt *statement, int index, struct gk_span bytes)
{
	// A null pointer would be NULL, which is something else than no bytes.
	const void *data = bytes.len > 0 ? (const void *)bytes.data : "";

	return sqlite3_bind_blob64(statement, index, data, bytes.len, SQLITE_STATIC);
}

static int bind_value(sqlite3_stmt *statement, const struct gk_record *record,
		      uint8_t checksum[static GW_STORE_CHECKSUM_LEN])
{
	// First, since SQLite refuses what is too large.
	int code = bind_bytes(statement, 3, record->value);

	if (code != SQLITE_OK)
		return gw_sqlite_err(code);
	int err = gw_store_row_checksum(record, checksum);
	if (err)
		return err;
	return gw_sqlite_err(bind_bytes(statement, 4, gk_span(checksum, GW_STORE_CHECKSUM_LEN)));
}

int gw_store_row_bind(sqlite3_stmt *statement, const struct gk_record *record,
		      uint8_t checksum[static GW_STORE_CHECKSUM_LEN])
{
	int err = gw_sqlite_err(sqlite3_bind_int(statement, 1, (int)record->table));

	if (!err)
		err = gw_sqlite_err(bind_bytes(statement, 2, record->key));
	return err || record->value.len == 0 ? err : bind_value(statement, record, checksum);
}
