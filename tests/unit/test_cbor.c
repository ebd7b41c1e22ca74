// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/cbor.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static enum gk_err walk(struct gk_span input)
{
	struct gk_cbor c = gk_cbor(input);
	gk_cbor_item(&c, GK_CBOR_ANY);
	return gk_cbor_end(&c);
}

static void expect_err(const char *row, enum gk_err got, enum gk_err want)
{
	if (got != want)
		fail_msg("%s: got %d (%s), want %d (%s)", row, got, gk_strerror(got), want,
			 gk_strerror(want));
}

/* single items */

/*
 * RFC 8949 appendix A, strings in chunks left out, and some long heads. libcbor refuses other
 * things from release to release (text, tags, simple values), and lengths by the size of size_t;
 * these rows, and those that are malformed below, are the same to us with each.
 */
static const struct item_row {
	const char *input;
	enum gk_cbor_kind kind;
	int64_t number;
	const char *string;
} item_rows[] = {
	{ "00", GK_CBOR_UINT, 0, "" },
	{ "01", GK_CBOR_UINT, 1, "" },
	{ "0a", GK_CBOR_UINT, 10, "" },
	{ "17", GK_CBOR_UINT, 23, "" },
	{ "1818", GK_CBOR_UINT, 24, "" },
	{ "1864", GK_CBOR_UINT, 100, "" },
	{ "1903e8", GK_CBOR_UINT, 1000, "" },
	{ "1a000f4240", GK_CBOR_UINT, 1000000, "" },
	{ "1b000000e8d4a51000", GK_CBOR_UINT, INT64_C(1000000000000), "" },
	{ "1b7fffffffffffffff", GK_CBOR_UINT, INT64_MAX, "" },
	{ "1b8000000000000000", GK_CBOR_UINT, INT64_MAX, "" }, // saturated
	{ "1bffffffffffffffff", GK_CBOR_UINT, INT64_MAX, "" }, // saturated
	{ "1b0000000000000005", GK_CBOR_UINT, 5, "" },         // a long head
	{ "20", GK_CBOR_NEGINT, -1, "" },
	{ "29", GK_CBOR_NEGINT, -10, "" },
	{ "3863", GK_CBOR_NEGINT, -100, "" },
	{ "3903e7", GK_CBOR_NEGINT, -1000, "" },
	{ "3affffffff", GK_CBOR_NEGINT, INT64_C(-4294967296), "" },
	{ "3b7fffffffffffffff", GK_CBOR_NEGINT, INT64_MIN, "" },
	{ "3b8000000000000000", GK_CBOR_NEGINT, INT64_MIN, "" }, // saturated
	{ "3bffffffffffffffff", GK_CBOR_NEGINT, INT64_MIN, "" }, // saturated
	{ "f90000", GK_CBOR_OTHER, 0, "" },
	{ "f97c00", GK_CBOR_OTHER, 0, "" },
	{ "fa47c35000", GK_CBOR_OTHER, 0, "" },
	{ "fb3ff199999999999a", GK_CBOR_OTHER, 0, "" },
	{ "f97e00", GK_CBOR_OTHER, 0,
	  "" }, // NaN, which releases of libcbor encode in ways of their own
	{ "f97e01", GK_CBOR_OTHER, 0, "" }, // ... with something in it
	{ "f9fe00", GK_CBOR_OTHER, 0, "" },
	{ "f97d00", GK_CBOR_OTHER, 0, "" }, // a signalling one
	{ "fa7fc00000", GK_CBOR_OTHER, 0, "" },
	{ "fa7f800001", GK_CBOR_OTHER, 0, "" },
	{ "fb7ff8000000000000", GK_CBOR_OTHER, 0, "" },
	{ "fbfff0000000000001", GK_CBOR_OTHER, 0, "" },
	{ "f4", GK_CBOR_BOOL, 0, "" },
	{ "f5", GK_CBOR_BOOL, 1, "" },
	{ "f6", GK_CBOR_NULL, 0, "" },
	{ "f7", GK_CBOR_OTHER, 0, "" },   // undefined
	{ "f0", GK_CBOR_OTHER, 0, "" },   // simple(16)
	{ "f820", GK_CBOR_OTHER, 0, "" }, // simple(32)
	{ "f8ff", GK_CBOR_OTHER, 0, "" }, // simple(255)
	{ "c074323031332d30332d32315432303a30343a30305a", GK_CBOR_TAG, 0, "" },
	{ "c11a514b67b0", GK_CBOR_TAG, 1, "" },
	{ "c600", GK_CBOR_TAG, 6, "" },  // from here on those that libcbor 0.8 refuses ...
	{ "d040", GK_CBOR_TAG, 16, "" }, // COSE_Encrypt0
	{ "d140", GK_CBOR_TAG, 17, "" }, // COSE_Mac0
	{ "d240", GK_CBOR_TAG, 18, "" }, // COSE_Sign1
	{ "d440", GK_CBOR_TAG, 20, "" }, // ... to here
	{ "d74401020304", GK_CBOR_TAG, 23, "" },
	{ "d83dd240", GK_CBOR_TAG, 61, "" },
	{ "da6374180b80", GK_CBOR_TAG, 0x6374180b, "" },
	{ "dbffffffffffffffff80", GK_CBOR_TAG, INT64_MAX, "" },
	{ "40", GK_CBOR_BYTES, 0, "" },
	{ "4401020304", GK_CBOR_BYTES, 0, "01020304" },
	{ "5803010203", GK_CBOR_BYTES, 0, "010203" },
	{ "590003010203", GK_CBOR_BYTES, 0, "010203" },
	{ "5a00000003010203", GK_CBOR_BYTES, 0, "010203" },
	{ "5b0000000000000003010203", GK_CBOR_BYTES, 0, "010203" },
	{ "60", GK_CBOR_TEXT, 0, "" },
	{ "6449455446", GK_CBOR_TEXT, 0, "49455446" },
	{ "62c3bc", GK_CBOR_TEXT, 0, "c3bc" },
	{ "63e6b0b4", GK_CBOR_TEXT, 0, "e6b0b4" },
	{ "64f0908591", GK_CBOR_TEXT, 0, "f0908591" },
	{ "7803616263", GK_CBOR_TEXT, 0, "616263" },
	{ "80", GK_CBOR_ARRAY, 0, "" },
	{ "83010203", GK_CBOR_ARRAY, 0, "" },
	{ "8301820203820405", GK_CBOR_ARRAY, 0, "" },
	{ "9b000000000000000101", GK_CBOR_ARRAY, 0, "" },
	{ "9fff", GK_CBOR_ARRAY, 0, "" },
	{ "9f018202039f0405ffff", GK_CBOR_ARRAY, 0, "" },
	{ "83019f0203ff820405", GK_CBOR_ARRAY, 0, "" },
	{ "a0", GK_CBOR_MAP, 0, "" },
	{ "a201020304", GK_CBOR_MAP, 0, "" },
	{ "a26161016162820203", GK_CBOR_MAP, 0, "" },
	{ "ba0000000101a0", GK_CBOR_MAP, 0, "" },
	{ "bfff", GK_CBOR_MAP, 0, "" },
	{ "bf61610161629f0203ffff", GK_CBOR_MAP, 0, "" },
	{ "826161bf61626163ff", GK_CBOR_ARRAY, 0, "" },
	{ "bf9fff9fffa0bfffff", GK_CBOR_MAP, 0, "" }, // containers as keys
};

