// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * libgroupkey: group keys for CoAP nodes, as RFC 9594 hands them out. The KDC's side and the
 * member's side, with COSE, CWT, OSCORE (RFC 8613) and Group OSCORE (RFC 10021) inside.
 *
 * The library is sans-IO: bytes, time and entropy go in; bytes and events come out. It opens no
 * socket or file, reads no clock, starts no thread, writes no log and keeps no mutable global but
 * one, for wolfSSL's generator.
 * Each role is one opaque object with the same four calls:
 *
 *   receive      a message has arrived
 *   next_expiry  when does the object want to be called again?
 *   expire       that moment has come
 *   event        take the next thing to do: store, send, note ...
 *
 * Every call may answer GK_ERR_NO_MEMORY. If it was a receive, answer, expire or an operator's
 * call, the object may be ahead of its store: it gives out no further event, and has to be freed
 * and made anew from the store. Nothing was sent that the store does not know.
 *
 * Events are to be carried out in the order in which they are taken. A GK_EVENT_STORE must be on
 * stable storage before any later event is acted on: a number that enters a key or a nonce is
 * stored before the first byte made with it leaves. All STOREs that one call leaves behind are one
 * transaction: a member's end and the rekeying that it calls for are records of their own.
 *
 * "A message" is a CoAP message without its transport header: the code, the options, and after
 * the byte ff the payload. It is the form in which OSCORE encrypts one (RFC 8613 section 5.3);
 * version, type, message id and token belong to the shell that owns the socket.
 *
 * Objects are not thread-safe; use one thread for all crypto (a wolfSSL may be built without
 * locks).
 */
#ifndef GK_GROUPKEY_H
#define GK_GROUPKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GK_API        __attribute__((visibility("default")))
#define GK_MUST_CHECK __attribute__((warn_unused_result))
#else
#define GK_API
#define GK_MUST_CHECK
#endif

/* bytes */

/** Bytes to read. Borrowed: whoever hands one out says how long it lasts. */
struct gk_span {
	const uint8_t *data;
	size_t len;
};

/**
 * Bytes being written into the caller's memory. After the first write that does not fit,
 * 'overflow' is set, nothing more is written, and 'len' keeps growing to the size that would
 * have been needed. With data == NULL and cap == 0 that is a way to measure.
 */
struct gk_buf {
	uint8_t *data;
	size_t cap;
	size_t len;
	bool overflow;
};

/** Bytes held in place, for identifiers that have a small maximum. */
struct gk_id {
	uint8_t len;
	uint8_t data[8];
};

/* errors */

/**
 * Why a call failed. Values are never renumbered. On any error the object and the outputs are as
 * they were before the call, unless the call says otherwise.
 */
enum gk_err {
	/* the call did what it says */
	GK_OK = 0,
	/* we are short of something: nothing changed, try again later */
	GK_ERR_NO_MEMORY = 1, /* the allocator returned NULL */
	GK_ERR_ENTROPY = 2,   /* the environment's random() failed */
	GK_ERR_NO_SPACE = 3,  /* the output buffer or a bounded table is full */
	GK_ERR_SEQUENCE = 4,  /* no sequence number left: reserve a block, or renew the context */
	/* the bytes are wrong: the peer's fault; drop them or answer as the caller's table says */
	GK_ERR_MALFORMED = 10,   /* not well-formed CBOR or CoAP, or something follows its end */
	GK_ERR_TYPE = 11,        /* well-formed, but not of the type that belongs here */
	GK_ERR_MISSING = 12,     /* a required field is absent */
	GK_ERR_DUPLICATE = 13,   /* a map has a key twice */
	GK_ERR_DEPTH = 14,       /* nested deeper than GK_CBOR_DEPTH_MAX */
	GK_ERR_RANGE = 15,       /* a number or a length outside of what is allowed */
	GK_ERR_CRYPTO = 16,      /* decryption or a signature or MAC failed */
	GK_ERR_REPLAY = 17,      /* this Partial IV was accepted before, or is too old to tell */
	GK_ERR_UNKNOWN = 18,     /* no context, group, member or key by that name */
	GK_ERR_UNSUPPORTED = 19, /* an algorithm, format or mode that build or group has not */
	GK_ERR_EXPIRED = 20,     /* past its exp, or before its nbf */
	GK_ERR_FORBIDDEN = 21,   /* understood, and not allowed to this peer */
	GK_ERR_CREDENTIAL = 22,  /* an authentication credential that does not fit the group */
	GK_ERR_STATE = 23,       /* the object is not in a state in which this can be done */
};

/** @return a sentence for 'err', static; never NULL. */
GK_API const char *gk_strerror(enum gk_err err);

/* time and environment */

/** Elapsed time in milliseconds since any fixed point; never goes back. */
struct gk_mono {
	int64_t ms;
};

/** Seconds since 1970-01-01 UTC. */
struct gk_utc {
	int64_t s;
};

/** Both clocks, read once per turn of the caller's loop: RFC 9594's 'exp' is UTC, 'exi' is not. */
struct gk_now {
	struct gk_mono mono;
	struct gk_utc utc;
};

/** "Never", as an expiry. */
#define GK_NEVER INT64_MAX

/** What an object may ask of the world. Every call may fail. Copied;
 * 'ctx' must outlive the object. */
struct gk_env {
	void *ctx;
	/* fill out[0..len) with cryptographically strong random bytes; false: none available */
	bool (*random)(void *ctx, uint8_t *out, size_t len);
	/* as realloc(): old may be NULL; size 0 frees old and returns NULL */
	void *(*alloc)(void *ctx, void *old, size_t size);
};

/**
 * Prepare wolfSSL: registers the library's random source with it. The one permitted global.
 * Call once before anything else, and before other threads start.
 *
 * @param env  seeds wolfSSL's generator, used for blinding, now and perhaps later; copied, its ctx
 *             must stay valid
 * @return GK_OK; GK_ERR_STATE: done before; GK_ERR_ENTROPY: 'env' failed, try again;
 *         GK_ERR_CRYPTO: wolfSSL does not start, or finds the entropy poor; nothing will work
 */
GK_API GK_MUST_CHECK enum gk_err gk_global_init(const struct gk_env *env);
/** Undo gk_global_init(). */
GK_API void gk_global_cleanup(void);

/* what goes in and comes out */

/** A UDP endpoint. IPv6 only; 'scope' is the interface index, which link-local addresses need. */
struct gk_addr {
	uint8_t ip[16];
	uint16_t port;
	uint32_t scope;
};

/**
 * A request that arrived, as its receiver's transport knows it. Message id and token tell a
 * retransmission, which gets the same answer again, from a replay, which does not.
 */
struct gk_exchange {
	uint64_t id; /* the shell's name for it; comes back in the GK_EVENT_REPLY */
	struct gk_addr peer;
	uint16_t message_id;
	uint8_t token_len;
	uint8_t token[8];
	/* It came in a DTLS session: what gk_kdc_psk() or gk_kdc_raw_key() called that.
	 * Else empty. */
	struct gk_id dtls;
	uint64_t session; /* ... and which one of that name: as the shell numbers them */
	/* It was sent to a multicast address: a KDC answers discovery that finds something, a
	 * member a GET of its KDC; all else is met with silence (RFC 7252 section 8.2). */
	bool multicast;
};

