// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The KDC from inside: its structures, and what its files offer each other.
 *
 *   kdc.c       the object, the public calls, what arrives and what is due
 *   kdc_group.c groups come, change and go by configuration
 *   walk.c      what the operator sees
 *   client.c    clients: tokens, associations
 *   exchange.c  protected exchanges with them, in both directions; exchange_multicast.c asks one
 *               by multicast, exchange_notice.c tells it that it is put out
 *   session.c   clients that come by DTLS, whose exchanges their sessions protect
 *   authz.c     /authz-info: tokens in; issue.c: tokens issued
 *   resource.c  the table of resources: who may do what. resource_core.c, resource_groups.c,
 *               resource_read.c, resource_creds.c, resource_verify.c, resource_stale.c,
 *               resource_node.c serve them (resource.h); filter.c tells whose credentials are
 *               asked for
 *   answer.c    answers; answer_block.c sends those in blocks that are long
 *   request_block.c puts requests together that come in blocks; transfer.c keeps what is under way
 *   join.c      the Join Request; proof.c checks the evidence in it
 *   group.c     groups: material, Sender IDs, stale sets, members coming and going
 *   material.c  what answers and rekeying messages have in common
 *   observe.c   who observes what (RFC 7641), and notifications
 *   delivery.c  who still needs the newest material, and rekeying messages point-to-point
 *   multicast.c rekeying messages to the group; multicast_make.c makes them, multicast_confirm.c
 *               takes confirmations, multicast_beacon.c sends beacons
 *   mgt.c       a group's tree of administrative keys: who is in it, and what members are told
 *   presence.c  who is still there; evidence.c remembers by what we know, outlook.c tells what
 *               comes next
 *   kernel.c    what the kernel is asked, and says
 *   sleep.c     who is asleep most of the time
 *   probe.c     asks them; witness.c has the last word, and looks whether a whole group is lost
 *   address.c   where clients are
 *   record.c    records of the store, out and in; record_group.c, record_ledger.c
 *   ledger.c    what is remembered of clients: tokens issued, revocations, bans
 *   operator.c  what the operator says of them: ban, unban, revoke
 *   disown.c    what is left of a store that is too old
 */
#ifndef GK_KDC_H
#define GK_KDC_H

#include "block.h"
#include "budget.h"
#include "cbor.h"
#include "coap.h"
#include "cred.h"
#include "cwt.h"
#include "event.h"
#include "hash.h"
#include "kept.h"
#include "keytree.h"
#include "numbers.h"
#include "oscore.h"
#include "rekeying.h"
#include "roots.h"
#include "scope.h"
#include "timer.h"
#include "transfer.h"

#define GK_NAME_MAX          32    /* a client's name */
#define GK_NONCE_LEN         8     /* N_S, N_KDC, N1, N2: RECOMMENDED length (P 5.3, 6.3; O 4.1) */
#define GK_CNONCE_MAX        32    /* accepted from clients */
#define GK_SCOPE_MAX         128   /* of a Join Request: one entry, in whatever encoding */
#define GK_URI_PATH_MAX      96    /* of a control_uri; P's default one, under any root, fits in */
#define GK_PATH_SEGMENTS_MAX 8     /* a root's, and "GROUP/nodes/NODENAME/cred" behind it */
#define GK_MS_LEN            16    /* Master Secret: as strong as AES-CCM-16-64-128 */
#define GK_SEQ_BLOCK         1024  /* Partial IVs reserved at once, for all associations together */
#define GK_LEDGER_MAX        10000 /* tokens issued; bans; revocations */
#define GK_PUT_OFF_MS        10000 /* what cannot be stored is tried again after this */
#define GK_STORAGE_MAX_AGE_S 30    /* Max-Age of a 5.03, as for want of storage */
#define GK_CANDIDATES_MAX    1024  /* token posts that wait for a first protected request */
#define GK_CANDIDATES_PER_ID 4     /* ... of one client from one address */
#define GK_SOURCES_MAX       64    /* addresses whose token posts are counted */
#define GK_CANDIDATE_MS      120000 /* ... and for how long */
#define GK_QUESTIONS_MAX     512    /* by multicast; they need no socket of their own */
#define GK_REQUESTS_MAX      128    /* requests of our own under way at once, all groups together */
#define GK_OBSERVERS_MAX     32768  /* registrations, all groups together; three of each member */
#define GK_STALE_SETS_MAX    16
/* Sender IDs, 2 or 3 bytes each, that a rekeying message tells of. */
#define GK_STALE_TOLD_MAX 200
#define GK_CASTS_MAX      4 /* messages to a group that wait for their turn, one num each */
#define GK_BLOCK_SZX      6 /* blocks of 1,024 bytes: one IPv6 packet of 1,280 */

struct gk_node;
struct gk_group;

/** A pairwise association with a client: under OSCORE, or what its DTLS sessions have in common. */
struct gk_association {
	struct gk_oscore ctx;            /* no aead: under DTLS */
	struct gk_link by_kid;           /* our Recipient ID; or what the sessions are called */
	uint8_t challenge[GK_NONCE_LEN]; /* kdcchallenge, N_S */
	uint8_t challenge_len;           /* 0: there is none */
	uint8_t echo[GK_NONCE_LEN];      /* expected while not synchronised */
	bool echo_sent;
	uint64_t challenged_piv; /* the highest of a request that was answered with it */
	int64_t challenge_ms;    /* the account of challenges: see gk_account_take() */
	bool synchronised;       /* the replay window is known (RFC 8613 B.1.2) */
	struct gk_kept kept;
};

/** The key of a client that comes by DTLS (RFC 9202). */
struct gk_session {
	struct gk_id id; /* what sessions with this key are called */
	uint8_t kid_len, psk_len;
	uint8_t kid[GK_KID_MAX];
	uint8_t psk[GK_PSK_MAX];
	struct gk_public_key public_key; /* crv 0: it is the pre-shared key */
};

/**
 * The holder of a token. A candidate has posted one and not yet used its association; it becomes
 * a client, or renews the client of the same id, with its first verified request (O 6).
 */
struct gk_client {
	struct gk_link by_id;
	bool candidate;
	struct gk_client *next_candidate;
	int64_t posted_ms;
	struct gk_addr posted_from;
	struct gk_timer expiry;
	struct gk_timer forget; /* of the kept answer, and of one in blocks */
	/* of the OSCORE input material, the same across associations; under DTLS from the name of
	 * the key, or the public key, which are compared in full */
	struct gk_id id;
	uint8_t name_len;
	uint8_t name[GK_NAME_MAX];
	struct gk_blob scope; /* of the token, checked */
	struct gk_utc exp;
	struct gk_utc iat; /* of the newest token: older ones are superseded; 0: it did not say */
	/* the highest number of its tokens whose lifetime begins when they are first seen (exi) */
	uint64_t exi_number;
	bool sleepy; /* its token says so */
	struct gk_association assoc;
	struct gk_session *session; /* NULL: it comes by OSCORE */
	uint64_t generation;        /* counts associations, so that an answer finds its own */
	bool ending; /* its token is over, and it goes when its memberships are gone */
	struct gk_node *nodes;
	int64_t churn_ms; /* its account of what costs others: see gk_client_may_churn() */
	struct gk_transfer request, answer; /* that are under way in blocks */
	struct gk_addr address;             /* where its newest protected request came from */
	struct gk_addr *former;    /* ... and those before, newest first; NULL: it did not move */
	uint8_t address_count;     /* with the former ones */
	int64_t asked_until_ms[2]; /* a request to it is under way: by unicast, by multicast */
	unsigned unanswered;       /* requests and notifications in a row */
	bool has_iid;              /* the table knows the newest one ... */
	struct gk_link by_iid;     /* ... by its interface identifier */
};

enum gk_node_delivery {
	GK_NODE_SETTLED = 0, /* has the newest material */
	GK_NODE_QUEUED = 1,
	GK_NODE_FLYING = 2,  /* a rekeying message is under way */
	GK_NODE_WAITING = 3, /* back-off */
	GK_NODE_PARKED = 4,  /* until it is heard of */
	GK_NODE_CAST = 5,    /* a message to the group went out */
	GK_NODE_TOLD = 6,    /* a notification was acknowledged */
};