static void each_kind_of_item_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(item_rows); i++) {
		const struct item_row *row = &item_rows[i];
		struct gk_span input = hex_span(row->input);
		struct gk_cbor c = gk_cbor(input);
		struct gk_cbor_item item = gk_cbor_item(&c, GK_CBOR_ANY);
		if (gk_cbor_end(&c) || item.kind != row->kind || item.number != row->number)
			fail_msg("%s: error %d, got kind %#x number %#jx, want %#x %#jx",
				 row->input, gk_cbor_end(&c), item.kind, (uintmax_t)item.number,
				 row->kind, (uintmax_t)row->number);
		assert_hex_equal_row(item.string, row->string, row->input);
		assert_hex_equal_row(item.encoded, row->input, row->input);
		assert_ptr_equal(item.encoded.data, input.data);
	}
}

static void each_item_cut_short_is_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(item_rows); i++) {
		struct gk_span whole = hex_span(item_rows[i].input);
		for (size_t cut = 0; cut < whole.len; cut++) {
			struct gk_span input = exact_copy(gk_span_sub(whole, 0, cut));
			expect_err(item_rows[i].input, walk(input), GK_ERR_MALFORMED);
		}
	}
}

static void each_item_with_a_byte_behind_it_is_malformed(void **state)
{
	(void)state;
	uint8_t memory[64];
	for (size_t i = 0; i < ROWS(item_rows); i++) {
		struct gk_buf buf = gk_buf(memory, sizeof(memory));
		gk_buf_add(&buf, hex_span(item_rows[i].input));
		gk_buf_byte(&buf, 0x00);
		expect_err(item_rows[i].input, walk(gk_buf_span(&buf)), GK_ERR_MALFORMED);
	}
}

/* RFC 8949 appendix F.1, and lengths that lie. */
static const char *const ill_formed[] = {
	// the input ends in a head
	"",
	"18",
	"19",
	"1a",
	"1b",
	"1901",
	"1a0102",
	"1b01020304050607",
	"38",
	"58",
	"78",
	"98",
	"9a01ff00",
	"b8",
	"d8",
	"f8",
	"f900",
	"fa0000",
	"fb000000",
	// strings with short content
	"41",
	"61",
	"5affffffff00",
	"5bffffffffffffffff010203",
	"7affffffff00",
	"7b7fffffffffffffff010203",
	// arrays and maps that are not closed
	"81",
	"818181818181818181",
	"8200",
	"a1",
	"a20102",
	"a100",
	"a2000000",
	// a tag on nothing
	"c0",
	"d0",
	// indefinite ones that are not closed
	"9f",
	"9f0102",
	"bf",
	"bf01020102",
	"819f",
	"9f8000",
	"9f9f9f9f9fffffffff",
	"9f819f819f9fffffff",
	// reserved additional information
	"1c",
	"1d",
	"1e",
	"3c",
	"3d",
	"3e",
	"5c",
	"5d",
	"5e",
	"7c",
	"7d",
	"7e",
	"9c",
	"9d",
	"9e",
	"bc",
	"bd",
	"be",
	"dc",
	"dd",
	"de",
	"fc",
	"fd",
	"fe",
	// simple values that have a shorter, or no, encoding
	"f800",
	"f801",
	"f814",
	"f818",
	"f81f",
	// a break that ends nothing
	"ff",
	"81ff",
	"8200ff",
	"a1ff",
	"a1ff00",
	"a100ff",
	"a20000ff",
	"9f81ff",
	"9f829f819f9fffffffff",
	"c0ff",
	"9fc0ffff",
	// a break in the place of a value
	"bf00ff",
	"bf000000ff",
	"bf00ff00",
	"81bf00ff",
	// integers and tags of indefinite length
	"1f",
	"3f",
	"df",
	"1f00",
	"df00ff",
	// counts for which the input is too short, as 32 or 64 bits, and twice them
	"9affffffff00",
	"9bffffffffffffffff00",
	"9b000000010000000000",
	"ba8000000000",
	"bb80000000000000000000",
	"bb7fffffffffffffff00",
	"bbffffffffffffffff00",
	// counts of pairs that are 0 when doubled
	"ba80000000",
	"bb8000000000000000",
	// strings in chunks, and tags of no number, that end at once
	"5f",
	"7f",
	"df",
	// lengths that are 0 or 1 when cut to 32 bits
	"5b0000000100000000",
	"5b000000010000000100",
	"7b0000000100000000",
	"9b0000000100000000",
	"bb0000000100000000",
};

static void ill_formed_items_are_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(ill_formed); i++)
		expect_err(ill_formed[i], walk(hex_span(ill_formed[i])), GK_ERR_MALFORMED);
}

