// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Pairwise-only groups: credentials for key agreement, evidence by MAC, and rekeying by messages to
// the group that are signed all the same. Both ends, with either algorithm.

#include "libgroupkey/cred.h"
#include "libgroupkey/kdc.h"
#include "libgroupkey/member.h"

#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define ANYONE      (-3)

static const uint32_t all = GK_ROLE_ALL;

static bool has(int sign_alg)
{
	return gk_sign_curve(sign_alg) && gk_dh_curve(sign_alg);
}

static int open_pair(void **state, enum gk_mode mode, int sign_alg)
{
	static struct pair p;
	struct gk_group_config config = pair_tree_config(PAIR_LIGHTS);

	pair_open(&p, 23);
	config.mode = mode;
	config.sign_alg = has(sign_alg) ? sign_alg : GK_ALG_ES256;
	*state = &p;
	return pair_serve(&p, &config) == GK_OK ? 0 : 1;
}

static int open_es256(void **state)
{
	return open_pair(state, GK_MODE_PAIRWISE, GK_ALG_ES256);
}

static int open_eddsa(void **state)
{
	return open_pair(state, GK_MODE_PAIRWISE, GK_ALG_EDDSA);
}

static int open_group_mode(void **state)
{
	return open_pair(state, GK_MODE_GROUP, GK_ALG_ES256);
}

static int alg_of(const struct pair *p)
{
	return p->config[0].sign_alg;
}

/* Of the group, without 'sign_alg': capabilities of the algorithm and of the key (P 6.3) */
static const char *ecdh_params(const struct pair *p)
{
	return alg_of(p) == GK_ALG_ES256 ? "8281028202 01" : "8281018201 04";
}

static const char *ecdh_info(const struct pair *p)
{
	return alg_of(p) == GK_ALG_ES256 ? "8185666c6967687473 381a 8102 820201 0e"
					 : "8185666c6967687473 381a 8101 820104 0e";
}

static void settle(struct pair *p)
{
	pair_advance(p, 30000);
}

static void join_members(struct pair *p, size_t count)
{
	pair_join_all(p, count);
	settle(p);
	for (size_t i = 0; i < count; i++)
		assert_true(pair_info(p, i).in_tree);
	assert_true(pair_agree(p, 0, count - 1));
}

static void rekey(struct pair *p)
{
	assert_int_equal(gk_kdc_rekey(p->kdc, gk_span_str(PAIR_LIGHTS), p->now), GK_OK);
	pair_drain_kdc(p, GK_OK);
}

/* a client by hand */

/** What it joins with. */
struct by_hand {
	struct pair_raw raw;
	struct gk_key_pair key; /* for key agreement */
	uint8_t cred_bytes[256];
	struct gk_span cred, verify; /* of the next Join Request */
	uint8_t mac[GK_POP_MAC_LEN];
	uint8_t n_c[8];
	uint32_t roles;
	bool tree;
};

static struct gk_key_pair key_of(int crv, uint8_t seed)
{
	uint8_t d[32];
	struct gk_key_pair key;

	memset(d, seed, sizeof(d));
	assert_int_equal(gk_key_from_private(crv, gk_span(d, sizeof(d)), &key), GK_OK);
	return key;
}

static void put_scope(struct gk_buf *buf, const struct by_hand *c)
{
	gk_scope_put(buf, gk_span_str(PAIR_LIGHTS), c->roles);
}

static struct gk_span input_of(const struct by_hand *c, uint8_t *bytes, size_t size)
{
	uint8_t scope_bytes[40];
	struct gk_buf scope = gk_buf(scope_bytes, sizeof(scope_bytes));
	struct gk_buf buf = gk_buf(bytes, size);

	put_scope(&scope, c);
	gk_pop_put_client(&buf, gk_buf_span(&scope),
			  gk_span(c->raw.challenge, c->raw.challenge_len),
			  gk_span(c->n_c, sizeof(c->n_c)));
	return gk_buf_span(&buf);
}

/* A new nonce, and evidence for it as it should be. */
static void prepare(struct by_hand *c, struct pair *p)
{
	const struct gk_public_key *kdc = &gk_kdc_dh_key(p->kdc, alg_of(p))->pub;
	uint8_t bytes[128];

	c->n_c[0]++;
	assert_int_equal(gk_pop_mac(&c->key, kdc, input_of(c, bytes, sizeof(bytes)), c->mac),
			 GK_OK);
	c->verify = gk_span(c->mac, sizeof(c->mac));
}

static void open_by_hand(struct by_hand *c, struct pair *p)
{
	struct gk_buf cred;

	memset(c, 0, sizeof(*c));
	pair_raw_open(&c->raw, p, 1, "hand", NULL, &all, 1);
	assert_int_equal(pair_raw_post(&c->raw), GK_COAP_CREATED);
	c->roles = 6;
	c->tree = true;
	c->key = key_of(gk_dh_curve(alg_of(p)), 0x33);
	cred = gk_buf(c->cred_bytes, sizeof(c->cred_bytes));
	gk_ccs_put_dh(&cred, gk_span_str("hand"), &c->key.pub);
	c->cred = gk_buf_span(&cred);
	prepare(c, p);
}