/** Messages to single members. Those to sleepy ones have a lane of their own, and are sent when
 *  none of the others waits for its turn. */
enum gk_lane_kind {
	GK_LANE_AWAKE,
	GK_LANE_SLEEPY,
	GK_LANES,
};
struct gk_lane {
	struct gk_node *head, *tail; /* who waits for its turn */
	size_t flying;               /* under way */
};

/** What can be observed (R 4.3.2, 4.8.1; P 8.2). All of it is for members alone. */
enum gk_observed {
	GK_OBSERVED_NOTHING,
	GK_OBSERVED_GROUP,  /* rekeying messages (R 6.1); the end of the group */
	GK_OBSERVED_NODE,   /* the member's material; its eviction */
	GK_OBSERVED_ACTIVE, /* whether the group is active */
	GK_OBSERVED_COUNT,
};

/** A member's registration with one of these, in memory only. */
struct gk_observer {
	struct gk_exchange exchange; /* of the registration: its peer and token are notified */
	struct gk_oscore_ref ref;    /* it is what notifications answer, under OSCORE */
	bool quiet;                  /* of 2.xx the client wants none (No-Response, RFC 7967) */
	bool changed;                /* the state is newer than what was notified last */
	uint64_t flight;             /* id of the notification of it under way; 0: none */
};

#define GK_TRAIL_LEN    16 /* facts kept of a member: from its last sign of life to its removal */
#define GK_DEPARTED_MAX 64 /* memberships whose facts outlive them */

/** A fact, and how often it was met in a row. */
struct gk_mark {
	uint32_t at_low; /* monotonic ms ... */
	uint16_t at_high;
	uint16_t times;
	uint32_t fact : 8, detail : 24;
};
/** What was learned of a member: the newest facts, in a ring. */
struct gk_trail {
	uint8_t first, count;
	struct gk_mark marks[GK_TRAIL_LEN];
};
/** What is left of a membership that has ended. */
struct gk_departed {
	uint8_t group_len, node_len, name_len;
	uint8_t group[GK_GROUP_NAME_MAX];
	char node[24];
	uint8_t name[GK_NAME_MAX];
	const char *why; /* static; NULL: by its own wish */
	struct gk_trail trail;
};

/** What a member's timer is for. */
enum gk_vigil {
	GK_VIGIL_SILENCE, /* is it heard of? */
	GK_VIGIL_KERNEL,  /* the kernel's verdict */
	GK_VIGIL_CHECK,   /* the answer of one that nobody doubts */
	GK_VIGIL_ROUND,   /* ... and of one that is doubted */
	GK_VIGIL_GRACE,   /* it is absent */
	GK_VIGIL_RETURN,  /* ... and stays a member; it is asked now and then */
	GK_VIGIL_END,     /* ... and grace is over: no timer, witness.c knows */
};

/** A member of a group, under nodes/NODENAME. */
struct gk_node {
	struct gk_group *group;
	struct gk_client *client;
	struct gk_node *next_of_client;
	uint64_t number; /* node name "n<number>" */
	uint8_t name_len;
	char name[24];
	uint32_t roles;
	bool has_sid;
	struct gk_id sid;
	struct gk_blob cred;
	struct gk_blob scope; /* of its latest Join Request, byte for byte */
	uint8_t n_c_len;
	uint8_t n_c[GK_CNONCE_MAX]; /* clientchallenge: cnonce of the latest Join Request */
	bool sleepy;                /* said so in its latest Join Request */
	bool sleeps;                /* is sleepy, whoever says so: gk_node_sleeps() */
	bool has_control;           /* gave a control_uri */
	struct gk_addr address;     /* of control_uri, or where it was last heard of */
	struct gk_blob control_path;
	int64_t num; /* newest version it is known to have */
	bool in_tree;
	uint16_t slot;                                   /* its leaf */
	struct gk_observer *observer[GK_OBSERVED_COUNT]; /* NULL: it does not */
	/* delivery */
	enum gk_node_delivery delivery;
	enum gk_lane_kind lane; /* in which it waits for its turn, or is under way */
	struct gk_node *next_queued;
	uint64_t flight;       /* id of the message under way */
	bool waited;           /* counted in the group's 'waiting' */
	bool refuses;          /* it answered the newest message with an error */
	int64_t cast_ms;       /* since when it owes a confirmation */
	uint8_t confirmations; /* that it sent for the present version */
	int64_t told_num;      /* version that a message of its own was last sent of */
	uint16_t told_len;     /* ... of so many bytes */
	int64_t parked_num;    /* ... and last given up on */
	unsigned attempts;
	struct gk_timer retry;
	/* presence */
	enum gk_presence presence;
	uint8_t reason;    /* enum gk_fact: for the state */
	uint8_t last_sign; /* ... of life */
	uint8_t vigil;     /* enum gk_vigil */
	bool asking;       /* a probe is under way, whose time is the timer's */
	bool accused;      /* suspect on the kernel's word */
	bool evicting;     /* it is being removed for its silence */
	bool told;    /* the kernel has said something of it, in the batch that is being read ... */
	uint8_t word; /* ... enum gk_reach */
	uint16_t probes_sent, missed; /* in this round; the latter in vain */
	uint16_t unsent;              /* requests in a row that never left */
	int64_t since_ms;
	int64_t last_seen_ms;
	int64_t distrust_ms; /* until then the kernel's word is not good enough for suspicion */
	int64_t heard_ms;    /* the last sign of life, acknowledgements included */
	int64_t quiet_ms;    /* its silence counts from here: the same, or later */
	int64_t asked_ms;    /* since when it has been asked in vain */
	int64_t lost_ms;     /* the first time in vain, in this round */
	int64_t end_ms;      /* of its grace */
	int64_t turn_ms;     /* when it was last checked because its turn had come */
	struct gk_node *next_told;
	struct gk_trail trail;
	struct gk_timer check;
};

/** Sender IDs that went stale under one version (P 7.1). */
struct gk_stale_set {
	int64_t num;
	struct gk_id *ids;
	size_t count, cap;
};

/** A rekeying message to the group, in one part or several, while copies of it are to be sent. */
struct gk_cast {
	int64_t num;
	struct gk_blob *parts; /* code, options, payload; signed once, the same in each copy */
	size_t count, next;    /* next: the part to be sent */
	unsigned copies;       /* still to be sent, the one under way included */
	int64_t due_ms;
	uint32_t leisure_ms; /* in which members confirm a copy; 0: they do not */
};

/** What the newest rekeying took so far. */
struct gk_rekeying_stats {
	size_t members, confirmed, unicast, parked;
	uint64_t bytes, datagrams;
	int64_t began_ms, ended_ms; /* ended: -1 while somebody is waited for */
};

/** How many were removed for their silence, in each of the last 61 seconds. */
struct gk_evictions {
	int64_t last_s;
	uint16_t count[61];
};

