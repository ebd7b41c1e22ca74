// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// The worked examples of docs/rekeying.md section 14: one departure from a group of four, from the
// keys before it to the confirmations; mgt_key_material, and a beacon. rekeying.py computes the
// values without this library.
#include "libgroupkey/keytree.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/rekeying.h"

#include "tests/lib/env.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// clang-format off
#define BASE_IV "a0a1a2a3a4a5a6a7a8a9aaabac"
#define SECRET "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
#define SIGN_KEY "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define GID "6c6700000008"
#define PATH_0 \
	"00000001008182838485868788898a8b8c8d8e8f00000003108182838485868788898a8b8c8d8e8f" \
	"00000007208182838485868788898a8b8c8d8e8f"
#define PATH_1 \
	"00000002018182838485868788898a8b8c8d8e8f00000003108182838485868788898a8b8c8d8e8f" \
	"00000007208182838485868788898a8b8c8d8e8f"
#define PATH_2 \
	"00000004028182838485868788898a8b8c8d8e8f00000007118182838485868788898a8b8c8d8e8f" \
	"00000007208182838485868788898a8b8c8d8e8f"
#define PATH_3 \
	"00000007038182838485868788898a8b8c8d8e8f00000007118182838485868788898a8b8c8d8e8f" \
	"00000007208182838485868788898a8b8c8d8e8f"
#define SEED_1_1 "49f80bf1eab919e0272ffdd97dcf6256"
#define KEY_1_1 "507bd5f7a2cca79b6438c28dfdd838a3"
#define SEED_2_0 "a462b467b1644f89408b23a4d55b30ca"
#define KEY_2_0 "664355d0b7cb0bf6a947e36421d6d034"
#define NONCE "a0a1a2a3a4a5a6a7a8a9aaaba4"
#define ENTRY_0_3 "000003000000074aea16c4c1e3eaf129ef930be6bff773f2ed065577125f97"
#define ENTRY_1_0 "0100000000000352f9705bc202996b7c87edf1c238fb5afacc294468bd583d"
#define PLAINTEXT \
	"a7070108a20250c0c1c2c3c4c5c6c7c8c9cacbcccdcecf06466c670000000809080a010b1a70dbd8" \
	"800c1a000151801822814102"
#define MATERIAL \
	"c76690ee31a9858176913dbc79715cc8677328ecfd9c9667c9d28d344c58fd83ea7e8325dd08d8c7" \
	"04fd0c0514868ac30adeecce0b8b52c1dd232c0d"
#define CONTENT \
	"8a00070800001901f40280583e000003000000074aea16c4c1e3eaf129ef930be6bff773f2ed0655" \
	"77125f970100000000000352f9705bc202996b7c87edf1c238fb5afacc294468bd583d583cc76690" \
	"ee31a9858176913dbc79715cc8677328ecfd9c9667c9d28d344c58fd83ea7e8325dd08d8c704fd0c" \
	"0514868ac30adeecce0b8b52c1dd232c0d"
#define SIGNATURE \
	"506f7bfe8231dc5b32ab394161472335013fe7d2e337a74a28f899cd9361361b0ca60cdf527c3cdf" \
	"34149b3a11d8d8ea514bf087421cef4c740869efc297bc12"
#define MAC "0d850fe850c8cf1a"
#define MESSAGE \
	"8358898a00070800001901f40280583e000003000000074aea16c4c1e3eaf129ef930be6bff773f2" \
	"ed065577125f970100000000000352f9705bc202996b7c87edf1c238fb5afacc294468bd583d583c" \
	"c76690ee31a9858176913dbc79715cc8677328ecfd9c9667c9d28d344c58fd83ea7e8325dd08d8c7" \
	"04fd0c0514868ac30adeecce0b8b52c1dd232c0d5840506f7bfe8231dc5b32ab394161472335013f" \
	"e7d2e337a74a28f899cd9361361b0ca60cdf527c3cdf34149b3a11d8d8ea514bf087421cef4c7408" \
	"69efc297bc12480d850fe850c8cf1a"
#define NEW_PATH_0 \
	"00000001008182838485868788898a8b8c8d8e8f00000003108182838485868788898a8b8c8d8e8f" \
	"00000008664355d0b7cb0bf6a947e36421d6d034"
#define NEW_PATH_1 \
	"00000002018182838485868788898a8b8c8d8e8f00000003108182838485868788898a8b8c8d8e8f" \
	"00000008664355d0b7cb0bf6a947e36421d6d034"
