// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The simulator of reachability: the real KDC, gatewayd's view of the segment and netlink's
 * monitor, above a model of the kernel and of a network of nodes that come and go, in virtual time.
 * All chance comes from one seed, so that a run can be had again.
 *
 *   main.c     options, which runs, the verdict as TAP
 *   world.c    a run; who is connected with whom
 *   kernel.c   neighbours, routes and links as Linux keeps them, and its notices
 *   air.c      frames: which get lost
 *   gateway.c  the KDC's shell: the segment, requests and their answers
 *   node.c     the members: an association that answers, and has something to say now and then
 *   story.c    what happens to nodes; story_link.c: to our interface, to many at once
 *   check.c    what must hold; check_asking.c: of questions
 *   record.c   traces, out and in
 *   tell.c     what a world was like
 *
 * Members are not struct gk_member: of what they do, only signs of life matter here. What becomes
 * of keys is shown by tests/sim.
 */
#ifndef REACH_SIM_H
#define REACH_SIM_H

#include "gatewayd/segment.h"
#include "io/addr.h"
#include "netlink/known.h"
#include "tests/lib/env.h"
#include "tests/lib/raw.h"
#include "tests/lib/records.h"
#include "tests/lib/retransmit.h"
#include "tests/lib/world.h"

#define NODES_MAX 4000
#define GROUP     "plant"
#define INTERFACE "lowpan0"
#define PARTS     10     /* of a check_interval, in each of which about as many are checked */
#define LINK_BPS  250000 /* where nothing else is said */

/** What must hold. A run is good if none of these was broken. */
enum rule {
	RULE_ALIVE,    /* who is connected is not removed, but by much bad luck */
	RULE_RESTART,  /* a restart of ours removes nobody */
	RULE_GONE,     /* who is not, is removed within the bound */
	RULE_BLIND,    /* nobody is judged while we are blind */
	RULE_MASS,     /* many at once are not removed before they are confirmed */
	RULE_SIGHT,    /* ... and that ends when they are back */
	RULE_ONCE,     /* ... and then by one rekeying */
	RULE_KEPT,     /* where nobody is to be removed, nobody is; absence is told, and ends */
	RULE_ASLEEP,   /* sleepers are not removed before sleep_max */
	RULE_CHECKS,   /* a quiet member is checked once in check_interval */
	RULE_ASKED,    /* ... and everybody asked no more often than there is reason to */
	RULE_SPREAD,   /* checks come one by one */
	RULE_AIR,      /* ... and within the share of the link */
	RULE_HOP,      /* the kernel is asked for the neighbour that packets to a node go to */
	RULE_TRUST,    /* nobody is suspected by a kernel that was wrong about it just now */
	RULE_INCIDENT, /* what happens to a node costs a bounded number of notes */
	RULE_STATE,    /* what we know after lost notices is what is so */
	RULE_EXPECTED, /* what a trace says came of it */
	RULE_CALLS,    /* no call fails */
	RULE_MEMORY,   /* no memory is left behind */
	RULE_HAPPENED, /* everything that can happen did */
	RULES,
};

/** What is counted. */
enum tally {
	JOINS,
	TALKS,
	PROBES_KERNEL,
	REQUESTS,
	MULTICASTS,
	UNANSWERED,
	REKEYINGS,
	NOTICES,
	OVERRUNS,
	SUSPICIONS,
	ABSENCES,
	RETURNS,
	ALARMS,
	REMOVALS,
	UNLUCKY,
	DOUBTED, /* removed in a mass loss, and doubted already before it */
	BEYOND,  /* removed by an attack on their router, where multicast does not reach */
	OUTAGES,
	FLAPS,
	MOVES,
	ROUTER_DEATHS,
	ATTACKS,
	TAKEOVERS,
	NAPS,
	OVERSLEPT,
	RESTARTS,
	LINK_DOWNS,
	RADIO_DOWNS,
	RECREATIONS,
	ADDRESS_LOSSES,
	PARTIAL_LOSSES,
	MASS_LOSSES,
	MASS_BLIND,
	CONFIRMED_LOSSES,
	RECOVERED_LOSSES,
	TALLIES,
};