struct gk_group {
	struct gk_kdc *kdc;
	struct gk_group *next;
	struct gk_group_config config;
	struct gk_blob issuers;  /* that config.cred_issuers borrows from */
	struct gk_blob sleepers; /* ... and config.presence.sleepers */
	uint8_t name[GK_GROUP_NAME_MAX];
	uint8_t name_len;
	bool served;     /* configured; a restored group that is not is kept and not shown */
	bool ended;      /* deleted: only name, num and Gid prefix are left */
	bool dissolving; /* just being deleted: its members go */
	int64_t num;
	bool used;          /* someone was given the present material */
	bool rekey_pending; /* someone is gone who knows the present material */
	bool gathering;     /* just now several go at once: their group is stored with the last */
	uint8_t gid_prefix[2];
	uint8_t ms[GK_MS_LEN];
	struct gk_utc made; /* when the material was made, for the store */
	int64_t made_ms;    /* and by the clock that never jumps */
	bool inherited;     /* from an earlier life: made_ms is only as good as the calendar ... */
	int64_t resumed_ms; /* ... and not later than this */
	uint64_t next_node;
	struct gk_stale_set stale[GK_STALE_SETS_MAX];
	size_t stale_count; /* the last one is that of 'num' */
	struct gk_node **nodes;
	size_t count, cap;
	size_t cred_bytes;
	uint8_t last_sid; /* one-byte Sender IDs go round, so that one given up rests for long */
	struct gk_node *joiner; /* whose join caused the present version, or NULL */
	struct gk_lane lanes[GK_LANES];
	struct gk_timer rekey;  /* coalescing, or a retry */
	struct gk_timer period; /* scheduled */
	/* the tree; empty in a group that is point-to-point */
	struct gk_keytree tree;
	struct gk_node **by_slot; /* tree members by their leaf */
	size_t slot_cap;
	int64_t old_num;    /* the version that the present one took the place of */
	uint8_t secret[32]; /* of a rekeying that is being made */
	/* Material of the newest message to the group; empty: none was made. */
	struct gk_blob sealed;
	struct gk_cast casts[GK_CASTS_MAX]; /* oldest first */
	size_t cast_count;
	size_t cast_parts;       /* of the newest one, in the store */
	struct gk_timer cast;    /* the next part of a cast */
	struct gk_timer confirm; /* the end of the time for confirmations */
	struct gk_timer beacon;
	int64_t beacon_ms,
		beacon_left_ms; /* Trickle's I, and what is left of it at the next beacon */
	bool confirming;        /* members in GK_NODE_CAST are waited for */
	size_t waiting;         /* members that are waited for, in whatever state */
	bool blind;             /* by mass loss ... */
	int64_t blind_since_ms; /* ... and who was heard of since then is there */
	struct gk_timer judge;  /* when to look at those who are lost */
	struct gk_evictions evictions;
	struct gk_rekeying_stats stats;
	struct gk_rekeying_totals totals;
	uint64_t confirmations_refused;
};

enum gk_request_kind {
	GK_REQUEST_REKEY,
	GK_REQUEST_PROBE,
	GK_REQUEST_NOTICE,
	GK_REQUEST_UPDATE, /* a notification that tells of a new state and delivers nothing */
};

/** A request of ours that waits for its answer, or a notification for its acknowledgement. */
struct gk_request {
	struct gk_link by_id;
	uint64_t id;
	enum gk_request_kind kind;
	struct gk_id client;    /* names, not pointers: either may be gone when the answer comes */
	struct gk_group *group; /* groups stay */
	uint64_t node;          /* its number */
	uint64_t generation;
	int64_t num;
	struct gk_oscore_ref ref;
	struct gk_id dtls;         /* the session it goes in; empty: it is protected by OSCORE */
	uint64_t session;          /* ... a notification: which one of that name */
	enum gk_observed observed; /* a notification; else GK_OBSERVED_NOTHING */
	bool multicast;            /* to whoever hears it: what is no answer of the client's is
				      passed over */
	uint64_t twin;             /* another request that asks the same; 0: none ... */
	bool beside;               /* ... whose fate counts, and not that of this one */
	uint8_t token_len;
	uint8_t token[8];
	/* an eviction notice outlives its node, and waits until it can be sent */
	struct gk_addr peer;
	struct gk_blob notice;
	int64_t until_ms;
	struct gk_request *next_unsent;
};

enum gk_kdc_timer {
	GK_TIMER_CLIENT_EXPIRY,
	GK_TIMER_CLIENT_FORGET,
	GK_TIMER_REKEY,
	GK_TIMER_PERIOD,
	GK_TIMER_RETRY,
	GK_TIMER_CHECK,
	GK_TIMER_CANDIDATES,
	GK_TIMER_NOTICES,
	GK_TIMER_CAST,
	GK_TIMER_CONFIRM,
	GK_TIMER_BEACON,
	GK_TIMER_BUDGET,
	GK_TIMER_OUTSIDERS,
	GK_TIMER_UPDATES,
	GK_TIMER_JUDGE,
};

/** A token that we issued. One that has ended stays while there is room. */
struct gk_issued {
	struct gk_issued *next;
	struct gk_link by_client;
	uint64_t cti;
	struct gk_id client;
	uint8_t name_len;
	uint8_t name[GK_NAME_MAX];
	struct gk_blob scope;
	struct gk_utc exp;
};

/** Tokens of this client are refused until then. */
struct gk_revoked {
	struct gk_revoked *next;
	struct gk_link by_client;
	struct gk_id client;
	uint8_t name_len;
	uint8_t name[GK_NAME_MAX];
	struct gk_utc until; /* the end of the longest token that is known */
};

/** This client is kept out of this group. The group need not exist (yet, or any more). */
struct gk_ban {
	struct gk_ban *next;
	uint8_t group_len, name_len, node_len;
	uint8_t group[GK_GROUP_NAME_MAX];
	struct gk_id client;
	uint8_t name[GK_NAME_MAX];
	char node[24]; /* its node name at the time; empty: it was no member */
};

/** An address that has posted tokens lately, and its account of them: see gk_account_take(). */
struct gk_source {
	uint8_t ip[16];
	int64_t posts_ms;
};

struct gk_kdc {
	struct gk_env env;
	struct gk_queue queue;
	struct gk_timers timers;
	struct gk_timer candidate_timer, notice_timer, budget_timer, update_timer;
	struct gk_budget budget; /* of the link, for rekeying */
	struct gk_blob audience, issuer, as_uri;
	struct gk_roots roots;
	enum gk_discovery discovery;
	uint8_t as_key[GK_AEAD_KEY_MAX];
	struct gk_public_key as_public_key;
	struct gk_hash clients_by_id, associations_by_kid, addresses, requests;
	struct gk_hash issued_by_client, revoked_by_client;
	struct gk_client *candidates; /* oldest first */
	size_t candidate_count;
	struct gk_group *groups;
	struct gk_key_pair sign_key[2]; /* ES256, EdDSA; crv 0: not made yet */
	struct gk_key_pair dh_key[2]; /* P-256, X25519: for pairwise-only groups of each sign_alg */
	/* their credentials, of each format; made again from the keys, byte for byte the same */
	struct gk_blob sign_cred[GK_CRED_FORMATS][2], dh_cred[GK_CRED_FORMATS][2];
	struct gk_key_pair raw_key; /* for DTLS alone: handshakes sign what a client chose */
	uint64_t next_id;           /* of requests */
	struct gk_request *unsent;  /* notices that could not be sent, newest first */
	size_t request_count;       /* by unicast */
	size_t question_count;      /* by multicast */
	size_t observer_count;
	uint64_t observe_value;           /* of the newest notification (RFC 7641 section 4.4) */
	struct gk_transfers transfers[2]; /* in blocks: of clients, and of outsiders */
	struct gk_outsider outsiders[GK_OUTSIDERS_MAX];
	struct gk_timer outsider_timer;
	struct gk_source sources[GK_SOURCES_MAX];
	size_t timers_wanted;
	enum gk_storage storage;
	uint64_t seq_limit; /* Partial IVs below may have been used, by any association; stored */
	int64_t high_num;   /* the highest num that any group ever had; -1: none */
	int64_t first_num;  /* of a new group: 0, or one above all that a lost state may have had */
	uint64_t high_cti;  /* the highest that was ever issued */
	uint64_t exi_ended; /* highest sequence number of tokens with exi that ended (A 5.10.3) */
	bool marked;        /* the store has a record of these: not one from before marks */
	struct gk_issued *issued;
	struct gk_revoked *revoked;
	struct gk_ban *bans;
	const struct gk_group *pumped; /* the group that was first to use the budget last time */
	struct gk_node *told;          /* members that the kernel has said something of */
	enum gk_blindness blind;       /* of the link: of all groups */
	uint32_t verdict_ms;           /* how long the kernel takes to tell that somebody is gone */
	int64_t check_turn_ms; /* when the last of the checks that were put off has its turn */
	struct gk_presence_counts presence_counts;
	struct gk_departed *departed[GK_DEPARTED_MAX]; /* in a ring; NULL: not yet */
	size_t departed_at;                            /* where the next one goes */
	bool dtls;                                     /* is offered */
};