static uint8_t join_by_hand(struct by_hand *c)
{
	uint8_t bytes[512], scope_bytes[40];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf scope = gk_buf(scope_bytes, sizeof(scope_bytes));

	put_scope(&scope, c);
	gk_put_map(&buf, 4 + c->tree);
	gk_put_int(&buf, GK_PARAM_SCOPE);
	gk_put_bytes(&buf, gk_buf_span(&scope));
	gk_put_int(&buf, GK_PARAM_CLIENT_CRED);
	gk_put_bytes(&buf, c->cred);
	gk_put_int(&buf, GK_PARAM_CNONCE);
	gk_put_bytes(&buf, gk_span(c->n_c, sizeof(c->n_c)));
	if (c->tree) {
		gk_put_int(&buf, GK_PARAM_REKEYING_SCHEME);
		gk_put_int(&buf, GK_SCHEME_TREE);
	}
	gk_put_int(&buf, GK_PARAM_CLIENT_CRED_VERIFY);
	gk_put_bytes(&buf, c->verify);
	return pair_raw_ask(&c->raw, GK_COAP_POST, "ace-group/lights", GK_CF_ACE_GROUPCOMM,
			    gk_buf_span(&buf));
}

static void assert_refused(struct by_hand *c, const char *payload)
{
	assert_int_equal(join_by_hand(c), GK_COAP_BAD_REQUEST);
	assert_hex_equal(c->raw.answer.payload, payload);
}

static struct gk_cbor_item pick(struct gk_span map, int label)
{
	struct gk_cbor_field field = { label, GK_CBOR_ANY, false };
	struct gk_cbor_item item;

	assert_int_equal(gk_cbor_read_map(map, &field, 1, &item), GK_OK);
	return item;
}

static struct gk_cbor_item answered(const struct by_hand *c, int label)
{
	return pick(c->raw.answer.payload, label);
}

/* Does 'verify' show that the KDC has the key of 'cred', for the nonce of the newest join? */
static bool is_evidence(const struct by_hand *c, struct gk_span cred, struct gk_span nonce,
			struct gk_span verify, bool mac)
{
	uint8_t bytes[64];
	struct gk_buf input = gk_buf(bytes, sizeof(bytes));
	struct gk_public_key key;

	gk_pop_put_kdc(&input, gk_span(c->n_c, sizeof(c->n_c)), nonce);
	assert_int_equal(gk_ccs_read(cred, &key), GK_OK);
	return nonce.len == GK_NONCE_LEN &&
	       (mac ? gk_pop_check_mac(&c->key, &key, gk_buf_span(&input), verify)
		    : gk_verify(&key, gk_buf_span(&input), verify)) == GK_OK;
}

static struct gk_mgt_material read_mgt(const struct by_hand *c)
{
	struct gk_mgt_material mgt;

	assert_int_equal(gk_mgt_material_read(answered(c, GK_PARAM_MGT_KEY_MATERIAL).string, &mgt),
			 GK_OK);
	return mgt;
}

/* evidence */

#define CLIENT_D     "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define KDC_D        "4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60"
#define CLIENT_INPUT "45826267310648018a278f7faab55a4825a8991cd700ac01"
#define KDC_INPUT    "4825a8991cd700ac0148cef04b2aa791bc6d"

static void macs_are_those_of_the_reference(void **state)
{
	static const struct {
		int crv;
		const char *client, *kdc; // MACs
	} rows[] = {
		// as computed in tests/vectors/test_pop.c
		{ GK_CRV_X25519, "5ad0c23ba81a38ff", "fc2b6a580d4c904d" },
		// the same scalars on P-256, computed with Python's cryptography 48
		{ GK_CRV_P256, "4a18cd86d7d62fef", "65c58b2ed48f81d9" },
	};
	struct gk_key_pair client, kdc;
	uint8_t mac[GK_POP_MAC_LEN];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (!gk_curve_supported(rows[i].crv))
			continue;
		assert_int_equal(gk_key_from_private(rows[i].crv, hex_span(CLIENT_D), &client),
				 GK_OK);
		assert_int_equal(gk_key_from_private(rows[i].crv, hex_span(KDC_D), &kdc), GK_OK);
		assert_int_equal(gk_pop_mac(&client, &kdc.pub, hex_span(CLIENT_INPUT), mac), GK_OK);
		assert_hex_equal(gk_span(mac, sizeof(mac)), rows[i].client);
		assert_int_equal(gk_pop_check_mac(&kdc, &client.pub, hex_span(CLIENT_INPUT),
						  hex_span(rows[i].client)),
				 GK_OK);
		assert_int_equal(gk_pop_mac(&kdc, &client.pub, hex_span(KDC_INPUT), mac), GK_OK);
		assert_hex_equal(gk_span(mac, sizeof(mac)), rows[i].kdc);
	}
}

