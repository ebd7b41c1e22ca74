// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The member from inside.
 *
 *   member.c               the object, the public calls, what arrives and what is due
 *   member_control.c       requests of the KDC
 *   member_talk.c          the public calls with which members talk to each other
 *   member_task.c          exchanges with the KDC, one at a time: which is next, and how it went
 *   member_block.c         ... whose messages are long
 *   member_request.c       what is asked in them, and what the answers mean; member_token.c of the
 *                          token, member_join.c of joining
 *   member_observe.c       what we observe at the KDC, and notifications
 *   member_active.c        whether a group is active, and what follows if it is not
 *   member_cred.c          credentials that change: ours, and the KDC's
 *   member_which.c         of which group a message is, whose Gid we do not know
 *   membership.c           one group: peers, deadlines
 *   membership_material.c  its keys
 *   membership_traffic.c   its messages
 *   membership_tree.c      what the KDC tells all members at once (docs/rekeying.md)
 */
#ifndef GK_MEMBER_H
#define GK_MEMBER_H

#include "block.h"
#include "cbor.h"
#include "event.h"
#include "group_oscore.h"
#include "kept.h"
#include "mem.h"
#include "numbers.h"
#include "rekeying.h"
#include "roots.h"
#include "scope.h"

#define GK_MEMBERSHIPS_MAX  8
#define GK_REFS_MAX         8 /* messages of members that can still be answered */
#define GK_TELLS_MAX        8 /* answers to what was told that are waited for */
#define GK_NODE_NAME_MAX    32
#define GK_CHALLENGE_MAX    64   /* N_S of a KDC; an exported one has 32 bytes */
#define GK_KEY_CHECK_S      3600 /* default of policy 1 (P 14) */
#define GK_PULL_PAUSE_MS    5000 /* between questions that anyone can provoke; doubled in vain */
#define GK_PULL_JITTER_MS   2000 /* before a question that others may ask at the same time */
#define GK_OWN_CREDS_MAX    4
#define GK_CONTROL_PATH_MAX 96    /* of control_group_uri */
#define GK_STALE_SPREAD_MS  30000 /* ... that the whole group does ask */
#define GK_UNKNOWN_MAX      4     /* Sender IDs, or Gids, asked for by name; of more, all are */
#define GK_KNOWN_MAX        200   /* peers named in a question for others; of more, none is asked */
#define GK_FAILURES_MIN     3     /* in a row, before a credential may have changed */
#define GK_USED_MAX         64    /* Sender IDs of ours that are not used again */
#define GK_CONFIRM_MAX      32    /* bytes of a confirmation: code, marker, payload of 22 at most */

/** Exchanges with the KDC, in order of urgency. */
enum gk_task {
	GK_TASK_TOKEN,        /* POST /authz-info */
	GK_TASK_LEAVE,        /* DELETE nodes/N */
	GK_TASK_JOIN,         /* POST the group */
	GK_TASK_STALE,        /* FETCH stale-sids */
	GK_TASK_MATERIAL,     /* GET nodes/N */
	GK_TASK_OBSERVE,      /* GET the group, with Observe */
	GK_TASK_OBSERVE_NODE, /* GET nodes/N, with Observe */
	GK_TASK_RENEW,        /* POST nodes/N */
	GK_TASK_SENDERS,      /* FETCH creds, of unknown senders */
	GK_TASK_NEWCOMERS,    /* FETCH creds, of all but those whom we know */
	GK_TASK_CREDS,        /* GET creds */
	GK_TASK_WHICH,        /* FETCH the groups, by Gid */
	GK_TASK_CHECK,        /* GET num */
	GK_TASK_ACTIVE,       /* GET active */
	GK_TASK_KDC_CRED,     /* GET kdc-cred */
	GK_TASK_CRED,         /* POST nodes/N/cred */
	GK_TASK_COUNT,
};

