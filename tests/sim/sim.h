// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The simulator: one KDC and many members, the real core in both, in a world whose clock jumps from
 * event to event. All chance comes from one seed, so that a run can be had again.
 *
 *   main.c     options, which runs, the verdict as TAP
 *   world.c    a run
 *   net.c      datagrams: frames, delay, loss, duplicates, replays
 *   calls.c    requests and their answers, notifications and their fate, as libcoap handles them
 *   gateway.c  the KDC's shell: store, crashes, the kernel's neighbour table
 *   node.c     the members' shells
 *   story.c    what happens to them
 *   check.c    what must hold, each minute
 *   wire.c     which nonces were seen on the wire
 *   cast.c     what the KDC says to a group as a whole
 *   report.c   which rules were broken, and what was counted
 *
 * Of libgroupkey it uses the public calls, the helpers for bytes and messages, and the model of
 * frames on the air.
 */
#ifndef SIM_H
#define SIM_H

#include "libgroupkey/buf.h"
#include "tests/lib/env.h"
#include "tests/lib/records.h"
#include "tests/lib/world.h"

#include <stdio.h>

#define KDC          GATEWAY /* as an end of the network */
#define SIM_GROUPS   2       /* "plant": everybody. "cell": some of them */
#define NODES_MAX    2000
#define NOBODY       INT64_MAX
#define REKEYING_BPS 62500 /* a quarter of 250 kbit/s */

/*
 * The times from which the simulator knows what it may expect. The KDC's presence policy:
 */
#define CHECK_S      300
#define PROBES       3
#define PROBE_WAIT_S 5
#define GRACE_S      60
#define VERDICT_S    5 /* the core gives the kernel so long */
/* All probes unanswered, and grace, whatever else is under way. */
#define ROUND_S (PROBES * PROBE_WAIT_S + GRACE_S)
/* From the last sign of life to the removal; the rest is for checks that wait for the link, for
 * others of whom something has to be heard, and for evict_rate. */
#define REMOVAL_S   (CHECK_S + VERDICT_S + ROUND_S + 1 + WITNESSES_S)
#define WITNESSES_S 20
/* A delivery; the rest is for members of which every third waits for a retransmission, and for one
 * that missed a version and asks. For datagrams of which 20 % are lost; see settle_ms(). */
#define SETTLE_S 180
/* Who came back, or missed all messages of a delivery, learns of it by the hourly check (policy 1)
 * at the latest; the rest is for a join in many blocks under heavy loss. See catch_up_ms(). */
#define KEY_CHECK_S 3600
#define ASKING_S    900
/* An observer learns of new material when it registers again: when nothing has come for Max-Age,
 * which is three intervals of the presence policy and an hour at most, and 15 s at random. */
#define MAX_AGE_S  (3 * CHECK_S < 3600 ? 3 * CHECK_S : 3600)
#define REGISTER_S (MAX_AGE_S + 15)

/** What must hold. A run is good if none of these was broken. */
enum rule {
	RULE_NEWEST,   /* each quiet minute every live member has the newest material */
	RULE_DEPARTED, /* nobody departed has material made since */
	RULE_READ,     /* what a live member says, every live responder can read; and who is told
			* something answers */
	RULE_SECRET,   /* and nobody departed; nor is anybody departed listened to */
	RULE_FORWARD,  /* num and Gid never go back */
	RULE_NONCE,    /* no two messages under one key and nonce */
	RULE_STORED,   /* nothing is said to a group that is not stored */
	RULE_SHARE,    /* rekeying keeps within its share of the link */
	RULE_LEDGER,   /* what the KDC believes of deliveries is so, and they end */
	RULE_REPLAY,   /* no message is read twice */
	RULE_CAUSE,    /* no removal without its cause */
	RULE_REMOVED,  /* no one unreachable stays */
	RULE_LASTING,  /* what was told is still so after a crash */
	RULE_NOTES,    /* notes, list of members and answers agree */
	RULE_CATCH_UP, /* nobody in reach waits longer than its bound for the newest material */
	RULE_OBSERVED, /* who observes is registered, if the KDC has answered it since its start */
	RULE_CALLS,    /* no call of the core fails */
	RULE_MEMORY,   /* no memory is left behind */
	RULE_QUIET,    /* most minutes were quiet: the rules above were put to the test */
	RULE_HAPPENED, /* ... and everything that can happen did */
	RULES,
};