static void a_reserved_head_is_malformed_whatever_follows(void **state)
{
	(void)state;
	for (unsigned initial = 0x1c; initial <= 0xfe; initial++) {
		// As long as the argument would be, were the head's width one of the series 1, 2,
		// 4, 8.
		uint8_t memory[80] = { (uint8_t)initial };
		if ((initial & 0x1f) >= 0x1c && (initial & 0x1f) <= 0x1e)
			expect_err("reserved", walk(gk_span(memory, sizeof(memory))),
				   GK_ERR_MALFORMED);
	}
}

static void strings_in_chunks_are_refused_everywhere(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"5fff",     "7fff",       "5f4100ff",   "7f6100ff",
		"815f40ff", "a15f40ff00", "a1007f60ff", "c25f4100ff",
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect_err(rows[i], walk(hex_span(rows[i])), GK_ERR_MALFORMED);
}

static void text_must_be_utf8(void **state)
{
	(void)state;
	static const struct {
		const char *input;
		enum gk_err want;
	} rows[] = {
		{ "617f", GK_OK },
		{ "6180", GK_ERR_MALFORMED }, // continuation alone
		{ "61bf", GK_ERR_MALFORMED },
		{ "62c080", GK_ERR_MALFORMED }, // overlong NUL
		{ "62c1bf", GK_ERR_MALFORMED }, // overlong
		{ "62c280", GK_OK },            // U+0080
		{ "62dfbf", GK_OK },            // U+07FF
		{ "62c27f", GK_ERR_MALFORMED },
		{ "62c2c0", GK_ERR_MALFORMED },
		{ "61c2", GK_ERR_MALFORMED },     // cut
		{ "63e09fbf", GK_ERR_MALFORMED }, // overlong
		{ "63e0a080", GK_OK },            // U+0800
		{ "63ed9fbf", GK_OK },            // U+D7FF
		{ "63eda080", GK_ERR_MALFORMED }, // U+D800, a surrogate
		{ "63edbfbf", GK_ERR_MALFORMED }, // U+DFFF
		{ "63ee8080", GK_OK },            // U+E000
		{ "63efbfbf", GK_OK },            // U+FFFF
		{ "63e18041", GK_ERR_MALFORMED },
		{ "63e181c2", GK_ERR_MALFORMED },
		{ "62e180", GK_ERR_MALFORMED },
		{ "64f08fbfbf", GK_ERR_MALFORMED }, // overlong
		{ "64f0908080", GK_OK },            // U+10000
		{ "64f48fbfbf", GK_OK },            // U+10FFFF
		{ "64f4908080", GK_ERR_MALFORMED }, // U+110000
		{ "64f5808080", GK_ERR_MALFORMED },
		{ "63f09080", GK_ERR_MALFORMED },
		{ "61ff", GK_ERR_MALFORMED },
		{ "66616263c3bc64", GK_OK },
		{ "4180", GK_OK },                  // bytes may be anything
		{ "8161ff", GK_ERR_MALFORMED },     // inside a container
		{ "a161ff00", GK_ERR_MALFORMED },   // as a key
		{ "c078026180", GK_ERR_MALFORMED }, // under a tag, with a long head
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect_err(rows[i].input, walk(hex_span(rows[i].input)), rows[i].want);
}

/* depth */

static void nesting_is_bounded(void **state)
{
	(void)state;
	static const struct {
		const char *open, *inner, *close;
	} rows[] = {
		{ "81", "00", "" },     { "9f", "00", "ff" }, { "a100", "00", "" },
		{ "bf00", "00", "ff" }, { "c0", "00", "" },   { "81", "80", "" },
		{ "a1", "00", "00" }, // in keys
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		for (int depth = 7; depth <= 10; depth++) {
			uint8_t memory[64];
			struct gk_buf buf = gk_buf(memory, sizeof(memory));
			for (int j = 0; j < depth; j++)
				gk_buf_add(&buf, hex_span(rows[i].open));
			gk_buf_add(&buf, hex_span(rows[i].inner));
			for (int j = 0; j < depth; j++)
				gk_buf_add(&buf, hex_span(rows[i].close));
			// An empty array is a level, too.
			int levels = depth + (strcmp(rows[i].inner, "80") == 0);
			expect_err(hex_text(gk_buf_span(&buf)), walk(gk_buf_span(&buf)),
				   levels > GK_CBOR_DEPTH_MAX ? GK_ERR_DEPTH : GK_OK);
		}
	}
}

static void endless_nesting_is_refused(void **state)
{
	(void)state;
	static const uint8_t heads[] = { 0x81, 0x9f, 0xbf, 0xc0 };
	static uint8_t memory[100000];
	for (size_t i = 0; i < ROWS(heads); i++) {
		memset(memory, heads[i], sizeof(memory));
		assert_int_equal(walk(gk_span(memory, sizeof(memory))), GK_ERR_DEPTH);
	}
}

static void siblings_do_not_add_to_the_depth(void **state)
{
	(void)state;
	uint8_t memory[256];
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	gk_put_array(&buf, 60);
	for (int i = 0; i < 20; i++)
		gk_buf_add(&buf, hex_span("8100 9f00ff c100"));
	expect_err("siblings", walk(gk_buf_span(&buf)), GK_OK);
}

/* readers */

/* Every reader as one that says only whether it gave anything. */
static bool some_item(struct gk_cbor *c)
{
	return gk_cbor_item(c, GK_CBOR_ANY).kind != GK_CBOR_NONE;
}

static bool some_int(struct gk_cbor *c)
{
	return gk_cbor_int(c) != 0;
}

static bool some_uint(struct gk_cbor *c)
{
	return gk_cbor_uint(c, UINT64_MAX) != 0;
}

static bool some_bytes(struct gk_cbor *c)
{
	return gk_cbor_bytes(c).len > 0;
}

static bool some_text(struct gk_cbor *c)
{
	return gk_cbor_text(c).len > 0;
}

static bool some_bool(struct gk_cbor *c)
{
	return gk_cbor_bool(c);
}

static bool some_array(struct gk_cbor *c)
{
	struct gk_cbor_iter iter = gk_cbor_array(c);
	return iter.left > 0 || iter.indefinite || gk_cbor_more(c, &iter);
}

static bool some_map(struct gk_cbor *c)
{
	struct gk_cbor_iter iter = gk_cbor_map(c);
	return iter.left > 0 || iter.indefinite || gk_cbor_more(c, &iter);
}

static bool some_array_of(struct gk_cbor *c)
{
	gk_cbor_array_of(c, 1);
	return !c->err;
}

static bool some_fields(struct gk_cbor *c)
{
	static const struct gk_cbor_field field = { 1, GK_CBOR_ANY, false };
	struct gk_cbor_item item;
	gk_cbor_fields(c, &field, 1, &item);
	return item.kind != GK_CBOR_NONE;
}

static const struct reader {
	const char *name;
	bool (*read)(struct gk_cbor *c);
	unsigned accepts;
} readers[] = {
	{ "item", some_item, GK_CBOR_ANY },           { "int", some_int, GK_CBOR_INT },
	{ "uint", some_uint, GK_CBOR_UINT },          { "bytes", some_bytes, GK_CBOR_BYTES },
	{ "text", some_text, GK_CBOR_TEXT },          { "bool", some_bool, GK_CBOR_BOOL },
	{ "array", some_array, GK_CBOR_ARRAY },       { "map", some_map, GK_CBOR_MAP },
	{ "array_of", some_array_of, GK_CBOR_ARRAY }, { "fields", some_fields, GK_CBOR_MAP },
};

/* One item of each kind for which each fitting reader gives something. */
static const struct {
	const char *input;
	enum gk_cbor_kind kind;
} kinds[] = {
	{ "01", GK_CBOR_UINT },      { "20", GK_CBOR_NEGINT },    { "4101", GK_CBOR_BYTES },
	{ "6161", GK_CBOR_TEXT },    { "8101", GK_CBOR_ARRAY },   { "9f01ff", GK_CBOR_ARRAY },
	{ "a10102", GK_CBOR_MAP },   { "bf0102ff", GK_CBOR_MAP }, { "c101", GK_CBOR_TAG },
	{ "f5", GK_CBOR_BOOL },      { "f6", GK_CBOR_NULL },      { "f7", GK_CBOR_OTHER },
	{ "f90000", GK_CBOR_OTHER },
};

static void a_reader_takes_its_kinds_and_no_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(readers); i++) {
		for (size_t j = 0; j < ROWS(kinds); j++) {
			struct gk_cbor c = gk_cbor(hex_span(kinds[j].input));
			bool some = readers[i].read(&c);
			bool fits = readers[i].accepts & kinds[j].kind;
			if (some != fits || c.err != (fits ? GK_OK : GK_ERR_TYPE))
				fail_msg("%s on %s: error %d", readers[i].name, kinds[j].input,
					 c.err);
			if (!fits)
				assert_hex_equal_row(c.rest, kinds[j].input, readers[i].name);
		}
	}
}