/** Moments at which a membership wants to do something. */
enum gk_due {
	GK_DUE_CHECK,   /* Key Update Check Interval */
	GK_DUE_EXPIRY,  /* of the material */
	GK_DUE_PULL,    /* after hearing an unknown epoch */
	GK_DUE_WHICH,   /* the same, in one of several groups */
	GK_DUE_CREDS,   /* after hearing an unknown sender */
	GK_DUE_REJOIN,  /* after an eviction notice */
	GK_DUE_PARTS,   /* of a rekeying message are missing */
	GK_DUE_RECOVER, /* after the KDC told the group of a version that we cannot get from it */
	GK_DUE_CONFIRM, /* a rekeying message to the group */
	GK_DUE_STALE,   /* Sender IDs are asked for, by everybody */
	GK_DUE_OBSERVE, /* no notification for so long that the KDC may have forgotten us */
	GK_DUE_FAILING, /* after messages that do not verify */
	GK_DUE_ACTIVE,  /* the group was not active when we heard of it last */
	GK_DUE_COUNT,
};

/** Another member, by its Sender ID. */
struct gk_peer {
	struct gk_id id;
	uint32_t roles;
	struct gk_blob cred;
	bool ready; /* 'context' is derived, from the present material */
	struct gk_group_recipient context;
	unsigned failures; /* to verify what it says, in a row */
	bool paired;       /* and so is 'pairwise', with our present Sender ID */
	struct gk_pairwise pairwise;
};

/** A rekeying message in several parts, until it opens. */
struct gk_parts {
	struct gk_blob seen; /* a bit for each; none: nothing is collected */
	size_t missing;
	uint16_t last_part;
	uint32_t num;
	uint8_t digest[GK_HASH_LEN]; /* of the sealed material, which is the same in all parts */
	/* for nodes of our path: one for each level at most */
	uint8_t entries[GK_TREE_HEIGHT_MAX * GK_TREE_ENTRY_LEN];
	size_t entries_len;
};

/** The newest message to the group that brought us material, and what it makes us say. */
struct gk_confirming {
	uint32_t num;                /* 0: there was none */
	uint8_t digest[GK_HASH_LEN]; /* of its sealed material */
	uint16_t part;               /* the one with which it opened: copies of it call again */
	uint32_t leisure_ms;         /* 0: nothing is to be said */
	unsigned left;               /* confirmations that may still be sent */
	uint8_t message[GK_CONFIRM_MAX];
	size_t len;
};

/** Our part in the scheme "tree" (docs/rekeying.md). All zero: none. */
struct gk_membership_tree {
	bool offered;                /* in the Join Response, with all that belongs to it */
	struct gk_public_key signer; /* with whose key messages to the group are signed */
	struct gk_addr group;        /* control_group_uri */
	uint8_t path_len;            /* 0: we do not listen */
	uint8_t uri_path[GK_CONTROL_PATH_MAX]; /* of it, "ace-group/GROUP" */
	uint8_t base_iv[GK_TREE_IV_LEN];
	unsigned failures;      /* to verify the signature, since the last key of 'signer' */
	uint8_t repeat;         /* how often each message comes */
	struct gk_keypath path; /* of version 'num' of the material */
	struct gk_keypath next; /* of the version that is held back, if a message brought it */
	struct gk_parts parts;
	struct gk_confirming confirming;
	int64_t told;           /* newest version of which the KDC told the group; 0: none */
	int64_t next_verify_ms; /* not before: anyone can forge what has no MAC that we can check */
};

/** What is observed of a group. */
enum gk_watch {
	GK_WATCH_GROUP, /* for its rekeying messages, and its end */
	GK_WATCH_NODE,  /* our place in it: for the notice that we are put out */
	GK_WATCH_COUNT,
};

/** An observation. */
struct gk_watching {
	bool open;
	uint64_t id; /* of the request that began it */
	struct gk_oscore_ref ref;
	int64_t piv; /* newest Partial IV of an answer; -1: the first one had none */
};

/** A credential that we made to take the place of another. */
struct gk_made_cred {
	struct gk_key_pair key; /* crv 0: none */
	bool dh;                /* for key agreement */
	struct gk_blob cred;
};

/** A Sender ID that was ours under a Gid. */
struct gk_used {
	struct gk_id gid, sid;
};