/** Kinds of record in the store. The values stand in files: never renumber. */
enum gk_table {
	GK_TABLE_KDC = 1,    /* one record: the KDC's own keys and counters */
	GK_TABLE_CLIENT = 2, /* by client id: token, association */
	GK_TABLE_GROUP = 3,  /* by group name: num, material, stale sets */
	GK_TABLE_MEMBER = 4, /* by group name, 0, node name */
	GK_TABLE_TREE = 5,   /* by group name, 0, level, index: an administrative key */
	GK_TABLE_CAST = 6,   /* by group name, 0, part: the newest rekeying message */
	GK_TABLE_ISSUED = 7, /* by cti: a token that this KDC issued */
	/* Lasting ones, few and small: they have to outlive a store that is restored from a backup,
	 * and are therefore kept in a second place too (docs/state.md). No secrets. */
	GK_TABLE_LASTING = 16, /* from here on */
	GK_TABLE_MARK = 16,    /* one record: the highest num and cti ever used */
	GK_TABLE_BAN = 17,     /* by group name, 0, client id */
	GK_TABLE_REVOKED = 18, /* by client id: until when its tokens are refused */
};

/** A record to write (or, with an empty value, to delete) under its key. Contains secrets. */
struct gk_record {
	enum gk_table table;
	struct gk_span key;
	struct gk_span value;
	/* It may wait for the commit of another one, and later events need not wait for it: to lose
	 * it costs a message that is sent again. The order of records stays. */
	bool may_wait;
};

/** How group material, or a message, reached a member. */
enum gk_via {
	GK_VIA_NONE = 0,
	GK_VIA_UNICAST = 1,   /* a rekeying message to its control_uri */
	GK_VIA_MULTICAST = 2, /* a rekeying message to the group's control_group_uri; or a message
				 of the group */
	GK_VIA_OBSERVE = 3,   /* a notification of a resource that it observes (RFC 7641) */
	GK_VIA_PULL = 4,      /* it asked */
	GK_VIA_JOIN = 5,      /* in a Join Response */
};

/** Something that was learned of a member, or done about it. */
enum gk_fact {
	GK_FACT_NONE = 0,
	/* signs of life */
	GK_FACT_JOINED = 1,
	GK_FACT_REQUEST = 2,      /* a protected request of it */
	GK_FACT_ANSWER = 3,       /* a protected answer to one of ours */
	GK_FACT_CONFIRMATION = 4, /* of a message to the group, with a valid MAC */
	GK_FACT_ACKNOWLEDGED = 5, /* of a notification; unauthenticated outside of DTLS */
	/* what the kernel said; 'detail' of the first: for how many seconds it was silent */
	GK_FACT_SILENT = 6,
	GK_FACT_KERNEL_ASKED = 7,
	GK_FACT_KERNEL_FAILED = 8,
	GK_FACT_KERNEL_CONFIRMED = 9,
	GK_FACT_KERNEL_MUTE = 10, /* no verdict in time */
	GK_FACT_KERNEL_DEAF = 11, /* it will not tell */
	GK_FACT_ROUTED = 12,
	GK_FACT_ROUTER_FAILED = 13,
	GK_FACT_ROUTE_GONE = 14,
	GK_FACT_MOVED = 15,
	/* what it was asked; 'detail': the number of the probe in its round, 0: in none */
	GK_FACT_PROBED = 16,
	GK_FACT_PROBED_BY_MULTICAST = 17,
	GK_FACT_UNANSWERED = 18,
	GK_FACT_UNSENT = 19, /* it could not be sent, which says nothing of the member */
	/* what followed */
	GK_FACT_SUSPECT = 20,
	GK_FACT_ABSENT = 21,
	GK_FACT_ASLEEP = 22,
	GK_FACT_WITNESSED = 23, /* 'detail': so many others were heard of meanwhile */
	GK_FACT_WAITS = 24,     /* its removal, for others to be heard of, or for evict_rate */
	GK_FACT_BLIND = 25,     /* 'detail': enum gk_blindness */
	GK_FACT_SEES = 26,
	GK_FACT_EXCUSED = 27,        /* nothing could be heard for a while, or we began anew */
	GK_FACT_CONFIRMED_LOSS = 28, /* by the operator */
	GK_FACT_REMOVED = 29,        /* for its silence */
	GK_FACT_PUT_OUT = 30,        /* for another reason */
	GK_FACT_LEFT = 31,
	GK_FACT_ELSEWHERE = 32, /* it was heard of from another address than before */
	GK_FACT_PARKED = 33,    /* it answered no rekeying message */
	GK_FACT_RESTORED = 34,  /* the KDC was made anew: nothing is known of it */
};

/** @return words for 'fact', static; never NULL */
GK_API const char *gk_fact_str(enum gk_fact fact);

/** What a note tells. 'K': made by the KDC, 'M': made by a member. */
enum gk_note_kind {
	GK_NOTE_JOINED = 1,   /* K M: a new member */
	GK_NOTE_REJOINED = 2, /* K: a member joined again; new Sender ID */
	GK_NOTE_LEFT = 3,     /* K M: by its own request */
	GK_NOTE_EVICTED = 4,  /* K M: by the KDC; 'reason' says why */
	GK_NOTE_REKEYED = 5,  /* K: new material was made; M: and installed */
	GK_NOTE_DELIVERED =
		6,          /* K: a member confirmed the newest material; 'via' says of which way */
	GK_NOTE_PARKED = 7, /* K: deliveries to a member are given up until it is heard of */
	GK_NOTE_SUSPECT = 8,     /* K: no sign of life; authenticated probes begin */
	GK_NOTE_ABSENT = 9,      /* K: probes unanswered; grace begins */
	GK_NOTE_PRESENT = 10,    /* K: heard of again */
	GK_NOTE_TOKEN = 11,      /* K: a token was accepted */
	GK_NOTE_REFUSED = 12,    /* K M: a message was refused; 'reason' */
	GK_NOTE_RECOVERED = 13,  /* M: caught up after missing a rekeying */
	GK_NOTE_MESSAGE = 14,    /* M: a verified message of a member; 'message' holds it */
	GK_NOTE_ERROR = 15,      /* K M: something an operator should look at */
	GK_NOTE_RESPONSE = 16,   /* M: a verified answer of another member; 'message' holds it */
	GK_NOTE_CHECKED = 17,    /* M: gk_member_check() was answered; 'num' is the KDC's */
	GK_NOTE_BANNED = 18,     /* K: a client was banned from a group */
	GK_NOTE_UNBANNED = 19,   /* K: ... and may join it again */
	GK_NOTE_REVOKED = 20,    /* K: a client's tokens were revoked */
	GK_NOTE_ENDED = 21,      /* K: a group was deleted */
	GK_NOTE_UNANSWERED = 22, /* M: what was told to 'sid' has no valid answer; 'reason' */
	GK_NOTE_INACTIVE = 23,   /* M: the group is not active: nothing is sent or taken in it */
	GK_NOTE_ACTIVE = 24,     /* M: ... and it is again */
	GK_NOTE_CREDENTIAL = 25, /* M: the KDC has our new credential, and we use it */
	GK_NOTE_BLIND = 26,      /* K: we cannot see who is there, in a group, or (without one) in
				    all: nobody is judged; 'reason' */
	GK_NOTE_SEES = 27,       /* K: ... and we can again */
	GK_NOTE_ALARM = 28,      /* K: a member is absent, and stays one: evict is false */
};