/** One request being served. */
struct gk_call {
	struct gk_kdc *kdc;
	const struct gk_exchange *exchange;
	struct gk_client *client; /* NULL: unprotected */
	struct gk_group *group;   /* NULL: none in the path, or unknown */
	struct gk_node *node;     /* the client's membership of 'group', or NULL */
	struct gk_coap msg;
	const struct gk_oscore_ref *ref; /* of the request; NULL: it came plain */
	int64_t outer_observe; /* Observe outside of OSCORE, or in a DTLS session; -1: none */
	struct gk_span path[GK_PATH_SEGMENTS_MAX];
	size_t path_len;
	size_t root_len; /* of which these are the path of a root: behind them is the group */
	struct gk_now now;
	struct gk_buf reply;  /* code, options, payload */
	struct gk_blob large; /* where the reply is if gk_answer_reserve() was called */
	bool has_block1;
	struct gk_block block1;      /* which block of the request this is */
	struct gk_blob request;      /* its payload, if it came in several */
	struct gk_client *candidate; /* that a token post has made */
};

/* kdc.c */
/** Tell the operator of something about a node. */
void gk_kdc_note(struct gk_kdc *kdc, enum gk_note_kind kind, const struct gk_node *node,
		 const char *reason);
/** Tell that a member has the newest material, and how it got it. */
void gk_kdc_note_delivered(const struct gk_node *node, enum gk_via via);
/** Tell of something about a group as a whole. */
void gk_kdc_note_group(struct gk_kdc *kdc, enum gk_note_kind kind, const struct gk_group *group,
		       const char *reason);
/** The KDC's signature key for an algorithm, and the credential of that in a format; curve 0, and
 *  empty: not made. */
const struct gk_key_pair *gk_kdc_sign_key(const struct gk_kdc *kdc, int sign_alg);
struct gk_span gk_kdc_cred(const struct gk_kdc *kdc, int sign_alg, int cred_fmt);
/** Its key for key agreement in a pairwise-only group, and the credential of that. */
const struct gk_key_pair *gk_kdc_dh_key(const struct gk_kdc *kdc, int sign_alg);
struct gk_span gk_kdc_dh_cred(const struct gk_kdc *kdc, int sign_alg, int cred_fmt);
/** @return true if the keys are made that a group of this configuration needs */
bool gk_kdc_has_keys(const struct gk_kdc *kdc, const struct gk_group_config *config);
/** Make what is missing of them, and of their credentials. @return GK_ERR_UNSUPPORTED,
 *  GK_ERR_ENTROPY, GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_kdc_need_keys(struct gk_kdc *kdc,
					   const struct gk_group_config *config);
/** Make sure that 'count' more timers can be set, until gk_kdc_release_timers(). */
GK_MUST_CHECK enum gk_err gk_kdc_reserve_timers(struct gk_kdc *kdc, size_t count);
void gk_kdc_release_timers(struct gk_kdc *kdc, size_t count);

/* client.c */
struct gk_client *gk_client_find(const struct gk_kdc *kdc, struct gk_span id);
/** ... by our Recipient ID; candidates too. */
struct gk_client *gk_client_find_by_kid(const struct gk_kdc *kdc, struct gk_span kid);
/** Make a candidate from a token that was read; takes its own copies. */
GK_MUST_CHECK enum gk_err gk_client_new(struct gk_kdc *kdc, struct gk_client **client);
/** Unlink from wherever it is linked, wipe, free. Its nodes must be gone. */
void gk_client_free(struct gk_kdc *kdc, struct gk_client *client);
/** Make a client findable by its kid, or by what its sessions are called. */
GK_MUST_CHECK enum gk_err gk_client_link(struct gk_kdc *kdc, struct gk_client *client);
/** Take a candidate in; the oldest ones beyond the bounds go. */
void gk_client_add_candidate(struct gk_kdc *kdc, struct gk_client *client,
			     const struct gk_addr *from, struct gk_now now);
/** @return 0, or why a candidate cannot become a client, now or ever: the code to answer with */
uint8_t gk_client_refusal(const struct gk_kdc *kdc, const struct gk_client *candidate);
/** The first verified request of a candidate. @return the client it now is, or renews; NULL: no
 *  memory, or it renews too often; it stays a candidate */
struct gk_client *gk_client_confirm(struct gk_kdc *kdc, struct gk_client *candidate,
				    struct gk_now now);
/**
 * Take from an account that holds 'burst_ms' when it is full, and gets a millisecond in each.
 * @param account_ms  0: full @return false: there is not so much in it
 */
bool gk_account_take(int64_t *account_ms, int64_t cost_ms, int64_t burst_ms, struct gk_now now);
/**
 * Joins and renewals cost the whole group something, and new associations and rights a write to
 * flash: a client has so many, then one at a time (R 10.2). @return false: answer 5.03, and change
 * nothing
 */
bool gk_client_may_churn(struct gk_client *client, struct gk_now now);
/** Forget its request and its answer that are under way in blocks. */
void gk_client_drop_transfers(struct gk_kdc *kdc, struct gk_client *client);
/** @return the newest candidate that was posted from there, or NULL */
struct gk_client *gk_client_find_candidate(struct gk_kdc *kdc, const struct gk_addr *from);
/** Free what was kept for retransmissions. */
void gk_client_forget(struct gk_kdc *kdc, struct gk_client *client);
void gk_client_drop_candidates(struct gk_kdc *kdc, struct gk_now now);
/** The token's end: memberships go, then the client. */
void gk_client_expire(struct gk_kdc *kdc, struct gk_client *client, struct gk_now now);
/** (Re)arm the timer of the token's end. */
void gk_client_arm_expiry(struct gk_kdc *kdc, struct gk_client *client, struct gk_now now);
/** Evict from groups whose roles the present scope no longer grants. */
void gk_client_recheck(struct gk_kdc *kdc, struct gk_client *client, struct gk_now now);
/** A kid that no association of ours has. */
GK_MUST_CHECK enum gk_err gk_client_choose_kid(struct gk_kdc *kdc, struct gk_span other,
					       struct gk_id *kid);
/** A message with an OSCORE option arrived. */
enum gk_err gk_client_receive(struct gk_kdc *kdc, const struct gk_exchange *exchange,
			      struct gk_span message, struct gk_now now);
/** Send a protected request to a node. @return its id, 0: not now (too many under way) */
uint64_t gk_client_request(struct gk_kdc *kdc, struct gk_node *node, enum gk_request_kind kind,
			   struct gk_span message, uint32_t timeout_ms);
/** @return true if gk_client_request_both() can be used: it takes requests, under OSCORE */
bool gk_client_can_multicast(const struct gk_node *node);
/**
 * The same by multicast, which no forged entry in a neighbour table diverts; and by unicast beside
 * it, for who is beyond the reach of that, unless a message to it is under way that way. Their air
 * is charged. They count as one: unsent if neither was sent, answered if one is.
 * @return the id of the one by multicast, 0: not now
 */
uint64_t gk_client_request_both(struct gk_kdc *kdc, struct gk_node *node, enum gk_request_kind kind,
				struct gk_span message, uint32_t timeout_ms, struct gk_now now);
/** It said something that proves who it is: its memberships are all present. */
void gk_client_seen(struct gk_client *client, enum gk_fact sign, struct gk_now now);
/** The answer to one of our requests. */
void gk_client_answer(struct gk_kdc *kdc, uint64_t id, struct gk_span message, struct gk_now now);

/** Notify a node of what it observes. @return its id, 0: not now */
uint64_t gk_client_notify(struct gk_kdc *kdc, struct gk_node *node, enum gk_observed what,
			  enum gk_request_kind kind, struct gk_span message, uint32_t timeout_ms);