static void item_takes_what_the_caller_accepts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(kinds); i++) {
		struct gk_cbor c = gk_cbor(hex_span(kinds[i].input));
		assert_int_equal(gk_cbor_item(&c, kinds[i].kind | GK_CBOR_BREAK).kind,
				 kinds[i].kind);
		expect_err(kinds[i].input, gk_cbor_end(&c), GK_OK);

		c = gk_cbor(hex_span(kinds[i].input));
		assert_int_equal(gk_cbor_item(&c, ~(unsigned)kinds[i].kind).kind, GK_CBOR_NONE);
		expect_err(kinds[i].input, c.err, GK_ERR_TYPE);
	}
}

static void no_reader_takes_a_break(void **state)
{
	(void)state;
	struct gk_cbor c = gk_cbor(hex_span("ff"));
	assert_int_equal(gk_cbor_item(&c, ~0u).kind, GK_CBOR_NONE);
	assert_int_equal(c.err, GK_ERR_MALFORMED);
	for (size_t i = 0; i < ROWS(readers); i++) {
		c = gk_cbor(hex_span("ff"));
		assert_false(readers[i].read(&c));
		expect_err(readers[i].name, c.err, GK_ERR_MALFORMED);
	}
}

/* What a reader says of ill-formed input, if it sees that far: a head may be good. */
static bool is_refusal(enum gk_err err)
{
	// The table's key stands twice in the open map of the appendix.
	return err == GK_ERR_MALFORMED || err == GK_ERR_TYPE || err == GK_ERR_DUPLICATE;
}

static void every_reader_refuses_ill_formed_input(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(readers); i++) {
		for (size_t j = 0; j < ROWS(ill_formed); j++) {
			struct gk_cbor c = gk_cbor(hex_span(ill_formed[j]));
			bool some = readers[i].read(&c);
			bool entered = readers[i].accepts & (GK_CBOR_ARRAY | GK_CBOR_MAP) && !c.err;
			if (!(some && entered) && !is_refusal(gk_cbor_end(&c)))
				fail_msg("%s on %s: error %d", readers[i].name, ill_formed[j],
					 gk_cbor_end(&c));
		}
		struct gk_cbor c = gk_cbor(gk_span(NULL, 0));
		assert_false(readers[i].read(&c));
		expect_err(readers[i].name, c.err, GK_ERR_MALFORMED);
	}
}

static void the_first_failure_sticks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(readers); i++) {
		for (size_t j = 0; j < ROWS(kinds); j++) {
			struct gk_span input = hex_span(kinds[j].input);
			struct gk_cbor c = gk_cbor(input);
			gk_cbor_fail(&c, GK_ERR_FORBIDDEN);
			gk_cbor_fail(&c, GK_ERR_TYPE);
			if (readers[i].read(&c))
				fail_msg("%s on %s gave something", readers[i].name,
					 kinds[j].input);
			assert_int_equal(c.err, GK_ERR_FORBIDDEN);
			assert_int_equal(gk_cbor_end(&c), GK_ERR_FORBIDDEN);
			assert_int_equal(gk_cbor_peek(&c), GK_CBOR_NONE);
			assert_ptr_equal(c.rest.data, input.data);
		}
	}
}

static void fail_with_ok_is_no_failure(void **state)
{
	(void)state;
	struct gk_cbor c = gk_cbor(hex_span("01"));
	gk_cbor_fail(&c, GK_OK);
	assert_int_equal(gk_cbor_int(&c), 1);
	assert_int_equal(gk_cbor_end(&c), GK_OK);
}