static void wrong_evidence_is_refused(void **state)
{
	struct pair *p = *state;
	struct by_hand c;
	uint8_t bytes[128], sig[GK_SIG_LEN];
	struct gk_key_pair other;

	open_by_hand(&c, p);
	for (size_t i = 0; i < sizeof(c.mac); i++) {
		c.mac[i] ^= 1;
		assert_refused(&c, "a100a10003");
		c.mac[i] ^= 1;
	}
	c.verify.len = 7;
	assert_refused(&c, "a100a10003");
	c.verify.len = 0;
	assert_refused(&c, "a100a10003");
	c.verify.len = 8;
	c.n_c[0]++; // of another nonce
	assert_refused(&c, "a100a10003");
	prepare(&c, p);
	other = c.key;
	c.key = key_of(gk_dh_curve(alg_of(p)), 0x44); // of somebody else
	prepare(&c, p);
	assert_refused(&c, "a100a10003");
	c.key = other;
	// a signature, as it would be in another group
	other = key_of(gk_sign_curve(alg_of(p)), 0x33);
	assert_int_equal(gk_sign(&other, input_of(&c, bytes, sizeof(bytes)), sig), GK_OK);
	c.verify = gk_span(sig, sizeof(sig));
	assert_refused(&c, "a100a10003");
	prepare(&c, p);
	assert_int_equal(join_by_hand(&c), GK_COAP_CREATED);
}

/* With such a key anybody knows the secret (RFC 7748 section 6.1). */
static void a_key_without_a_secret_proves_nothing(void **state)
{
	struct pair *p = *state;
	struct gk_public_key zero = { .crv = GK_CRV_X25519 };
	struct by_hand c;
	struct gk_buf cred;

	if (alg_of(p) != GK_ALG_EDDSA)
		skip();
	open_by_hand(&c, p);
	cred = gk_buf(c.cred_bytes, sizeof(c.cred_bytes));
	gk_ccs_put_dh(&cred, gk_span_str("hand"), &zero);
	c.cred = gk_buf_span(&cred);
	assert_refused(&c, "a100a10003");
}

/* credentials */

static void credentials_of_another_use_are_refused(void **state)
{
	static const struct {
		int crv;
		bool signs; // says so by its 'alg'
	} rows[] = {
		{ GK_CRV_P256, true },
		{ GK_CRV_ED25519, false },
		{ GK_CRV_X25519, false },
		{ GK_CRV_P256, false },
	};
	struct pair *p = *state;
	struct by_hand c;

	open_by_hand(&c, p);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_buf cred = gk_buf(c.cred_bytes, sizeof(c.cred_bytes));
		struct gk_key_pair key;

		if (!gk_curve_supported(rows[i].crv) ||
		    (rows[i].crv == gk_dh_curve(alg_of(p)) && !rows[i].signs))
			continue;
		key = key_of(rows[i].crv, 0x33);
		(rows[i].signs ? gk_ccs_put : gk_ccs_put_dh)(&cred, gk_span_str("hand"), &key.pub);
		c.cred = gk_buf_span(&cred);
		assert_refused(&c, "a100a10002");
	}
}

static void one_for_key_agreement_is_refused_where_members_sign(void **state)
{
	struct pair *p = *state;
	struct by_hand c;
	uint8_t bytes[128], sig[GK_SIG_LEN];
	// as gk_ccs_put_dh() writes it, but with alg ECDH-SS+HKDF-256
	struct gk_buf cred;

	memset(&c, 0, sizeof(c));
	pair_raw_open(&c.raw, p, 1, "hand", NULL, &all, 1);
	assert_int_equal(pair_raw_post(&c.raw), GK_COAP_CREATED);
	c.roles = 6;
	c.key = key_of(GK_CRV_P256, 0x33);
	cred = gk_buf(c.cred_bytes, sizeof(c.cred_bytes));
	gk_buf_add(&cred, hex_span("a1 08 a1 01 a5 01 02 03 381a 20 01 21 5820"));
	gk_buf_add(&cred, gk_span(c.key.pub.x, 32));
	gk_buf_add(&cred, hex_span("22 5820"));
	gk_buf_add(&cred, gk_span(c.key.pub.y, 32));
	c.cred = gk_buf_span(&cred);
	assert_int_equal(gk_sign(&c.key, input_of(&c, bytes, sizeof(bytes)), sig), GK_OK);
	c.verify = gk_span(sig, sizeof(sig));
	assert_refused(&c, "a100a10002");
	// it was the algorithm: without one it is granted
	cred.len = 0;
	gk_ccs_put_dh(&cred, gk_span_str("hand"), &c.key.pub);
	c.cred = gk_buf_span(&cred);
	assert_int_equal(join_by_hand(&c), GK_COAP_CREATED);
}

static void a_monitor_is_refused(void **state)
{
	struct pair *p = *state;
	struct by_hand c;

	open_by_hand(&c, p);
	c.roles = GK_ROLE_MONITOR;
	prepare(&c, p);
	assert_int_equal(join_by_hand(&c), GK_COAP_BAD_REQUEST);
	assert_int_equal(answered(&c, GK_PARAM_KDC_DH_CREDS).kind, GK_CBOR_ARRAY);
	assert_int_equal(pair_group(p).members, 0);
	c.roles = GK_ROLE_REQUESTER;
	prepare(&c, p);
	assert_int_equal(join_by_hand(&c), GK_COAP_CREATED);
}

/* what the KDC tells */