/** How that went. */
void gk_client_notified(struct gk_kdc *kdc, uint64_t id, enum gk_notified outcome,
			struct gk_now now);

/** Tell a node that it is put out (P 10): one message, which nothing waits for. @param what
 *  GK_OBSERVED_NOTHING: a request; else the last answer of that observation */
void gk_client_tell_end(struct gk_kdc *kdc, struct gk_node *node, enum gk_observed what,
			struct gk_span message, struct gk_now now);
/** Send the notices that could not be sent so far. */
void gk_client_send_notices(struct gk_kdc *kdc, struct gk_now now);
void gk_client_drop_notices(struct gk_kdc *kdc);
/** One of our requests never left. */
void gk_client_unsent(struct gk_kdc *kdc, uint64_t id, struct gk_now now);

/* session.c */
/**
 * Whose key for DTLS does a token have?
 * @param token    as posted: a key may be derived from it
 * @param session  to be wiped
 * @param client   the id of the client
 * @return GK_OK; GK_ERR_UNSUPPORTED: a key that is none for DTLS; GK_ERR_DUPLICATE: it has only the
 *         name of a key, and two have it; GK_ERR_CRYPTO
 */
GK_MUST_CHECK enum gk_err gk_session_read(const struct gk_kdc *kdc, struct gk_span token,
					  const struct gk_cwt *cwt, struct gk_session *session,
					  struct gk_id *client);
/** Give a candidate its key, and make it findable by that. @return GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_session_set(struct gk_kdc *kdc, struct gk_client *client,
					 const struct gk_session *session);
/** @return the client or candidate whose sessions are called so, or NULL */
struct gk_client *gk_session_find(const struct gk_kdc *kdc, struct gk_span id);
/** @return true if both have a key of the same name, or the same public key; or come by OSCORE */
bool gk_session_is_of(const struct gk_client *a, const struct gk_client *b);
/** @return true if the client comes by DTLS with this very key, whatever both are called */
bool gk_session_has_key(const struct gk_client *client, const struct gk_session *key);
/** Have the client's sessions ended, if it comes by DTLS. */
void gk_session_end(struct gk_kdc *kdc, const struct gk_client *client);
/** Read a SubjectPublicKeyInfo (RFC 7250) of P-256 or Ed25519. @return GK_ERR_UNSUPPORTED */
GK_MUST_CHECK enum gk_err gk_spki_read(struct gk_span spki, struct gk_public_key *key);
/** What a client with a key of this name, or with this public key, is called.
 *  @return GK_ERR_CRYPTO */
GK_MUST_CHECK enum gk_err gk_session_name_kid(struct gk_span kid, struct gk_id *client);
GK_MUST_CHECK enum gk_err gk_session_name_key(const struct gk_public_key *key,
					      struct gk_id *client);
/** A request arrived in a session. @param message  its bytes, which 'msg' was read from */
void gk_session_receive(struct gk_kdc *kdc, const struct gk_exchange *exchange,
			struct gk_span message, const struct gk_coap *msg, struct gk_now now);

/* authz.c */
void gk_authz_post(struct gk_call *call);

/* resource.c */
/** Serve a request; call->reply gets the answer. */
void gk_resource_serve(struct gk_call *call);

/* resource_core.c */
/** @return true if the path is /.well-known/core */
bool gk_core_is_path(const struct gk_coap *msg);
/** @return true if it is discovery, the one thing that can be asked of many at once */
bool gk_core_is_asked(const struct gk_coap *msg);

/* answer.c */
/** 4.01 or 4.03 to somebody who needs a (better) token, and is told where to get it. */
void gk_answer_hints(struct gk_call *call, uint8_t code);
/**
 * Begin a payload of up to 'size' bytes, and make room for it in the reply.
 * @return false: no memory, which the reply says; else gk_answer_end() or gk_answer_drop() has to
 * follow
 */
bool gk_answer_begin(struct gk_call *call, size_t size, struct gk_buf *payload);
/** Give the payload's memory back. */
void gk_answer_drop(struct gk_call *call, struct gk_buf *payload);
/** As gk_answer_map(), and give the payload's memory back. */
void gk_answer_end(struct gk_call *call, struct gk_buf *payload);
/** Make room for an answer with a payload of 'size' bytes. @return GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_answer_reserve(struct gk_call *call, size_t size);
/** Answers. */
void gk_answer(struct gk_call *call, uint8_t code);
/** 5.03, and when to come again: there is no storage for this now, or it is too much at once. */
void gk_answer_full(struct gk_call *call);
void gk_answer_with(struct gk_call *call, uint8_t code, uint16_t content_format,
		    struct gk_span payload);
void gk_answer_error(struct gk_call *call, uint8_t code, unsigned ace_error);
/** Append concise problem details {0: {0: error-id}} (R 4.1.2, RFC 9290). */
void gk_put_problem(struct gk_buf *buf, unsigned ace_error);
/** 2.05 with a map, or 5.00 if it did not fit into its buffer. */
void gk_answer_map(struct gk_call *call, struct gk_buf *payload);

/* request_block.c */
/**
 * Take a block of a request (RFC 7959 section 2.5).
 * @return true: the request is whole, with its payload in call->msg; serve it. false: the answer is
 *         in call->reply
 */
bool gk_request_block(struct gk_call *call);
/** Say in the answer which block it answers, and free what came in blocks. */
void gk_request_block_end(struct gk_call *call);

/* answer_block.c */
/**
 * Serve a later block of an answer that is under way.
 * @return false: the request asks for no later block; serve it in the usual way
 */
bool gk_block_continue(struct gk_call *call);
/** If the answer is too large for one message, keep it and leave its first block in the reply. */
void gk_block_begin(struct gk_call *call);

/* join.c */
void gk_join_post(struct gk_call *call);

/* proof.c */
/**
 * @param scope  of the latest Join Request, as received
 * @param evidence  of ES256 r|s, as COSE has it (RFC 9053 section 2.1); DER is wrong
 * @return true if 'evidence' shows that the client has the private part of 'key'
 */
bool gk_proof_holds(const struct gk_call *call, const struct gk_public_key *key,
		    struct gk_span scope, struct gk_span n_c, struct gk_span evidence);
/** If the client has no kdcchallenge, make one, store it, and answer with it (R 4.3.1).
 *  @return false: it has one */
bool gk_proof_lacks_challenge(struct gk_call *call);

/* group.c */
/** An empty group, linked into the KDC, neither served nor with material. */
GK_MUST_CHECK enum gk_err gk_group_new(struct gk_kdc *kdc, struct gk_span name,
				       struct gk_group **group);
/** The first material of a new group: Gid prefix, Master Secret, num 0. */
GK_MUST_CHECK enum gk_err gk_group_create(struct gk_group *group, struct gk_now now);
/** Set the timer of the next scheduled rekeying. */
void gk_group_arm_period(struct gk_group *group);
/** Set the timer; and the age before, if the material is inherited. */
void gk_group_resume(struct gk_group *group, struct gk_now now);
/** Remove all members, without a rekeying. gk_group_end() has to follow. */
void gk_group_dissolve(struct gk_group *group, const char *reason, struct gk_now now);
/** All that is left of a group that ends: name, num, Gid prefix. Stores that; its nodes are gone.
 */
void gk_group_end(struct gk_group *group);
/** Such a group begins anew, with the next num; gk_record_group() has to follow.
 *  @return GK_ERR_ENTROPY, GK_ERR_SEQUENCE: it has not */