#define NEW_PATH_3 \
	"00000007038182838485868788898a8b8c8d8e8f00000008507bd5f7a2cca79b6438c28dfdd838a3" \
	"00000008664355d0b7cb0bf6a947e36421d6d034"
#define CONFIRMATION_0 "83466c67000000080048f17fff6277758c90"
#define CONFIRMATION_1 "83466c670000000801489ad5f2a10d07b6bf"
#define CONFIRMATION_3 "83466c670000000803483e2eb45fed7ce01d"
#define MANAGEMENT \
	"8403024da0a1a2a3a4a5a6a7a8a9aaabac583c00000007038182838485868788898a8b8c8d8e8f00" \
	"000008507bd5f7a2cca79b6438c28dfdd838a300000008664355d0b7cb0bf6a947e36421d6d034"
#define BEACON \
	"824382010858402b172307d76f7476b610af3868a1db5d57691b5a4ac90fcdf63003aeefa6b48808" \
	"fb4d39e557c98b85246bea9679f0e4cfe4b850b944d008aa42fa9092fd98d2"
// clang-format on

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define OLD_NUM  7
#define NUM      8
#define DEPARTED 2

static const char *const paths[] = { PATH_0, PATH_1, PATH_2, PATH_3 };

/** Who is left. */
static const struct {
	uint16_t slot;
	const char *path, *confirmation;
} members[] = {
	{ 0, NEW_PATH_0, CONFIRMATION_0 },
	{ 1, NEW_PATH_1, CONFIRMATION_1 },
	{ 3, NEW_PATH_3, CONFIRMATION_3 },
};

static struct test_env env_state;
static struct gk_env env;
static struct gk_key_pair kdc_key;

static struct gk_tree_group lights(void)
{
	struct gk_tree_group group = { .name = gk_span_str("lights") };
	memcpy(group.base_iv, hex_span(BASE_IV).data, GK_TREE_IV_LEN);
	return group;
}

static struct gk_keypath path_before(uint16_t slot)
{
	struct gk_keypath path;
	assert_int_equal(gk_keypath_read(hex_span(paths[slot]), OLD_NUM, slot, &path), GK_OK);
	return path;
}

/** Paths as they stand in mgt_key_material. */
static struct gk_span encode_path(const struct gk_keypath *path)
{
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	for (size_t level = 0; level <= path->height; level++) {
		for (int shift = 24; shift >= 0; shift -= 8)
			gk_buf_byte(&buf, (uint8_t)(path->node[level].version >> shift));
		gk_buf_add(&buf, gk_span(path->node[level].bytes, GK_TREE_KEY_LEN));
	}
	return exact_copy(gk_buf_span(&buf));
}

/* at the KDC */

/** The tree of num 7. */
static void restore(struct gk_keytree *tree, const struct gk_tree_group *group)
{
	assert_int_equal(gk_keytree_init(tree, &env, group), GK_OK);
	assert_int_equal(gk_keytree_restore_height(tree, 2), GK_OK);
	for (uint16_t slot = 0; slot < 4; slot++)
		assert_int_equal(gk_keytree_restore_slot(tree, slot), GK_OK);
	for (uint16_t slot = 0; slot < 4; slot++) {
		struct gk_keypath path = path_before(slot);
		for (uint8_t level = 0; level <= 2; level++) {
			struct gk_tree_name name = { level, (uint16_t)(slot >> level) };
			assert_int_equal(gk_keytree_restore_key(tree, name, &path.node[level]),
					 GK_OK);
		}
	}
	assert_int_equal(gk_keytree_restored(tree), GK_OK);
}

static void seeds_and_keys(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to;
		enum gk_tree_label label;
		uint64_t number;
	} rows[] = {
		{ SECRET, SEED_1_1, GK_TREE_FRESH, 65537 },
		{ SEED_1_1, KEY_1_1, GK_TREE_KEY, 0 },
		{ SEED_1_1, SEED_2_0, GK_TREE_UP, 0 },
		{ SEED_2_0, KEY_2_0, GK_TREE_KEY, 0 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t out[GK_TREE_KEY_LEN];
		assert_int_equal(
			gk_tree_derive(hex_span(rows[i].from), rows[i].label, rows[i].number, out),
			GK_OK);
		assert_hex_equal(gk_span(out, sizeof(out)), rows[i].to);
	}
}