struct options {
	uint64_t seed;
	int nodes;
	double days;
	double loss;       /* of frames */
	uint32_t link_bps; /* what the link carries */
	struct gk_presence_config presence;
	bool tree;          /* rekeying by one message to all; else one to each */
	double quiet;       /* share of nodes that say nothing by themselves */
	double sleepy;      /* share of nodes that sleep */
	const char *record; /* file to write the kernel's events to; NULL: none */
	const char *trace;  /* file to take them from; NULL: the model's */
	bool terse;
};

/** An entry of the kernel's neighbour table. */
enum nud {
	NUD_NOTHING, /* there is no entry */
	NUD_INCOMPLETE_,
	NUD_REACHABLE_,
	NUD_STALE_,
	NUD_DELAY_,
	NUD_PROBE_,
	NUD_FAILED_,
};
struct entry {
	enum nud nud;
	unsigned tries;
	uint32_t life; /* a timer finds its own state only */
	int64_t used_ms, changed_ms;
};

/** Which address of a node. */
enum which { GLOBAL, LINK_LOCAL, ADDRESSES };

struct kernel {
	struct entry *entries; /* ADDRESSES of each node */
	int *routes;       /* of each node: the router that its host route goes through, or -1 */
	size_t live, hand; /* entries that exist; where to look next for one to forget */
	int ifindex, next_ifindex; /* 'ifindex' 0: there is no interface */
	bool present, up, lower_up, address;
	char interface[REACH_NAME_LEN];
	/* what the monitor has reported, and has not yet */
	struct reach_known known;
	struct reach_batch batch;
	bool overrun, reading;
	int64_t changed_ms; /* of all but neighbours */
};

struct node {
	int index;
	char name[16];
	struct gk_addr addr;
	char control[64];
	struct test_env env;
	struct raw raw; /* its association */
	bool member;    /* the KDC says so */
	/* what is so */
	bool on, linked;
	int parent;    /* the router it is behind, or GATEWAY */
	bool diverted; /* what is sent to its address goes elsewhere; but multicast does not */
	bool sleepy, awake, quiet;
	bool engaged; /* something is happening to it */
	bool extra;   /* ... beside its own story */
	bool away;    /* ... and to many at once */
	bool lost;    /* ... of which the operator has not said that it is so */
	bool doubted; /* ... and it was so before that, and was not heard of since */
	/* since when it is cut off, and since when it is not; the other one is GK_NEVER */
	int64_t apart_ms, joined_ms;
	int64_t heard_ms; /* the KDC had a proof of life */
	int64_t checked_ms;
	int64_t removed_ms; /* -1: it was not */
	int64_t absent_ms;  /* since then, if it is absent */
	bool alarmed;       /* ... and that is said */
	bool accused;       /* it is doubted because of what the kernel said */
	int64_t cleared_ms; /* ... was, and was heard of; -1: never */
	unsigned unlucky;   /* questions by multicast that chance lost, since it is doubted */
	/* how often it is asked: check_asking.c */
	int64_t occasion_ms, question_ms; /* when it began; the newest question */
	unsigned questions;               /* in it */
	double spare;                     /* occasions for which there is reason ... */
	int64_t spare_ms, reason_ms;      /* as of then; the newest reason */
	int64_t return_ms;
	enum gk_presence presence;
	uint64_t turns, notes; /* of its connection; about it */
	struct past past;
};

/** A trace, read. */
#define PLAYED_NODES 256

struct played_event {
	int64_t at_ms;
	struct reach_event event;
};
struct played_node {
	uint8_t ip[REACH_IP_LEN];
	bool member;
};
struct expected {
	uint8_t ip[REACH_IP_LEN];
	int64_t from_ms, to_ms;
};
struct played {
	char interface[REACH_NAME_LEN];
	struct played_event *events;
	size_t event_count, event_cap;
	struct played_node nodes[PLAYED_NODES];
	size_t node_count;
	struct expected expected[PLAYED_NODES];
	size_t expected_count;
	struct gk_presence_config presence;              /* check_interval_s 0: it does not say */
	int64_t until_ms, end_ms, confirm_ms, rekeyings; /* -1: it does not say */
};