/** What is counted. */
enum tally {
	DATAGRAMS,
	FRAMES,
	LOST,
	DUPLICATES,
	REPLAYS,
	REQUESTS,
	QUESTIONS,
	RETRANSMISSIONS,
	NO_ANSWERS,
	STORES,
	REKEYINGS,
	CASTS,
	CAST_PARTS,
	BEACONS,
	CONFIRMS,
	CONFIRMED,
	DELIVERIES,
	PARKED,
	BY_MULTICAST,
	BY_UNICAST,
	BY_OBSERVE,
	BY_PULL,
	AIR,
	AIR_REKEYING,
	RECOVERIES,
	JOINS,
	JOINS_AGAIN,
	LEAVES,
	LOSSES,
	RETURNS,
	REBOOTS,
	RENEWALS,
	EVICTIONS,
	THEFTS,
	EXPIRIES,
	ABSENCES,
	UNLUCKY,
	RESTARTS,
	CRASHES,
	SCHEMES,
	BLIND,
	FORGED,
	TAMPERED,
	PURGES,
	SAYINGS,
	READINGS,
	REFUSALS,
	RESPONSES,
	QUIET_MINUTES,
	MINUTES,
	SPEECHES,
	SPEECH_ROUNDS,
	TALKS,
	TALK_ROUNDS,
	NOTIFICATIONS,
	NOTIFIED,
	RESETS,
	UNNOTIFIED,
	CANCELS,
	TALLIES,
};

struct world;

/** Which events the way to a crash is counted in: where it can do most harm. */
enum crash_behind {
	BEHIND_ANY,
	BEHIND_STORE,
	BEHIND_NEWS, /* notes of a join, a departure, a rekeying */
};

enum sim_scheme {
	SIM_POINT_TO_POINT, /* groups */
	SIM_TREE,
	SIM_MIXED, /* groups with the tree, nodes of both kinds */
	SIM_SCHEMES,
};

struct options {
	uint64_t seed;
	int nodes;
	double days;
	double loss;      /* of frames */
	double drop;      /* of datagrams as a whole, beside that */
	double observers; /* of the nodes' lives, a share takes no requests and observes */
	enum sim_scheme scheme;
	enum gk_confirm confirm;
	uint32_t beacon_s; /* shortest interval; 0: no beacon */
	enum gk_mode cell; /* of that group: what is said there goes to all, to one, or both */
	bool quiet;
};

/** The OSCORE option of a message, and a fingerprint of its ciphertext. */
struct wire_view {
	bool is_oscore;
	struct gk_id piv, kid, context;
	uint64_t fingerprint;
};

/** A node's standing in a group, as the world knows it. */
struct place {
	bool exists; /* provisioned for this group */
	bool wanted; /* the node is to be in it */
	uint32_t roles;
	bool member;       /* the KDC says so */
	bool evicting;     /* by the operator */
	bool catching_up;  /* came back, started, or missed a whole delivery */
	int64_t out_num;   /* departed: nothing of this version or later is for it; or NOBODY */
	int64_t num_seen;  /* newest that it ever had */
	int64_t behind_ms; /* since when it lacks the newest, -1: it does not */
	bool left_told;    /* the node was told that it has left */
	/* what the KDC's list says of it */
	enum gk_delivery ledger;
	bool in_tree;
	bool registered;                 /* new material reaches it by notifications */
	bool join_dropped, gone_dropped; /* the news of it fell victim to a crash */
};

struct node {
	int index;
	char name[16];
	struct gk_addr addr;
	char base[64];
	uint8_t key_seed[32];
	struct gk_client_bundle bundle;
	struct test_env env;
	struct gk_member *member; /* NULL: switched off */
	uint64_t life;            /* counts members made */
	uint64_t epoch;           /* counts its associations */
	bool reach;               /* exchanges datagrams with the KDC */
	bool hears;               /* receives group messages */
	bool tuned;               /* its socket is in the KDC's multicast group */
	bool point_to_point;      /* does not announce the tree */
	bool observes;            /* takes no requests, in this life */
	bool engaged;             /* something of the story is still to happen to it */
	int64_t lost_ms, reach_ms;
	int64_t heard_ms;  /* the KDC had a proof of life */
	int64_t asked_ms;  /* it asked the KDC for something */
	bool synchronised; /* the KDC answered it since its last start */
	int64_t synchronised_ms;
	int64_t wake_ms;
	uint16_t message_id;
	struct place place[SIM_GROUPS];
	struct past past;
};

/** A request that arrived, for its answer. */
struct arrival {
	uint64_t id;
	int from, to;
	uint64_t token;
	uint16_t message_id;
	bool is_first; /* not a copy of one that arrived before */
	bool rekeying;
	unsigned replies;
	struct wire_view view;
};

