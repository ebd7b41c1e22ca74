// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "libgroupkey/tree.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define KEY          "000102030405060708090a0b0c0d0e0f"
#define SECRET       KEY "101112131415161718191a1b1c1d1e1f"
#define IV           "a0a1a2a3a4a5a6a7a8a9aaabac"
#define SEED         "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
#define NAME_8       "nnnnnnnn"
#define NAME_64      NAME_8 NAME_8 NAME_8 NAME_8 NAME_8 NAME_8 NAME_8 NAME_8

static struct gk_tree_group group_of(const char *name)
{
	struct gk_tree_group group = { .name = exact_copy(gk_span_str(name)) };

	hex(IV, group.base_iv, sizeof(group.base_iv));
	return group;
}

static struct gk_tree_key key_of(const char *text, uint32_t version)
{
	struct gk_tree_key key = { .version = version };

	hex(text, key.bytes, sizeof(key.bytes));
	return key;
}

/* derivation */

/* computed with another implementation, from docs/rekeying.md section 3 */
static const struct {
	const char *name, *key;
	enum gk_tree_label label;
	uint64_t number;
	const char *derived;
} derivations[] = {
	{ "fresh", SECRET, GK_TREE_FRESH, 3 * 65536 + 5, "402e31766550aa2aa314a86be741f369" },
	{ "up", KEY, GK_TREE_UP, 0, "9adced3533796b11f7dc6affe3f44891" },
	{ "key", KEY, GK_TREE_KEY, 0, "ab9dd04d31ec75b73eb9392263b90e21" },
	{ "join", KEY, GK_TREE_JOIN, 0x12345678, "344cb5890fc2cfc2f61ae785f20c4da0" },
	{ "join, the next num", KEY, GK_TREE_JOIN, 0x12345679, "e3a572b00ab59661d44e725693ae867b" },
	{ "grow", KEY, GK_TREE_GROW, 12, "528d24901fb362ded798d472c4a53aa9" },
	{ "wrap", KEY, GK_TREE_WRAP, 0, "30b5382ae7da17add8e98833964e98bc" },
	{ "mac", KEY, GK_TREE_MAC, 0, "f59fd7dc38c29caa578ebec42046cef0" },
	{ "group", KEY, GK_TREE_GROUP, 0, "cde7cf428ef53a69ebad1351f5a8411d" },
};

static void derivation_is_that_of_the_document(void **state)
{
	uint8_t out[GK_TREE_KEY_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(derivations); i++) {
		assert_int_equal(gk_tree_derive(hex_span(derivations[i].key), derivations[i].label,
						derivations[i].number, out),
				 GK_OK);
		assert_hex_equal_row(gk_span(out, sizeof(out)), derivations[i].derived,
				     derivations[i].name);
	}
}

static void no_two_labels_and_no_two_numbers_derive_the_same(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 0x17, 0x18, 0x100, 0x10000, UINT32_MAX };
	uint8_t made[(GK_TREE_GROUP + 1) * COUNT(numbers)][GK_TREE_KEY_LEN];
	size_t count = 0;

	(void)state;
	for (enum gk_tree_label label = GK_TREE_FRESH; label <= GK_TREE_GROUP; label++) {
		for (size_t n = 0; n < COUNT(numbers); n++)
			assert_int_equal(
				gk_tree_derive(hex_span(KEY), label, numbers[n], made[count++]),
				GK_OK);
	}
	assert_int_equal(count, COUNT(made));
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(made[i], made[j], GK_TREE_KEY_LEN);
	}
}

static void key_can_be_replaced_by_what_it_derives(void **state)
{
	struct gk_tree_key key = key_of(KEY, 0);

	(void)state;
	assert_int_equal(
		gk_tree_derive(gk_span(key.bytes, GK_TREE_KEY_LEN), GK_TREE_UP, 0, key.bytes),
		GK_OK);
	assert_hex_equal(gk_span(key.bytes, GK_TREE_KEY_LEN), "9adced3533796b11f7dc6affe3f44891");
}