/** A request of the KDC under way. */
struct ask {
	bool open;
	uint32_t life;
	uint64_t id;
	int node;       /* GATEWAY: it is a multicast */
	bool link_only; /* ... that no router passes on */
	int64_t begun_ms;
	struct retransmit again;
	size_t len;
	uint8_t bytes[1280];
};

struct world {
	struct options opt;
	struct gk_now now;
	int64_t end_ms;
	struct chance chance;
	struct agenda agenda;
	struct kernel kernel;
	struct node *nodes;
	/* gateway */
	struct gk_kdc *kdc; /* NULL: it does not run */
	uint64_t life;
	struct records records;
	struct test_env env;
	struct reach_monitor *monitor;
	struct gw_segment segment;
	struct gk_group_config config;
	int64_t wake_ms, read_ms;
	struct ask *asks;
	size_t ask_count, ask_cap;
	uint32_t verdict_ms;
	uint64_t exchange; /* of the request being served */
	uint8_t reply[2048];
	size_t reply_len;
	uint16_t message_id;
	/* what is so */
	int64_t blind_ms;     /* since when our link does not work, GK_NEVER: it does */
	int64_t seeing_ms;    /* since when it does, as the KDC was told */
	bool blind;           /* as the KDC was told */
	bool mass_blind;      /* as it tells */
	int64_t mass_ms;      /* it changed */
	int64_t recovered_ms; /* those who were lost together are back; -1: not */
	int64_t started_ms;   /* the KDC was */
	int64_t confirmed_ms; /* the operator confirmed a loss */
	/* since then */
	unsigned rekeyed_after, joined_after, removed_after;
	uint64_t episodes; /* of blindness */
	int64_t rekeyed_lost;
	bool departed;            /* since the last rekeying */
	size_t apart, apart_peak; /* members that are cut off */
	/* checks */
	int64_t second;
	unsigned in_second, in_second_max;
	unsigned in_part[PARTS];          /* since it was started */
	struct gk_presence_counts counts; /* when we became blind */
	double share;
	int64_t share_ms;
	/* report */
	FILE *record;
	struct played *played; /* NULL: the story is our own */
	uint64_t tally[TALLIES];
	struct verdict broken[RULES];
	struct past past;
};

/* world.c */
/** Run one world from beginning to end, and free all but what the report needs. */
void world_run(struct world *w);
void world_free(struct world *w);
/** @return whether our interface and its radio work */
bool world_sees(const struct world *w);
/** @return whether frames get from our antenna to the node, and back */
bool world_joins(const struct world *w, const struct node *node);
/** What is so has changed: look who is cut off now. */
void world_changed(struct world *w);
struct node *world_node(struct world *w, const uint8_t *ip);

/* kernel.c */
void kernel_begin(struct world *w);
void kernel_end(struct world *w);
/** The interface is switched on or off, its radio works or not, it is deleted, is there anew. */
void kernel_switch(struct world *w, bool on);
void kernel_carrier(struct world *w, bool on);
void kernel_radio(struct world *w, bool on);
void kernel_delete(struct world *w);
void kernel_create(struct world *w);
/** We get our address, or lose it. */
void kernel_address(struct world *w, bool present);
/** The routing daemon has a way to a node. @param router  GATEWAY: it has none */
void kernel_route(struct world *w, const struct node *node, int router);
/** Somebody sets the state of an entry: what comes from elsewhere, and what is forged. */
void kernel_set(struct world *w, const struct node *node, enum which which, enum nud nud);
/** Notices get lost, from now on until the next read. */
void kernel_overrun(struct world *w);
/** The monitor asks for a probe. */
void kernel_probe(struct world *w, const uint8_t *ip);
/** The neighbour that what we send to a node goes to. @return false: that has just changed */
bool kernel_hop(const struct world *w, const struct node *node, uint8_t ip[REACH_IP_LEN]);
/** We send to a node. @return whether that leads to where it is */
bool kernel_send(struct world *w, const struct node *node);
/** A node has sent to us. */
void kernel_heard(struct world *w, const struct node *node);
/** Hand the segment what there is. */
void kernel_deliver(struct world *w);
/** The monitor is there anew: show it everything. */
void kernel_show(struct world *w);
/** A notice. */
void kernel_say(struct world *w, const struct reach_event *event);