GK_MUST_CHECK enum gk_err gk_group_revive(struct gk_group *group, struct gk_now now);
/** The age of inherited material, by a calendar that was corrected. */
void gk_group_correct_age(struct gk_group *group, struct gk_now now);
/** Unlink, wipe, free, with its nodes. */
void gk_group_free(struct gk_group *group);
struct gk_group *gk_group_find(const struct gk_kdc *kdc, struct gk_span name);
/** ... that is served. */
struct gk_group *gk_group_find_served(const struct gk_kdc *kdc, struct gk_span name);
struct gk_span gk_group_name(const struct gk_group *group);
/** Append "ace-group/NAME", or under whatever root. */
void gk_group_put_path(struct gk_buf *buf, const struct gk_group *group);
/** The same as a relative URI, "/ace-group/NAME" (RFC 3986 section 4.2). */
void gk_group_put_uri_path(struct gk_buf *buf, const struct gk_group *group);
struct gk_id gk_group_gid(const struct gk_group *group);
/** Seconds for which the present material is still valid, and until when. */
uint32_t gk_group_exi(const struct gk_group *group, struct gk_now now);
struct gk_utc gk_group_exp(const struct gk_group *group, struct gk_now now);
struct gk_stale_set *gk_group_stale_now(struct gk_group *group);
/** Rekey soon if so many Sender IDs were given back that the set gets long. */
void gk_group_relieve(struct gk_group *group, struct gk_now now);
/** Keep at most 'max' sets, the newest (P 7.1). */
void gk_group_trim_stale(struct gk_group *group, size_t max);
/** Put a Sender ID into the set of the present version. */
GK_MUST_CHECK enum gk_err gk_group_add_stale(struct gk_group *group, const struct gk_id *sid);
/** Choose a Sender ID unused since the present Gid was assigned. @return GK_ERR_NO_SPACE */
GK_MUST_CHECK enum gk_err gk_group_choose_sid(struct gk_group *group, struct gk_id *sid);
/** New material: num, Gid, Master Secret, stale sets. gk_group_distribute() has to follow. */
GK_MUST_CHECK enum gk_err gk_group_renew(struct gk_group *group, struct gk_now now);
/** Store and tell of what gk_group_renew() made, and bring it to all members but the joiner. */
void gk_group_distribute(struct gk_group *group, const char *reason, struct gk_now now);
/** New material and its delivery to all; on failure it is tried again. */
void gk_group_rekey(struct gk_group *group, struct gk_now now, const char *reason);
/** A rekeying within the coalescing time. */
void gk_group_schedule_rekey(struct gk_group *group, struct gk_now now);
struct gk_node *gk_group_node_of(const struct gk_group *group, const struct gk_client *client);
struct gk_node *gk_group_node_named(const struct gk_group *group, struct gk_span name);
/** Make a node, not yet a member; gk_group_add() or gk_node_free(). */
GK_MUST_CHECK enum gk_err gk_node_new(struct gk_group *group, struct gk_client *client,
				      struct gk_node **node);
void gk_node_free(struct gk_node *node);
/** Make it a member. @return GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_group_add(struct gk_node *node, struct gk_now now);
struct gk_span gk_node_name(const struct gk_node *node);
/** Remove a member (R 5): its Sender ID goes stale, a rekeying is scheduled. */
void gk_group_remove(struct gk_node *node, enum gk_note_kind kind, const char *reason,
		     struct gk_now now);

/* material.c */
/** @return true if its members sign messages: the mode is not pairwise-only */
bool gk_group_signs(const struct gk_group *group);
/** @return true if its members agree on keys: the mode is pairwise-only, or both */
bool gk_group_agrees(const struct gk_group *group);
/** Append a group's entry of sign_info if its members sign (R 3.3), of ecdh_info if they agree on
 *  keys, and of kdc_dh_creds if it is pairwise-only (P 5.3). */
void gk_group_put_sign_info(struct gk_buf *buf, const struct gk_group *group);
void gk_group_put_ecdh_info(struct gk_buf *buf, const struct gk_group *group);
void gk_group_put_dh_creds(struct gk_buf *buf, const struct gk_group *group);
/** @return the curve of the keys in the group's credentials, the KDC's included */
int gk_group_curve(const struct gk_group *group);
/** @return the COSE algorithm with which they are used */
int gk_group_cred_alg(const struct gk_group *group);
/** Read a credential and check that it fits the group. @return as gk_cred_check() */
GK_MUST_CHECK enum gk_err gk_group_check_cred(const struct gk_group *group, struct gk_span bytes,
					      struct gk_now now, struct gk_public_key *key);

/** Append the 'key' map: whole, or short as in rekeying messages; 'sid_of' for its Sender ID. */
void gk_group_put_key(struct gk_buf *buf, const struct gk_group *group, bool whole,
		      const struct gk_node *sid_of);

#define GK_MATERIAL_PAIRS 6
/** Append as many: what a verifier may know of the material. */
void gk_group_put_public(struct gk_buf *buf, const struct gk_group *group, struct gk_now now);
/** Append the pair group_policies. */
void gk_group_put_policies(struct gk_buf *buf);
/**
 * Append the pairs that every message with material has (R 4.3.2, P 6.3, 9.1, 11.1).
 * @param whole   with the algorithms, or just the keys as in rekeying messages
 * @param sid_of  whose Sender ID goes into the map under 'key'; NULL: nobody's
 */
void gk_group_put_material(struct gk_buf *buf, const struct gk_group *group, bool whole,
			   const struct gk_node *sid_of, struct gk_now now);

/**
 * Append the map of a rekeying message (R 6.1, P 11.1).
 * @param joiner  the credential of the newest member goes along
 * @param node    whose path goes into 'mgt_key_material'; NULL: none
 */
void gk_group_put_rekeying(struct gk_buf *buf, const struct gk_group *group, bool joiner,
			   const struct gk_node *node, struct gk_now now);
/** @return true if the credential of the newest member fits into a rekeying message */
bool gk_group_joiner_fits(const struct gk_group *group);
/**
 * Append the map that answers who asks for the group's material (R 4.3.2, 4.8.1; P 9.1).
 * @param sid_of  whose Sender ID goes along; NULL: nobody's
 */
void gk_group_put_answer(struct gk_buf *buf, const struct gk_node *node,
			 const struct gk_node *sid_of, struct gk_now now);

#define GK_PEERS_PAIRS 3
typedef bool gk_node_filter(const void *ctx, const struct gk_node *node);
/** How many members with a credential a filter lets through. */
size_t gk_group_count_peers(const struct gk_group *group, gk_node_filter *wanted, const void *ctx);
/** Append their credentials, roles and Sender IDs: three parallel arrays. */
void gk_group_put_peers(struct gk_buf *buf, const struct gk_group *group, gk_node_filter *wanted,
			const void *ctx);

#define GK_CRED_EVIDENCE_PAIRS 3
/** That the KDC has the key of a credential: a signature, or a MAC. */
struct gk_cred_evidence {
	struct gk_span cred; /* the KDC's */
	uint8_t nonce[GK_NONCE_LEN];
	uint8_t verify[GK_SIG_LEN];
	size_t verify_len;
};
/**
 * Make evidence for a client's nonce, in the manner of the group.
 * @param peer  the client's credential, which the MAC of a pairwise-only group needs
 * @return GK_ERR_ENTROPY, GK_ERR_CRYPTO; GK_ERR_CREDENTIAL
 */
GK_MUST_CHECK enum gk_err gk_cred_evidence_make(const struct gk_group *group, struct gk_span peer,
						struct gk_span n_c,
						struct gk_cred_evidence *evidence);
/** ... always a signature, of the key that messages to the group are signed with. */
GK_MUST_CHECK enum gk_err gk_cred_evidence_sign(const struct gk_group *group, struct gk_span n_c,
						struct gk_cred_evidence *evidence);
/** Append the KDC's credential with evidence. */
void gk_cred_evidence_put(struct gk_buf *buf, const struct gk_cred_evidence *evidence);

/* mgt.c */
/** Let a member take part in the tree. The caller distributes new material before the member is
 *  told anything. If the tree is full it stays point-to-point. */
void gk_mgt_enter(struct gk_node *node);
/** Take it out; the keys that it knew end with the next rekeying. */
void gk_mgt_leave(struct gk_node *node);
/** @return true if gk_mgt_clear() has something to do */
bool gk_mgt_in_use(const struct gk_group *group);
/** All out, and nothing of the tree stays in the store: the group is point-to-point from now on. */
void gk_mgt_clear(struct gk_group *group);
/** A restored member takes its slot. @return GK_ERR_RANGE, GK_ERR_DUPLICATE, GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_mgt_restore(struct gk_node *node);
/** A restored group is complete. @return GK_ERR_MALFORMED: keys, or parts of the newest message to
 *  the group, are missing in the store */
