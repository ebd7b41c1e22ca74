// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A bundle that is read is the same when it is written and read again; one that is refused leaves
// the struct alone and says where. And whatever is written as text, a reader finds its end.

#include "io/bundle.h"
#include "io/utf8.h"
#include "libgroupkey/buf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void read_bundle(struct gk_span text)
{
	struct io_bundle bundle, again;
	char error[IO_BUNDLE_ERROR] = "";
	struct io_json json;

	memset(&bundle, 0x5a, sizeof(bundle));
	memcpy(&again, &bundle, sizeof(bundle));
	if (!io_bundle_parse(text, &bundle, error, sizeof(error))) {
		must(memcmp(&bundle, &again, sizeof(bundle)) == 0);
		must(error[0] >= '1' && error[0] <= '9' && strchr(error, ':'));
		return;
	}
	io_json_init(&json);
	io_bundle_put(&json, NULL, &bundle);
	const char *written = io_json_finish(&json);
	must(written && io_bundle_parse(gk_span_str(written), &again, error, sizeof(error)));
	must(memcmp(&bundle, &again, sizeof(bundle)) == 0);
	io_json_free(&json);
}

static void write_text(struct gk_span bytes)
{
	struct io_json json;
	struct io_json_reader reader;
	char *read = malloc(3 * bytes.len + 1);
	char error[64];

	must(read != NULL);
	io_json_init(&json);
	io_json_span(&json, NULL, bytes);
	const char *text = io_json_finish(&json);
	must(text && json.len == strlen(text) && io_utf8_printable(gk_span_str(text)));

	// The reader refuses escaped control characters, but reads all else.
	io_json_read(&reader, gk_span_str(text));
	io_json_read_text(&reader, read, 3 * bytes.len + 1);
	bool ok = io_json_read_finish(&reader, error, sizeof(error));
	if (bytes.len > 0 && io_utf8_printable(bytes))
		must(ok && strlen(read) == bytes.len && memcmp(read, bytes.data, bytes.len) == 0);
	free(read);
	io_json_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_bundle(gk_span(data, size));
	write_text(gk_span(data, size));
	return 0;
}