/** Something that happened. Fields that do not apply are empty or 0. Never holds a secret. */
struct gk_note {
	enum gk_note_kind kind;
	struct gk_span group;
	struct gk_span node; /* node name at the KDC */
	struct gk_span name; /* the client's name in its token */
	struct gk_span gid;
	struct gk_span sid;     /* the Sender ID concerned */
	struct gk_span message; /* code, options, payload */
	int64_t num;            /* version of the material, -1: none */
	enum gk_via via;
	bool pairwise;          /* MESSAGE, RESPONSE: for us alone, in pairwise mode (RFC 10021) */
	const char *reason;     /* static text or NULL */
	enum gk_fact last_sign; /* SUSPECT, ABSENT, ALARM, PRESENT, EVICTED: the last sign of life;
				   GK_FACT_NONE: there was none since the KDC was made */
	int64_t last_seen_ms;   /* ... and when that was, monotonic */
};

/** What is to be done next. */
enum gk_event_kind {
	GK_EVENT_NONE = 0,
	GK_EVENT_STORE = 1,     /* commit 'record' before any later event */
	GK_EVENT_REPLY = 2,     /* 'bytes' answers the exchange 'id' */
	GK_EVENT_REQUEST = 3,   /* send 'bytes' to 'peer', confirmable; then ..._answer(id)
				   once, or gk_kdc_unsent(id). By multicast: see below */
	GK_EVENT_MULTICAST = 4, /* send 'bytes' to the group, non-confirmable. Of a KDC: to 'peer',
				   on the segment's interface, from the port of 'peer' */
	GK_EVENT_PROBE = 5,     /* have the kernel probe its neighbour 'peer' */
	GK_EVENT_NOTE = 6,      /* tell the operator */
	GK_EVENT_CONFIRM = 7,   /* a member's: send 'bytes', a response, to 'peer', by unicast and
				   non-confirmable, with 'token': it confirms what came to the group,
				   or answers the exchange 'id', which came by multicast: then
				   to all nodes of the link too, ff02::1, at the port of 'peer' */
	GK_EVENT_NOTIFY = 8,    /* a KDC's: send 'bytes', a response with 'token', to 'peer',
				   confirmable; then gk_kdc_notified(id) once, or gk_kdc_unsent(id) */
	GK_EVENT_CANCEL = 9, /* a member's: forget the observation 'id' that a REQUEST began; what
				still comes for it gets a Reset (RFC 7641 section 3.6) */
	GK_EVENT_END = 10,   /* a KDC's: end the DTLS sessions called 'dtls', after what was sent */
};

/** The next thing to do. Spans borrow from the object until the next call that can change it. */
struct gk_event {
	enum gk_event_kind kind;
	uint64_t id;
	struct gk_addr peer;
	struct gk_id
		dtls; /* REQUEST, NOTIFY: in this DTLS session, wherever it leads; empty: plain */
	uint64_t session;    /* NOTIFY: in this one of that name, and in no other */
	uint32_t timeout_ms; /* REQUEST, NOTIFY: retransmit and wait this long, then report no
				answer */
	/* REQUEST: if its answer has an Observe option, further ones with its token may come, each
	 * for gk_member_answer(id) again, until GK_EVENT_CANCEL */
	bool observe;
	/* REQUEST of a KDC: 'peer' is a multicast address. Send it there, on the segment's
	 * interface, once and non-confirmable, with a token that cannot be guessed. Whatever comes
	 * with that token within timeout_ms, from wherever, is for gk_kdc_answer(id); and at the
	 * end of the time an empty span */
	bool multicast;
	uint8_t token_len; /* NOTIFY, CONFIRM; may be 0 */
	uint8_t token[8];
	struct gk_span bytes;
	struct gk_record record;
	struct gk_note note;
};

/* the KDC */

struct gk_kdc;

#define GK_AUDIENCE_MAX 64  /* bytes of 'aud' and 'iss' */
#define GK_AS_URI_MAX   255 /* bytes of the AS's URI */
#define GK_ROOT_MAX     24  /* bytes of a configured path */

/** What discovery, which anybody on the segment can do, tells (RFC 6690). */
enum gk_discovery {
	GK_DISCOVERY_NONE = 0,   /* nothing: there is no /.well-known/core */
	GK_DISCOVERY_KDC = 1,    /* that there is a KDC, and at which paths */
	GK_DISCOVERY_GROUPS = 2, /* and the names of all groups */
};

/** How tokens are recognised, and who we are. Copied. */
struct gk_kdc_config {
	struct gk_span audience;      /* expected in 'aud'; 1..GK_AUDIENCE_MAX bytes */
	struct gk_span as_key;        /* 16 bytes shared with the AS */
	struct gk_span as_public_key; /* an encoded COSE_Key of the AS, or empty */
	struct gk_span issuer;        /* expected in 'iss', or empty: any */
	/* Where tokens are asked for, as an absolute URI: told to who has none (RFC 9200 section
	 * 5.3); at most GK_AS_URI_MAX bytes. Empty: nobody is told */
	struct gk_span as_uri;
	/* Where the groups are, and where tokens are posted: "ace-group" and "authz-info" if empty.
	 * 1 to 4 segments that need no escape in a URI, at most GK_ROOT_MAX bytes; neither is at or
	 * below the other, or ".well-known" */
	struct gk_span group_path, authz_path;
	enum gk_discovery discovery;
	/* Bits per second that rekeying may take of the link, all groups together: messages to
	 * groups and to members, and the confirmations that they call for. 0: no limit */
	uint32_t rekeying_bps;
};

/** When a silent member is asked, and when it is given up. */
struct gk_presence_config {
	uint32_t check_interval_s; /* no sign of life for so long: have the kernel probe it */
	uint32_t probes;           /* authenticated probes before it counts as absent */
	uint32_t probe_wait_s;     /* for the answer to each */
	uint32_t grace_s;          /* from absent to removal */
	uint32_t sleep_max_s;      /* counts for a sleepy member instead of check_interval_s */
	bool evict;                /* false: absent members are shown, never removed */
	uint32_t evict_rate;       /* removals for silence in any minute, at most */
	/* More members lost than this, of those of whom anything is known, and within this time:
	 * it is rather we who do not hear. 100: there is no such number */
	uint32_t mass_loss_percent;
	uint32_t mass_loss_window_s;
	/* Who is asleep most of the time, beside those whose tokens say so, or who said so when
	 * they joined: all members; or up to GK_SLEEPERS_MAX clients by name, of 1 to 32 bytes.
	 * Copied */
	bool sleepy;
	const struct gk_span *sleepers;
	size_t sleeper_count;
};
#define GK_SLEEPERS_MAX 256

/** How members of a group protect their messages (RFC 10021). */
enum gk_mode {
	GK_MODE_GROUP = 0,    /* group mode alone */
	GK_MODE_PAIRWISE = 1, /* pairwise-only: credentials are for key agreement, not signatures */
	GK_MODE_BOTH = 2,     /* each message in either: credentials are for signatures */
};
/** How new material gets to the members (R 6). */
enum gk_scheme {
	GK_POINT_TO_POINT = 0, /* a message to each */
	GK_TREE = 1,           /* one message to all that announced it; docs/rekeying.md */
};
/** Who tells the KDC that a message to the group has arrived. */
enum gk_confirm {
	GK_CONFIRM_AUTO = 0, /* 'all' up to 64 members in the tree, else 'implicit' */
	GK_CONFIRM_ALL = 1,  /* each member, within a leisure; who does not is told by unicast */
	GK_CONFIRM_IMPLICIT = 2, /* nobody; who is heard of with an old num is told by unicast */
	GK_CONFIRM_NONE = 3,     /* nobody, and nobody is told: members notice and ask */
};
/** Rekeying. Point-to-point alone needs none of what follows 'scheme'. */
struct gk_rekey_config {
	enum gk_scheme scheme;
	enum gk_confirm confirm;
	uint32_t repeat;              /* how often each message to the group is sent */
	uint32_t repeat_ms;           /* between them, on average */
	struct gk_addr control_group; /* multicast address and port; its scope is the shell's */
	uint32_t beacon_min_s;        /* Trickle (RFC 6206): Imin of the beacon; 0: no beacon */
	uint32_t beacon_max_s;        /* Imax, as a time */
};