GK_MUST_CHECK enum gk_err gk_mgt_restored(struct gk_group *group);
/** @return how many pairs gk_mgt_put() appends for this node */
size_t gk_mgt_pairs(const struct gk_node *node);
/**
 * Append rekeying_scheme, mgt_key_material and control_group_uri, if it is in the tree.
 * @param signer  that the KDC has the key of messages to the group, where the group's credentials
 *                do not show it; NULL: leave it out
 */
void gk_mgt_put(struct gk_buf *buf, const struct gk_node *node,
		const struct gk_cred_evidence *signer);
/** Append the pair mgt_key_material alone. */
void gk_mgt_put_material(struct gk_buf *buf, const struct gk_node *node,
			 const struct gk_cred_evidence *signer);

/* observe.c */
/** A request for a resource that can be observed was served: registers the client or ends its
 *  registration, if it asks for that, and then says so in call->reply. */
void gk_observe_serve(struct gk_call *call, enum gk_observed what);
/** @return true if new material can reach the member by a notification */
bool gk_observe_delivers(const struct gk_node *node);
/** Send the newest material as a notification. @return its id, 0: not now */
uint64_t gk_observe_material(struct gk_node *node, enum gk_request_kind kind, size_t *len,
			     uint32_t timeout_ms, struct gk_now now);
/** The group was rekeyed: news to those who observe nodes/N beside the way in which material
 *  reaches them. */
void gk_observe_rekeyed(struct gk_group *group, struct gk_now now);
/** The group became active, or is not any more. */
void gk_observe_activity(struct gk_group *group, struct gk_now now);
/** Send the news that had to wait. */
void gk_observe_update(struct gk_kdc *kdc, struct gk_now now);
/** A notification went this way. 'request' is of the client's present association. */
void gk_observe_notified(struct gk_node *node, const struct gk_request *request,
			 enum gk_notified outcome, struct gk_now now);
/** ... or it never left. */
void gk_observe_unsent(struct gk_node *node, const struct gk_request *request, struct gk_now now);
/**
 * End an observation with a last answer, an error without Observe (R 5, 6.1).
 * @param error  an ACE error-id that goes along, -1: none
 * @return false: there was none
 */
bool gk_observe_finish(struct gk_node *node, enum gk_observed what, uint8_t code, int error,
		       struct gk_now now);
/** End all that is left of a member's with 4.01: its token is over (A 5.10.3). */
void gk_observe_finish_all(struct gk_node *node, struct gk_now now);
/** Forget them, without a word. */
void gk_observe_forget(struct gk_node *node);

/* delivery.c */
/** All members but 'group->joiner' need the present material. 'cast': a message to the group goes
 *  to those in the tree. */
void gk_delivery_begin(struct gk_group *group, bool cast, struct gk_now now);
/** Send what may be sent now. */
void gk_delivery_pump(struct gk_group *group, struct gk_now now);
void gk_delivery_retry(struct gk_node *node, struct gk_now now);
/** The time for confirmations is over: a message to each who did not confirm. */
void gk_delivery_fall_back(struct gk_group *group, struct gk_now now);
/** The message 'id' with version 'num' was answered with 'code', or (0) was not in time. */
void gk_delivery_answered(struct gk_node *node, uint64_t id, int64_t num, uint8_t code,
			  struct gk_now now);
/** The notification 'id' with version 'num' was acknowledged, or not. */
void gk_delivery_notified(struct gk_node *node, uint64_t id, int64_t num, enum gk_notified outcome,
			  struct gk_now now);
/** The message never left: the same again a little later. */
void gk_delivery_unsent(struct gk_node *node, uint64_t id, struct gk_now now);
/** The node has the present material by another way. The caller stores that. */
void gk_delivery_settle(struct gk_node *node, struct gk_now now);
/** It said that it has the present material, which it got this way. */
void gk_delivery_confirmed(struct gk_node *node, enum gk_via via, struct gk_now now);
/** It showed, in a way that is authenticated, which version it has. @param told  it knows by now
 *  that there is a newer one, and asks */
void gk_delivery_shown(struct gk_node *node, int64_t num, bool told, struct gk_now now);
/** The node is heard of: a parked delivery starts again. */
void gk_delivery_wake(struct gk_node *node, struct gk_now now);
/** It has become sleepy, or is not any more. */
void gk_delivery_recount(struct gk_node *node, struct gk_now now);
/** Forget a node that is being removed. */
void gk_delivery_forget(struct gk_node *node, struct gk_now now);

/* multicast.c, multicast_make.c, multicast_confirm.c, multicast_beacon.c */
/**
 * New keys for the tree, and the message that tells of them; the first copy goes out at once.
 * @return true if there is somebody to read it
 */
bool gk_cast_rekey(struct gk_group *group, struct gk_now now);
/** After a restart: send the stored message again. @return false: there is none of this num */
bool gk_cast_resume(struct gk_group *group, struct gk_now now);
/** Send what is due and what the budget allows. */
void gk_cast_pump(struct gk_group *group, struct gk_now now);
/** How long confirmations of a message to the group are waited for, all its copies included. */
int64_t gk_cast_patience_ms(const struct gk_group *group);
/** Our link was down: copies of the newest message again, unless confirmations have shown who did
 *  not get it. */
void gk_cast_again(struct gk_group *group, struct gk_now now);
/** No further copies, if all in the tree are known to have what they say. */
void gk_cast_settle(struct gk_group *group);
/** No further copies. */
void gk_cast_drop(struct gk_group *group);
/** There will be no more messages to the group: they end, in the store too. */
void gk_cast_forget(struct gk_group *group);
void gk_cast_receive(struct gk_kdc *kdc, struct gk_span message, struct gk_now now);
void gk_cast_beacon(struct gk_group *group, struct gk_now now);
/** Trickle begins anew. */
void gk_cast_reset_beacon(struct gk_group *group, struct gk_now now);
/** Take a part of the newest message from the store, in any order. @return GK_ERR_RANGE: of
 *  another message than the parts before; GK_ERR_NO_MEMORY; of gk_rekeying_read() */
GK_MUST_CHECK enum gk_err gk_cast_restore(struct gk_group *group, size_t part, int64_t num,
					  struct gk_span message);
/** @return GK_ERR_MISSING: not all of its parts were in the store */
GK_MUST_CHECK enum gk_err gk_cast_restored(const struct gk_group *group);

/* presence.c */
/** A sign of life that is authenticated. */
void gk_presence_seen(struct gk_node *node, enum gk_fact sign, struct gk_now now);
/** A notification was acknowledged: somebody is there. */
void gk_presence_acknowledged(struct gk_node *node, struct gk_now now);
/** @return true if it is suspect or absent */
bool gk_presence_is_doubted(const struct gk_node *node);
/** A probe never left: it does not count. */
void gk_presence_unsent(struct gk_node *node, struct gk_now now);
/** A rekeying message was not answered; 'last': and it is not tried again. */
void gk_presence_unanswered(struct gk_node *node, bool last, struct gk_now now);
/** Ask one that nobody doubts, without a word. */
void gk_presence_ask(struct gk_node *node, struct gk_now now);
/** ... if the link has air for that. @return false: not now */
bool gk_presence_check(struct gk_node *node, struct gk_now now);
/** Its grace is over. If it waited since it was last asked, ask it once more. @return true: it is
 *  asked, or cannot be just now, and is not to be removed yet */