static void every_node_has_a_number_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(gk_tree_number((struct gk_tree_name){ 0, 0 }), 0);
	assert_int_equal(gk_tree_number((struct gk_tree_name){ 0, 65535 }), 65535);
	assert_int_equal(gk_tree_number((struct gk_tree_name){ 1, 0 }), 65536);
	assert_int_equal(gk_tree_number((struct gk_tree_name){ 16, 0 }), 1048576);
	assert_int_equal(gk_tree_number((struct gk_tree_name){ 3, 5 }), 3 * 65536 + 5);
}

static void expect_name(struct gk_tree_name got, uint8_t level, uint16_t index)
{
	assert_int_equal(got.level, level);
	assert_int_equal(got.index, index);
}

static void children_are_named_from_left_to_right(void **state)
{
	(void)state;
	expect_name(gk_tree_child((struct gk_tree_name){ 1, 0 }, 0), 0, 0);
	expect_name(gk_tree_child((struct gk_tree_name){ 1, 32767 }, 1), 0, 65535);
	expect_name(gk_tree_child((struct gk_tree_name){ 5, 6 }, 0), 4, 12);
	expect_name(gk_tree_child((struct gk_tree_name){ 16, 0 }, 1), 15, 1);
}

static void nonce_is_base_iv_with_num(void **state)
{
	static const struct {
		uint32_t num;
		const char *nonce;
	} rows[] = {
		{ 0, IV },
		{ 1, "a0a1a2a3a4a5a6a7a8a9aaabad" },
		{ 0x01020304, "a0a1a2a3a4a5a6a7a8a8a8a8a8" },
		{ UINT32_MAX, "a0a1a2a3a4a5a6a7a856555453" },
	};
	struct gk_tree_group group = group_of("lights");
	uint8_t nonce[GK_TREE_IV_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		gk_tree_nonce(&group, rows[i].num, nonce);
		assert_hex_equal(gk_span(nonce, sizeof(nonce)), rows[i].nonce);
	}
}

/* entries */

/** An entry and all that its bytes depend on. */
struct sealed {
	const char *group;
	struct gk_tree_name child;
	uint32_t version, num;
	const char *entry;
};

/* computed with another implementation, from docs/rekeying.md section 4 */
static const struct sealed entries[] = {
	{ "lights",
	  { 2, 0x0123 },
	  0x01020303,
	  0x01020304,
	  "020123010203030315c42db47b742f987328bfbc10e8c5491ddc72fcc543bf" },
	{ "lights",
	  { 0, 7 },
	  1,
	  2,
	  "0000070000000149fd69f19b0d51035275f006546d3b6fba766901f5f08e7b" },
	{ NAME_64, // all of it as long as it gets
	  { 16, 65535 },
	  0xfffffffe,
	  0xffffffff,
	  "10fffffffffffe20371691e70f410983d4323669872bb42d2f05634631ee64" },
};

static enum gk_err open_as(const struct sealed *s, struct gk_span bytes, uint8_t *seed)
{
	struct gk_tree_group group = group_of(s->group);
	struct gk_tree_key key = key_of(KEY, s->version);

	return gk_tree_open(&group, s->num, s->child, &key, bytes, seed);
}

/** Not the bytes above: what follows must hold whatever the entry's form is. */
static struct gk_span seal(const struct sealed *s)
{
	struct gk_tree_group group = group_of(s->group);
	struct gk_tree_key key = key_of(KEY, s->version);
	uint8_t memory[GK_TREE_ENTRY_LEN];
	struct gk_buf out = gk_buf(memory, sizeof(memory));

	assert_int_equal(gk_tree_seal(&group, s->num, s->child, &key, hex_span(SEED).data, &out),
			 GK_OK);
	return exact_copy(gk_buf_span(&out));
}

static void entry_is_that_of_the_document(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(entries); i++) {
		struct gk_tree_group group = group_of(entries[i].group);
		struct gk_tree_key key = key_of(KEY, entries[i].version);
		uint8_t memory[1 + GK_TREE_ENTRY_LEN] = { 0xcc }, seed[GK_TREE_KEY_LEN];
		struct gk_buf out = gk_buf(memory, sizeof(memory));

		gk_buf_take(&out, 1);
		assert_int_equal(gk_tree_seal(&group, entries[i].num, entries[i].child, &key,
					      hex_span(SEED).data, &out),
				 GK_OK);
		assert_hex_equal(gk_span_sub(gk_buf_span(&out), 1, SIZE_MAX), entries[i].entry);
		assert_int_equal(memory[0], 0xcc);
		assert_int_equal(open_as(&entries[i], hex_span(entries[i].entry), seed), GK_OK);
		assert_hex_equal(gk_span(seed, sizeof(seed)), SEED);
	}
}

