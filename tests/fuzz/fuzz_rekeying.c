// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// One input as each of the payloads of the scheme "tree", and as the content of a message. What
// can be read can be written, and reads the same; nobody without the keys makes a message that is
// accepted; what is refused leaves its outputs alone.

#include "libgroupkey/rekeying.h"

#include "libgroupkey/numbers.h"
#include "tests/lib/env.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t root[GK_TREE_KEY_LEN] = "old root's key.";
static struct gk_key_pair key;
static struct gk_tree_group group;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void start(void)
{
	static struct test_env state;
	static struct gk_env env;
	if (key.pub.crv != 0)
		return;
	env = test_env(&state, 1);
	must(gk_global_init(&env) == GK_OK);
	must(gk_key_from_private(GK_CRV_P256, gk_span_str("0123456789abcdef0123456789abcdef"),
				 &key) == GK_OK);
	group.name = gk_span_str("lights");
}

/* messages */

static void must_be_same(const struct gk_rekeying *a, const struct gk_rekeying *b)
{
	must(a->type == b->type && a->num == b->num && a->old_num == b->old_num);
	must(a->part == b->part && a->last_part == b->last_part);
	must(a->leisure_ms == b->leisure_ms && a->step.num == b->step.num);
	must(a->step.height == b->step.height);
	must(gk_span_equal(a->step.joined, b->step.joined));
	must(gk_span_equal(a->step.entries, b->step.entries));
	must(gk_span_equal(a->material, b->material));
}

static void must_have_room(const struct gk_rekeying *message, size_t payload_len)
{
	size_t entries = message->step.entries.len / GK_TREE_ENTRY_LEN;
	bool fits = 4 + payload_len <= GK_REKEYING_COAP_MAX;
	if (entries > 0)
		must((entries <= gk_rekeying_room(message, 0)) == fits);
}

static void write_back(const struct gk_rekeying *message)
{
	const uint8_t *old_root = message->type == GK_REKEYING ? root : NULL;
	struct gk_rekeying back;
	uint8_t bytes[GK_REKEYING_COAP_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	must(gk_rekeying_put(&buf, group.name, message, &key, old_root) == GK_OK);
	must(gk_rekeying_read(gk_buf_span(&buf), &back) == GK_OK);
	must_be_same(message, &back);
	must(gk_rekeying_verify(&back, group.name, &key.pub) == GK_OK);
	if (message->type != GK_REKEYING)
		return;
	must(gk_rekeying_check_mac(&back, group.name, root) == GK_OK);
	must_have_room(message, buf.len);
}

static void refuse(const struct gk_rekeying *message)
{
	uint8_t bytes[GK_REKEYING_COAP_MAX];
	struct gk_buf out = gk_buf(bytes, sizeof(bytes));
	must(gk_rekeying_check_mac(message, group.name, root) == GK_ERR_CRYPTO);
	must(gk_rekeying_verify(message, group.name, &key.pub) == GK_ERR_CRYPTO);
	must(gk_rekeying_open(&group, message, root, &out) == GK_ERR_CRYPTO && out.len == 0);
}

/** A member whose keys are of old_num follows it to somewhere, or not. */
static void advance(const struct gk_rekeying *message)
{
	struct gk_keypath path = { .known = true, .num = message->old_num, .slot = 2, .height = 2 };
	struct gk_keypath next;
	memcpy(&next, &path, sizeof(next)); // padding too
	if (gk_keypath_advance(&path, &group, &message->step, &next) == GK_OK)
		must(next.num == message->num && next.height == message->step.height);
	else
		must(memcmp(&next, &path, sizeof(next)) == 0);
}

static void read_message(struct gk_span payload)
{
	struct gk_rekeying message = { .num = 99 };
	if (gk_rekeying_read(payload, &message) != GK_OK) {
		must(message.num == 99 && !message.content.data);
		return;
	}
	refuse(&message);
	if (message.type == GK_REKEYING)
		advance(&message);
	write_back(&message);
}

/** As the content of one, signature and MAC being there. */
static void read_content(struct gk_span content)
{
	static const uint8_t zeros[GK_SIG_LEN];
	uint8_t bytes[2 * GK_REKEYING_COAP_MAX];
	for (size_t elements = 2; elements <= 3; elements++) {
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
		gk_put_array(&buf, elements);
		gk_put_bytes(&buf, content);
		gk_put_bytes(&buf, gk_span(zeros, GK_SIG_LEN));
		if (elements == 3)
			gk_put_bytes(&buf, gk_span(zeros, GK_REKEYING_MAC_LEN));
		read_message(gk_buf_span(&buf));
	}
}

/* unicast */

static void read_confirmation(struct gk_span payload)
{
	struct gk_confirmation confirmation = { .slot = 99 }, back;
	uint8_t bytes[64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	if (gk_confirmation_read(payload, &confirmation) != GK_OK) {
		must(confirmation.slot == 99 && !confirmation.mac.data);
		return;
	}
	gk_confirmation_put(&buf, &confirmation);
	must(gk_confirmation_read(gk_buf_span(&buf), &back) == GK_OK);
	must(back.slot == confirmation.slot && gk_span_equal(back.gid, confirmation.gid));
	must(gk_span_equal(back.mac, confirmation.mac));
}

static void read_mgt(struct gk_span payload)
{
	struct gk_mgt_material mgt = { .slot = 99 }, back;
	struct gk_keypath path;
	uint8_t bytes[1024];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	if (gk_mgt_material_read(payload, &mgt) != GK_OK) {
		must(mgt.slot == 99 && !mgt.path.data);
		return;
	}
	if (gk_keypath_read(mgt.path, 8, mgt.slot, &path) == GK_OK)
		must(path.slot == mgt.slot && path.slot >> path.height == 0);
	gk_mgt_material_put(&buf, &mgt);
	must(gk_mgt_material_read(gk_buf_span(&buf), &back) == GK_OK);
	must(back.slot == mgt.slot && back.repeat == mgt.repeat);
	must(memcmp(back.base_iv, mgt.base_iv, sizeof(back.base_iv)) == 0);
	must(gk_span_equal(back.path, mgt.path));
	must(gk_span_equal(back.kdc_cred, mgt.kdc_cred));
	must(gk_span_equal(back.kdc_nonce, mgt.kdc_nonce));
	must(gk_span_equal(back.kdc_verify, mgt.kdc_verify));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gk_span input = gk_span(data, size);
	start();
	if (size > GK_REKEYING_COAP_MAX + 8)
		return 0;
	read_message(input);
	read_content(input);
	read_confirmation(input);
	read_mgt(input);
	return 0;
}