struct group {
	struct gk_group_config config;
	char name[8];
	int64_t num;         /* of the KDC's newest material that was told */
	int64_t num_at_stop; /* before it stopped or crashed */
	struct gk_id gid;
	int64_t *made_ms; /* when each num was told of */
	int64_t made_cap;
	bool scheme_changed;
	uint64_t late;        /* confirmations that came too late for the KDC, since its start */
	int64_t disturbed_ms; /* something happened that has to settle */
	/* the speech of a quiet minute, repeated until everybody has read it */
	int speaker;
	int rounds;
	/* the talk of one, in pairwise mode, repeated until who is asked answers */
	int teller, asked;
	int talk_rounds;
	int64_t quiet_minutes;
};

struct said {
	int group, speaker;
	int64_t num;
};

/** How long new material takes to a member, of one way that it comes. */
struct lag {
	uint64_t count;
	int64_t sum_ms, max_ms;
};

struct call;
struct record;
struct seen;

struct world {
	struct options opt;
	struct gk_now now;
	int64_t end_ms;
	struct chance chance;
	struct agenda agenda;
	/* network */
	struct call *calls;
	size_t call_count, call_cap, first_free;
	uint64_t next_arrival;
	struct arrival *arrivals; /* a ring */
	/* gateway */
	struct gk_kdc *kdc;
	struct test_env kdc_env;
	uint64_t kdc_life;
	uint64_t kdc_arrival; /* the one being served */
	int64_t kdc_wake_ms, kdc_up_ms, link_up_ms;
	bool link_up;
	bool restart_checked;
	unsigned crash_in; /* events until the crash, 0: none */
	enum crash_behind crash_behind;
	const struct node *stored_client; /* whose record was stored in this turn */
	uint16_t message_id;
	double share;           /* bytes that rekeying may still take of the link */
	int64_t share_ms;       /* as of */
	struct records records; /* what survives a crash */
	/* members */
	struct node *nodes;
	struct group groups[SIM_GROUPS];
	/* what was said, and what went over the air */
	struct said *said;
	size_t said_count, said_cap;
	bool direct; /* what is said or told goes into 'speech', not over the air */
	struct datagram *speech;
	uint64_t told;          /* the core's name for what was told directly; 0: nothing */
	struct datagram *reply; /* to that */
	bool answered;          /* and it was valid */
	bool *readers;          /* of the speech */
	struct seen *seen;
	size_t seen_count, seen_cap;
	/* report */
	uint64_t tally[TALLIES];
	struct lag lags[GK_VIA_JOIN + 1];
	struct verdict broken[RULES];
	struct past past; /* of the gateway */
};

/* world.c */
/** Run one world from beginning to end, and free all but what the report needs. */
void world_run(struct world *w);
void world_free(struct world *w);

/* net.c */
enum datagram_kind {
	DG_REQUEST,
	DG_ANSWER,
	DG_NOTIFY, /* of the KDC to an observer, confirmable */
	DG_ACK,
	DG_RESET,
	DG_GROUP,    /* of a member to the group */
	DG_CAST,     /* of the KDC to the group */
	DG_CONFIRM,  /* of a member, that it has read such a one */
	DG_QUESTION, /* of the KDC to one of those who listen */
};
struct datagram {
	enum datagram_kind kind;
	int from, to;
	uint16_t message_id;
	uint64_t token;
	uint64_t call;    /* a notification's: what ACK and Reset have as token, for a message id */
	bool sent_before; /* a retransmission */
	bool rekeying;    /* counts as such */
	size_t len;
	uint8_t bytes[];
};
struct datagram *datagram_new(enum datagram_kind kind, int from, int to, struct gk_span bytes);
/** Send a datagram, which the network takes. */
void net_send(struct world *w, struct datagram *d);
/** Send a group message to all who listen to the group's address. */
void net_multicast(struct world *w, int from, int group, struct gk_span bytes);
/** Send a message of the KDC to all who listen to its multicast address. */
void net_cast(struct world *w, struct gk_span bytes);
/** The same with a question, which has a token. @param all  to all nodes of the link */
void net_question(struct world *w, const struct datagram *question, bool all);
/** Bytes of a CoAP message with its header and token. */
size_t net_coap_len(enum datagram_kind kind, struct gk_span bytes);
/** @return the probability that all of this many multicast, or unicast, frames arrive */
double net_odds(const struct world *w, size_t frames, bool multicast);
/** Note that a request has arrived. @return as the core wants to know of it */
struct gk_exchange arrival_new(struct world *w, const struct datagram *d);
/** @return NULL: too long ago */
struct arrival *arrival_find(struct world *w, uint64_t id);

/* calls.c */
/** Send a request, or a notification. @param rekeying  it brings new material */
void call_open(struct world *w, int from, int to, const struct gk_event *request, bool rekeying);
/** Ask by multicast, once. @param all  all nodes of the link */
void call_ask_all(struct world *w, const struct gk_event *request, bool all);
void call_answered(struct world *w, const struct datagram *d);
void call_acked(struct world *w, uint64_t token);
void call_reset(struct world *w, uint64_t token);
/** @return true if answers with this token are still waited for, or observed */
bool call_expects(const struct world *w, int from, uint64_t token);
/** The caller observes no more. */
void call_forget(struct world *w, int from, uint64_t core_id);
/** The caller died: nobody waits for the answers. */
void calls_drop(struct world *w, int from);