/** One who opens 'bytes' as something else than it is gets nothing. */
static void expect_shut(const char *row, const struct sealed *as, struct gk_span bytes)
{
	uint8_t seed[GK_TREE_KEY_LEN];
	enum gk_err err;

	memset(seed, 0x5a, sizeof(seed));
	err = open_as(as, bytes, seed);
	if (err != GK_ERR_CRYPTO)
		fail_msg("%s: %s", row, gk_strerror(err));
	for (size_t i = 0; i < sizeof(seed); i++)
		assert_int_equal(seed[i], 0x5a);
}

static void entry_for_another_version_of_the_key_does_not_open(void **state)
{
	struct sealed other = entries[0];
	uint8_t bytes[GK_TREE_ENTRY_LEN];

	(void)state;
	other.version--;
	expect_shut("older", &other, seal(&entries[0]));
	other.version += 2;
	expect_shut("newer", &other, seal(&entries[0]));
	memcpy(bytes, seal(&entries[0]).data, sizeof(bytes));
	bytes[6] ^= 1;
	expect_shut("says another", &entries[0], gk_span(bytes, sizeof(bytes)));
}

/** What an entry says of itself is part of what is sealed: the same bytes under another name or
 *  version are no entry, even to one whose key is the right one. */
static void what_an_entry_says_of_itself_is_sealed(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		struct sealed as;
	} rows[] = {
		{ "level", 0, { "lights", { 3, 0x0123 }, 0x01020303, 0x01020304, NULL } },
		{ "index, high", 1, { "lights", { 2, 0x0023 }, 0x01020303, 0x01020304, NULL } },
		{ "index, low", 2, { "lights", { 2, 0x0122 }, 0x01020303, 0x01020304, NULL } },
		{ "version, high", 3, { "lights", { 2, 0x0123 }, 0x00020303, 0x01020304, NULL } },
		{ "version, low", 6, { "lights", { 2, 0x0123 }, 0x01020302, 0x01020304, NULL } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[GK_TREE_ENTRY_LEN], seed[GK_TREE_KEY_LEN];

		memcpy(bytes, seal(&entries[0]).data, sizeof(bytes));
		bytes[rows[i].at] ^= 1;
		expect_shut(rows[i].name, &rows[i].as, gk_span(bytes, sizeof(bytes)));
		bytes[rows[i].at] ^= 1;
		assert_int_equal(open_as(&entries[0], gk_span(bytes, sizeof(bytes)), seed), GK_OK);
	}
}

static void entry_is_of_one_group_and_one_num(void **state)
{
	struct sealed other = entries[0];

	(void)state;
	other.group = "lighty";
	expect_shut("group", &other, seal(&entries[0]));
	other.group = "light";
	expect_shut("group, shorter", &other, seal(&entries[0]));
	other = entries[0];
	other.num ^= 0x100;
	expect_shut("num", &other, seal(&entries[0]));
}

/** Num is in what is sealed too, not in the nonce alone: two groups of one name need not have one
 *  Base IV, and here one's makes up for the other's num. */
static void num_is_sealed_apart_from_the_nonce(void **state)
{
	struct gk_tree_group group = group_of("lights");
	struct gk_tree_key key = key_of(KEY, entries[0].version);
	struct gk_span sealed = seal(&entries[0]);
	uint8_t seed[GK_TREE_KEY_LEN];

	(void)state;
	group.base_iv[GK_TREE_IV_LEN - 1] ^= 1;
	assert_int_equal(
		gk_tree_open(&group, entries[0].num ^ 1, entries[0].child, &key, sealed, seed),
		GK_ERR_CRYPTO);
}