static void tree(void **state)
{
	(void)state;
	struct gk_tree_group group = lights();
	struct gk_keytree tree;
	struct gk_keytree_rekeying rekeying;
	uint8_t bytes[64];
	restore(&tree, &group);
	assert_int_equal(gk_keytree_leave(&tree, DEPARTED), GK_OK);
	assert_int_equal(gk_keytree_rekey(&tree, NUM, hex_span(SECRET).data, &rekeying), GK_OK);
	assert_hex_equal(gk_blob_span(&rekeying.entries), ENTRY_0_3 ENTRY_1_0);
	assert_int_equal(rekeying.joined_count, 0);
	assert_hex_equal(gk_span(gk_keytree_root(&tree)->key.bytes, GK_TREE_KEY_LEN), KEY_2_0);
	for (size_t i = 0; i < ROWS(members); i++) {
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_keytree_put_path(&tree, members[i].slot, &buf);
		assert_hex_equal(gk_buf_span(&buf), members[i].path);
	}
	gk_keytree_done(&tree, &rekeying);
	gk_keytree_wipe(&tree);
}

static void nonce(void **state)
{
	(void)state;
	struct gk_tree_group group = lights();
	uint8_t out[GK_TREE_IV_LEN];
	gk_tree_nonce(&group, NUM, out);
	assert_hex_equal(gk_span(out, sizeof(out)), NONCE);
}

static void material(void **state)
{
	(void)state;
	struct gk_tree_group group = lights();
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_rekeying_seal(&group, OLD_NUM, NUM, hex_span(KEY_2_0).data,
					  hex_span(PLAINTEXT), &buf),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&buf), MATERIAL);
}

static void message(void **state)
{
	(void)state;
	struct gk_rekeying message = {
		.type = GK_REKEYING,
		.num = NUM,
		.old_num = OLD_NUM,
		.leisure_ms = 500,
		.step = { .height = 2,
			  .joined = hex_span("80"),
			  .entries = hex_span(ENTRY_0_3 ENTRY_1_0) },
		.material = hex_span(MATERIAL),
	};
	struct gk_keypath path = path_before(0);
	uint8_t bytes[512];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_rekeying_put(&buf, gk_span_str("lights"), &message, &kdc_key,
					 gk_keypath_root(&path)),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&buf), MESSAGE);
}

static void beacon(void **state)
{
	(void)state;
	struct gk_rekeying message = { .type = GK_REKEYING_BEACON, .num = NUM }, read;
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_rekeying_put(&buf, gk_span_str("lights"), &message, &kdc_key, NULL),
			 GK_OK);
	assert_hex_equal(gk_buf_span(&buf), BEACON);
	assert_int_equal(gk_rekeying_read(hex_span(BEACON), &read), GK_OK);
	assert_int_equal(read.type, GK_REKEYING_BEACON);
	assert_int_equal(read.num, NUM);
	assert_int_equal(gk_rekeying_verify(&read, gk_span_str("lights"), &kdc_key.pub), GK_OK);
}

static void management(void **state)
{
	(void)state;
	struct gk_mgt_material mgt = { .slot = 3, .repeat = 2, .path = hex_span(NEW_PATH_3) }, read;
	struct gk_keypath path;
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	memcpy(mgt.base_iv, hex_span(BASE_IV).data, sizeof(mgt.base_iv));
	gk_mgt_material_put(&buf, &mgt);
	assert_hex_equal(gk_buf_span(&buf), MANAGEMENT);
	assert_int_equal(gk_mgt_material_read(hex_span(MANAGEMENT), &read), GK_OK);
	assert_int_equal(gk_keypath_read(read.path, NUM, read.slot, &path), GK_OK);
	assert_hex_equal(gk_span(gk_keypath_root(&path), GK_TREE_KEY_LEN), KEY_2_0);
}

/* at members */

static struct gk_rekeying read_example(void)
{
	struct gk_rekeying message;
	assert_int_equal(gk_rekeying_read(hex_span(MESSAGE), &message), GK_OK);
	return message;
}

static void read_message(void **state)
{
	(void)state;
	struct gk_rekeying message = read_example();
	assert_int_equal(message.type, GK_REKEYING);
	assert_int_equal(message.old_num, OLD_NUM);
	assert_int_equal(message.num, NUM);
	assert_int_equal(message.part, 0);
	assert_int_equal(message.last_part, 0);
	assert_int_equal(message.leisure_ms, 500);
	assert_int_equal(message.step.height, 2);
	assert_hex_equal(message.step.joined, "80");
	assert_hex_equal(message.step.entries, ENTRY_0_3 ENTRY_1_0);
	assert_hex_equal(message.material, MATERIAL);
	assert_hex_equal(message.content, CONTENT);
	assert_hex_equal(message.signature, SIGNATURE);
	assert_hex_equal(message.mac, MAC);
}

