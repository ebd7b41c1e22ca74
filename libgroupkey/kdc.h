// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The KDC from inside: its structures, and the object itself. What its files offer each other is in
 * client.h, serve.h, group.h, delivery.h, presence.h and ledger.h.
 *
 *   kdc.c       the object, the public calls, what arrives and what is due
 *   kdc_keys.c  its own keys, and their credentials
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
 *   group.c     groups: material, members coming and going; sid.c their Sender IDs
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
	int64_t spared_ms;   /* until then it is not asked again beside that */
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

/* kdc.c */
/** Tell the operator of something about a node. */
void gk_kdc_note(struct gk_kdc *kdc, enum gk_note_kind kind, const struct gk_node *node,
		 const char *reason);
/** Tell that a member has the newest material, and how it got it. */
void gk_kdc_note_delivered(const struct gk_node *node, enum gk_via via);
/** Tell of something about a group as a whole. */
void gk_kdc_note_group(struct gk_kdc *kdc, enum gk_note_kind kind, const struct gk_group *group,
		       const char *reason);
/** Make sure that 'count' more timers can be set, until gk_kdc_release_timers(). */
GK_MUST_CHECK enum gk_err gk_kdc_reserve_timers(struct gk_kdc *kdc, size_t count);
void gk_kdc_release_timers(struct gk_kdc *kdc, size_t count);

/* kdc_keys.c */
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
