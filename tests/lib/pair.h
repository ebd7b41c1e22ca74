// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * One KDC and some members in one process, with a network and a store in memory.
 *
 * Messages wait in one queue, in the order in which they were sent; a test lets all of them
 * arrive, or one, and says which get lost. A request that gets no answer fails when its time is
 * over. The store keeps what STORE events said, and a KDC can be made anew from it, after any of
 * its events; those of one call are one transaction, which comes before all that the call does.
 *
 * Whatever a test does, these rules are watched at every event of the KDC:
 *   - what a message depends on was stored before it: its association, the block of its Partial
 *     IV, the version of the material in it;
 *   - no two different messages have the same key and nonce, no two keys the same Gid;
 *   - num never goes back;
 *   - nobody is told of a departure that is not stored;
 *   - a message to a control group is stored before it is sent, and there is one of its num and
 *     part; a node of the tree has one key of a version.
 * Messages of members to each other are watched for repeated nonces too. The first breach is kept
 * in 'broken'; pair_close() tells of it, and of memory that was not given back.
 */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

#include "libgroupkey/coap.h"
#include "libgroupkey/crypto.h"
#include "libgroupkey/groupkey.h"
#include "libgroupkey/oscore.h"
#include "libgroupkey/rekeying.h"

#include "tests/lib/env.h"

#define PAIR_NODES_MAX  128
#define PAIR_GROUPS_MAX 4
#define PAIR_KDC        (-1) /* in 'from' and 'to' */
#define PAIR_OUTSIDE    (-2) /* a pair_raw, or nobody */
#define PAIR_LIGHTS     "lights"

enum pair_kind {
	PAIR_REQUEST, /* to the KDC, of it, or of a member to another */
	PAIR_REPLY,
	PAIR_MULTICAST, /* of a member to the group, or of the KDC to a control group */
	PAIR_CONFIRM,   /* of a member to the KDC */
	PAIR_PROBE,     /* of the KDC, by multicast: one to PAIR_OUTSIDE, and one to each member */
	PAIR_PROBED,    /* ... and the answer of a member, with its token */
	PAIR_NOTIFY,    /* of the KDC to an observer */
	PAIR_ACK,       /* of it, by a member */
	PAIR_RESET,
};

struct pair_message {
	enum pair_kind kind;
	int from, to;
	struct gk_exchange exchange; /* of a REQUEST, MULTICAST or PROBE, as the receiver sees it */
	uint64_t id; /* of a REQUEST, MULTICAST, PROBE or NOTIFY: the sender's; of a REPLY: place
			of its request; of an ACK or RESET: of the notification */
	struct gk_addr peer; /* where the sender sent it */
	struct gk_id dtls;   /* ... or in which session */
	struct gk_span bytes;
	struct gk_span plain; /* what the KDC protected, opened; what it sent plain; else empty */
	int64_t sent_ms, deadline_ms;
	bool open;     /* a REQUEST or PROBE that waits for its answer, a NOTIFY for its ACK */
	bool observe;  /* a member's REQUEST may have further answers */
	bool observed; /* ... and there will be some: the shell has its token */
	size_t again;  /* of a repeated one: place of the original; else 0 */
	bool arrived;  /* by the test's own hand */
	unsigned life;
};

struct pair_note {
	int from;
	enum gk_note_kind kind;
	enum gk_fact last_sign;
	int64_t last_seen_ms;
	int64_t num;
	struct gk_id sid;
	char node[32], name[40], group[65];
	enum gk_via via;
	const char *reason;
	char text[64]; /* payload of a member's message, or answer */
	uint64_t id;   /* its exchange */
	bool pairwise; /* it was */
};

struct pair_record {
	enum gk_table table;
	uint8_t *key, *value;
	size_t key_len, value_len;
};

struct pair_node {
	struct test_env test_env;
	struct gk_env env;
	struct gk_member *member;
	struct gk_client_bundle bundle;
	struct gk_addr addr;
	char name[16];
	char base[40];
	uint8_t seed[32];
	bool cut; /* nothing reaches it, nothing comes from it */
	/* when it is made (anew): it does not announce the tree; it signs with sign_protected */
	bool point_to_point, sign_protected;
	const struct gk_member_cred *creds; /* when it is made (anew), it has these */
	size_t cred_count;
	bool observer; /* ... it has no control_uri, and observes */
	bool sleepy;   /* ... it says that it is */
};

