// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * One member, and a KDC that says what a test wants, true or not.
 *
 * The KDC has one group, in which the scheme "tree" is used (docs/rekeying.md): six members, of
 * which the one that is real has leaf 5 and Sender ID 05, as the others have 00 to 04. Of version
 * num, the key is num 16 times, and the Gid eeee000000 and num. A failure here fails the running
 * cmocka test.
 */
#ifndef TEST_FAKE_H
#define TEST_FAKE_H

#include "env.h"

#include "libgroupkey/keytree.h"
#include "libgroupkey/member.h"

#define FAKE_GROUP      "lights"
#define FAKE_URI        "coap://[ff03::fd]:5686/ace-group/lights"
#define FAKE_MEMBERS    6
#define FAKE_OWN        5
#define FAKE_NODE       "n5"
#define FAKE_NOTES      32
#define FAKE_LEISURE_MS 4000
#define FAKE_REPEAT     2

/** Set what the KDC says freely between calls. */
struct fake {
	struct test_env member_env, kdc_env;
	struct gk_env env, tree_env;
	struct gk_now now;
	struct gk_member *m;
	/* the KDC */
	struct gk_oscore assoc;           /* its end */
	struct gk_key_pair key, sign_key; /* of the group; of mgt_key_material with 'own_signer' */
	struct gk_keytree tree;
	uint32_t num;
	/* what it says */
	const char *scheme; /* rekeying_scheme, as encoded CBOR in hex; NULL: the right one */
	const char *mgt;    /* mgt_key_material, the same */
	const char *uri;    /* control_group_uri, the same */
	const char *stale;  /* answer to FETCH stale-sids, in hex */
	bool own_signer;    /* a credential in mgt_key_material */
	bool wrong_proof;   /* ... with wrong evidence */
	/* the member's newest request, and how many there were */
	bool asked; /* it waits for an answer */
	uint64_t id;
	struct gk_oscore_ref ref;
	uint8_t code;
	char path[160]; /* with a query */
	uint8_t request[1200];
	struct gk_coap msg; /* of 'request' */
	size_t requests;
	size_t choices; /* FETCH creds */
	size_t gets, fetches,
		joins; /* of nodes/n5, stale-sids, the group: those that were served */
	/* notes by kind, and the newest one */
	size_t notes[FAKE_NOTES];
	enum gk_via via;
	const char *reason;
	/* confirmations, and the newest one */
	size_t confirms;
	uint8_t confirm[64];
	size_t confirm_len;
	struct gk_addr confirm_peer;
	int64_t confirm_ms;
	/* the answer to the newest request of the KDC */
	struct gk_oscore_ref probe;
	uint8_t reply[128];
	size_t reply_len;
	enum gk_err err; /* the first of a member's call */
};

/** What is in a message with material. */
enum {
	FAKE_WHOLE = 1,
	FAKE_SID = 2,
	FAKE_PEERS = 4,
	FAKE_PROOF = 8,
	FAKE_SCHEME = 16,
	FAKE_MGT = 32,
	FAKE_CONTROL = 64,
	FAKE_JOINER = 128, /* a credential of 06, who is new */
	FAKE_IN_RESPONSE = FAKE_WHOLE | FAKE_SID | FAKE_SCHEME | FAKE_MGT | FAKE_CONTROL,
	FAKE_IN_JOIN = FAKE_IN_RESPONSE | FAKE_PEERS | FAKE_PROOF,
};

/** A rekeying message while it is made; 'message' points into it. */
struct fake_cast {
	struct gk_rekeying message;
	struct gk_keytree_rekeying tree;
	uint8_t sealed[1100], joined[64];
	const struct gk_key_pair *key; /* that signs */
	const uint8_t *old_root;       /* under which the MAC is made */
};

/** A CoAP message. */
struct fake_packet {
	uint8_t bytes[1400];
	size_t len;
};

/** A KDC with two versions behind it, and a member that did nothing yet. */
void fake_open(struct fake *f);
/** Free all; no memory may be left. */
void fake_close(struct fake *f);
/** Make a member, in place of one that was freed. */
void fake_make_member(struct fake *f, bool point_to_point);
/** Join, with what the KDC says now. */
void fake_join(struct fake *f);

/* what the member does */

/** Take the events of the member after a call that a test made itself. */
void fake_drain(struct fake *f, enum gk_err err);
/** A message arrives, from anywhere. */
void fake_hear(struct fake *f, struct gk_span message);
/** Time goes by, and nobody answers the member. */
void fake_wait(struct fake *f, int64_t ms);
/** Time goes by while the KDC answers. */
void fake_run(struct fake *f, int64_t ms);
struct gk_membership_info fake_info(const struct fake *f);
/** From inside. */
const struct gk_membership *fake_membership(const struct fake *f);

/* answers */

/** @return true if this is the question that waits for its answer */
bool fake_is_asked(const struct fake *f, uint8_t code, const char *path);
/** Give the answer that a KDC would give, to one question, or until there is none. */
void fake_serve_one(struct fake *f);
void fake_serve(struct fake *f);
/** Answer the token, which makes the association. */
void fake_answer_token(struct fake *f);
void fake_answer(struct fake *f, uint8_t code, struct gk_span payload);
void fake_answer_bytes(struct fake *f, struct gk_span plain, bool protect);
void fake_answer_material(struct fake *f, uint8_t code, uint32_t num, unsigned what);

/* requests of the KDC under the association */

/** To the member's control_uri. The answer is in 'reply'. */
void fake_ask_member(struct fake *f, uint8_t code, struct gk_span payload);
/** A rekeying message with the newest version. */
void fake_post_material(struct fake *f, unsigned what);
/** The same. @param stale  stale_node_ids in hex */
void fake_post_material_without(struct fake *f, unsigned what, const char *stale);

/* messages to the group */

/** A member leaves the tree; the next version does without it. */
void fake_evict(struct fake *f, uint16_t slot);
/** New keys at the KDC, and the message about it before it is signed. */
void fake_rekey(struct fake *f, struct fake_cast *cast);
/** The same. @param num_inside  in the material @param stale  NULL: no stale_node_ids */
void fake_rekey_to(struct fake *f, struct fake_cast *cast, uint32_t num, uint32_t num_inside,
		   unsigned what, const char *stale);
void fake_done(struct fake *f, struct fake_cast *cast);
/** New keys at the KDC, of which the member hears nothing. */
void fake_rekey_unheard(struct fake *f);
/** The message, signed, with its MAC. */
struct fake_packet fake_packet_of(const struct fake_cast *cast);
/** A part of the message in as many parts as it has entries. */
struct fake_packet fake_part_of(struct fake_cast *cast, size_t part);
struct fake_packet fake_beacon(const struct fake *f);
struct fake_packet fake_beacon_by(const struct gk_key_pair *key, uint32_t num);
/** A payload in a request to the group, or elsewhere. */
struct fake_packet fake_wrap(struct gk_span payload);
struct fake_packet fake_wrap_at(const char *path, uint8_t code, uint32_t format,
				struct gk_span payload);
struct gk_span fake_span_of(const struct fake_packet *packet);
/** A key pair of ES256; those of the KDC are 100 and, where it has two, 101. */
struct gk_key_pair fake_key_of(uint8_t number);

#endif