/** Where we stand in one group. */
struct gk_membership {
	struct gk_member *member;
	uint8_t name_len;
	uint8_t name[GK_GROUP_NAME_MAX];
	uint32_t roles;
	int sign_alg; /* of the group; ES256 until we are told */
	int cred_fmt; /* of its credentials; CCS until we are told */
	/* the KDC's key in a pairwise-only group; crv 0: it is none, as far as we know */
	struct gk_public_key kdc_dh;
	bool asks;          /* by an empty Join Request, what the group's credentials have to be */
	bool in;            /* the KDC has us in the group */
	bool inactive;      /* nothing is said in the group, and nothing heard (P 9.9) */
	bool recovering;    /* what is installed next was missed before */
	uint8_t life;       /* how often we have been out; part of our control_uri */
	uint8_t asked_life; /* as in the newest Join Request */
	unsigned wants;     /* bits of enum gk_task */
	unsigned refusals;  /* of joins, in a row */
	bool checks;        /* the application waits for GK_NOTE_CHECKED */
	int64_t due_ms[GK_DUE_COUNT];
	uint8_t node_len;
	uint8_t node[GK_NODE_NAME_MAX];
	uint8_t n_c[8]; /* cnonce of the join under way */
	/* material */
	bool has_material;
	int64_t num; /* version last installed; -1: none */
	struct gk_group_common common;
	struct gk_group_input algorithms; /* as told in the Join Response; no spans */
	struct gk_blob kdc_cred;
	struct gk_made_cred made, next; /* in use; told to the KDC, which has not confirmed it */
	unsigned made_count;            /* so far */
	bool challenged;                /* 'next' was told once more, with another N_S */
	struct gk_group_sender sender;
	bool has_sid;        /* a monitor has none; nor has who must join again to get a new one */
	struct gk_id sid;    /* outlives the material that 'sender' is derived from */
	struct gk_blob held; /* newer material, until the stale Sender IDs are known (P 11.3) */
	struct gk_used used[GK_USED_MAX]; /* a ring; outlives the membership */
	size_t used_count;                /* so far */
	struct gk_membership_tree tree;
	struct gk_watching watching[GK_WATCH_COUNT];
	unsigned unanswered; /* tries to observe nodes/N, in a row */
	/* peers */
	struct gk_peer *peers;
	size_t peer_count, peer_cap;
	struct gk_id unknown[GK_UNKNOWN_MAX]; /* who spoke, and is none of them */
	size_t unknown_count;                 /* GK_UNKNOWN_MAX + 1: too many */
	uint32_t check_interval_s;
	int64_t next_pull_ms; /* not before: anyone can forge a Gid */
	uint32_t pull_pause_ms;
	uint64_t accepted, refused;
};

/** The exchange with the KDC that is under way. */
struct gk_exchange_out {
	bool busy;
	enum gk_task task;
	struct gk_membership *ms; /* NULL for GK_TASK_TOKEN */
	uint64_t id;
	struct gk_oscore_ref ref;
	struct gk_watching watching; /* that it begins */
	struct gk_blob message;      /* the whole request: code, options, payload */
	bool is_large;               /* it goes out in blocks: member_block.c */
	uint8_t szx;                 /* of these */
	uint16_t tag;                /* Request-Tag of this transfer */
	size_t sent;                 /* how much of its payload comes before the present one */
	unsigned restarts;
	unsigned echoes;     /* how often it was repeated with an Echo */
	int64_t num;         /* of our material when we asked */
	bool checks;         /* asked since the application wants to know */
	struct gk_blob body; /* of an answer in blocks: code, options, payload so far */
	uint32_t blocks;     /* of the answer: this one is asked for; 0: it is the first */
	uint8_t szx2;
	unsigned tries; /* of the present block, of the request or the answer */
};

/** A message of a member that can be answered. */
struct gk_answerable {
	bool open;
	uint64_t id;
	struct gk_exchange exchange;
	struct gk_oscore_ref ref;
	struct gk_membership *ms;
	struct gk_kept kept; /* of one in pairwise mode, which is retransmitted */
};

#define GK_ANSWERERS_MAX 32 /* answers to one message; a larger group is asked in parts */