/* [["lights", 14, its credential]] */
static void assert_dh_creds(const struct pair *p, const struct gk_cbor_item *item)
{
	struct gk_cbor c = gk_cbor(item->encoded);
	struct gk_span cred = gk_kdc_dh_cred(p->kdc, alg_of(p), GK_HEADER_KCCS);
	const struct gk_cred_rules rules = { .fmt = GK_HEADER_KCCS,
					     .crv = gk_dh_curve(alg_of(p)),
					     .alg = GK_ALG_ECDH_SS_HKDF_256 };
	struct gk_cred read;

	gk_cbor_array_of(&c, 1);
	gk_cbor_array_of(&c, 3);
	assert_true(gk_span_equal(gk_cbor_text(&c), gk_span_str(PAIR_LIGHTS)));
	assert_int_equal(gk_cbor_int(&c), GK_HEADER_KCCS);
	assert_true(gk_span_equal(gk_cbor_bytes(&c), cred));
	assert_int_equal(gk_cbor_end(&c), GK_OK);
	assert_int_equal(gk_cred_check(&rules, cred, &read), GK_OK);
}

/* Post the token, and ask for what 'labels' say. */
static void post_asking(struct pair_raw *raw, struct pair *p, const char *const *groups,
			size_t count, const int *labels, size_t asked)
{
	static const uint32_t roles[] = { GK_ROLE_ALL, GK_ROLE_ALL, GK_ROLE_ALL, GK_ROLE_ALL };
	uint8_t bytes[1100];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	pair_raw_open(raw, p, 1, "one", groups, roles, count);
	gk_put_map(&buf, 3 + asked);
	gk_put_int(&buf, GK_ACE_ACCESS_TOKEN);
	gk_put_bytes(&buf, gk_span(raw->bundle.token, raw->bundle.token_len));
	gk_put_int(&buf, GK_ACE_NONCE1);
	gk_put_bytes(&buf, hex_span("0101010101010101"));
	gk_put_int(&buf, GK_ACE_CLIENT_RECIPIENTID);
	gk_put_bytes(&buf, hex_span("0102"));
	for (size_t i = 0; i < asked; i++) {
		gk_put_int(&buf, labels[i]);
		gk_put_null(&buf);
	}
	assert_int_equal(pair_raw_post_payload(raw, GK_CF_ACE, gk_buf_span(&buf)), GK_COAP_CREATED);
}

static void the_token_response_tells_what_was_asked_and_applies(void **state)
{
	static const char *const groups[] = { PAIR_LIGHTS, "signed" };
	static const int labels[] = { GK_ACE_SIGN_INFO, GK_ACE_ECDH_INFO, GK_ACE_KDC_DH_CREDS };
	struct pair *p = *state;
	struct gk_group_config config = pair_config("signed");
	struct pair_raw raw;
	struct gk_cbor_item item;

	assert_int_equal(pair_serve(p, &config), GK_OK);
	for (size_t asked = 0; asked <= ROWS(labels); asked++) {
		post_asking(&raw, p, groups, 2, labels, asked);
		for (size_t i = asked; i < ROWS(labels); i++)
			assert_int_equal(pick(raw.answer.payload, labels[i]).kind, GK_CBOR_NONE);
		assert_int_equal(pick(raw.answer.payload, GK_ACE_KDCCHALLENGE).string.len, 8);
	}
	item = pick(raw.answer.payload, GK_ACE_SIGN_INFO);
	assert_hex_equal(item.encoded, "81 85 66 7369676e6564 26 8102 820201 0e");
	item = pick(raw.answer.payload, GK_ACE_ECDH_INFO);
	assert_hex_equal(item.encoded, ecdh_info(p));
	item = pick(raw.answer.payload, GK_ACE_KDC_DH_CREDS);
	assert_dh_creds(p, &item);
	// what applies to no group of the token is left out
	post_asking(&raw, p, groups, 1, labels, ROWS(labels));
	assert_int_equal(pick(raw.answer.payload, GK_ACE_SIGN_INFO).kind, GK_CBOR_NONE);
	assert_int_equal(pick(raw.answer.payload, GK_ACE_KDC_DH_CREDS).kind, GK_CBOR_ARRAY);
	post_asking(&raw, p, groups + 1, 1, labels, ROWS(labels));
	assert_int_equal(pick(raw.answer.payload, GK_ACE_SIGN_INFO).kind, GK_CBOR_ARRAY);
	assert_int_equal(pick(raw.answer.payload, GK_ACE_ECDH_INFO).kind, GK_CBOR_NONE);
	assert_int_equal(pick(raw.answer.payload, GK_ACE_KDC_DH_CREDS).kind, GK_CBOR_NONE);
}

static void a_refused_join_tells_what_is_asked_for(void **state)
{
	struct pair *p = *state;
	struct by_hand c;
	struct gk_cbor_item item;

	open_by_hand(&c, p);
	assert_int_equal(
		pair_raw_ask(&c.raw, GK_COAP_POST, "ace-group/lights", -1, gk_span(NULL, 0)),
		GK_COAP_BAD_REQUEST);
	assert_int_equal(gk_coap_find_uint(&c.raw.answer, GK_OPT_CONTENT_FORMAT, -1),
			 GK_CF_ACE_GROUPCOMM);
	assert_int_equal(answered(&c, GK_PARAM_SIGN_INFO).kind, GK_CBOR_NONE);
	assert_hex_equal(answered(&c, GK_PARAM_ECDH_INFO).encoded, ecdh_info(p));
	item = answered(&c, GK_PARAM_KDC_DH_CREDS);
	assert_dh_creds(p, &item);
}

