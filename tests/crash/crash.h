// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Power cuts. The whole daemon, its real store and some members in one process: the disk is in
 * memory, the network and the clocks are played, and at any write, sync, rename or send the power
 * may fail. What the disk had not synced is then there, or not, or torn; the daemon starts again
 * from that, the world goes on until it is quiet, and an observer who saw everything says what
 * should not have been.
 *
 *   main.c      which stories, which points; a child process for each power cut; the verdict as TAP
 *   story.c     what happens
 *   accident.c  what becomes of the files: backups put back, marks lost
 *   world.c     time, members, datagrams
 *   daemon.c    what gatewayd's own code finds in place of loop, sockets and the kernel
 *   disk.c      files, directories, and what is left of them
 *   libc.c      the calls that the daemon makes beside SQLite; vfs.c: those that SQLite makes
 *   observer.c  what must hold
 *
 * The daemon is linked from the same objects as the program; the linker's --wrap puts the functions
 * of daemon.c, libc.c and observer.c in the place of those that it calls.
 */
#ifndef CRASH_H
#define CRASH_H

#include "gatewayd/daemon.h"
#include "io/bundle.h"
#include "libgroupkey/buf.h"
#include "tests/lib/env.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NODES     6
#define GROUPS    3
#define KDC       (-1) /* as an end of the network */
#define FLASH     "/flash/"
#define STATE_DIR "/flash/state"
#define MARK      "/flash/mark/gatewayd.mark"
#define BACKUPS   2

/* points: where the power may fail */

enum point_kind {
	POINT_WRITE,  /* of a file, its length included */
	POINT_SYNC,   /* of a file or a directory */
	POINT_RENAME, /* and all other changes of names */
	POINT_SEND,   /* a datagram, or an answer to the operator: before, and after it */
	POINT_KINDS,
};
/** Something is about to happen, or (POINT_WRITE, POINT_RENAME) just did and is not synced. */
void point(enum point_kind kind);

/* disk.c */

/** What a power cut leaves of that which was not synced. */
enum loss {
	LOSS_ALL,  /* nothing */
	LOSS_NONE, /* everything */
	LOSS_SOME, /* each sector of each write by chance, in any order; torn ones among them */
	LOSSES,
};
/** What a file system may do instead of what it is asked for. */
enum fault {
	FAULT_NONE,
	FAULT_FULL,      /* there is no more room than now */
	FAULT_IO,        /* writes and syncs fail */
	FAULT_READ_ONLY, /* so does all that changes something */
	FAULTS,
};

/** An empty file system at /flash. */
void disk_begin(void);
/** @return true if something is not synced */
bool disk_pending(void);
/** The power fails, and comes back: all faults are over. */
void disk_cut(enum loss loss);
void disk_fault(enum fault fault);
enum fault disk_fault_now(void);
/* All return 0 or more, or -errno. */
int disk_find(const char *path); /* @return the file's number */
int disk_create(const char *path, bool is_dir, unsigned mode);
int disk_link(int file, const char *path);
int disk_unlink(const char *path);
int disk_rename(const char *from, const char *to);
int disk_sync_dir(const char *path);
int disk_sync(int file);
int disk_write(int file, int64_t at, const void *bytes, size_t len);
int disk_truncate(int file, int64_t len);
/** @return bytes read: fewer than asked for at the end */
int disk_read(int file, int64_t at, void *bytes, size_t len);
int64_t disk_len(int file);
bool disk_is_dir(int file);
unsigned disk_mode(int file);
uint64_t disk_free_bytes(void);
/* While nobody has a file open. What they do lasts. */
/** All that was done lasts. */
void disk_settle(void);
/** Keep a copy of the files in a directory, as they are. */
void disk_back_up(int slot, const char *dir);
/** The directory has them again, and no others. @return false: 'path' in it is what it was */
bool disk_put_back(int slot, const char *dir, const char *path);
/** A file, or a directory and what is in it. */
void disk_lose(const char *path);
/** A file, and the directory that it is in. */
void disk_put(const char *path, const void *bytes, size_t len);
/** It is not any more what was written. @param how  in which way, of any */
void disk_damage(const char *path, unsigned how);