/** What was said, while others may answer it. */
struct gk_said {
	struct gk_membership *ms; /* NULL: nothing */
	uint64_t id;
	struct gk_oscore_ref ref;
	struct gk_id answered[GK_ANSWERERS_MAX]; /* each may answer once (G 7.4) */
	size_t count;
};

/** What was told to one member, while its answer is waited for. */
struct gk_told {
	struct gk_membership *ms; /* NULL: nothing */
	uint64_t id;
	struct gk_oscore_ref ref;
	struct gk_id asked;
};

/** A credential of ours that was given to us. */
struct gk_own_cred {
	int fmt;
	struct gk_key_pair key;
	struct gk_blob cred;
	struct gk_blob
		issuers; /* that peers' credentials of this format are checked with; empty: not */
};

struct gk_member {
	struct gk_env env;
	struct gk_queue queue;
	struct gk_blob token, name, control_base;
	struct gk_roots roots;
	struct gk_id osc_id;
	uint8_t ms[64], salt[32];
	size_t ms_len, salt_len;
	struct gk_addr kdc;
	bool point_to_point, observe, sign_protected, sleepy;
	uint32_t answer_timeout_ms, rejoin_delay_ms;
	struct gk_key_pair key[2]; /* ES256, EdDSA; crv 0: not in this build */
	struct gk_blob cred[2];
	uint8_t seed[32];             /* that they come from */
	struct gk_key_pair dh_key[2]; /* P-256, X25519: for pairwise-only groups, once in one */
	struct gk_blob dh_cred[2];
	struct gk_own_cred own[GK_OWN_CREDS_MAX];
	size_t own_count;
	/* the association with the KDC */
	struct gk_oscore assoc;
	uint8_t n1[8];
	struct gk_id id1;
	uint8_t challenge_len;
	uint8_t challenge[GK_CHALLENGE_MAX];
	struct gk_kept kept;
	struct gk_exchange_out out;
	unsigned failures;
	int64_t not_before_ms; /* back-off */
	uint64_t next_id;
	uint16_t request_tag; /* of the newest request in blocks */
	struct gk_membership *groups[GK_MEMBERSHIPS_MAX];
	size_t group_count;
	struct gk_id strange[GK_UNKNOWN_MAX]; /* Gids of messages that were of none of these */
	size_t strange_count;                 /* GK_UNKNOWN_MAX + 1: too many */
	struct gk_answerable answerable[GK_REFS_MAX];
	size_t next_answerable;
	struct gk_said said[GK_REFS_MAX];
	size_t next_said;
	struct gk_told told[GK_TELLS_MAX];
};

/* member.c */
/** The curve of the key that is ours in a group; 0: of an algorithm that we have not. */
int gk_membership_curve(const struct gk_membership *ms);
/** A key that goes by this name, from our seed. */
GK_MUST_CHECK enum gk_err gk_member_derive_key(const struct gk_member *m, struct gk_span info,
					       int crv, struct gk_key_pair *key);
/** @return the group of that name, or NULL */
struct gk_membership *gk_member_find(const struct gk_member *m, struct gk_span group);
/** At the end of a public call: start what is due. @return what that call returns */
GK_MUST_CHECK enum gk_err gk_member_proceed(struct gk_member *m, struct gk_now now);
void gk_member_note(struct gk_membership *ms, enum gk_note_kind kind, enum gk_via via,
		    const char *reason);
/** Make sure that we have a key for key agreement on P-256 or X25519, and a credential of it. */
GK_MUST_CHECK enum gk_err gk_member_need_dh(struct gk_member *m, int crv);
/** The key that is ours in a group, and the credential of it; NULL, and empty: we have none. */
const struct gk_key_pair *gk_membership_key(const struct gk_membership *ms);
struct gk_span gk_membership_cred(const struct gk_membership *ms);
/** The one that was given to us and that we use there, or NULL: it is one that we made. */
const struct gk_own_cred *gk_membership_own(const struct gk_membership *ms);
/** A random time between 0 and 'max_ms', so that members do not all speak at once. */
uint32_t gk_member_jitter(const struct gk_member *m, uint32_t max_ms);