static void the_join_response_is_of_a_pairwise_only_group(void **state)
{
	static const int unset[] = { GK_OSC_GP_ENC_ALG, GK_OSC_SIGN_ALG, GK_OSC_SIGN_PARAMS };
	struct pair *p = *state;
	struct by_hand c;
	struct gk_span key, cred;

	open_by_hand(&c, p);
	assert_int_equal(join_by_hand(&c), GK_COAP_CREATED);
	key = answered(&c, GK_PARAM_KEY).encoded;
	for (size_t i = 0; i < ROWS(unset); i++)
		assert_int_equal(pick(key, unset[i]).kind, GK_CBOR_NONE);
	assert_int_equal(pick(key, GK_OSC_ALG).number, GK_ALG_AES_CCM_16_64_128);
	assert_int_equal(pick(key, GK_OSC_CRED_FMT).number, GK_HEADER_KCCS);
	assert_int_equal(pick(key, GK_OSC_ECDH_ALG).number, GK_ALG_ECDH_SS_HKDF_256);
	assert_hex_equal(pick(key, GK_OSC_ECDH_PARAMS).encoded, ecdh_params(p));
	cred = answered(&c, GK_PARAM_KDC_CRED).string;
	assert_true(gk_span_equal(cred, gk_kdc_dh_cred(p->kdc, alg_of(p), GK_HEADER_KCCS)));
	assert_true(is_evidence(&c, cred, answered(&c, GK_PARAM_KDC_NONCE).string,
				answered(&c, GK_PARAM_KDC_CRED_VERIFY).string, true));
}

/* docs/rekeying.md section 10 */
static void mgt_key_material_has_the_credential_that_signs(void **state)
{
	static const char *const paths[] = { "", "*" };
	struct pair *p = *state;
	struct gk_mgt_material mgt;
	struct by_hand c;

	open_by_hand(&c, p);
	assert_int_equal(join_by_hand(&c), GK_COAP_CREATED);
	snprintf(c.raw.group, sizeof(c.raw.group), PAIR_LIGHTS);
	snprintf(c.raw.node, sizeof(c.raw.node), "n1");
	for (size_t i = 0;; i++) {
		mgt = read_mgt(&c);
		assert_true(gk_span_equal(mgt.kdc_cred,
					  gk_kdc_cred(p->kdc, alg_of(p), GK_HEADER_KCCS)));
		assert_true(is_evidence(&c, mgt.kdc_cred, mgt.kdc_nonce, mgt.kdc_verify, false));
		if (i == ROWS(paths))
			break;
		assert_int_equal(pair_raw_get(&c.raw, GK_COAP_GET, paths[i]), GK_COAP_CONTENT);
	}
	// who is served point-to-point has none
	c.tree = false;
	prepare(&c, p);
	assert_int_equal(join_by_hand(&c), GK_COAP_CHANGED);
	assert_int_equal(answered(&c, GK_PARAM_MGT_KEY_MATERIAL).kind, GK_CBOR_NONE);
}

static void where_members_sign_it_has_none(void **state)
{
	struct pair *p = *state;
	struct pair_raw raw;
	struct gk_mgt_material mgt;

	pair_raw_open(&raw, p, 1, "one", NULL, &all, 1);
	raw.tree = true;
	assert_int_equal(pair_raw_join(&raw, PAIR_LIGHTS, 6, false), GK_COAP_CREATED);
	assert_int_equal(gk_mgt_material_read(
				 pick(raw.answer.payload, GK_PARAM_MGT_KEY_MATERIAL).string, &mgt),
			 GK_OK);
	assert_int_equal(mgt.kdc_cred.len, 0);
}

static void kdc_cred_is_proven_over_the_nonce_of_the_latest_join(void **state)
{
	struct pair *p = *state;
	struct by_hand c;

	open_by_hand(&c, p);
	assert_int_equal(join_by_hand(&c), GK_COAP_CREATED);
	prepare(&c, p);
	assert_int_equal(join_by_hand(&c), GK_COAP_CHANGED);
	assert_int_equal(pair_raw_ask(&c.raw, GK_COAP_GET, "ace-group/lights/kdc-cred", -1,
				      gk_span(NULL, 0)),
			 GK_COAP_CONTENT);
	assert_true(is_evidence(&c, answered(&c, GK_PARAM_KDC_CRED).string,
				answered(&c, GK_PARAM_KDC_NONCE).string,
				answered(&c, GK_PARAM_KDC_CRED_VERIFY).string, true));
}

/* members */

static void members_join_and_know_each_other(void **state)
{
	struct pair *p = *state;

	join_members(p, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(pair_info(p, i).peers, 2);
		assert_null(pair_note(p, (int)i, GK_NOTE_ERROR));
	}
	assert_int_equal(pair_group(p).mode, GK_MODE_PAIRWISE);
	assert_int_equal(pair_count_notes(p, PAIR_KDC, GK_NOTE_REFUSED), 0);
}

static void nothing_is_said_to_the_whole_group(void **state)
{
	struct pair *p = *state;

	join_members(p, 2);
	assert_int_equal(pair_say(p, 0, PAIR_LIGHTS, "hello"), GK_ERR_UNSUPPORTED);
	assert_int_equal(pair_count(p, PAIR_MULTICAST, 0, 1), 0);
}