static void one_wrong_bit_is_no_entry(void **state)
{
	uint8_t bytes[GK_TREE_ENTRY_LEN], seed[GK_TREE_KEY_LEN];

	(void)state;
	memcpy(bytes, seal(&entries[1]).data, sizeof(bytes));
	for (size_t bit = 8 * 7; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		expect_shut("ciphertext", &entries[1], gk_span(bytes, sizeof(bytes)));
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	for (size_t bit = 0; bit < 8 * GK_TREE_KEY_LEN; bit++) {
		struct gk_tree_group group = group_of(entries[1].group);
		struct gk_tree_key key = key_of(KEY, entries[1].version);

		key.bytes[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(gk_tree_open(&group, entries[1].num, entries[1].child, &key,
					      gk_span(bytes, sizeof(bytes)), seed),
				 GK_ERR_CRYPTO);
	}
}

static void entry_is_found_among_others(void **state)
{
	struct gk_span both =
		hex_span("020123010203030315c42db47b742f987328bfbc10e8c5491ddc72fcc543bf"
			 "0000070000000149fd69f19b0d51035275f006546d3b6fba766901f5f08e7b"
			 "000008");
	struct sealed other = entries[1];
	uint8_t seed[GK_TREE_KEY_LEN] = { 0x5a };

	(void)state;
	assert_int_equal(open_as(&entries[0], both, seed), GK_OK);
	assert_int_equal(open_as(&entries[1], both, seed), GK_OK);
	assert_hex_equal(gk_span(seed, sizeof(seed)), SEED);
	other.child.index = 8; // begun, but not there
	assert_int_equal(open_as(&other, both, seed), GK_ERR_MISSING);
	other.child = (struct gk_tree_name){ 1, 7 };
	assert_int_equal(open_as(&other, both, seed), GK_ERR_MISSING);
	assert_int_equal(open_as(&other, gk_span(NULL, 0), seed), GK_ERR_MISSING);
	for (size_t len = 0; len < GK_TREE_ENTRY_LEN; len++)
		assert_int_equal(open_as(&entries[0], exact_copy(gk_span_sub(both, 0, len)), seed),
				 GK_ERR_MISSING);
	assert_hex_equal(gk_span(seed, sizeof(seed)), SEED);
}

static void entry_without_space_is_an_overflow(void **state)
{
	struct gk_tree_group group = group_of("lights");
	struct gk_tree_key key = key_of(KEY, 1);
	uint8_t memory[GK_TREE_ENTRY_LEN];

	(void)state;
	for (size_t cap = 0; cap < sizeof(memory); cap++) {
		struct gk_buf out = gk_buf(memory, cap);

		assert_int_equal(
			gk_tree_seal(&group, 2, entries[1].child, &key, hex_span(SEED).data, &out),
			GK_ERR_NO_SPACE);
		assert_int_equal(gk_buf_err(&out), GK_ERR_NO_SPACE);
	}
}

static void name_that_no_group_has_is_refused(void **state)
{
	struct gk_tree_group group = group_of(NAME_64 NAME_64);
	struct gk_tree_key key = key_of(KEY, 1);
	uint8_t memory[GK_TREE_ENTRY_LEN], seed[GK_TREE_KEY_LEN];
	struct gk_buf out = gk_buf(memory, sizeof(memory));

	(void)state;
	assert_int_equal(gk_tree_seal(&group, 2, entries[1].child, &key, hex_span(SEED).data, &out),
			 GK_ERR_RANGE);
	assert_int_equal(out.len, 0);
	assert_int_equal(
		gk_tree_open(&group, 2, entries[1].child, &key, hex_span(entries[1].entry), seed),
		GK_ERR_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(derivation_is_that_of_the_document),
		cmocka_unit_test(no_two_labels_and_no_two_numbers_derive_the_same),
		cmocka_unit_test(key_can_be_replaced_by_what_it_derives),
		cmocka_unit_test(every_node_has_a_number_of_its_own),
		cmocka_unit_test(children_are_named_from_left_to_right),
		cmocka_unit_test(nonce_is_base_iv_with_num),
		cmocka_unit_test(entry_is_that_of_the_document),
		cmocka_unit_test(entry_for_another_version_of_the_key_does_not_open),
		cmocka_unit_test(what_an_entry_says_of_itself_is_sealed),
		cmocka_unit_test(entry_is_of_one_group_and_one_num),
		cmocka_unit_test(num_is_sealed_apart_from_the_nonce),
		cmocka_unit_test(one_wrong_bit_is_no_entry),
		cmocka_unit_test(entry_is_found_among_others),
		cmocka_unit_test(entry_without_space_is_an_overflow),
		cmocka_unit_test(name_that_no_group_has_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