/** One group. Copied. gk_group_defaults() first. */
struct gk_group_config {
	struct gk_span name; /* 1..64 bytes that work as one Uri-Path segment */
	enum gk_mode mode;
	bool active; /* false: nobody joins or gets a new Sender ID, until it is active again */
	/* -7 ES256, -8 EdDSA. In a pairwise-only group: of the KDC's messages to the group in the
	 * scheme "tree"; and credentials are P-256 keys with ES256, X25519 keys with EdDSA. Where
	 * both modes are used, members agree on keys with P-256 beside ES256, and beside EdDSA with
	 * X25519, into which they convert the Ed25519 keys of their credentials (RFC 10021 2.5.2)
	 */
	int sign_alg;
	/* Format of credentials, a COSE header parameter: 14 CCS, 13 CWT, and where wolfSSL has
	 * X.509 33 a chain of certificates, 32 a bag of them */
	int cred_fmt;
	/* Who vouches for them, where the format has that: with CWTs public keys that their issuers
	 * sign with, COSE_Keys one after another; else certificates of CAs, in DER one after
	 * another; up to 16. Copied */
	struct gk_span cred_issuers;
	bool rekey_on_join;   /* backward security; who joins the tree brings new material anyway */
	uint32_t period_s;    /* scheduled rekeying; also the lifetime of material is twice this */
	uint32_t coalesce_ms; /* departures within this time are one rekeying */
	uint32_t in_flight;   /* rekeying messages under way at once */
	uint32_t stale_sets;  /* max_stale_sets N > 1 (P 7.1) */
	uint32_t members_max;
	struct gk_rekey_config rekey;
	struct gk_presence_config presence;
};
/** Fill in the defaults of P 14 and of the design; the name stays empty. */
GK_API void gk_group_defaults(struct gk_group_config *config);

/**
 * Make a KDC without groups or clients.
 * @return GK_OK, GK_ERR_NO_MEMORY, GK_ERR_RANGE (a length, a path), GK_ERR_UNSUPPORTED (the AS's
 *         key)
 */
GK_API GK_MUST_CHECK enum gk_err
gk_kdc_new(const struct gk_env *env, const struct gk_kdc_config *config, struct gk_kdc **kdc);
/** Wipe and free; NULL is allowed. */
GK_API void gk_kdc_free(struct gk_kdc *kdc);

/**
 * Give back a record that an earlier GK_EVENT_STORE carried. All of them, in ascending order of
 * table, before gk_kdc_add_group().
 * @return GK_OK; GK_ERR_MALFORMED and the like: the store is damaged; do not go on without it
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_restore(struct gk_kdc *kdc, const struct gk_record *record,
						struct gk_now now);

/**
 * Serve a group: the restored one of that name with a new configuration, or a new one. Its num is
 * 0; after gk_kdc_disown(), now or in an earlier life, it is above all nums that were known then,
 * since it may be the old store that does not know the group. A restored group in which a departure
 * was not yet followed by a rekeying is rekeyed at once, and every member's delivery is taken up
 * again.
 * @return GK_OK, GK_ERR_NO_MEMORY, GK_ERR_ENTROPY, GK_ERR_UNSUPPORTED (sign_alg, or
 *         cred_fmt, in this build), GK_ERR_CREDENTIAL (cred_issuers: none, or not what they have to
 *         be), GK_ERR_RANGE (a value out of its bounds), GK_ERR_STATE (a group of that name is
 *         served), GK_ERR_FORBIDDEN (another mode, sign_alg or cred_fmt than its members joined
 *         with),
 *         GK_ERR_MALFORMED (the store is damaged: administrative keys are missing),
 *         GK_ERR_NO_SPACE (it takes storing something, and the storage is GK_STORAGE_NONE)
 */
GK_API GK_MUST_CHECK enum gk_err
gk_kdc_add_group(struct gk_kdc *kdc, const struct gk_group_config *config, struct gk_now now);

/**
 * The restored state is old: a backup, whose keys nodes evicted since may know. All associations,
 * memberships and trees in it end, without a word to anybody. Every group goes on with new
 * material, a new Gid prefix and a num above the highest one that is known to have been used, by
 * 'jump' more. Keys of the KDC, issued tokens, bans and revocations stay. Between gk_kdc_restore()
 * and gk_kdc_add_group(); the lasting records restored are to be the newest ones that there are.
 * @param jump  0, or more than there may have been rekeyings that nobody knows of
 * @return GK_OK, GK_ERR_NO_MEMORY, GK_ERR_ENTROPY, GK_ERR_SEQUENCE (num has come to its end)
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_disown(struct gk_kdc *kdc, uint32_t jump,
					       struct gk_now now);

/**
 * Change a group that is served: everything but name, mode, sign_alg and cred_fmt at any time;
 * these three while it has no members. Other cred_issuers count for joins from then on. Its members
 * notice nothing but what the change is about. With another scheme or another control_group,
 * messages to the group reach those who join (again) from then on; the others are told by messages
 * of their own.
 * @return as gk_kdc_add_group(); GK_ERR_UNKNOWN: not served
 */
GK_API GK_MUST_CHECK enum gk_err
gk_kdc_change_group(struct gk_kdc *kdc, const struct gk_group_config *config, struct gk_now now);
/** @return what gk_kdc_change_group() would, and change nothing.
 * Also of a group that would be new. */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_check_group(const struct gk_kdc *kdc,
						    const struct gk_group_config *config);
/**
 * End a group, served or only restored: its members get an eviction notice, and it is forgotten but
 * for its num and Gid prefix, above which a later group of that name goes on.
 * @return GK_OK, GK_ERR_UNKNOWN, GK_ERR_NO_MEMORY, GK_ERR_NO_SPACE (GK_STORAGE_NONE)
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_remove_group(struct gk_kdc *kdc, struct gk_span name,
						     struct gk_now now);
/** Walk the groups that were restored with something to lose and are not served.
 * 'at' starts as 0. */
GK_API bool gk_kdc_unserved_next(const struct gk_kdc *kdc, size_t *at, struct gk_span *name);
/** Exchange what the KDC was made with that may change: what discovery tells, from now on. */
GK_API void gk_kdc_set_discovery(struct gk_kdc *kdc, enum gk_discovery discovery);
/** ... and the limit for rekeying. */
GK_API void gk_kdc_set_rekeying_bps(struct gk_kdc *kdc, uint32_t bps, struct gk_now now);

/** What the store can take. The levels of docs/state.md section 7. */
enum gk_storage {
	GK_STORAGE_GOOD = 0,
	GK_STORAGE_SCARCE = 1, /* no new clients and members: 5.03 */
	GK_STORAGE_NONE = 2,   /* nothing: what would have to be stored is put off, or 5.03 */
};
/** How much the store can take from now on. GOOD at first. */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_storage(struct gk_kdc *kdc, enum gk_storage storage,
						struct gk_now now);