/* member_control.c */
/** A request of the KDC, or what seems to be one. */
void gk_control_receive(struct gk_member *m, const struct gk_exchange *exchange,
			struct gk_span message, struct gk_now now);
/** As gk_membership_lost(), by a notice of the KDC: join again after a pause, if that is wanted. */
void gk_membership_put_out(struct gk_membership *ms, const char *reason, struct gk_now now);

/* member_talk.c */
/** The answer to what was told arrived, or an empty span. @return false: 'id' is nothing told */
bool gk_member_told(struct gk_member *m, uint64_t id, struct gk_span message, struct gk_now now);

/* member_task.c */
/** Want an exchange; it takes place when its turn comes. */
void gk_task_want(struct gk_membership *ms, enum gk_task task);
/** Start the next exchange if none is under way and no pause is due. */
void gk_task_next(struct gk_member *m, struct gk_now now);
/** @return when gk_task_next() has something to do */
int64_t gk_task_due_ms(const struct gk_member *m);
void gk_task_answered(struct gk_member *m, uint64_t id, struct gk_span message, struct gk_now now);
void gk_task_wipe(struct gk_member *m);

/* member_observe.c */
/** Observe a group that we are in, from now on or anew. */
void gk_watch_begin(struct gk_membership *ms);
/** Anew all that we observe: the KDC has forgotten it. */
void gk_watch_all(struct gk_member *m);
/** Observe a group no more. */
void gk_watch_end(struct gk_membership *ms);
/** @return true if the exchange under way begins an observation */
bool gk_watch_is_asked(const struct gk_member *m);
/** Another answer to a request came. @return false: 'id' is no observation's */
bool gk_watch_answered(struct gk_member *m, uint64_t id, struct gk_span message, struct gk_now now);
/** An exchange is over: what it began and nobody wants is forgotten. */
void gk_watch_tidy(struct gk_member *m);
void gk_watch_due(struct gk_membership *ms, struct gk_now now);

/* member_active.c */
/** The KDC says whether the group is active; a note tells if that is news. */
void gk_membership_set_active(struct gk_membership *ms, bool active, struct gk_now now);
/** @return the exchanges that have to wait until the group is active: bits of enum gk_task */
unsigned gk_membership_deferred(const struct gk_membership *ms);

/* member_cred.c */
/**
 * Make a key and a credential that are to take the place of ours.
 * @return GK_ERR_FORBIDDEN: a monitor has none; GK_ERR_UNSUPPORTED: ours was issued to us;
 *         GK_ERR_STATE: the last one is still on its way; GK_ERR_NO_MEMORY, GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_membership_make_cred(struct gk_membership *ms);
void gk_membership_wipe_made(const struct gk_membership *ms, struct gk_made_cred *made);
/** A message does not verify. If it is not the first one in a row, a credential may have changed:
 *  ask, after a while. @param failures  how many there were */
void gk_membership_failed(struct gk_membership *ms, unsigned *failures, struct gk_now now);
void gk_membership_due_failing(struct gk_membership *ms, struct gk_now now);

/* member_which.c */
/** A message has a Gid that is none of ours: ask, after a while, what has become of our groups. */
void gk_member_miss_gid(struct gk_member *m, struct gk_span gid, struct gk_now now);
void gk_membership_due_which(struct gk_membership *ms, struct gk_now now);

/* membership.c */
GK_MUST_CHECK enum gk_err gk_membership_new(struct gk_member *m, struct gk_span group,
					    uint32_t roles, struct gk_membership **ms);
void gk_membership_free(struct gk_membership *ms);
struct gk_span gk_membership_name(const struct gk_membership *ms);
/**
 * Append the last segment of our control_uri: "node", and another for each time that we come back.
 * So a notice that was long on its way puts out the membership which it is about, and no later one.
 */
