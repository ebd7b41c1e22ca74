// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Between the parts of a member's exchanges with the KDC: the engine (member_task.c), blocks
 * (member_block.c) and what is asked (member_request.c, with a file for each large kind).
 */
#ifndef GK_MEMBER_TASK_H
#define GK_MEMBER_TASK_H

#include "member.h"

/** A request being built. */
struct gk_task_request {
	struct gk_member *m;
	struct gk_membership *ms; /* NULL for GK_TASK_TOKEN */
	struct gk_coap_writer w;
};

/** An answer, verified where it had to be: the code says how it went. */
struct gk_task_answer {
	struct gk_member *m;
	struct gk_membership *ms;
	const struct gk_coap *msg;
	struct gk_now now;
};

/** A kind of exchange. */
struct gk_task_row {
	uint8_t method;
	/* below ace-group/G; "*": ours below nodes, and behind a second '*' what is below that;
	 * "/": ace-group itself; NULL: /authz-info */
	const char *path;
	/* options above Uri-Path, and payload; NULL: none */
	enum gk_err (*build)(struct gk_task_request *r);
	void (*done)(struct gk_task_answer *a);
};
extern const struct gk_task_row gk_task_rows[GK_TASK_COUNT];

/* member_observe.c: rows of it */
enum gk_err gk_watch_build_node(struct gk_task_request *r);
void gk_watch_done(struct gk_task_answer *a);

/* member_token.c: a row of it, and what its answer shares with refusals of a join */
enum gk_err gk_token_build(struct gk_task_request *r);
void gk_token_done(struct gk_task_answer *a);
/** Take what sign_info and kdc_dh_creds tell of groups; of kind GK_CBOR_NONE: nothing. */
void gk_token_take_groups(struct gk_member *m, const struct gk_cbor_item *sign_info,
			  const struct gk_cbor_item *dh_creds);
/** Take a new N_S, if there is one. */
void gk_token_take_challenge(struct gk_member *m, const struct gk_cbor_item *item);
/** @return true if it is a credential of the KDC for key agreement, whose key this is */
bool gk_token_read_dh(int64_t fmt, struct gk_span bytes, struct gk_public_key *key);

/** A credential of the KDC, and the evidence that it has its key, for our latest n_c. */
struct gk_cred_evidence {
	int64_t fmt;
	struct gk_span cred, nonce, verify;
};

/* member_join.c: a row of it, and the evidence of both sides */
enum gk_err gk_join_build(struct gk_task_request *r);
void gk_join_done(struct gk_task_answer *a);
/** The evidence is right, by signature or MAC as the group has it. @param key  that is proven */
bool gk_task_is_proven(const struct gk_membership *ms, const struct gk_cred_evidence *evidence,
		       struct gk_public_key *key);
/** Append client_cred and client_cred_verify. @param n_c  that goes into the evidence */
GK_MUST_CHECK enum gk_err gk_task_put_evidence(struct gk_buf *buf, const struct gk_membership *ms,
					       const struct gk_key_pair *key, struct gk_span cred,
					       struct gk_span n_c);
/** Another N_S, if a refusal has one. @return true if it has */
bool gk_task_take_challenge(struct gk_task_answer *a);

/* member_cred.c: rows of it */
void gk_kdc_cred_done(struct gk_task_answer *a);
enum gk_err gk_cred_build(struct gk_task_request *r);
void gk_cred_done(struct gk_task_answer *a);

/* member_which.c: a row of it */
enum gk_err gk_which_build(struct gk_task_request *r);
void gk_which_done(struct gk_task_answer *a);

/* member_active.c: a row of it */
void gk_active_done(struct gk_task_answer *a);

/** Tell of an error, of a group or (ms NULL) of the member as a whole. */
void gk_task_complain(struct gk_member *m, struct gk_membership *ms, const char *reason);
/** No exchange for 2^shift seconds, and a random half as much. */
void gk_task_pause(struct gk_member *m, unsigned shift, struct gk_now now);
/** The KDC refused a join: later again. What other groups want goes on meanwhile. */
void gk_task_join_later(struct gk_membership *ms, struct gk_now now);

/** Send the request 'm->out', or the block of it whose turn it is. @param echo  empty: none */
GK_MUST_CHECK enum gk_err gk_task_send(struct gk_member *m, struct gk_span echo);

/* member_block.c */
/** The request is written: its first block is next, if it needs more than one. */
void gk_task_begin_blocks(struct gk_member *m);
/** Write that block, or the request if it is short, or what asks for the answer's next block. */
GK_MUST_CHECK enum gk_err gk_task_put_block(const struct gk_member *m, struct gk_span echo,
					    struct gk_buf *buf);
/** Send a block again that got lost. @return false: it is the first one, or it was often enough */
bool gk_task_repeat_block(struct gk_member *m);

enum gk_blocks {
	GK_BLOCKS_WHOLE,
	GK_BLOCKS_MORE, /* the next block is sent, or asked for */
	GK_BLOCKS_BROKEN,
};
/** An answer came. If it is the whole one, or the last block of it, 'msg' is that. */
enum gk_blocks gk_task_collect(struct gk_member *m, struct gk_coap *msg);

#endif