struct pair_nonce;
struct pair_observed;

struct pair {
	struct test_env kdc_env;
	struct gk_env env;
	struct gk_kdc *kdc;
	struct gk_now now;
	struct gk_group_config config[PAIR_GROUPS_MAX]; /* in the order in which they are served */
	size_t group_count;
	struct pair_node node[PAIR_NODES_MAX];
	size_t node_count;
	struct pair_message **log; /* every message, oldest first */
	size_t log_count, log_cap;
	size_t next; /* the oldest that has not arrived yet */
	struct pair_note *notes;
	size_t note_count, note_cap;
	struct pair_record *records;
	size_t record_count, record_cap;
	struct pair_record *undo; /* what the STOREs of the KDC's present call took the place of */
	size_t undo_count, undo_cap;
	/* transactions so far: calls that left STOREs behind, and those that could not wait */
	size_t batches, urgent_batches;
	size_t probes; /* PROBE events */
	struct gk_addr probed;
	size_t ends; /* END events, and the sessions that the newest one was about */
	struct gk_id ended;
	/* false: lost */
	bool (*pass)(struct pair *p, const struct pair_message *m);
	void *ctx;             /* for 'pass' */
	size_t events;         /* of the KDC, so far */
	uint32_t rekeying_bps; /* of the KDC, from its next start on */
	/* the same; and of members that are made from then on. NULL: the defaults */
	const char *group_path, *authz_path;
	const char *as_uri; /* NULL: none */
	enum gk_discovery discovery;
	bool sleepy_tokens; /* those that are issued from then on say so */
	size_t crash_at; /* it crashes before it carries out this one; the first is 1; 0: never */
	unsigned life;   /* counts the KDC's */
	bool manual_restart; /* leave a dead KDC to the test: 'kdc' is NULL then */
	enum gk_err last;    /* result of the KDC's last call */
	/* for a pair_raw */
	uint64_t raw_id;
	size_t raw_answers;
	uint8_t raw_answer[65536];
	size_t raw_len;
	struct gk_span raw_request;
	struct pair_observed *observed; /* requests with Observe that reached the KDC */
	size_t observed_count;
	struct pair_nonce *nonces;
	size_t nonce_count;
	uint64_t seed;
	char broken[256];
};

extern const uint8_t pair_as_key[16];
/** Where a PROBE seems to come from. */
extern const struct gk_addr pair_prober;

/** gk_global_init() for a test program; for cmocka's group setup. @return 0 */
int pair_global_init(void **state);

/** A KDC without groups at a fixed time. */
void pair_open(struct pair *p, uint64_t seed);
/** Free all. @return true if no rule was broken and no memory is lost; else says what, on stderr */
bool pair_close(struct pair *p);
/** Serve a group, now and after each restart. NULL: PAIR_LIGHTS with the defaults. */
enum gk_err pair_serve(struct pair *p, const struct gk_group_config *config);
/** For cmocka's set-up, and as its tear-down: a pair that serves this group, NULL as above. */
int pair_begin(void **state, uint64_t seed, const struct gk_group_config *config);
int pair_end(void **state);
/** A configuration with the defaults, but point-to-point. @param name  lasts as long as the pair */
struct gk_group_config pair_config(const char *name);
/** ... with the tree, in which all confirm. */
struct gk_group_config pair_tree_config(const char *name);
/** A member with a token for all groups and these roles, which did nothing yet.
 * @return its index */
size_t pair_add(struct pair *p, uint32_t roles);
/** Make a member anew from what it was provisioned with: it has forgotten everything. */
void pair_reset(struct pair *p, size_t i);
/** Start joining. */
enum gk_err pair_join(struct pair *p, size_t i, const char *group, uint32_t roles);
/** pair_add() and join PAIR_LIGHTS for 'count' members with roles 6; all messages arrive. */
void pair_join_all(struct pair *p, size_t count);
/** Say a text to a group. */
enum gk_err pair_say(struct pair *p, size_t i, const char *group, const char *text);
/** Tell PAIR_LIGHTS's member 'sid', at the address of member 'to', a text. */
enum gk_err pair_tell(struct pair *p, size_t i, struct gk_span sid, size_t to, const char *text);
enum gk_err pair_leave(struct pair *p, size_t i, const char *group);