/** The calendar was corrected: look again at what ends by it. Elapsed time goes on as ever. */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_clock(struct gk_kdc *kdc, struct gk_now now);

/**
 * A request arrived. There is exactly one GK_EVENT_REPLY for it, unless it is to be met with
 * silence (then none).
 * @param message  code, options, payload; OSCORE or plain
 * @return GK_OK also for what is refused; GK_ERR_NO_MEMORY
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_receive(struct gk_kdc *kdc,
						const struct gk_exchange *exchange,
						struct gk_span message, struct gk_now now);
/**
 * DTLS is offered (RFC 9202), or not any more; at first it is not. Where it is not, tokens for it
 * are refused, and none are issued.
 */
GK_API void gk_kdc_set_dtls(struct gk_kdc *kdc, bool offered);
/**
 * Which pre-shared key a DTLS handshake is to go on with. The token that names it was posted
 * before; a token in the psk_identity itself is refused, since nothing here gives access to the
 * exporter that would make N_S (P 6.1.1).
 *
 * @param identity  psk_identity as it came: {8: {1: {1: 4, 2: kid}}} or {8: {3: kid}}, as CBOR
 * @param key       receives up to GK_PSK_ROOM bytes; to be wiped
 * @param id        what the session is called from now on, in gk_exchange and gk_event
 * @return GK_OK; GK_ERR_UNKNOWN: no valid token of that kid; GK_ERR_UNSUPPORTED: a token;
 *         GK_ERR_MALFORMED and the like: neither. Then end the handshake, with the alert
 *         illegal_parameter if that can be chosen
 * Source: RFC 9202 section 3.3.2.
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_psk(const struct gk_kdc *kdc, struct gk_span identity,
					    struct gk_now now, struct gk_buf *key,
					    struct gk_id *id);
#define GK_PSK_ROOM 64
/**
 * Is a raw public key that a DTLS handshake has proven that of a token?
 * @param spki  SubjectPublicKeyInfo (RFC 7250), DER
 * @return as gk_kdc_psk(); GK_ERR_UNSUPPORTED: a key of another kind than P-256 and Ed25519
 * Source: RFC 9202 section 3.2.2.
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_raw_key(const struct gk_kdc *kdc, struct gk_span spki,
						struct gk_now now, struct gk_id *id);
/**
 * The KDC's own raw public key, of P-256; made, and stored, if there is none. It is used for
 * nothing else: a handshake signs bytes that begin with what the client chose
 * (docs/rekeying.md 7.3).
 * @param d         the private part; to be wiped
 * @param xy        the point
 * @return GK_OK, GK_ERR_ENTROPY, GK_ERR_NO_MEMORY
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_own_raw_key(struct gk_kdc *kdc, uint8_t d[32],
						    uint8_t xy[64]);
/** The answer to a GK_EVENT_REQUEST, or an empty span: none came in time. Unknown ids are ignored.
 *  To one by multicast several may come, of which the client's own is taken. */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_answer(struct gk_kdc *kdc, uint64_t id,
					       struct gk_span message, struct gk_now now);

/**
 * A GK_EVENT_REQUEST or GK_EVENT_NOTIFY could not be sent, or never got its turn: in place of
 * gk_kdc_answer() or gk_kdc_notified(), since it says nothing about the peer; unless it was to go
 * in a DTLS session that ended for GK_SESSION_SILENT of them. Unknown ids are ignored.
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_unsent(struct gk_kdc *kdc, uint64_t id, struct gk_now now);

/** So many requests and notifications in a row are unanswered before the shell ends the DTLS
 * session in which they went. */
#define GK_SESSION_SILENT 4

/** What became of a GK_EVENT_NOTIFY. */
enum gk_notified {
	GK_NOTIFIED_NOT = 0,   /* no acknowledgement came in time */
	GK_NOTIFIED_ACK = 1,   /* acknowledged; outside of DTLS, by whomsoever */
	GK_NOTIFIED_RESET = 2, /* rejected: the peer does not know the observation (any more) */
	GK_NOTIFIED_GONE = 3,  /* the DTLS session of the registration is over, and so is that;
				  it says nothing about the peer, unless it ended for
				  GK_SESSION_SILENT */
};
/** How a GK_EVENT_NOTIFY went. Unknown ids are ignored. */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_notified(struct gk_kdc *kdc, uint64_t id,
						 enum gk_notified outcome, struct gk_now now);

/**
 * A message arrived at the port of a control_group from somewhere else than ourselves: a member's
 * confirmation, or nothing that we know.
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_confirmed(struct gk_kdc *kdc, struct gk_span message,
						  struct gk_now now);

/** What the kernel says of an address, or of the way to it. Never proof, in neither direction. */
enum gk_reach {
	GK_REACH_UNKNOWN = 0,   /* no verdict, the entry is gone */
	GK_REACH_CONFIRMED = 1, /* NUD_REACHABLE */
	GK_REACH_FAILED = 2,    /* NUD_FAILED: suspicion */
	GK_REACH_ROUTED = 3,    /* in answer to a GK_EVENT_PROBE: behind a router, and the kernel
				   looks for that alone: only the node itself can tell */
	GK_REACH_ROUTER_FAILED =
		4,               /* the router that its host route goes through does not answer */
	GK_REACH_ROUTE_GONE = 5, /* its host route (or proxied entry) was withdrawn, and no other
				    took its place */
	GK_REACH_MOVED = 6, /* its host route is new, or goes through another router or link now */
	GK_REACH_DEAF = 7,  /* in answer to a GK_EVENT_PROBE: the kernel will not tell (a fixed
			       entry, or no way to ask) */
};
struct gk_reach_report {
	struct gk_addr addr; /* 'port' does not matter */
	enum gk_reach reach;
};
/**
 * The kernel has something to say. What was read at once is one batch, in its order, and is judged
 * as a whole: of an address the last word counts.
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_reach(struct gk_kdc *kdc,
					      const struct gk_reach_report *reports, size_t count,
					      struct gk_now now);
/**
 * How long the kernel takes to say GK_REACH_FAILED in answer to a GK_EVENT_PROBE; 5,000 ms at
 * first, for the default of 3 solicitations, a second apart.
 * @return GK_ERR_RANGE: 0, or more than GK_VERDICT_MAX_MS
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_kernel_timing(struct gk_kdc *kdc, uint32_t verdict_ms);
#define GK_VERDICT_MAX_MS 600000

/** Why we cannot see who is there. */
enum gk_blindness {
	GK_BLIND_NOT = 0,
	GK_BLIND_LINK_GONE = 1,  /* the interface does not exist */
	GK_BLIND_LINK_DOWN = 2,  /* ... is down */
	GK_BLIND_RADIO_DOWN = 3, /* ... is up, and what it stands on is not */
	GK_BLIND_NO_ADDRESS = 4, /* ... has no address */
	GK_BLIND_DEAF = 5,       /* the kernel's notices cannot be read */
	GK_BLIND_MASS_LOSS = 6,  /* of one group: too many of it were lost at once */
};
/** @return a few words, static; "" for GK_BLIND_NOT; never NULL */
GK_API const char *gk_blindness_str(enum gk_blindness why);
/**
 * We are blind, or (GK_BLIND_NOT) see again: while blind nobody is suspected, asked or removed.
 * @return GK_ERR_RANGE: GK_BLIND_MASS_LOSS, which the KDC finds itself, or no such reason
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_blind(struct gk_kdc *kdc, enum gk_blindness why,
					      struct gk_now now);
/**
 * For a while nothing could be heard, for a reason that was ours and is over: everybody is excused,
 * as after blindness.
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_excuse(struct gk_kdc *kdc, struct gk_now now);

/** @return when gk_kdc_expire() is due; ms == GK_NEVER: not by itself */
GK_API struct gk_mono gk_kdc_next_expiry(const struct gk_kdc *kdc);
/** Do what is due. Early calls do nothing. */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_expire(struct gk_kdc *kdc, struct gk_now now);
/** Take the next event. @return false when there is none */
GK_API bool gk_kdc_event(struct gk_kdc *kdc, struct gk_event *event);