/** The directory that a path is in. */
void disk_parent(const char *path, char *parent, size_t size);

/* libc.c */
/** The process ended: its files are closed. */
void libc_restart(void);

/* vfs.c */
void vfs_register(void);

/* world.c */

/** A node's standing in a group, as the story wants it. */
struct place {
	bool wanted;
	bool unsure;     /* the operator was not told yet whether it is out, or may come in */
	bool free;       /* put out, and may join again if it likes */
	bool banned;     /* the operator was told so */
	int64_t out_num; /* departed for certain: newer material is not for it; INT64_MAX: not */
	bool astray;     /* the KDC does not know it any more, and it may not know that */
	bool settled;    /* in it, and nothing about it under way, when the power failed */
};

struct node {
	int index;
	char name[16], base[48];
	struct gk_addr addr;
	struct test_env test_env;
	struct gk_member *member; /* NULL: not provisioned yet */
	struct gk_span token;     /* of its own memory */
	uint8_t seed[32];
	bool revoked; /* the operator was told so */
	bool revoke_unsure;
	bool token_void;  /* the key is gone that it is under */
	bool forgotten;   /* the KDC may not know of its token until that comes back */
	unsigned bundles; /* that it was provisioned with */
	struct place place[GROUPS];
};

enum packet_kind {
	PACKET_REQUEST,
	PACKET_REPLY,
	PACKET_GROUP, /* to a group, to one of those who listen */
	PACKET_CONFIRM,
	PACKET_QUESTION, /* of the router to one of those who hear a multicast address */
	PACKET_ANSWER,   /* ... and what one says to it */
	PACKET_VERDICT,  /* of the router's kernel about a neighbour */
};

/** What is under way between two ends. */
struct packet {
	struct packet *next;
	enum packet_kind kind;
	int64_t at_ms;
	int from, to;
	uint64_t call; /* REQUEST, REPLY: which; QUESTION, ANSWER: its token */
	size_t len;
	uint8_t bytes[];
};

/** A request that waits for its answer. */
struct call {
	bool open;
	int from, to;
	uint64_t id; /* the sender's */
	uint16_t message_id;
	uint64_t life; /* of the daemon, which is one of the ends */
	int64_t deadline_ms, again_ms, pause_ms;
	uint8_t *bytes;
	size_t len;
};

struct world {
	uint64_t seed, chance;
	int64_t now_ms;      /* everybody's elapsed time but the router's */
	int64_t boot_ms;     /* when that started */
	int64_t utc_wrong_s; /* what its calendar is off by */
	uint64_t life;
	struct gw_daemon *daemon; /* NULL: no power */
	int64_t deadline_ms;      /* of its loop */
	struct test_env kdc_test_env;
	struct gk_env kdc_env;
	char conf[4096];
	struct node node[NODES];
	struct packet *packets;
	struct call *calls;
	size_t call_count;
	uint16_t message_id;
	unsigned loss; /* of datagrams, in percent */
	size_t heard;  /* members that read the newest message to a group */
	bool trace;
	bool anything_said; /* a datagram has left the router */
	int64_t fault_ms;   /* when the disk is well again */
	int64_t ntp_ms;     /* when the calendar is right again */
};
extern struct world world;
extern const char *const group_names[GROUPS];

void world_begin(uint64_t seed);
uint64_t chance(void);
int64_t chance_between(int64_t from, int64_t to);
void *must_alloc(void *old, size_t size);
/** Let time go by. */
void world_run(int64_t ms);
/** Until nothing is under way and all is as the story wants it. @return false: not within 'ms' */
bool world_settle(int64_t ms);
void world_node_new(int index, const struct io_bundle *bundle);
void world_drain(struct node *node);
/** @return false: it has not left yet, or is in it */
bool world_join(int node, int group);
/** Write as many bytes of a number as the token has, from the highest on. */
void world_put_token(struct gk_exchange *exchange, uint64_t token);
void world_send(enum packet_kind kind, int from, int to, uint64_t call, struct gk_span bytes);
void world_open_call(int from, int to, uint64_t id, struct gk_span bytes, uint32_t timeout_ms);
/** Say something to a group. @return how many wanted members read it, less those who should */
void world_speak(int node, int group);
struct gk_now world_now(void);
struct gk_membership_info world_info(const struct node *node, int group);
struct node *world_node(const struct gk_addr *addr);
/** Why it is not settled, for people. */
const char *world_unsettled(void);
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* accident.c */