static void peek_tells_the_kind_and_does_not_move(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(kinds); i++) {
		struct gk_cbor c = gk_cbor(hex_span(kinds[i].input));
		assert_int_equal(gk_cbor_peek(&c), kinds[i].kind);
		assert_hex_equal_row(c.rest, kinds[i].input, kinds[i].input);
	}
	struct gk_cbor at_break = gk_cbor(hex_span("ff")), at_end = gk_cbor(hex_span(""));
	assert_int_equal(gk_cbor_peek(&at_break), GK_CBOR_BREAK);
	assert_int_equal(gk_cbor_peek(&at_end), GK_CBOR_NONE);
}

static void integers_that_do_not_fit_are_out_of_range(void **state)
{
	(void)state;
	static const struct {
		const char *input;
		enum gk_err want;
		int64_t number;
	} rows[] = {
		{ "1b7fffffffffffffff", GK_OK, INT64_MAX },
		{ "1b8000000000000000", GK_ERR_RANGE, 0 },
		{ "1bffffffffffffffff", GK_ERR_RANGE, 0 },
		{ "3b7fffffffffffffff", GK_OK, INT64_MIN },
		{ "3b8000000000000000", GK_ERR_RANGE, 0 },
		{ "3bffffffffffffffff", GK_ERR_RANGE, 0 },
		{ "20", GK_OK, -1 },
		{ "00", GK_OK, 0 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_cbor c = gk_cbor(hex_span(rows[i].input));
		int64_t number = gk_cbor_int(&c);
		expect_err(rows[i].input, c.err, rows[i].want);
		if (number != rows[i].number)
			fail_msg("%s: got %#jx", rows[i].input, (uintmax_t)number);
	}
}

static void uint_keeps_its_maximum(void **state)
{
	(void)state;
	static const struct {
		const char *input;
		uint64_t max;
		enum gk_err want;
		uint64_t number;
	} rows[] = {
		{ "00", 0, GK_OK, 0 },
		{ "01", 0, GK_ERR_RANGE, 0 },
		{ "18ff", 255, GK_OK, 255 },
		{ "190100", 255, GK_ERR_RANGE, 0 },
		{ "1b8000000000000000", UINT64_MAX, GK_OK, UINT64_C(1) << 63 },
		{ "1bffffffffffffffff", UINT64_MAX, GK_OK, UINT64_MAX },
		{ "1bffffffffffffffff", UINT64_MAX - 1, GK_ERR_RANGE, 0 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_cbor c = gk_cbor(hex_span(rows[i].input));
		uint64_t number = gk_cbor_uint(&c, rows[i].max);
		expect_err(rows[i].input, c.err, rows[i].want);
		if (number != rows[i].number)
			fail_msg("%s: got %#jx", rows[i].input, (uintmax_t)number);
	}
}

static void a_tag_is_read_only_if_it_is_there(void **state)
{
	(void)state;
	uint64_t tag = 99;
	struct gk_cbor c = gk_cbor(hex_span("d2 d83d dbffffffffffffffff 00"));
	assert_true(gk_cbor_tag(&c, &tag));
	assert_int_equal(tag, 18);
	assert_true(gk_cbor_tag(&c, &tag));
	assert_int_equal(tag, 61);
	assert_true(gk_cbor_tag(&c, &tag));
	assert_true(tag == UINT64_MAX);
	tag = 99;
	assert_false(gk_cbor_tag(&c, &tag));
	assert_int_equal(tag, 99);
	assert_int_equal(c.err, GK_OK);
	assert_hex_equal(c.rest, "00");

	static const char *const ill_formed_tags[] = { "d8", "dbffffff", "dc00", "df00" };
	for (size_t i = 0; i < ROWS(ill_formed_tags); i++) {
		c = gk_cbor(hex_span(ill_formed_tags[i]));
		assert_false(gk_cbor_tag(&c, &tag));
		assert_int_equal(tag, 99);
		expect_err(ill_formed_tags[i], c.err, GK_ERR_MALFORMED);
	}
}

/* containers */

static void both_forms_of_container_are_walked_alike(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"82 a20102 0304 80",
		"9f a20102 0304 80 ff",
		"9f bf0102 0304ff 80 ff",
		"82 bf0102 0304ff 9fff",
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_cbor c = gk_cbor(hex_span(rows[i]));
		struct gk_cbor_iter outer = gk_cbor_array(&c);
		assert_true(gk_cbor_more(&c, &outer));
		struct gk_cbor_iter map = gk_cbor_map(&c);
		for (int64_t key = 1; key <= 3; key += 2) {
			assert_true(gk_cbor_more(&c, &map));
			assert_int_equal(gk_cbor_int(&c), key);
			assert_int_equal(gk_cbor_int(&c), key + 1);
		}
		assert_false(gk_cbor_more(&c, &map));
		assert_false(gk_cbor_more(&c, &map));
		assert_true(gk_cbor_more(&c, &outer));
		struct gk_cbor_iter empty = gk_cbor_array(&c);
		assert_false(gk_cbor_more(&c, &empty));
		assert_false(gk_cbor_more(&c, &outer));
		expect_err(rows[i], gk_cbor_end(&c), GK_OK);
	}
}

static void an_array_entered_and_never_closed_is_malformed(void **state)
{
	(void)state;
	static const char *const rows[] = { "9f01", "8201", "bf0102", "a20102 03" };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_cbor c = gk_cbor(hex_span(rows[i]));
		bool is_map = gk_cbor_peek(&c) == GK_CBOR_MAP;
		struct gk_cbor_iter iter = is_map ? gk_cbor_map(&c) : gk_cbor_array(&c);
		size_t rounds = 0;
		while (gk_cbor_more(&c, &iter) && rounds++ < 10) {
			gk_cbor_item(&c, GK_CBOR_ANY);
			if (is_map)
				gk_cbor_item(&c, GK_CBOR_ANY);
		}
		assert_in_range(rounds, 0, 2);
		expect_err(rows[i], gk_cbor_end(&c), GK_ERR_MALFORMED);
	}
}