static void members_follow(void **state)
{
	(void)state;
	struct gk_tree_group group = lights();
	struct gk_rekeying message = read_example();
	for (size_t i = 0; i < ROWS(members); i++) {
		struct gk_keypath path = path_before(members[i].slot), next;
		uint8_t bytes[128];
		struct gk_buf out = gk_buf(bytes, sizeof(bytes));
		assert_int_equal(
			gk_rekeying_check_mac(&message, group.name, gk_keypath_root(&path)), GK_OK);
		assert_int_equal(gk_rekeying_verify(&message, group.name, &kdc_key.pub), GK_OK);
		assert_int_equal(gk_keypath_advance(&path, &group, &message.step, &next), GK_OK);
		assert_hex_equal_row(encode_path(&next), members[i].path, members[i].path);
		assert_int_equal(gk_rekeying_open(&group, &message, gk_keypath_root(&next), &out),
				 GK_OK);
		assert_hex_equal(gk_buf_span(&out), PLAINTEXT);
	}
}

static void the_departed_does_not(void **state)
{
	(void)state;
	struct gk_tree_group group = lights();
	struct gk_rekeying message = read_example();
	struct gk_keypath path = path_before(DEPARTED), next;
	uint8_t bytes[128];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	assert_int_equal(gk_rekeying_check_mac(&message, group.name, gk_keypath_root(&path)),
			 GK_OK);
	assert_int_equal(gk_keypath_advance(&path, &group, &message.step, &next), GK_OK);
	assert_int_equal(gk_rekeying_open(&group, &message, gk_keypath_root(&next), &out),
			 GK_ERR_CRYPTO);
	assert_int_equal(out.len, 0);
}

static void confirmations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(members); i++) {
		struct gk_keypath path = path_before(members[i].slot);
		uint8_t mac[GK_REKEYING_MAC_LEN], bytes[64];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		assert_int_equal(gk_confirmation_mac(gk_span_str("lights"), NUM, members[i].slot,
						     hex_span(MATERIAL), path.node[0].bytes,
						     hex_span(KEY_2_0).data, mac),
				 GK_OK);
		gk_confirmation_put(&buf,
				    &(struct gk_confirmation){ .gid = hex_span(GID),
							       .slot = members[i].slot,
							       .mac = gk_span(mac, sizeof(mac)) });
		assert_hex_equal(gk_buf_span(&buf), members[i].confirmation);
	}
}

/** @return true if a member gets through all of its checks */
static bool is_accepted(struct gk_span payload)
{
	struct gk_keypath path = path_before(0);
	struct gk_rekeying message;
	return gk_rekeying_read(payload, &message) == GK_OK &&
	       gk_rekeying_check_mac(&message, gk_span_str("lights"), gk_keypath_root(&path)) ==
		       GK_OK &&
	       gk_rekeying_verify(&message, gk_span_str("lights"), &kdc_key.pub) == GK_OK;
}

static void no_bit_of_the_message_can_change(void **state)
{
	(void)state;
	struct gk_span whole = hex_span(MESSAGE);
	uint8_t bytes[512];
	memcpy(bytes, whole.data, whole.len);
	assert_true(is_accepted(gk_span(bytes, whole.len)));
	for (size_t bit = 0; bit < 8 * whole.len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (is_accepted(gk_span(bytes, whole.len)))
			fail_msg("bit %zu of byte %zu does not count", bit % 8, bit / 8);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static int start(void **state)
{
	(void)state;
	env = test_env(&env_state, 1);
	return gk_global_init(&env) != GK_OK ||
	       gk_key_from_private(GK_CRV_P256, hex_span(SIGN_KEY), &kdc_key) != GK_OK;
}

static int stop(void **state)
{
	(void)state;
	gk_global_cleanup();
	return env_state.blocks != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeds_and_keys),
		cmocka_unit_test(tree),
		cmocka_unit_test(nonce),
		cmocka_unit_test(material),
		cmocka_unit_test(message),
		cmocka_unit_test(beacon),
		cmocka_unit_test(management),
		cmocka_unit_test(read_message),
		cmocka_unit_test(members_follow),
		cmocka_unit_test(the_departed_does_not),
		cmocka_unit_test(confirmations),
		cmocka_unit_test(no_bit_of_the_message_can_change),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