/* Lose each answer of the KDC to a join, and leave it in the log. */
static bool lose_join_response(struct pair *p, const struct pair_message *m)
{
	(void)p;
	return m->kind != PAIR_REPLY || m->from != PAIR_KDC || !m->plain.len ||
	       m->plain.data[0] != GK_COAP_CREATED || m->plain.len < 200;
}

/* Member 0 is about to join, and its Join Response is lost. @return a copy of that */
static struct gk_span catch_join_response(struct pair *p)
{
	const struct pair_message *m;
	uint8_t *copy;

	pair_add(p, 6);
	p->pass = lose_join_response;
	assert_int_equal(pair_join(p, 0, PAIR_LIGHTS, 6), GK_OK);
	pair_run(p);
	p->pass = NULL;
	m = pair_newest(p, PAIR_REPLY, PAIR_KDC, 0);
	assert_non_null(m);
	assert_int_equal(m->plain.data[0], GK_COAP_CREATED);
	copy = malloc(m->plain.len);
	assert_non_null(copy);
	memcpy(copy, m->plain.data, m->plain.len);
	return gk_span(copy, m->plain.len);
}

/* @return where 'part' stands in 'whole' */
static uint8_t *find_in(struct gk_span whole, struct gk_span part)
{
	for (size_t i = 0; i + part.len <= whole.len; i++) {
		if (memcmp(whole.data + i, part.data, part.len) == 0)
			return (uint8_t *)(uintptr_t)whole.data + i;
	}
	fail_msg("not there");
	return NULL;
}

static void a_kdc_with_wrong_evidence_is_not_believed(void **state)
{
	struct pair *p = *state;
	struct gk_span plain = catch_join_response(p);
	struct gk_coap msg;

	assert_int_equal(gk_coap_parse(plain, &msg), GK_OK);
	*find_in(plain, pick(msg.payload, GK_PARAM_KDC_CRED_VERIFY).string) ^= 1;
	pair_forge_answer(p, 0, plain);
	assert_false(pair_info(p, 0).joined);
	assert_string_equal(pair_note(p, 0, GK_NOTE_ERROR)->reason, "the KDC's evidence is wrong");
	*find_in(plain, pick(msg.payload, GK_PARAM_KDC_CRED_VERIFY).string) ^= 1;
	free((void *)(uintptr_t)plain.data);
	settle(p);
	assert_true(pair_info(p, 0).joined);
}

/* The first byte of what stands somewhere in the Join Response is a label; take another. */
static void join_with_other_label(struct pair *p, const char *at, uint8_t label)
{
	struct gk_span plain = catch_join_response(p);

	*find_in(plain, hex_span(at)) = label;
	pair_forge_answer(p, 0, plain);
	free((void *)(uintptr_t)plain.data);
	assert_false(pair_info(p, 0).joined);
	assert_string_equal(pair_note(p, 0, GK_NOTE_ERROR)->reason, "the KDC's evidence is wrong");
}

/* Of another mode than the one that was joined: its keys would be of another kind. */
static void material_with_signatures_is_not_taken(void **state)
{
	join_with_other_label(*state, "03 05 04 0a 06", GK_OSC_SIGN_ALG); // hkdf, alg, contextId
}

static void material_without_our_key_agreement_is_not_taken(void **state)
{
	join_with_other_label(*state, "0c 38 1a 0d", GK_OSC_SIGN_PARAMS); // ecdh_alg, ecdh_params
}

/* The 4.00 tells, where the token's answer, long ago, did not. */
static void a_member_finds_out_that_the_mode_has_changed(void **state)
{
	struct pair *p = *state;

	join_members(p, 1);
	assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
	settle(p);
	for (int i = 0; i < 2; i++) {
		p->config[0].mode ^= GK_MODE_PAIRWISE;
		pair_restart(p);
		assert_int_equal(pair_join(p, 0, PAIR_LIGHTS, 6), GK_OK);
		pair_run(p);
		assert_false(pair_info(p, 0).joined);
		pair_advance(p, 120000);
		assert_true(pair_info(p, 0).joined);
		assert_true(pair_info(p, 0).in_tree);
		assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
		settle(p);
	}
}

/* rekeying */

static size_t count_contents(const struct pair *p, size_t from, int to)
{
	const struct pair_message *seen[16];
	struct gk_rekeying message;
	size_t count = 0;

	for (size_t i = from; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];
		bool known = m->to != to || !pair_read_cast(m, &message);

		for (size_t k = 0; k < count; k++)
			known = known || gk_span_equal(seen[k]->bytes, m->bytes);
		assert_true(known || count < ROWS(seen));
		if (!known)
			seen[count++] = m;
	}
	return count;
}

/* @return rekeying messages that the KDC sent to members alone */
static size_t count_unicast(const struct pair *p, size_t from)
{
	size_t count = 0;

	for (size_t i = from; i < p->log_count; i++) {
		const struct pair_message *m = p->log[i];

		count += m->kind == PAIR_REQUEST && m->from == PAIR_KDC && m->plain.len &&
			 m->plain.data[0] == GK_COAP_POST;
	}
	return count;
}