/** The oldest message arrives, or gets lost. @return false: none is under way */
bool pair_step(struct pair *p);
/** All messages arrive, and what they cause. */
void pair_run(struct pair *p);
/** Time goes by; what is due happens at its time, and all messages arrive. */
void pair_advance(struct pair *p, int64_t ms);
/** A message arrives once more, with the same message id and token, or with new ones. */
void pair_repeat(struct pair *p, const struct pair_message *m, bool same_exchange);
/** Take the events of the KDC, or of a member, after a call that a test made itself. */
void pair_drain_kdc(struct pair *p, enum gk_err err);
void pair_drain_node(struct pair *p, size_t i);
/** End the KDC and make it anew from the store. */
void pair_restart(struct pair *p);

/**
 * A request of the test's to a member under its association, which the KDC knows nothing of.
 * @param plain  code, options, payload
 * @return the code of the member's answer, 0: silence
 */
uint8_t pair_forge_request(struct pair *p, size_t i, struct gk_span plain);
/** The same by multicast. */
uint8_t pair_forge_probe(struct pair *p, size_t i, struct gk_span plain);
/** Answer a member's open request with what the KDC never said, under the association if the
 *  request was. */
void pair_forge_answer(struct pair *p, size_t i, struct gk_span plain);
/** Answer it with bytes as they are. */
void pair_forge_plain_answer(struct pair *p, size_t i, struct gk_span bytes);
/** @return the open request of a member to the KDC, or NULL */
const struct pair_message *pair_waiting(const struct pair *p, size_t i);
/** @return the newest message of this kind between the two (-3: anyone), or NULL */
const struct pair_message *pair_newest(const struct pair *p, enum pair_kind kind, int from, int to);
size_t pair_count(const struct pair *p, enum pair_kind kind, int from, int to);
/** Notes of a kind from the KDC or a member (-3: anyone). */
size_t pair_count_notes(const struct pair *p, int from, enum gk_note_kind kind);
/** @return the newest note of a kind, or NULL */
const struct pair_note *pair_note(const struct pair *p, int from, enum gk_note_kind kind);
/** How often a text was read by a member. */
size_t pair_heard(const struct pair *p, size_t i, const char *text);
/** Where a member stands in PAIR_LIGHTS. */
struct gk_membership_info pair_info(const struct pair *p, size_t i);
/** num of PAIR_LIGHTS at the KDC. */
int64_t pair_num(const struct pair *p);
/** @return true if the members first..last have one common num, the KDC's, and all are in */
bool pair_agree(const struct pair *p, size_t first, size_t last);
/** What the KDC shows of PAIR_LIGHTS. */
struct gk_group_info pair_group(const struct pair *p);
/** Read a message of the KDC to the group; 'message' borrows from 'm'. @return false: it is none */
bool pair_read_cast(const struct pair_message *m, struct gk_rekeying *message);
/** What the KDC shows of a member, by its name. @return false: it is no member */
bool pair_shown(const struct pair *p, const char *group, const char *name,
		struct gk_member_info *info);
/** How present it is shown in PAIR_LIGHTS. @return an enum gk_presence; -1: no member */
int pair_presence(const struct pair *p, const char *name);
struct gk_presence_counts pair_presence_counts(const struct pair *p);
/** The kernel says this of an address. */
void pair_reach(struct pair *p, const struct gk_addr *addr, enum gk_reach reach);
/** All records as one digest, to see that nothing changed. */
void pair_digest(const struct pair *p, uint8_t out[GK_HASH_LEN]);

/**
 * A client by hand: provisioned like a member, but each of its requests is the test's. It speaks
 * from fd00::1:X, and the KDC's requests to that address are in the log, to PAIR_OUTSIDE. With
 * 'exchange.dtls' set it speaks in a DTLS session, and nothing is protected.
 */