/* the operator's calls: the same paths that the network uses. While the storage is GK_STORAGE_NONE
 * those that would change something return GK_ERR_NO_SPACE and change nothing. */

/** Make new material for a group now. @return GK_ERR_UNKNOWN: no such group */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_rekey(struct gk_kdc *kdc, struct gk_span group,
					      struct gk_now now);
/**
 * Remove a member by node name or client name; the rest is rekeyed after the coalescing time.
 * @return GK_ERR_UNKNOWN: no such group, or nobody of that name in it
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_evict(struct gk_kdc *kdc, struct gk_span group,
					      struct gk_span node, struct gk_now now);

/**
 * As gk_kdc_evict(), and its client does not get in again, with any token for the same OSCORE input
 * material, until gk_kdc_unban(). By client name also a client that is no member now.
 * @return GK_ERR_UNKNOWN; GK_ERR_STATE: banned already
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_ban(struct gk_kdc *kdc, struct gk_span group,
					    struct gk_span node, struct gk_now now);
/** Lift a ban, by client name, or the node name at the time. @return GK_ERR_UNKNOWN */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_unban(struct gk_kdc *kdc, struct gk_span group,
					      struct gk_span node, struct gk_now now);
/**
 * Refuse all tokens of a client, those that were issued to that name and those that it uses now:
 * it is evicted from all its groups and its association ends. Tokens that have ended count, since
 * the calendar may be wrong. Revocations stay; when there are 10,000, and a new one needs room,
 * that whose token ended longest ago goes.
 * @return GK_ERR_UNKNOWN: nobody of that name has a token that is not revoked; GK_ERR_NO_SPACE:
 *         10,000 revoked tokens have not ended
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_revoke(struct gk_kdc *kdc, struct gk_span name,
					       struct gk_now now);

/** How a client protects what it says to the KDC: the profile of ACE that its token is for. */
enum gk_profile {
	GK_PROFILE_OSCORE = 0,   /* RFC 9203 */
	GK_PROFILE_DTLS_PSK = 1, /* RFC 9202 section 3.3, a pre-shared key */
	GK_PROFILE_DTLS_RPK = 2, /* section 3.2, its raw public key */
};
/** A client to be provisioned. */
struct gk_client_spec {
	struct gk_span name; /* 1..32 bytes, unique by the operator's care */
	const struct gk_span *groups;
	const uint32_t *roles; /* GK_ROLE bits as in AIF, one per group */
	size_t group_count;    /* 1..8 */
	int64_t lifetime_s;
	enum gk_profile profile;
	struct gk_span public_key; /* GK_PROFILE_DTLS_RPK: its SubjectPublicKeyInfo, DER */
	bool sleepy; /* it is asleep most of the time, and its token says so: it is missed only
			after sleep_max_s, and no rekeying waits for it */
};
/** What a client is provisioned with. */
struct gk_client_bundle {
	uint8_t token[768];
	size_t token_len;
	uint8_t osc_id[8], ms[32], salt[8]; /* GK_PROFILE_OSCORE */
	uint8_t kid[8], psk[16];            /* GK_PROFILE_DTLS_PSK; no byte of kid is 0 */
	uint8_t kdc_key[64];                /* GK_PROFILE_DTLS_RPK: the KDC's point, P-256 */
	struct gk_utc exp;
};
/**
 * Issue a token as the group's own AS. It is remembered, for the list of clients and for
 * gk_kdc_revoke(); the client takes part once its token comes back. Of 10,000 tokens, that which
 * ended longest ago makes room for a new one.
 * @return GK_ERR_RANGE (names, count, lifetime), GK_ERR_UNKNOWN (a group that is not served),
 *         GK_ERR_UNSUPPORTED (DTLS is not offered, or a public key of another kind),
 *         GK_ERR_ENTROPY, GK_ERR_NO_MEMORY, GK_ERR_NO_SPACE (storage is not GK_STORAGE_GOOD, or
 *         10,000 tokens have not ended)
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_issue(struct gk_kdc *kdc, const struct gk_client_spec *spec,
					      struct gk_now now, struct gk_client_bundle *bundle);

/**
 * The operator has looked: those of a group that is blind by mass loss are really gone. All that
 * are lost are removed at once, in one rekeying, whatever evict_rate says.
 * @return GK_ERR_UNKNOWN: no such group; GK_ERR_STATE: it is not blind by mass loss
 */
GK_API GK_MUST_CHECK enum gk_err gk_kdc_confirm_loss(struct gk_kdc *kdc, struct gk_span group,
						     struct gk_now now);

/** Where a member stands; the names are those of `gatewayctl members`. */
enum gk_presence {
	GK_PRESENT = 0,
	GK_SUSPECT = 1,
	GK_ABSENT = 2,
	/* No member: named so that the ban can be seen and lifted. Of a member's facts only 'name'
	 * and 'node' (at the time; empty: it was none) are known; 'num' is -1 and 'delivery'
	 * GK_DELIVERY_PARKED, since nothing is sent to it. */
	GK_BANNED = 3,
	GK_ASLEEP =
		4, /* a sleepy member, silent for check_interval_s and not yet for sleep_max_s */
};

/** A fact of a member, as often as it was met in a row. */
struct gk_evidence {
	enum gk_fact fact;
	int64_t at_ms;  /* monotonic, of the last time */
	uint32_t times; /* in a row */
	uint32_t detail;
};
/**
 * Walk what is known of a member, by node name or client name: the last 16 facts, oldest first. Of
 * somebody that is none, the facts of the latest membership among the last 64 that have ended in
 * this KDC. All of it is in memory only. 'at' starts as 0.
 */
GK_API bool gk_kdc_evidence_next(const struct gk_kdc *kdc, struct gk_span group,
				 struct gk_span node, size_t *at, struct gk_evidence *evidence);

/** What comes next for a member, if it is not heard of before. */
enum gk_next {
	GK_NEXT_NOTHING = 0, /* it can be asked nothing: it stays until it leaves or is put out */
	GK_NEXT_CHECK = 1,   /* it is checked, silent as it is: by the kernel, or by a message */
	GK_NEXT_VERDICT = 2, /* that of the kernel is waited for until then */
	GK_NEXT_ANSWER = 3,  /* an answer is waited for until then */
	GK_NEXT_REMOVAL = 4, /* it is removed */
	GK_NEXT_ASKED = 5,   /* absent as it is, it is asked again */
	GK_NEXT_SIGHT = 6,   /* we are blind: nothing, until we see */
	GK_NEXT_REJOIN = 7,  /* no member: it may join (again) */
	GK_NEXT_WAIT = 8,    /* grace is over, and its removal waits: for others to be heard of, or
				for evict_rate */
};
/** Who is meant by a name, and what comes next for it. */
struct gk_outlook {
	struct gk_span node, name; /* of the member, or of one that was one */
	bool member;
	const char *ended; /* no member: why, as its note told; static. NULL: it left */
	enum gk_next next;
	int64_t at_ms;          /* monotonic; GK_NEVER: it has no time */
	uint32_t probe, probes; /* GK_NEXT_ANSWER: which one, of how many; 0: a check */
};
/**
 * Look ahead, for those of whom gk_kdc_evidence_next() tells.
 * @return false: nobody of that name is a member, or is known to have been one
 */