bool gk_presence_ask_last(struct gk_node *node, struct gk_now now);
/** A restored member: nothing is known of it. */
void gk_presence_start(struct gk_node *node, struct gk_now now);
/** We see, or hear, again: if it is doubted it gets a new round, else a place in the interval. */
void gk_presence_resume(struct gk_node *node, enum gk_fact why, struct gk_now now);
/** It is doubted, and its group is blind: it is asked now and then. */
void gk_presence_lose(struct gk_node *node, struct gk_now now);
/** The policy has changed: its clocks run by the new one. */
void gk_presence_retime(struct gk_node *node, struct gk_now now);
void gk_presence_due(struct gk_node *node, struct gk_now now);
/** @return true if what speaks against it would be looked into */
bool gk_presence_may_doubt(const struct gk_node *node);
/** The kernel says that it is gone: gk_presence_may_doubt(). */
void gk_presence_accuse(struct gk_node *node, enum gk_fact fact, struct gk_now now);

/* kernel.c */
/** Have it look whether it reaches a member's address. */
void gk_kernel_ask(struct gk_node *node, struct gk_now now);
/** A batch of what it says. Of several words about a member the last one counts. */
void gk_kernel_reports(struct gk_kdc *kdc, const struct gk_reach_report *reports, size_t count,
		       struct gk_now now);

/* probe.c */
/** @return true if there is a way to ask it: its silence means something */
bool gk_probe_can_ask(const struct gk_node *node);
/** @return true if a member that nobody doubts may be asked now */
bool gk_probe_may_check(struct gk_kdc *kdc, struct gk_now now);
/** Take a turn, if it may not. @return in how many ms that is, 0: it may be asked now */
int64_t gk_probe_put_off_ms(struct gk_kdc *kdc, struct gk_now now);
/** Ask it, for the time of a probe, by multicast if this is the last one of its round. A request
 *  that is under way for long enough yet asks as well. @return false: not now */
bool gk_probe_send(struct gk_node *node, uint32_t wait_ms, struct gk_now now);
/** A request to it has left that waits so long for its answer. */
void gk_probe_note_asked(struct gk_node *node, bool multicast, uint32_t wait_ms, struct gk_now now);
/** @return when the latest request to it ends, or ended */
int64_t gk_probe_asked_until_ms(const struct gk_node *node);

/* witness.c */
/** A member is lost: a probe was in vain. */
void gk_witness_lost(struct gk_group *group, struct gk_now now);
/** A member's grace is over. */
void gk_witness_due(struct gk_group *group, struct gk_now now);
/** Somebody was heard of. */
void gk_witness_heard(struct gk_group *group, struct gk_now now);
/** Who is lost, who was heard of; and what follows. */
void gk_witness_judge(struct gk_group *group, struct gk_now now);

/* address.c */
/** A protected request of the client came from there. */
void gk_address_heard(struct gk_kdc *kdc, struct gk_client *client, const struct gk_addr *addr,
		      struct gk_now now);
/** The table knows nothing of it any more. */
void gk_address_forget(struct gk_kdc *kdc, struct gk_client *client);
/** All that is known of where it was heard from, newest first. @return how many */
size_t gk_address_list(const struct gk_client *client, struct gk_addr list[GK_ADDRESSES_MAX]);
/** @return where a member was heard of last */
const struct gk_addr *gk_address_of(const struct gk_node *node);
/** Walk the clients that were heard from an address last, or from its interface. */
struct gk_client *gk_address_next(const struct gk_kdc *kdc, const struct gk_addr *addr,
				  const struct gk_client *after);

/* evidence.c */
/** Remember a fact; at once again, it is counted. */
void gk_evidence_add(struct gk_node *node, enum gk_fact fact, uint32_t detail, struct gk_now now);
/** The last one, of a membership that ends: kept beyond that, if there is memory. */
void gk_evidence_end(struct gk_node *node, enum gk_fact fact, const char *why, struct gk_now now);
/** The latest membership that ended, by node name or client name. @return NULL: none is known */
const struct gk_departed *gk_departed_named(const struct gk_kdc *kdc, struct gk_span group,
					    struct gk_span name);
void gk_evidence_wipe(struct gk_kdc *kdc);

/* sleep.c */
/** @return GK_ERR_RANGE: too many sleepers, or a name that nobody can have */
GK_MUST_CHECK enum gk_err gk_sleepers_check(const struct gk_presence_config *config);
/** A copy of the sleepers, with their names: as many spans. @return GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_sleepers_copy(const struct gk_env *env,
					   const struct gk_presence_config *config,
					   struct gk_blob *copy);
/** @return true if the member is asleep most of the time: only sleep_max_s counts for it, and no
 *          rekeying waits for it */
bool gk_node_sleeps(const struct gk_node *node);
/** What is said of a member, a client's memberships, or all members of a group may have changed. */
void gk_sleep_judge(struct gk_node *node, struct gk_now now);
void gk_sleep_judge_client(struct gk_client *client, struct gk_now now);
void gk_sleep_judge_group(struct gk_group *group, struct gk_now now);

/* ledger.c */
/** @return true if a token of this client is on the list of those issued */
bool gk_ledger_is_issued(const struct gk_kdc *kdc, struct gk_span client);
/** @return true if this client's tokens are revoked */
bool gk_ledger_is_revoked(const struct gk_kdc *kdc, struct gk_span client);
/** @return true if it is kept out of the group */
bool gk_ledger_is_banned(const struct gk_kdc *kdc, struct gk_span group,
			 const struct gk_id *client);
/** Walk those banned from a group. */
const struct gk_ban *gk_ledger_next_ban(const struct gk_group *group, const struct gk_ban *after);
/** Remember a token that is being issued, and store it. @return GK_ERR_NO_MEMORY,
 *  GK_ERR_NO_SPACE: GK_LEDGER_MAX of them have not ended */
GK_MUST_CHECK enum gk_err gk_ledger_issue(struct gk_kdc *kdc, const struct gk_issued *issued,
					  struct gk_span scope, struct gk_now now);
/** Take in what was restored; the ledger's now. @return GK_ERR_DUPLICATE: not taken */
GK_MUST_CHECK enum gk_err gk_ledger_restore_issued(struct gk_kdc *kdc, struct gk_issued *issued);
GK_MUST_CHECK enum gk_err gk_ledger_restore_revoked(struct gk_kdc *kdc, struct gk_revoked *revoked);
GK_MUST_CHECK enum gk_err gk_ledger_restore_ban(struct gk_kdc *kdc, struct gk_ban *ban);
void gk_ledger_wipe(struct gk_kdc *kdc);

/* disown.c */
/** The mark moves up to a num that is about to be used; stored before it is. */
void gk_mark_num(struct gk_kdc *kdc, int64_t num);

/* record.c */
void gk_record_kdc(struct gk_kdc *kdc);
void gk_record_mark(struct gk_kdc *kdc);
void gk_record_issued(struct gk_kdc *kdc, const struct gk_issued *issued);
void gk_record_issued_gone(struct gk_kdc *kdc, const struct gk_issued *issued);
void gk_record_revoked(struct gk_kdc *kdc, const struct gk_revoked *revoked);
void gk_record_revoked_gone(struct gk_kdc *kdc, const struct gk_revoked *revoked);
void gk_record_ban(struct gk_kdc *kdc, const struct gk_ban *ban);
void gk_record_ban_gone(struct gk_kdc *kdc, const struct gk_ban *ban);
void gk_record_client(struct gk_kdc *kdc, const struct gk_client *client);
void gk_record_client_gone(struct gk_kdc *kdc, const struct gk_client *client);
void gk_record_group(struct gk_group *group);
/** An administrative key, or that it is no more. */
void gk_record_tree(struct gk_group *group, struct gk_tree_name name);
/** The newest rekeying message in place of an older one that had 'before' parts. */
void gk_record_cast(struct gk_group *group, const struct gk_cast *cast, size_t before);
void gk_record_node(const struct gk_node *node);
/** ... of which only the version that the member has is new: it may wait. */
void gk_record_node_num(const struct gk_node *node);
void gk_record_node_gone(const struct gk_node *node);
GK_MUST_CHECK enum gk_err gk_record_restore(struct gk_kdc *kdc, const struct gk_record *record,
					    struct gk_now now);

#endif