/* gateway.c */
void gateway_start(struct world *w, uint64_t arg, void *ptr);
void gateway_stop(struct world *w);
/** Crash at one of the next events that the KDC wants carried out. */
void gateway_crash_soon(struct world *w);
void gateway_receive(struct world *w, const struct datagram *d);
void gateway_answer(struct world *w, uint64_t core_id, int from, struct gk_span bytes);
void gateway_notified(struct world *w, uint64_t core_id, int to, enum gk_notified outcome);
void gateway_confirmed(struct world *w, struct gk_span bytes);
void gateway_reach(struct world *w, int node, enum gk_reach reach);
void gateway_link(struct world *w, bool up);
void gateway_evict(struct world *w, int node, int group);
void gateway_rekey(struct world *w, int group);
/** Issue a token for a node. */
void gateway_provision(struct world *w, struct node *node, int64_t lifetime_s);
struct gk_addr gateway_addr(void);

/* node.c */
void node_init(struct world *w, int index);
void node_start(struct world *w, struct node *node);
void node_stop(struct world *w, struct node *node);
void node_join(struct world *w, struct node *node, int group);
void node_leave(struct world *w, struct node *node, int group);
void node_renew(struct world *w, struct node *node, int group);
/** Say something new to a group. */
void node_say(struct world *w, struct node *node, int group);
/** Say something, and show it to every node directly; w->readers tells who read it. */
bool node_speak(struct world *w, struct node *node, int group);
/** Tell another one something directly. @return true if it has answered */
bool node_tell(struct world *w, struct node *node, struct node *to, int group);
void node_receive(struct world *w, struct node *node, const struct datagram *d);
void node_answer(struct world *w, struct node *node, uint64_t core_id, struct gk_span bytes);
void node_notified(struct world *w, struct node *node, const struct datagram *d);
struct gk_membership_info node_info(const struct node *node, const struct group *group);
struct node *node_named(struct world *w, struct gk_span name);
int group_named(const struct world *w, struct gk_span name);
bool node_in_reach(const struct world *w, const struct node *node);

/* story.c */
void story_begin(struct world *w);

/* check.c */
void check_minute(struct world *w, uint64_t arg, void *ptr);
/** The KDC is there again: is all still so that was told? */
void check_restart(struct world *w);
/** A note of the KDC; 'carried_out' is false for one that a crash swallowed. */
void check_kdc_note(struct world *w, const struct gk_note *note, bool carried_out);
/** A member tells that it has new material. */
void check_member_num(struct world *w, struct node *node, int group, enum gk_via via);
/** Something happened to a group that has to settle. */
void disturb(struct world *w, int group);
void disturb_all(struct world *w);
/** What the KDC says of a group. @return false: it does not serve it */
bool check_find_group(const struct world *w, int g, struct gk_group_info *info);
/** A node comes or comes back: it needs time to catch up. */
void expect_catch_up(struct world *w, struct node *node);

/* wire.c */
struct wire_view wire_look(struct gk_span message);
void wire_request(struct world *w, int from, int to, struct gk_span message);
void wire_reply(struct world *w, const struct arrival *arrival, struct gk_span message);
/** A question to many was for the one that it has arrived at. */
void wire_question(struct world *w, const struct arrival *arrival);
/** @return false: these were seen before */
bool seen_first(struct world *w, uint64_t a, uint64_t b, uint64_t c);
void seen_free(struct world *w);

/** @return the value that goes with a key, 0 if it is new */
uint64_t *wire_remember(struct world *w, uint64_t key);
uint64_t wire_digest(struct gk_span bytes);

/* cast.c */
/** The KDC says something to a group. */
void cast_said(struct world *w, struct gk_span bytes);
/** It stores what it says. */
void cast_stored(struct world *w, struct gk_span value);
/** It sends a member a message with new material. */
void cast_unicast(struct world *w, struct gk_span bytes);
/** The KDC starts: its account of the link is full. */
void cast_start(struct world *w);
/** A member confirms what it has read. */
void cast_confirmed(struct world *w, const struct node *node, const struct gk_event *e);
/** That arrives at the KDC. */
void cast_confirmation(struct world *w, const struct datagram *d);

/* report.c */
const char *tally_name(enum tally tally);
/** Print TAP: a line per rule. @return number of broken rules */
unsigned report(struct world *w, unsigned *test);

#endif