GK_API bool gk_kdc_outlook(const struct gk_kdc *kdc, struct gk_span group, struct gk_span node,
			   struct gk_outlook *outlook);

/** What was done since the KDC was made, all groups together. */
struct gk_presence_counts {
	uint64_t kernel_probes;    /* GK_EVENT_PROBE */
	uint64_t checks;           /* members asked that were not under suspicion */
	uint64_t probes;           /* ... that were, those by multicast included */
	uint64_t multicast_probes; /* both, by multicast */
	uint64_t unanswered;       /* both */
	uint64_t suspected, absent, evicted;
	uint64_t returned; /* suspect or absent, and heard of again */
	uint64_t mass_losses;
};
GK_API void gk_kdc_presence_counts(const struct gk_kdc *kdc, struct gk_presence_counts *counts);

/** How far a member is with the newest material. */
enum gk_delivery {
	GK_DELIVERY_CONFIRMED = 0, /* it answered, or got it by asking or joining */
	GK_DELIVERY_UNICAST = 1,   /* a message to it is under way or waits for its turn */
	GK_DELIVERY_PARKED = 2,    /* given up until it is heard of */
	GK_DELIVERY_MULTICAST = 3, /* a message to the group went out: it presumably has it */
	GK_DELIVERY_OBSERVE = 4,   /* a notification was acknowledged: it presumably has it */
};
/** What the newest rekeying took so far; since a restart, what it took since then. */
struct gk_rekeying_info {
	int64_t num;
	size_t members;   /* that needed the material */
	size_t confirmed; /* of these, in answer to a message to the group */
	size_t unicast;   /* were sent a message of their own */
	size_t parked;
	uint64_t bytes,
		datagrams;   /* sent: CoAP messages with 4 bytes of header, repeats included */
	int64_t duration_ms; /* until nobody was waited for; -1: still */
};
/** What all rekeyings of a group took since the KDC was made; counted as in gk_rekeying_info. */
struct gk_rekeying_totals {
	uint64_t count; /* of versions of the material */
	uint64_t bytes, datagrams;
};
struct gk_group_info {
	struct gk_span name;
	enum gk_mode mode;
	int sign_alg;
	bool active;
	int64_t num;
	struct gk_id gid;
	size_t members, confirmed, unicast, parked;
	size_t presumed; /* GK_DELIVERY_MULTICAST, GK_DELIVERY_OBSERVE */
	enum gk_scheme scheme;
	size_t in_tree; /* members that take part in the tree */
	struct gk_rekeying_info rekeying;
	struct gk_rekeying_totals totals;
	uint64_t confirmations_refused; /* that had a wrong MAC, or fit no rekeying */
	enum gk_blindness blind;        /* the link's, or GK_BLIND_MASS_LOSS */
	size_t present, suspect, absent, asleep;
	bool evict; /* as configured: absent members are removed */
};
#define GK_ADDRESSES_MAX 4
struct gk_member_info {
	struct gk_span name, node, sender_id;
	uint32_t roles;
	enum gk_presence presence;
	enum gk_delivery delivery;
	bool in_tree;
	bool observes; /* new material reaches it by notifications: no control_uri is known */
	int64_t num;   /* newest version it is known to have */
	struct gk_addr address;
	int64_t last_seen_ms;   /* monotonic; compare with the caller's clock */
	enum gk_fact last_sign; /* what it was seen by */
	bool sleepy;
	int64_t since_ms;                           /* 'presence' is so since then */
	enum gk_fact reason;                        /* ... for this */
	struct gk_addr addresses[GK_ADDRESSES_MAX]; /* that it was heard from, newest first */
	size_t address_count;
};
/** Walk the groups. 'at' starts as 0. Spans last until the next call that changes the KDC. */
GK_API bool gk_kdc_group_next(const struct gk_kdc *kdc, size_t *at, struct gk_group_info *info);
/** Walk the members of a group, then those banned from it. 'at' starts as 0. */
GK_API bool gk_kdc_member_next(const struct gk_kdc *kdc, struct gk_span group, size_t *at,
			       struct gk_member_info *info);

/** A client: one that has a token, or had one that is revoked. A token that did not come back, and
 *  has ended by 'exp', may still be in the list. */
struct gk_client_info {
	struct gk_span name;
	/* of its OSCORE input material; under DTLS, from the name of its key, or its public key */
	struct gk_id id;
	struct gk_span scope; /* of its token, encoded; empty: not known any more */
	struct gk_utc exp;
	size_t groups; /* that it is a member of now */
	bool known;    /* its token has come back */
	bool revoked;
};
/** Walk the clients. 'at' starts as 0. */
GK_API bool gk_kdc_client_next(const struct gk_kdc *kdc, size_t *at, struct gk_client_info *info);

/* the member */

struct gk_member;

/**
 * A credential that was issued to us, for groups whose format is not CCS (a CCS we make ourselves).
 * The KDC checks the credentials of all members before it distributes them; a member with issuers
 * of its own checks them again, and talks to no peer whose credential these do not vouch for.
 */
struct gk_member_cred {
	int cred_fmt; /* as in gk_group_config */
	struct gk_span cred;
	struct gk_span key;     /* the private key: 32 bytes, scalar or seed */
	struct gk_span issuers; /* as in gk_group_config; empty: trust the KDC */
};

/** What a node is provisioned with, and where it lives. Copied. */
struct gk_member_config {
	struct gk_span token;  /* as issued; opaque to the member */
	struct gk_span osc_id; /* the input material in the token (RFC 9203 section 3.2) */
	struct gk_span ms, salt;
	struct gk_span key_seed; /* 32 random bytes, from which the keys of our credentials are
				    derived; keep them, and these stay the same over restarts */
	struct gk_span name;     /* goes into the credential's 'sub'; may be empty */
	struct gk_addr kdc;
	struct gk_span
		control_base; /* "coap://[fd00::3]:5683": where requests from the KDC reach us */
	uint32_t answer_timeout_ms; /* for answers of the KDC; 0: 15 s */
	uint32_t rejoin_delay_ms;   /* after an eviction notice, plus as much jitter; 0: stay out */
	bool point_to_point;        /* do not announce the scheme "tree" when joining */
	/* Countersignatures in group mode cover an empty sign_protected too, as those of aiocoap
	 * and Californium do and RFC 9338 section 3.3 does not. All members have to do the same */
	bool sign_protected;
	const struct gk_member_cred *creds; /* copied; up to 4. Of a format, one for each curve */
	size_t cred_count;
	/* as the KDC has them (struct gk_kdc_config); our own resources are below group_path too */
	struct gk_span group_path, authz_path;
	/* We are asleep most of the time, and say so when we join: the KDC misses us only after
	 * sleep_max_s, and no rekeying waits for us. To be followed by gk_member_check() after
	 * each sleep */
	bool sleepy;
	/* Take no requests of the KDC: 'control_base' is not needed, and the group and our place in
	 * it are observed instead (RFC 7641). Means point_to_point, since messages of the KDC to a
	 * group are requests too */
	bool observe;
};

