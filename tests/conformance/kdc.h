// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A KDC by hand for one member: it answers what a test wants it to, right or wrong. Its group is
 * point-to-point; of version num, the Master Secret is num 16 times and the Gid eeee and num. There
 * are three others in it: 01 is requester and responder, 02 a requester, 03 a responder. As
 * client.h, it is written from the RFCs.
 */
#ifndef TEST_CONFORMANCE_KDC_H
#define TEST_CONFORMANCE_KDC_H

#include "client.h"

#include "libgroupkey/group_oscore.h"

#define OWN_SID 5

struct kdc {
	struct test_env test_env;
	struct gk_env env;
	struct gk_now now;
	struct gk_member *m;
	struct gk_oscore assoc; /* the KDC's end; aead NULL: none yet */
	struct gk_key_pair key, peer_key[4];
	struct bytes cred, peer_cred[4]; /* by Sender ID; 0: unused */
	bool observes;                   /* the member is made so that it takes no requests */
	/* the member's newest request, opened */
	bool asked; /* it waits for its answer */
	uint64_t id;
	struct gk_oscore_ref ref;
	size_t requests;            /* so far */
	bool is_protected, observe; /* 'observe': the shell is to expect more answers */
	uint8_t code;
	int format;
	char path[160];
	uint8_t request[2048];
	struct gk_span payload;
	/* from its newest Join Request */
	struct bytes entry, n_c, member_cred;
	struct bytes n_s; /* the newest that it was told */
	/* what else it does */
	size_t notes[32];
	const char *reason; /* of the newest error */
	char heard[64];
	size_t casts;
	struct bytes cast; /* the newest to the group */
	uint64_t cast_id;
	uint64_t cancelled; /* the newest observation that it gave up */
	size_t replies;
	struct bytes reply;
};

/** What a message with keys says; zero: nothing of it, and right. */
struct material {
	uint32_t num;
	bool whole; /* with algorithms */
	bool sid;
	uint8_t own_sid;   /* 0: OWN_SID */
	const char *peers; /* digits: whose credentials; NULL: none */
	bool proof;        /* kdc_cred and evidence */
	bool wrong_proof;
	const char *stale;      /* stale_node_ids, in hex */
	const char *algorithms; /* in hex, in place of the right ones; with ... */
	size_t algorithm_count;
	uint8_t gkty;   /* 0: the right one */
	uint32_t exi_s; /* 0: a day */
};

/** A member that did nothing yet. */
void kdc_open(struct kdc *k);
void kdc_make_member(struct kdc *k);
void kdc_close(struct kdc *k);
/** Take what the member does after a call that a test made itself. */
void kdc_drain(struct kdc *k, enum gk_err err);
/** Let it join, and answer the token. It asks to join then. */
void kdc_begin(struct kdc *k, uint32_t roles);
/** Answer the token. @param id2  in hex; NULL: one that fits */
void kdc_answer_token(struct kdc *k, const char *id2);
/** Let it join, with 01, 02 and 03 in the answer. @param num  of the material */
void kdc_let_in(struct kdc *k, uint32_t roles, uint32_t num);
/** Answer the newest request, in the association if it was. @param format  CF_NONE: none */
void kdc_answer(struct kdc *k, uint8_t code, int format, struct gk_span payload);
void kdc_answer_hex(struct kdc *k, uint8_t code, int format, const char *payload);
/** Answer GET kdc-cred. */
void kdc_answer_kdc_cred(struct kdc *k, bool wrong);
/** It has another key from now on, and another credential; 100 is its first. */
void kdc_change_key(struct kdc *k, uint8_t number);
void kdc_answer_material(struct kdc *k, uint8_t code, const struct material *material);
void put_material(struct bytes *b, const struct kdc *k, const struct material *material);
/** @return true if this is the request that waits for its answer */
bool kdc_is_asked(const struct kdc *k, uint8_t code, const char *path);
/** A further answer in the association, to a request that observes. @param value  of Observe */
void kdc_notify(struct kdc *k, uint64_t id, const struct gk_oscore_ref *ref, uint8_t value,
		struct gk_span payload);
/** Time goes by in silence, until a request comes or it is over. */
void kdc_wait(struct kdc *k, int64_t ms);
/** A request of ours to its control_uri, in the association.
 * @return the code of its answer, or 0 */
uint8_t kdc_tell(struct kdc *k, uint8_t code, struct gk_span payload);
uint8_t kdc_tell_material(struct kdc *k, const struct material *material);
/** Any message from anywhere; its answer is in 'reply'. */
void kdc_send(struct kdc *k, struct gk_span message);
struct gk_membership_info kdc_info(const struct kdc *k);
enum gk_err kdc_say(struct kdc *k, const char *text);

/** The Common Context of a version. */
struct gk_group_common kdc_common(const struct kdc *k, uint32_t num);
/** Another member says a text under a version. @param seq  its sequence number */
void peer_says(struct kdc *k, uint8_t sid, uint32_t num, uint64_t seq, const char *text);
/** Somebody with a Sender ID that nobody has told of says something. */
void stranger_says(struct kdc *k, uint8_t sid, uint32_t num);
/** Another member answers the newest message to the group. */
void peer_answers(struct kdc *k, uint8_t sid, uint32_t num, const char *text);
/** @return true if others can read the newest message to the group, under this version and from
 *  this Sender ID, and it says this with this sequence number */
bool peer_reads(const struct kdc *k, uint32_t num, uint8_t sid, uint64_t seq, const char *text);

int open_kdc(void **state);
int close_kdc(void **state);

#endif