static void a_container_larger_than_the_input_is_not_entered(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"81", "8201", "a1", "a101", "a20102 03", "9affffffff0102", "bb7fffffffffffffff0102",
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_cbor c = gk_cbor(hex_span(rows[i]));
		struct gk_cbor_iter iter =
			gk_cbor_peek(&c) == GK_CBOR_MAP ? gk_cbor_map(&c) : gk_cbor_array(&c);
		assert_false(gk_cbor_more(&c, &iter));
		expect_err(rows[i], c.err, GK_ERR_MALFORMED);
	}
}

/** Read an array of two integers, 1 and 2. */
static void read_pair_of_ints(struct gk_cbor *c)
{
	gk_cbor_array_of(c, 2);
	if (c->err)
		return;
	assert_int_equal(gk_cbor_int(c), 1);
	assert_int_equal(gk_cbor_int(c), 2);
}

static void an_array_of_two_has_two_in_either_form(void **state)
{
	(void)state;
	static const struct {
		const char *input;
		enum gk_err want;
	} rows[] = {
		{ "820102", GK_OK },
		{ "9f0102ff", GK_OK },
		{ "98020102", GK_OK },
		{ "80", GK_ERR_TYPE },
		{ "8101", GK_ERR_TYPE },
		{ "83010203", GK_ERR_TYPE },
		{ "9fff", GK_ERR_TYPE },
		{ "9f01ff", GK_ERR_TYPE },
		{ "9f010203ff", GK_ERR_TYPE },
		{ "9f0102", GK_ERR_MALFORMED },
		{ "9f01", GK_ERR_MALFORMED },
		{ "9f", GK_ERR_MALFORMED },
		{ "8201", GK_ERR_MALFORMED },
		{ "82010203", GK_ERR_MALFORMED },
		{ "9f0102ff03", GK_ERR_MALFORMED },
		{ "9f0102ffff", GK_ERR_MALFORMED },
		{ "820102ff", GK_ERR_MALFORMED },
		{ "9f011cff", GK_ERR_MALFORMED },
		{ "a10102", GK_ERR_TYPE },
		{ "bf0102ff", GK_ERR_TYPE },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_cbor c = gk_cbor(hex_span(rows[i].input));
		read_pair_of_ints(&c);
		expect_err(rows[i].input, gk_cbor_end(&c), rows[i].want);
	}
}

static void an_array_of_none_is_read_at_once(void **state)
{
	(void)state;
	static const char *const rows[] = { "80 05", "9fff 05" };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_cbor c = gk_cbor(hex_span(rows[i]));
		gk_cbor_array_of(&c, 0);
		assert_int_equal(gk_cbor_int(&c), 5);
		expect_err(rows[i], gk_cbor_end(&c), GK_OK);
	}
}

/* [[[1, 2], {3: [1, 2]}], [1, 2]]: arrays of two in arrays of two, a map and an open array. */
static void arrays_of_some_nest_with_all_else(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"82 82 82 0102 a1 03 82 0102 82 0102",
		"9f 9f 9f 0102 ff bf 03 9f 0102 ff ff ff 9f 0102 ff ff",
		"82 9f 82 0102 bf 03 9f 0102 ff ff ff 82 0102",
		"9f 82 9f 0102 ff a1 03 9f 0102 ff 82 0102 ff",
		"9f 9f 82 0102 bf 03 82 0102 ff ff 82 0102 ff",
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_cbor c = gk_cbor(hex_span(rows[i]));
		gk_cbor_array_of(&c, 2);
		gk_cbor_array_of(&c, 2);
		read_pair_of_ints(&c);
		struct gk_cbor_iter map = gk_cbor_map(&c);
		assert_true(gk_cbor_more(&c, &map));
		assert_int_equal(gk_cbor_int(&c), 3);
		read_pair_of_ints(&c);
		assert_false(gk_cbor_more(&c, &map));
		struct gk_cbor_iter open = gk_cbor_array(&c);
		assert_true(gk_cbor_more(&c, &open));
		assert_int_equal(gk_cbor_int(&c), 1);
		assert_true(gk_cbor_more(&c, &open));
		assert_int_equal(gk_cbor_int(&c), 2);
		assert_false(gk_cbor_more(&c, &open));
		expect_err(rows[i], gk_cbor_end(&c), GK_OK);
	}
}

static void arrays_of_some_with_breaks_nest_as_deep_as_all(void **state)
{
	(void)state;
	for (size_t depth = 1; depth <= GK_CBOR_DEPTH_MAX + 1; depth++) {
		uint8_t memory[32];
		struct gk_buf buf = gk_buf(memory, sizeof(memory));
		for (size_t i = 0; i < depth; i++)
			gk_buf_byte(&buf, 0x9f);
		gk_buf_byte(&buf, 0x05);
		for (size_t i = 0; i < depth; i++)
			gk_buf_byte(&buf, 0xff);
		struct gk_cbor c = gk_cbor(gk_buf_span(&buf));
		for (size_t i = 0; i < depth; i++)
			gk_cbor_array_of(&c, 1);
		bool fits = depth <= GK_CBOR_DEPTH_MAX;
		assert_int_equal(gk_cbor_int(&c), fits ? 5 : 0);
		expect_err(hex_text(gk_buf_span(&buf)), gk_cbor_end(&c),
			   fits ? GK_OK : GK_ERR_DEPTH);
	}
}

/* maps by a table */

static const struct gk_cbor_field some_map_fields[] = {
	{ 1, GK_CBOR_UINT, true },
	{ -2, GK_CBOR_BYTES | GK_CBOR_NULL, false },
	{ 300, GK_CBOR_ANY, false },
};
#define FIELDS ROWS(some_map_fields)