struct pair_raw {
	struct pair *p;
	struct gk_client_bundle bundle;
	struct gk_key_pair key; /* ES256 */
	uint8_t cred[256];
	size_t cred_len;
	struct gk_oscore ctx; /* as the client has it */
	uint8_t n1[8];
	struct gk_id id1;
	uint8_t challenge[64];
	size_t challenge_len;
	struct gk_addr addr;
	struct gk_exchange exchange; /* of the newest request */
	struct gk_oscore_ref ref;
	uint8_t sent[4096];
	size_t sent_len;
	uint8_t plain[65536];
	size_t answers;        /* to the newest request */
	bool is_protected;     /* its answer was */
	struct gk_coap answer; /* opened; borrows from 'plain' */
	char node[24];         /* node name, from the newest join */
	char group[72];
	uint8_t cnonce;   /* of the newest join, repeated 8 times */
	bool tree;        /* its joins announce the scheme "tree"; it does nothing else about it */
	bool no_evidence; /* its joins refer to a proof by the association */
	bool secure_control;   /* its control_uri is a coaps URI */
	struct gk_span scheme; /* in place of that: an encoded item as rekeying_scheme */
	struct gk_span sleepy; /* an encoded item as the parameter by which its joins say so */
};

/** Provision a client for groups, which PAIR_LIGHTS alone is if 'groups' is NULL. */
void pair_raw_open(struct pair_raw *raw, struct pair *p, unsigned number, const char *name,
		   const char *const *groups, const uint32_t *roles, size_t count);
/** Post its token unprotected, and make the association. @return the answer's code */
uint8_t pair_raw_post(struct pair_raw *raw);
/** Both, for PAIR_LIGHTS, with which it is: whose node name nobody has until it joins. */
void pair_raw_begin(struct pair_raw *raw, struct pair *p, unsigned number, uint32_t roles);
/** @return the error-id in the newest answer (RFC 9594 section 4.1.2), -1: it is of another form */
int pair_raw_error(const struct pair_raw *raw);
/** The same with a payload of the test's own; no association is made of the answer. */
uint8_t pair_raw_post_payload(struct pair_raw *raw, int format, struct gk_span payload);
/** Append the payload of its token post, with a fresh nonce and id. */
void pair_raw_put_post(struct pair_raw *raw, struct gk_buf *buf, struct gk_span token);
/** Make the association from the answer to a post. */
void pair_raw_derive(struct pair_raw *raw);
/** Send a message as it is, from the client's address. @return the answer's code, 0: none */
uint8_t pair_raw_send(struct pair_raw *raw, struct gk_span message);
/** Send a request under the association. @param format  -1: none @return the answer's code */
uint8_t pair_raw_ask(struct pair_raw *raw, uint8_t method, const char *path, int format,
		     struct gk_span payload);
/** Protect and send a message. @return the answer's code */
uint8_t pair_raw_ask_message(struct pair_raw *raw, struct gk_span message);
/** Post the token, and join with all that belongs to it, without asking for credentials. @param
 * control  with a control_uri, at ace-group/GROUP/node @return the answer's code */
uint8_t pair_raw_join(struct pair_raw *raw, const char *group, uint32_t roles, bool control);
/** Append the payload of such a Join Request. */
void pair_raw_put_join(struct pair_raw *raw, struct gk_buf *buf, const char *group, uint32_t roles,
		       bool control);
/** Send a request below the newest join's "ace-group/GROUP"; '*' in 'path' is nodes/NODENAME. */
uint8_t pair_raw_get(struct pair_raw *raw, uint8_t method, const char *path);
/** The newest request once more, byte for byte: as a retransmission, or with a new message id.
 *  The answer is in p->raw_answer as it came. */
uint8_t pair_raw_again(struct pair_raw *raw, bool same_exchange);
/** Answer a request of the KDC to this client. @param code  0: none came in time */
void pair_raw_reply(struct pair_raw *raw, const struct pair_message *request, uint8_t code);
/** ... with code, options and payload. */
void pair_raw_reply_with(struct pair_raw *raw, const struct pair_message *request,
			 struct gk_span plain);
/** The newest request of the KDC to this client that is still open, or NULL. */
const struct pair_message *pair_raw_asked(const struct pair_raw *raw);
/** GET below the newest join's "ace-group/GROUP" as pair_raw_get(), with Observe. @param quiet with
 *  No-Response 2 */
uint8_t pair_raw_observe(struct pair_raw *raw, const char *path, uint32_t value, bool quiet);
/** The newest notification to this client that is still open, or NULL. */
const struct pair_message *pair_raw_notified(const struct pair_raw *raw);
/** Say how it went. */
void pair_raw_acknowledge(struct pair_raw *raw, const struct pair_message *notification,
			  enum gk_notified outcome);

#endif