/* air.c */
/** @return whether a message arrives, if there is a way at all */
bool air_carries(struct world *w, size_t coap_len, bool multicast);
size_t air_coap_len(struct gk_span bytes);

/* gateway.c */
void gateway_end(struct world *w);
/** The KDC ends, and begins with what it has stored. */
void gateway_stop(struct world *w);
void gateway_start(struct world *w);
/** Carry out what the KDC wants done. */
void gateway_drain(struct world *w);
/** The segment's descriptor is readable. */
void gateway_read(struct world *w, const struct reach_event *events, size_t count);
/** A request from a node. @return the answer; borrowed until the next one */
struct gk_span gateway_serve(struct world *w, const struct node *node, struct gk_span message);
/** A node has answered. @param ask  place of the request */
void gateway_answered(struct world *w, uint64_t ask, struct gk_span bytes);
void gateway_confirm(struct world *w);
void gateway_provision(struct world *w, struct node *node);
void must(struct world *w, enum gk_err err, const char *what);

/* node.c */
void node_begin(struct world *w, int index);
/** Get into the group, with a new association. */
void node_join(struct world *w, struct node *node);
/** Its turn to say something. */
void node_talk(struct world *w, uint64_t index, void *ptr);
/** A request of the KDC arrives. @return the length of its answer, 0: none */
size_t node_answer(struct world *w, struct node *node, struct gk_span message, uint8_t *bytes,
		   size_t size);
/** @return whether it is a question of the KDC, whether this node is there */
bool node_is_asked(const struct node *node, struct gk_span message);
/** @return whether a message is for this node, by the identifier in it */
bool node_is_meant(const struct node *node, struct gk_span message);

/* story.c, story_link.c */
void story_begin(struct world *w);
void story_of_links(struct world *w);
/** It is cut off, or not any more. */
void story_cut(struct world *w, struct node *node, bool cut);
/** ... for some minutes, or some hours, beside its own story. */
void story_fall(struct world *w, struct node *node);
void story_vanish(struct world *w, struct node *node);
/** The routing daemon finds its nodes again. */
void story_route_all(struct world *w, int64_t within_ms);
bool story_is_router(const struct world *w, int index);

/* record.c */
void record_events(struct world *w, const struct reach_event *events, size_t count);
/** Of a trace that is played, say what came of it. */
void record_outcome(struct world *w, const char *what, struct node *node);
struct played *played_read(const char *path);
void played_free(struct played *played);
void played_begin(struct world *w);
void played_end(struct world *w);

/* check.c, check_asking.c */
int64_t later(int64_t a, int64_t b);
void check_note(struct world *w, const struct gk_note *note);
void check_probe(struct world *w, struct node *node);
/** ... and that is what the kernel is asked for. */
void check_hop(struct world *w, const struct node *node, const uint8_t *ip);
/** A request to a node, or by multicast. */
void check_request(struct world *w, int index, struct gk_span message);
/** Something is a reason to ask a node, or all, so many times more. */
void check_reason(struct world *w, struct node *node, unsigned count);
void check_reason_for_all(struct world *w);
/** It is suspected, as it does not answer a rekeying message or for another reason; it is absent;
 * it is there again. */
void check_suspect(struct world *w, struct node *node, bool parked);
void check_absent(struct world *w, struct node *node);
void check_return(struct world *w, struct node *node);
/** The kernel has said something of it. */
void check_word(struct world *w, struct node *node, enum gk_reach reach);
void check_unanswered(struct world *w, const struct ask *ask);
/** The KDC begins. */
void check_start(struct world *w);
/** The operator confirms a loss. */
void check_confirm(struct world *w);
void check_end(struct world *w);
void check_blind(struct world *w, enum gk_blindness why);
/** A node is cut off, or not any more. */
void check_turn(struct world *w, struct node *node);
/** What can be looked at now and then. */
void check_second(struct world *w, uint64_t arg, void *ptr);

/* tell.c */
const char *tally_name(enum tally tally);
/** Print TAP: a line per rule. @return number of broken rules */
unsigned tell(struct world *w, unsigned *test);

#endif