void gk_membership_put_segment(const struct gk_membership *ms, struct gk_buf *buf);
/** Forget the keys; the peers stay. */
void gk_membership_drop_material(struct gk_membership *ms);
/** Forget material and peers: this membership is over. */
void gk_membership_drop(struct gk_membership *ms);
/** We have left, and the KDC knows. */
void gk_membership_left(struct gk_membership *ms);
/** The KDC does not have us any more. */
void gk_membership_lost(struct gk_membership *ms, const char *reason);

/** Material as it comes in a Join Response, a GET answer or a rekeying message. */
struct gk_material {
	int64_t num;
	int64_t exi_s; /* -1: absent */
	struct gk_span master_secret, salt, gid;
	bool has_sid;
	struct gk_span sid;
	bool has_algorithms;
	struct gk_group_input algorithms;
	int64_t cred_fmt;
	int64_t ecdh_crv;                 /* of ecdh_params; 0: none, or none that we can read */
	struct gk_span creds, roles, ids; /* encoded arrays, or empty */
	struct gk_span stale;             /* encoded array, or empty */
	struct gk_span policies;          /* encoded map, or empty */
	struct gk_span kdc_cred, kdc_nonce, kdc_verify;
	/* of the rekeying scheme; of another type than theirs: empty */
	int64_t scheme; /* 0: point-to-point, or absent */
	bool has_mgt, has_control_group;
	struct gk_span mgt, control_group;
};
GK_MUST_CHECK enum gk_err gk_material_read(struct gk_span payload, struct gk_material *material);
/**
 * Install material that is newer than 'num': new keys, sequence number 0, fresh windows
 * (G 2.6.3.2), peers as told.
 * @return GK_OK; GK_ERR_REPLAY: not newer, nothing changed; else the membership has no material
 */
GK_MUST_CHECK enum gk_err gk_membership_install(struct gk_membership *ms,
						const struct gk_material *material,
						struct gk_now now);
/** A verified rekeying message (P 11.2). @return the code to answer with */
uint8_t gk_membership_rekeyed(struct gk_membership *ms, struct gk_span payload, enum gk_via via,
			      struct gk_now now);
/** A verified answer with the group's material, or ours, as the KDC has it now. */
void gk_membership_answered(struct gk_membership *ms, const struct gk_material *material,
			    struct gk_span payload);
/**
 * Material of a verified rekeying message, newer than gk_membership_newest(): install it, or hold
 * it back if a version between was missed (P 11.3).
 * @param payload  that 'material' was read from
 * @return the code to answer with
 */
uint8_t gk_membership_take(struct gk_membership *ms, const struct gk_material *material,
			   struct gk_span payload, enum gk_via via, struct gk_now now);
/** @return the newest version that is installed or held back, -1: none */
int64_t gk_membership_newest(const struct gk_membership *ms);
/** Newer material came: hold the newest back until the stale Sender IDs are known. */
void gk_membership_hold(struct gk_membership *ms, struct gk_span payload, int64_t num);
/** Our Sender ID may be another's by now: no material until a join has brought a new one. */
void gk_membership_lose_sid(struct gk_membership *ms);
/** @return true if an encoded array of Sender IDs has ours */
bool gk_membership_lists_own(const struct gk_membership *ms, struct gk_span ids);
/** Install what was held back. */
void gk_membership_install_held(struct gk_membership *ms, enum gk_via via, struct gk_now now);
/** @return true if this Sender ID was ours under this Gid: its numbers would start again */
bool gk_membership_has_used(const struct gk_membership *ms, struct gk_span gid, struct gk_span sid);
/**
 * Take a Sender ID of our own into use, with sequence number 0: one that was never ours under the
 * present Gid, in this membership or an earlier one.
 * @return GK_OK; GK_ERR_REPLAY: it was; GK_ERR_NO_SPACE: too many were; else as
 *         gk_group_sender_init()
 */
GK_MUST_CHECK enum gk_err gk_membership_set_sid(struct gk_membership *ms, struct gk_span sid);
/**
 * Take the Sender ID of a Key Renewal into use, now or with the next material.
 * @return GK_ERR_RANGE: it is none, or the one that we have, whose nonces are used; and as above
 */