static const struct map_row {
	const char *input;
	enum gk_err want;
	const char *encoded[FIELDS]; /* "" for absent */
} map_rows[] = {
	{ "a10105", GK_OK, { "05", "", "" } },
	{ "bf0105ff", GK_OK, { "05", "", "" } },
	{ "a3 0105 2143aabbcc 19012c80", GK_OK, { "05", "43aabbcc", "80" } },
	{ "a3 19012c80 2143aabbcc 0105", GK_OK, { "05", "43aabbcc", "80" } }, // in any order
	{ "bf 19012c9f01ff 21f6 0105 ff", GK_OK, { "05", "f6", "9f01ff" } },
	{ "a1 1b0000000000000001 05", GK_OK, { "05", "", "" } }, // long heads are the same key
	// unknown keys of any kind, again and again
	{ "a5 0200 0200 6161820102 8100a0 0105", GK_OK, { "05", "", "" } },
	{ "a4 2000 410100 f600 0105", GK_OK, { "05", "", "" } }, // -1, h'01', null
	{ "a3 c10100 1bffffffffffffffff00 0105", GK_OK, { "05", "", "" } },
	{ "a0", GK_ERR_MISSING, { "", "", "" } },
	{ "bfff", GK_ERR_MISSING, { "", "", "" } },
	{ "a1 2140", GK_ERR_MISSING, { "", "", "" } },
	{ "a2 0105 0105", GK_ERR_DUPLICATE, { "", "", "" } },
	{ "a2 0105 1801 06", GK_ERR_DUPLICATE, { "", "", "" } }, // whatever the encoding
	{ "a3 0105 2140 21f6", GK_ERR_DUPLICATE, { "", "", "" } },
	{ "a1 0140", GK_ERR_TYPE, { "", "", "" } },
	{ "a2 0105 2101", GK_ERR_TYPE, { "", "", "" } },
	{ "a1 0120", GK_ERR_TYPE, { "", "", "" } },
	{ "8105", GK_ERR_TYPE, { "", "", "" } },
	{ "05", GK_ERR_TYPE, { "", "", "" } },
	{ "d2a10105", GK_ERR_TYPE, { "", "", "" } },
	{ "a10105 00", GK_ERR_MALFORMED, { "", "", "" } },
	{ "bf0105ff ff", GK_ERR_MALFORMED, { "", "", "" } },
	{ "bf 0105 02 ff", GK_ERR_MALFORMED, { "", "", "" } }, // unknown key without value
	{ "bf 0105 21 ff", GK_ERR_MALFORMED, { "", "", "" } }, // known key without value
	{ "a2 0105 ff00", GK_ERR_MALFORMED, { "", "", "" } },
	{ "a2 0105 0261ff", GK_ERR_MALFORMED, { "", "", "" } },
	{ "a2 0105 02 818181818181818181 00", GK_ERR_DEPTH, { "", "", "" } },
};

static void a_map_is_read_by_its_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(map_rows); i++) {
		const struct map_row *row = &map_rows[i];
		struct gk_cbor_item items[FIELDS];
		memset(items, 0xee, sizeof(items));
		enum gk_err err =
			gk_cbor_read_map(hex_span(row->input), some_map_fields, FIELDS, items);
		expect_err(row->input, err, row->want);
		for (size_t j = 0; j < FIELDS; j++) {
			assert_hex_equal_row(items[j].encoded, row->encoded[j], row->input);
			assert_int_equal(items[j].kind == GK_CBOR_NONE, *row->encoded[j] == 0);
			assert_true(items[j].kind != GK_CBOR_NONE || items[j].string.len == 0);
		}
	}
}

static void a_map_cut_short_is_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(map_rows); i++) {
		struct gk_span whole = hex_span(map_rows[i].input);
		if (map_rows[i].want != GK_OK)
			continue;
		for (size_t cut = 0; cut < whole.len; cut++) {
			struct gk_cbor_item items[FIELDS];
			memset(items, 0xee, sizeof(items));
			expect_err(map_rows[i].input,
				   gk_cbor_read_map(exact_copy(gk_span_sub(whole, 0, cut)),
						    some_map_fields, FIELDS, items),
				   GK_ERR_MALFORMED);
			for (size_t j = 0; j < FIELDS; j++)
				assert_int_equal(items[j].kind, GK_CBOR_NONE);
		}
	}
}

static void fields_leave_the_cursor_behind_the_map(void **state)
{
	(void)state;
	struct gk_cbor_item items[FIELDS];
	struct gk_cbor c = gk_cbor(hex_span("9f bf 0105 ff a1 0106 07 ff"));
	struct gk_cbor_iter iter = gk_cbor_array(&c);
	assert_true(gk_cbor_more(&c, &iter));
	gk_cbor_fields(&c, some_map_fields, FIELDS, items);
	assert_int_equal(items[0].number, 5);
	assert_true(gk_cbor_more(&c, &iter));
	gk_cbor_fields(&c, some_map_fields, FIELDS, items);
	assert_int_equal(items[0].number, 6);
	assert_true(gk_cbor_more(&c, &iter));
	assert_int_equal(gk_cbor_int(&c), 7);
	assert_false(gk_cbor_more(&c, &iter));
	assert_int_equal(gk_cbor_end(&c), GK_OK);
}

static void a_failed_cursor_gives_no_fields(void **state)
{
	(void)state;
	static const struct {
		const char *input;
		enum gk_err before, after;
	} rows[] = {
		{ "a10105", GK_ERR_RANGE, GK_ERR_RANGE },
		{ "a201052101", GK_OK, GK_ERR_TYPE }, // the first field was good
		{ "a201050100", GK_OK, GK_ERR_DUPLICATE },
		{ "a201051c00", GK_OK, GK_ERR_MALFORMED },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_cbor_item items[FIELDS];
		memset(items, 0xee, sizeof(items));
		struct gk_cbor c = gk_cbor(hex_span(rows[i].input));
		gk_cbor_fail(&c, rows[i].before);
		gk_cbor_fields(&c, some_map_fields, FIELDS, items);
		for (size_t j = 0; j < FIELDS; j++)
			assert_int_equal(items[j].kind, GK_CBOR_NONE);
		expect_err(rows[i].input, gk_cbor_end(&c), rows[i].after);
	}
}

/* writing */

static void put_some_bytes(struct gk_buf *buf, uint64_t len)
{
	gk_put_bytes_head(buf, (size_t)len);
}

static void put_some_array(struct gk_buf *buf, uint64_t count)
{
	gk_put_array(buf, (size_t)count);
}

static void put_some_map(struct gk_buf *buf, uint64_t pairs)
{
	gk_put_map(buf, (size_t)pairs);
}

