// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A request being served: who may do what is resource.c's; what serves it is in resource.h.
 */
#ifndef GK_SERVE_H
#define GK_SERVE_H

#include "kdc.h"

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

#endif