static void assert_rekeyed_by_one_multicast(struct pair *p, size_t from, size_t first, size_t last)
{
	assert_true(pair_agree(p, first, last));
	for (size_t i = first; i <= last; i++) {
		assert_int_equal(count_contents(p, from, (int)i), 1);
		assert_int_equal(pair_note(p, (int)i, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
		assert_int_equal(pair_note(p, (int)i, GK_NOTE_REKEYED)->num, pair_num(p));
	}
	assert_int_equal(count_unicast(p, from), 0);
	assert_int_equal(pair_group(p).rekeying.confirmed, last - first + 1);
}

static void a_departure_is_one_confirmed_multicast(void **state)
{
	struct pair *p = *state;
	size_t from;

	join_members(p, 4);
	from = p->log_count;
	assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
	settle(p);
	assert_rekeyed_by_one_multicast(p, from, 1, 3);
}

static void a_restart_goes_on_with_the_same_keys(void **state)
{
	struct pair *p = *state;
	uint8_t before[256];
	struct gk_span cred;
	size_t from;

	join_members(p, 3);
	cred = gk_kdc_dh_cred(p->kdc, alg_of(p), GK_HEADER_KCCS);
	memcpy(before, cred.data, cred.len);
	pair_restart(p);
	cred = gk_kdc_dh_cred(p->kdc, alg_of(p), GK_HEADER_KCCS);
	assert_memory_equal(before, cred.data, cred.len);
	assert_int_equal(pair_group(p).mode, GK_MODE_PAIRWISE);
	settle(p);
	from = p->log_count;
	rekey(p);
	settle(p);
	assert_rekeyed_by_one_multicast(p, from, 0, 2);
	pair_add(p, 6); // and somebody new
	assert_int_equal(pair_join(p, 3, PAIR_LIGHTS, 6), GK_OK);
	settle(p);
	assert_true(pair_agree(p, 0, 3));
}

static enum gk_err serve_restored(struct pair *p, const struct gk_group_config *config)
{
	struct gk_kdc_config of = { .audience = gk_span_str("gatewayd"),
				    .as_key = gk_span(pair_as_key, 16) };
	struct test_env t;
	struct gk_env env = test_env(&t, 9);
	struct gk_kdc *kdc;
	enum gk_err err;

	assert_int_equal(gk_kdc_new(&env, &of, &kdc), GK_OK);
	for (enum gk_table table = GK_TABLE_KDC; table <= GK_TABLE_REVOKED; table++) {
		for (size_t i = 0; i < p->record_count; i++) {
			const struct pair_record *r = &p->records[i];
			struct gk_record record = { .table = table,
						    .key = gk_span(r->key, r->key_len),
						    .value = gk_span(r->value, r->value_len) };

			if (r->table == table)
				assert_int_equal(gk_kdc_restore(kdc, &record, p->now), GK_OK);
		}
	}
	err = gk_kdc_add_group(kdc, config, p->now);
	gk_kdc_free(kdc);
	return err;
}

static void the_mode_stays_while_there_are_members(void **state)
{
	struct pair *p = *state;
	struct gk_group_config other = p->config[0];

	join_members(p, 1);
	other.mode ^= GK_MODE_PAIRWISE;
	assert_int_equal(serve_restored(p, &other), GK_ERR_FORBIDDEN);
	assert_int_equal(serve_restored(p, &p->config[0]), GK_OK);
	assert_int_equal(pair_leave(p, 0, PAIR_LIGHTS), GK_OK);
	settle(p);
	assert_int_equal(serve_restored(p, &other), GK_OK);
	other.mode = (enum gk_mode)(GK_MODE_BOTH + 1);
	assert_int_equal(serve_restored(p, &other), GK_ERR_RANGE);
}

static struct gk_key_pair *signing_key(struct pair *p)
{
	return &p->kdc->sign_key[alg_of(p) == GK_ALG_EDDSA];
}

static void messages_that_another_key_has_signed_are_refused(void **state)
{
	struct pair *p = *state;
	struct gk_key_pair good, other;

	join_members(p, 2);
	good = *signing_key(p);
	for (int dh = 0; dh < 2; dh++) {
		size_t from = p->log_count, refused = pair_info(p, 1).refused;
		int64_t num = pair_info(p, 1).num;

		if (dh && alg_of(p) == GK_ALG_EDDSA) // an X25519 key cannot sign
			break;
		// a stranger's; that of the KDC's own credential in the group
		other = dh ? *gk_kdc_dh_key(p->kdc, alg_of(p))
			   : key_of(gk_sign_curve(alg_of(p)), 0x55);
		*signing_key(p) = other;
		rekey(p);
		pair_run(p);
		*signing_key(p) = good;
		assert_true(count_contents(p, from, 1) == 1);
		assert_int_equal(pair_info(p, 1).num, num);
		assert_int_equal(pair_info(p, 1).refused, refused + 1);
		settle(p); // and then told by unicast
		settle(p);
		assert_true(pair_agree(p, 0, 1));
		assert_int_equal(pair_note(p, 1, GK_NOTE_REKEYED)->via, GK_VIA_UNICAST);
	}
}

/* Its holder did not show that it has the key: nothing signed with it counts. */
static void a_credential_without_its_evidence_is_not_taken(void **state)
{
	struct pair *p = *state;
	struct gk_key_pair good = *signing_key(p);

	*signing_key(p) = key_of(gk_sign_curve(alg_of(p)), 0x55);
	pair_join_all(p, 1);
	*signing_key(p) = good;
	assert_true(pair_info(p, 0).joined);
	assert_false(pair_info(p, 0).in_tree);
	assert_string_equal(pair_note(p, 0, GK_NOTE_ERROR)->reason,
			    "the KDC's rekeying scheme cannot be used");
}

/* Without one, the KDC's own must not do in its place: it is for key agreement. */
static void an_offer_without_a_credential_that_signs_is_not_taken(void **state)
{
	struct pair *p = *state;
	struct gk_span plain = catch_join_response(p), mgt;
	struct gk_mgt_material read;
	struct gk_coap msg;
	uint8_t bytes[2048], short_bytes[512];
	struct gk_buf changed = gk_buf(bytes, sizeof(bytes));
	struct gk_buf without = gk_buf(short_bytes, sizeof(short_bytes));
	size_t at;

	assert_int_equal(gk_coap_parse(plain, &msg), GK_OK);
	mgt = pick(msg.payload, GK_PARAM_MGT_KEY_MATERIAL).encoded;
	assert_int_equal(
		gk_mgt_material_read(pick(msg.payload, GK_PARAM_MGT_KEY_MATERIAL).string, &read),
		GK_OK);
	read.kdc_cred = read.kdc_nonce = read.kdc_verify = gk_span(NULL, 0);
	gk_mgt_material_put(&without, &read);
	at = (size_t)(mgt.data - plain.data);
	gk_buf_add(&changed, gk_span_sub(plain, 0, at));
	gk_put_bytes(&changed, gk_buf_span(&without));
	gk_buf_add(&changed, gk_span_sub(plain, at + mgt.len, plain.len));
	pair_forge_answer(p, 0, gk_buf_span(&changed));
	free((void *)(uintptr_t)plain.data);
	assert_true(pair_info(p, 0).joined);
	assert_false(pair_info(p, 0).in_tree);
}

static void who_does_not_announce_the_tree_is_told_alone(void **state)
{
	struct pair *p = *state;
	size_t from;

	join_members(p, 2);
	p->node[1].point_to_point = true;
	pair_reset(p, 1);
	assert_int_equal(pair_join(p, 1, PAIR_LIGHTS, 6), GK_OK);
	settle(p);
	assert_false(pair_info(p, 1).in_tree);
	from = p->log_count;
	rekey(p);
	settle(p);
	assert_true(pair_agree(p, 0, 1));
	assert_int_equal(pair_note(p, 0, GK_NOTE_REKEYED)->via, GK_VIA_MULTICAST);
	assert_int_equal(pair_note(p, 1, GK_NOTE_REKEYED)->via, GK_VIA_UNICAST);
	assert_int_equal(count_unicast(p, from), 1);
}

/* A member that was away has no need of the KDC's evidence again. */
static void who_missed_a_rekeying_recovers_and_follows_the_next(void **state)
{
	struct pair *p = *state;
	size_t from;

	join_members(p, 3);
	p->node[2].cut = true;
	rekey(p);
	settle(p);
	pair_advance(p, 200000);
	p->node[2].cut = false;
	rekey(p);
	pair_advance(p, 200000);
	assert_true(pair_agree(p, 0, 2));
	from = p->log_count;
	rekey(p);
	settle(p);
	assert_rekeyed_by_one_multicast(p, from, 0, 2);
}

#define RULE(test, open) cmocka_unit_test_setup_teardown(test, open, pair_end)
// clang-format off: a row each
#define BOTH(test)                                                                                 \
	{ #test " with ES256", test, open_es256, pair_end, NULL },                                 \
	{                                                                                          \
#test " with EdDSA", test, open_eddsa, pair_end, NULL                              \
	}
// clang-format on

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(macs_are_those_of_the_reference),
		BOTH(wrong_evidence_is_refused),
		BOTH(a_key_without_a_secret_proves_nothing),
		BOTH(credentials_of_another_use_are_refused),
		RULE(one_for_key_agreement_is_refused_where_members_sign, open_group_mode),
		BOTH(a_monitor_is_refused),
		BOTH(the_token_response_tells_what_was_asked_and_applies),
		BOTH(a_refused_join_tells_what_is_asked_for),
		BOTH(the_join_response_is_of_a_pairwise_only_group),
		BOTH(mgt_key_material_has_the_credential_that_signs),
		RULE(where_members_sign_it_has_none, open_group_mode),
		BOTH(kdc_cred_is_proven_over_the_nonce_of_the_latest_join),
		BOTH(members_join_and_know_each_other),
		BOTH(nothing_is_said_to_the_whole_group),
		BOTH(a_kdc_with_wrong_evidence_is_not_believed),
		BOTH(material_with_signatures_is_not_taken),
		BOTH(material_without_our_key_agreement_is_not_taken),
		BOTH(a_member_finds_out_that_the_mode_has_changed),
		BOTH(a_departure_is_one_confirmed_multicast),
		BOTH(a_restart_goes_on_with_the_same_keys),
		BOTH(the_mode_stays_while_there_are_members),
		BOTH(messages_that_another_key_has_signed_are_refused),
		BOTH(a_credential_without_its_evidence_is_not_taken),
		BOTH(an_offer_without_a_credential_that_signs_is_not_taken),
		BOTH(who_does_not_announce_the_tree_is_told_alone),
		BOTH(who_missed_a_rekeying_recovers_and_follows_the_next),
	};

	return cmocka_run_group_tests(tests, pair_global_init, NULL);
}