/**
 * Make a member without groups.
 * @return GK_OK, GK_ERR_NO_MEMORY, GK_ERR_RANGE (a length, a path), GK_ERR_CRYPTO,
 * GK_ERR_CREDENTIAL (one in 'creds', that is of no format of this build, or not of its key; or its
 * issuers)
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_new(const struct gk_env *env,
					       const struct gk_member_config *config,
					       struct gk_member **member);
/** Wipe and free; NULL is allowed. */
GK_API void gk_member_free(struct gk_member *member);

/**
 * Join a group, and stay in it: posts the token where that is needed, makes the association,
 * joins, recovers what it missed and joins again when it was evicted by absence. GK_NOTE_JOINED
 * tells when it is in.
 * @param roles  2 requester, 4 responder, 6 both, 8 monitor
 * @return GK_OK, GK_ERR_RANGE (name, roles), GK_ERR_NO_SPACE (too many groups), GK_ERR_STATE (in
 * it)
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_join(struct gk_member *member, struct gk_span group,
						uint32_t roles, struct gk_now now);
/**
 * Leave a group, or give up joining it: GK_NOTE_LEFT once the KDC has confirmed it, or at once if
 * it does not have us.
 * @return GK_ERR_UNKNOWN: neither in it nor joining
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_leave(struct gk_member *member, struct gk_span group,
						 struct gk_now now);
/**
 * Ask the KDC now which version of the keys is the newest, and catch up if ours is older; done by
 * itself once an hour (policy 1, R 4.3.1). GK_NOTE_CHECKED tells that the answer has come. The KDC
 * is also asked whether the group is active (P 9.9); GK_NOTE_INACTIVE and GK_NOTE_ACTIVE tell of a
 * change.
 * @return GK_ERR_UNKNOWN: not in it
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_check(struct gk_member *member, struct gk_span group,
						 struct gk_now now);
/** Ask the KDC for a new Sender ID (Key Renewal, R 4.8.2); done by itself when numbers run out. */
GK_API GK_MUST_CHECK enum gk_err gk_member_renew(struct gk_member *member, struct gk_span group,
						 struct gk_now now);
/**
 * Replace our credential in a group by one with a new key pair (R 4.9.1, P 9.4), which is told by
 * GK_NOTE_CREDENTIAL. The others are not told: they ask the KDC when they cannot verify what we
 * say. It holds in this group, as long as the member lives; the next one made from the same seed
 * begins with the first key again.
 * @return GK_OK, GK_ERR_UNKNOWN (not in it), GK_ERR_FORBIDDEN (a monitor has none), GK_ERR_STATE
 *         (the KDC has not answered to the last one), GK_ERR_UNSUPPORTED (ours was issued to us)
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_new_cred(struct gk_member *member, struct gk_span group,
						    struct gk_now now);
/**
 * Say something to a group: a request in group mode, as one GK_EVENT_MULTICAST. Its id names what
 * was said for gk_member_response().
 * @return GK_OK, GK_ERR_UNKNOWN (not in it), GK_ERR_FORBIDDEN (not a requester), GK_ERR_STATE (no
 *         valid material, or the group is not active), GK_ERR_SEQUENCE (a new Sender ID is being
 * fetched; try again), GK_ERR_UNSUPPORTED (the group is pairwise-only)
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_say(struct gk_member *member, struct gk_span group,
					       struct gk_span message, struct gk_now now);
/**
 * Tell one member something: a request in pairwise mode, as a GK_EVENT_REQUEST to its address,
 * which gk_member_answer() is to follow. A valid answer becomes a GK_NOTE_RESPONSE with the
 * event's id; otherwise there is one GK_NOTE_UNANSWERED.
 * @param sid   the Sender ID of a member that is a responder
 * @param peer  where it is; neither the library nor the KDC knows that
 * @return GK_OK, GK_ERR_UNKNOWN (not in the group; or nobody known has this Sender ID: the KDC is
 *         asked, try again), GK_ERR_FORBIDDEN (we are no requester, or it is no responder),
 *         GK_ERR_STATE (as gk_member_say()), GK_ERR_NO_SPACE (8 answers are waited for),
 *         GK_ERR_SEQUENCE (as gk_member_say()), GK_ERR_UNSUPPORTED (the group does not use the
 *         pairwise mode), GK_ERR_CREDENTIAL (its credential does not agree with ours),
 *         GK_ERR_RANGE (too long), GK_ERR_MALFORMED (no CoAP request)
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_tell(struct gk_member *member, struct gk_span group,
						struct gk_span sid, const struct gk_addr *peer,
						struct gk_span message, struct gk_now now);
/**
 * An answer to what was said arrived, matched by its token, in either mode. One from each responder
 * is verified and told of by a GK_NOTE_RESPONSE; anything else is refused.
 * @param id  of the GK_EVENT_MULTICAST; each of the newest 8 can be answered, under the material
 *            that it was said with
 * @return GK_OK also for what is refused; GK_ERR_UNKNOWN: no such message
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_response(struct gk_member *member, uint64_t id,
						    struct gk_span message, struct gk_now now);
/**
 * Answer a message that a GK_NOTE_MESSAGE told of, in the mode of that message, as a
 * GK_EVENT_REPLY. A retransmission of one in pairwise mode gets the same answer by itself.
 * @param id  the exchange's id; each of the newest 8 messages can be answered once
 * @return GK_OK, GK_ERR_UNKNOWN (no such message, or its sender is none of us any more),
 *         GK_ERR_FORBIDDEN (not a responder), GK_ERR_STATE and GK_ERR_SEQUENCE (as
 *         gk_member_say())
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_respond(struct gk_member *member, uint64_t id,
						   struct gk_span message, struct gk_now now);

/**
 * A request arrived, by unicast or multicast: from the KDC under the association, from the KDC to
 * a group's control_group_uri, or from a member under a group's keys, in group mode or in pairwise
 * mode. Anything else is refused without an answer.
 */
GK_API GK_MUST_CHECK enum gk_err gk_member_receive(struct gk_member *member,
						   const struct gk_exchange *exchange,
						   struct gk_span message, struct gk_now now);
/** The KDC's answer to a GK_EVENT_REQUEST, or an empty span: none came in time. A further one, to
 *  what is observed: any time. */
GK_API GK_MUST_CHECK enum gk_err gk_member_answer(struct gk_member *member, uint64_t id,
						  struct gk_span message, struct gk_now now);
/** As gk_kdc_next_expiry(). */
GK_API struct gk_mono gk_member_next_expiry(const struct gk_member *member);
/** As gk_kdc_expire(). */
GK_API GK_MUST_CHECK enum gk_err gk_member_expire(struct gk_member *member, struct gk_now now);
/** As gk_kdc_event(). */
GK_API bool gk_member_event(struct gk_member *member, struct gk_event *event);

/** Where a member stands in one group. */
struct gk_membership_info {
	bool joined;
	bool active; /* in the group, and it is active as far as we know */
	int64_t num; /* -1: no material */
	struct gk_span gid, sender_id, node;
	uint32_t roles;
	size_t peers;      /* credentials of others that it holds */
	uint64_t accepted; /* group messages verified */
	uint64_t refused;  /* messages refused: of the group, and to its control_group_uri */
	bool in_tree;      /* rekeying messages come to 'control_group' */
	struct gk_addr control_group;
};
/** @return GK_ERR_UNKNOWN: never asked to join that group */
GK_API GK_MUST_CHECK enum gk_err gk_member_info(const struct gk_member *member,
						struct gk_span group,
						struct gk_membership_info *info);

#endif
