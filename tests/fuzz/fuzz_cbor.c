// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// What one reader of libgroupkey/cbor.h says of an input, the others must say too: an item walked
// over in one step, and entered and read element by element, ends at the same byte.

#include "libgroupkey/cbor.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool is_within(struct gk_span part, struct gk_span whole)
{
	return part.len == 0 || (part.data >= whole.data && part.len <= whole.len &&
				 (size_t)(part.data - whole.data) <= whole.len - part.len);
}

/** Read one item by its parts. As deep as gk_cbor_item() went before, and so bounded. */
static void descend(struct gk_cbor *c)
{
	enum gk_cbor_kind kind = gk_cbor_peek(c);
	uint64_t tag;
	if (kind == GK_CBOR_TAG) {
		must(gk_cbor_tag(c, &tag));
		descend(c);
		return;
	}
	if (kind != GK_CBOR_ARRAY && kind != GK_CBOR_MAP) {
		gk_cbor_item(c, GK_CBOR_ANY);
		return;
	}
	struct gk_cbor_iter iter = kind == GK_CBOR_MAP ? gk_cbor_map(c) : gk_cbor_array(c);
	while (gk_cbor_more(c, &iter)) {
		descend(c);
		if (kind == GK_CBOR_MAP)
			descend(c);
	}
}

/** The same for an array whose number of elements is known. */
static void descend_counted(struct gk_span encoded)
{
	size_t count = 0;
	struct gk_cbor c = gk_cbor(encoded);
	struct gk_cbor_iter iter = gk_cbor_array(&c);
	for (; gk_cbor_more(&c, &iter); count++)
		gk_cbor_item(&c, GK_CBOR_ANY);
	c = gk_cbor(encoded);
	gk_cbor_array_of(&c, count);
	for (size_t i = 0; i < count; i++)
		descend(&c);
	must(gk_cbor_end(&c) == GK_OK);
}

static void read_by_table(struct gk_span input)
{
	static const struct gk_cbor_field fields[] = {
		{ 1, GK_CBOR_ANY, true },
		{ 3, GK_CBOR_BYTES | GK_CBOR_TEXT, false },
		{ -2, GK_CBOR_INT, false },
	};
	struct gk_cbor_item items[3];
	enum gk_err err = gk_cbor_read_map(input, fields, 3, items);
	for (size_t i = 0; i < 3; i++) {
		must(err == GK_OK || items[i].kind == GK_CBOR_NONE);
		must(items[i].kind == GK_CBOR_NONE || items[i].kind & fields[i].accept);
		must(is_within(items[i].encoded, input));
		must(is_within(items[i].string, items[i].encoded));
	}
	must(err != GK_OK || items[0].kind != GK_CBOR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gk_span input = gk_span(data, size);
	struct gk_cbor c = gk_cbor(input);
	struct gk_cbor_item item = gk_cbor_item(&c, GK_CBOR_ANY);
	must((item.kind == GK_CBOR_NONE) == (c.err != GK_OK));
	must(is_within(item.encoded, input) && is_within(item.string, item.encoded));
	read_by_table(input);
	if (c.err)
		return 0;

	must(item.encoded.len + c.rest.len == size);
	struct gk_cbor parts = gk_cbor(item.encoded);
	descend(&parts);
	must(gk_cbor_end(&parts) == GK_OK);
	if (item.kind == GK_CBOR_ARRAY)
		descend_counted(item.encoded);

	struct gk_cbor cut = gk_cbor(gk_span_sub(item.encoded, 0, item.encoded.len - 1));
	gk_cbor_item(&cut, GK_CBOR_ANY);
	must(cut.err == GK_ERR_MALFORMED);
	return 0;
}