static void put_some_negint(struct gk_buf *buf, uint64_t n)
{
	gk_put_int(buf, -1 - (int64_t)n);
}

static void put_some_posint(struct gk_buf *buf, uint64_t n)
{
	gk_put_int(buf, (int64_t)n);
}

static void heads_are_the_shortest(void **state)
{
	(void)state;
	static const struct {
		void (*put)(struct gk_buf *buf, uint64_t argument);
		uint8_t major;
	} writers[] = {
		{ gk_put_uint, 0x00 },    { put_some_posint, 0x00 }, { put_some_negint, 0x20 },
		{ put_some_bytes, 0x40 }, { put_some_array, 0x80 },  { put_some_map, 0xa0 },
		{ gk_put_tag, 0xc0 },
	};
	static const struct {
		uint64_t argument;
		const char *head; /* of an unsigned integer */
	} rows[] = {
		{ 0, "00" },
		{ 6, "06" }, // the tags that libcbor 0.8 does not read
		{ 16, "10" },
		{ 23, "17" },
		{ 24, "1818" },
		{ 0xff, "18ff" },
		{ 0x100, "190100" },
		{ 0xffff, "19ffff" },
		{ 0x10000, "1a00010000" },
		{ 0x7fffffff, "1a7fffffff" },
	};
	for (size_t i = 0; i < ROWS(writers); i++) {
		for (size_t j = 0; j < ROWS(rows); j++) {
			uint8_t memory[9];
			struct gk_buf buf = gk_buf(memory, sizeof(memory));
			writers[i].put(&buf, rows[j].argument);
			memory[0] ^= writers[i].major;
			assert_hex_equal_row(gk_buf_span(&buf), rows[j].head, rows[j].head);
		}
	}
}

static void each_kind_is_written(void **state)
{
	(void)state;
	uint8_t memory[128];
	struct gk_buf buf = gk_buf(memory, sizeof(memory));
	gk_put_map(&buf, 2);
	gk_put_int(&buf, INT64_MIN);
	gk_put_array(&buf, 4);
	gk_put_bool(&buf, true);
	gk_put_bool(&buf, false);
	gk_put_null(&buf);
	gk_put_tag(&buf, 1668547115u);
	gk_put_bytes(&buf, hex_span("0102"));
	gk_put_uint(&buf, UINT64_MAX);
	gk_put_text(&buf, gk_span_str("gp1"));
	gk_put_int(&buf, INT64_MAX);
	gk_put_tag(&buf, UINT64_MAX);
	gk_put_bytes(&buf, gk_span(NULL, 0));
	gk_put_text(&buf, gk_span(NULL, 0));
	assert_hex_equal(gk_buf_span(&buf), "a2 3b7fffffffffffffff 84f5f4f6 da6374022b 420102"
					    "1bffffffffffffffff 63677031"
					    "1b7fffffffffffffff dbffffffffffffffff 40 60");
}

static void writing_measures_without_memory(void **state)
{
	(void)state;
	struct gk_buf none = gk_buf(NULL, 0);
	gk_put_bytes(&none, hex_span("0102"));
	gk_put_text(&none, gk_span_str("abc"));
	gk_put_uint(&none, 1000);
	gk_put_array(&none, 24);
	assert_int_equal(none.len, 3 + 4 + 3 + 2);
	assert_int_equal(gk_buf_err(&none), GK_ERR_NO_SPACE);
}

static void a_head_that_does_not_fit_is_not_begun(void **state)
{
	(void)state;
	uint8_t memory[3] = { 0xee, 0xee, 0xee };
	struct gk_buf buf = gk_buf(memory, 2);
	gk_put_uint(&buf, 1000);
	gk_put_uint(&buf, 0);
	assert_hex_equal(gk_span(memory, 3), "eeeeee");
	assert_int_equal(gk_buf_err(&buf), GK_ERR_NO_SPACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_item_is_read),
		cmocka_unit_test(each_item_cut_short_is_malformed),
		cmocka_unit_test(each_item_with_a_byte_behind_it_is_malformed),
		cmocka_unit_test(ill_formed_items_are_malformed),
		cmocka_unit_test(a_reserved_head_is_malformed_whatever_follows),
		cmocka_unit_test(strings_in_chunks_are_refused_everywhere),
		cmocka_unit_test(text_must_be_utf8),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(endless_nesting_is_refused),
		cmocka_unit_test(siblings_do_not_add_to_the_depth),
		cmocka_unit_test(a_reader_takes_its_kinds_and_no_other),
		cmocka_unit_test(item_takes_what_the_caller_accepts),
		cmocka_unit_test(no_reader_takes_a_break),
		cmocka_unit_test(every_reader_refuses_ill_formed_input),
		cmocka_unit_test(the_first_failure_sticks),
		cmocka_unit_test(fail_with_ok_is_no_failure),
		cmocka_unit_test(peek_tells_the_kind_and_does_not_move),
		cmocka_unit_test(integers_that_do_not_fit_are_out_of_range),
		cmocka_unit_test(uint_keeps_its_maximum),
		cmocka_unit_test(a_tag_is_read_only_if_it_is_there),
		cmocka_unit_test(both_forms_of_container_are_walked_alike),
		cmocka_unit_test(an_array_entered_and_never_closed_is_malformed),
		cmocka_unit_test(a_container_larger_than_the_input_is_not_entered),
		cmocka_unit_test(an_array_of_two_has_two_in_either_form),
		cmocka_unit_test(an_array_of_none_is_read_at_once),
		cmocka_unit_test(arrays_of_some_nest_with_all_else),
		cmocka_unit_test(arrays_of_some_with_breaks_nest_as_deep_as_all),
		cmocka_unit_test(a_map_is_read_by_its_table),
		cmocka_unit_test(a_map_cut_short_is_malformed),
		cmocka_unit_test(fields_leave_the_cursor_behind_the_map),
		cmocka_unit_test(a_failed_cursor_gives_no_fields),
		cmocka_unit_test(heads_are_the_shortest),
		cmocka_unit_test(each_kind_is_written),
		cmocka_unit_test(writing_measures_without_memory),
		cmocka_unit_test(a_head_that_does_not_fit_is_not_begun),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