enum accident_kind {
	ACCIDENT_NONE,
	ACCIDENT_RESTORED,  /* a backup of the state directory was put back */
	ACCIDENT_MARK_LOST, /* ... or not, and the mark is lost */
	ACCIDENT_DAMAGED,   /* the store is damaged, */
	ACCIDENT_BLIND,     /* and the mark lost */
	ACCIDENT_STATE_LOST,
	ACCIDENTS,
};

/** The one that the daemon has to come to terms with; it has, once it has committed. */
enum accident_kind accident_now(void);
void accident_back_up(int slot);
/** @return false: it is no old one */
bool accident_restore(int slot);
bool accident_restore_unmarked(int slot);
void accident_lose_mark(void);
void accident_damage(void);
void accident_blind(void);
void accident_lose_state(bool keep_key);
/** The daemon opens the store, */
void accident_opens(enum gw_store_wish wish);
/** and has. */
void accident_opened(enum gw_store_wish wish, int err, enum gw_store_found found,
		     const char *error);
/** @return true if it was refused, and the operator knows what to do */
bool accident_refused(void);
enum gw_store_wish accident_wish(void);
/** The log says something. */
void accident_heard(const char *text);
void accident_started(void);
void accident_commit(bool done);

/* daemon.c */
/** And if it is refused, as the operator starts it then. */
void daemon_start(void);
/** It ends, as it is told. */
void daemon_stop(void);
/** It is no more; not even its memory is given back. */
void daemon_dies(void);
/** Let it do what is due and what has come. */
void daemon_turn(void);
void daemon_request(int from, uint16_t message_id, uint64_t call, struct gk_span bytes);
void daemon_answer(uint64_t id, struct gk_span bytes);
/** @param token  as a number; 0: none */
void daemon_group_answer(uint64_t token, struct gk_span bytes);
void daemon_verdict(int node);
/** A call of the operator's. @param words  separated by blanks @return GW_DONE and the like;
 *  -1: no daemon. @param answer  gets the text, to be freed; or NULL */
int daemon_call(const char *words, char **answer);
bool daemon_reload(void);
/** Play a long time: Partial IVs are used up to 'left' before the end of the block. */
void daemon_use_sequence(unsigned left);

/* observer.c */

void observer_begin(void);
/** The daemon has started. */
void observer_start(void);
/** The files are not what they were: what was lost may be done again, nothing else. */
void observer_accident(void);
/** @return how many there were */
uint64_t observer_age(void);
/** @return true if somebody has still to find out */
bool observer_astray(void);
/** A datagram of the daemon's leaves. */
void observer_sent(struct gk_span bytes);
/** A bundle does. */
void observer_issued(struct gk_span token);
void observer_note(const struct gk_note *note);
void observer_member_note(struct node *node, const struct gk_note *note);
void observer_member(struct node *node);
/** The power fails. */
void observer_cut(void);
/** @return true if the KDC has the node as a member of the group, or as banned from it */
bool observer_lists(const struct node *node, int group, bool banned);
bool observer_revoked(const struct node *node);
/** All is quiet. */
void observer_quiet(void);
__attribute__((format(printf, 2, 3))) void violated(const char *rule, const char *format, ...);

/* story.c */
/** How many are written down: the one in which everything happens but accidents, and those. */
#define STORIES 4
/** @param number  from STORIES on they are random */
void story_play(uint64_t number);
/** After a power cut, when all has settled: does everything work? */
void story_end(void);

/* main.c */
void verdict_add(const char *text);
/** So long everybody took after a restart to get the newest keys. */
void verdict_settled(int64_t ms);
/** The daemon ended by itself, for the disk is not well. */
_Noreturn void daemon_gave_up(void);

#endif