GK_MUST_CHECK enum gk_err gk_membership_renew_sid(struct gk_membership *ms, struct gk_span sid);
/** Take in the peers of three parallel arrays; with 'replace' others go. One whose credential our
 *  trust anchors do not vouch for is not taken in. */
GK_MUST_CHECK enum gk_err gk_membership_set_peers(struct gk_membership *ms, struct gk_span creds,
						  struct gk_span roles, struct gk_span ids,
						  bool replace, struct gk_now now);
/** @return the peer with this Sender ID, or NULL; valid until peers come or go */
struct gk_peer *gk_membership_find_peer(struct gk_membership *ms, struct gk_span id);
/** @return true if this Sender ID is ours */
bool gk_membership_is_own(const struct gk_membership *ms, struct gk_span id);
/** @return true if an encoded array of Sender IDs has this one */
bool gk_membership_is_listed(struct gk_span ids, struct gk_span id);
/** Remove all peers that an encoded array of Sender IDs does not name. */
void gk_membership_keep_peers(struct gk_membership *ms, struct gk_span ids);
/** Remove peers by an encoded array of Sender IDs. */
void gk_membership_remove_peers(struct gk_membership *ms, struct gk_span ids);
void gk_membership_remove_all_peers(struct gk_membership *ms);
/** Ask after a while, and ever more rarely while it brings nothing: anyone can provoke it.
 *  @param what  GK_DUE_PULL, GK_DUE_CREDS, GK_DUE_WHICH or GK_DUE_FAILING */
void gk_membership_pull_later(struct gk_membership *ms, enum gk_due what, struct gk_now now);
/** Somebody whom we do not know has this Sender ID: ask about it when it is time.
 *  @return the exchange in which that is done */
enum gk_task gk_membership_miss(struct gk_membership *ms, struct gk_span sid);
/** Count and tell of a message that is not what it should be. */
void gk_membership_refuse(struct gk_membership *ms, const char *reason);
/** Make sure that there are keys between us and a peer. @return as gk_group_recipient_init(),
 *  gk_pairwise_init(); GK_ERR_STATE also: we have no Sender ID */
GK_MUST_CHECK enum gk_err gk_membership_pair(struct gk_membership *ms, struct gk_peer *peer);
/** Wipe the keys between us and all peers: they would not be right any more. */
void gk_membership_unpair(struct gk_membership *ms);
/** An answer to what was said arrived. */
void gk_membership_response(struct gk_said *said, struct gk_span message, struct gk_now now);
/** ... to what was told. @return NULL, or what is wrong with it */
const char *gk_membership_answer(const struct gk_told *told, struct gk_span message,
				 struct gk_now now);
/** A message under a group's keys arrived. */
void gk_membership_receive(struct gk_member *m, const struct gk_exchange *exchange,
			   const struct gk_oscore_option *option, struct gk_span message,
			   struct gk_now now);
/** Do what is due. */
void gk_membership_due(struct gk_membership *ms, struct gk_now now);

/* membership_tree.c */
/** A request without OSCORE arrived: perhaps a message of the KDC to one of our groups. */
void gk_membership_multicast(struct gk_member *m, struct gk_span message, struct gk_now now);
/**
 * Begin anew, with what a Join Response says: the keys come with the material in it.
 * @param signer  with whose key messages to the group are signed; NULL: we are told point-to-point
 */
void gk_membership_enter_tree(struct gk_membership *ms, const struct gk_public_key *signer);
/** Forget all keys of the tree, and what was to be done about it. */
void gk_membership_leave_tree(struct gk_membership *ms);
/** Take the keys that go with material which is being installed; there may be none. */
void gk_membership_take_path(struct gk_membership *ms, const struct gk_material *material);
/** @return true if messages to the group can bring us material */
bool gk_membership_in_tree(const struct gk_membership *ms);
/** @return true if the KDC is to be told which version we have (docs/rekeying.md section 9) */
bool gk_membership_shows_num(const struct gk_membership *ms);
void gk_membership_due_parts(struct gk_membership *ms, struct gk_now now);
void gk_membership_due_recover(struct gk_membership *ms, struct gk_now now);
void gk_membership_due_confirm(struct gk_membership *ms, struct gk_now now);

#endif
