// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A client of a KDC that sends whatever it is told to, over a socket of its own: it knows the
 * messages, and keeps to none of the rules. One request at a time. What cannot be done ends the
 * program with a word on stderr; what the KDC answers never does.
 */
#ifndef TEST_RAW_H
#define TEST_RAW_H

#include "io/bundle.h"
#include "libgroupkey/coap.h"
#include "libgroupkey/crypto.h"
#include "libgroupkey/oscore.h"

#define RAW_ROOM       2048
#define RAW_NO_PAYLOAD gk_span(NULL, 0)

struct raw {
	struct gk_env env;
	int fd;
	uint16_t message_id;
	struct io_bundle bundle;
	bool associated; /* 'assoc' is one */
	struct gk_oscore assoc;
	struct gk_oscore_ref ref; /* of the newest protected request */
	uint8_t n1[8], n_c[8], id1[2];
	struct gk_key_pair key;
	uint8_t challenge[64]; /* the newest one that the KDC gave */
	size_t challenge_len;
	uint8_t scope[80]; /* of the newest join */
	size_t scope_len;
	char node[160]; /* path of our node, "ace-group/lights/nodes/n1"; "" as long as we have none
			 */
	uint8_t sent[RAW_ROOM]; /* the newest message */
	size_t sent_len;
};

/** One answer. */
struct raw_answer {
	bool protected;
	struct gk_coap msg; /* into 'bytes' */
	uint8_t bytes[RAW_ROOM];
};

/** How a Join Request, or a new credential, differs from a right one. All zero: in nothing. */
enum raw_field { RAW_RIGHT, RAW_ABSENT, RAW_EMPTY, RAW_WRONG, RAW_MISTYPED, RAW_ODD };

struct raw_flaws {
	/* wrong: another entry than a bstr; odd: in the textual form of R 3.1 */
	enum raw_field scope;
	enum raw_field cnonce;
	enum raw_field cred;   /* wrong: of another curve; odd: with its private key */
	enum raw_field verify; /* wrong: of another input */
	enum raw_field map;    /* wrong: an array; odd: cut short */
	uint32_t roles;        /* 0: those of the bundle */
	const char *name;      /* of the group in scope; NULL: the right one */
	const char *control;   /* control_uri; NULL: none */
	bool tree;             /* the scheme "tree" is announced */
};

/** Read the bundle, and connect to its KDC. */
void raw_open(struct raw *c, const char *bundle);

/** Send a message (code, options, payload) as it is. */
void raw_send(struct raw *c, struct gk_span message);
/** Protect it before, as 'sent' keeps it. There must be an association. */
void raw_send_protected(struct raw *c, struct gk_span message);
/** Send the newest message once more, as another one. */
void raw_send_again(struct raw *c);
/** Wait for the answer to the newest message. @return false: none came within 'wait_ms' */
bool raw_receive(struct raw *c, struct raw_answer *answer, int wait_ms);

/** Write a request. @param format  Content-Format; -1: none */
void raw_put_request(struct gk_buf *message, uint8_t code, const char *path, int format,
		     struct gk_span payload);
/** Write the payload of a token post (O 4.1). */
void raw_put_token(struct gk_buf *payload, struct raw *c);
/** Take the answer to one: then there is an association. Does nothing with a refusal. */
void raw_take_token_answer(struct raw *c, const struct raw_answer *answer);
/** Write the payload of a Join Request to 'group'. */
void raw_put_join(struct gk_buf *payload, struct raw *c, const char *group,
		  const struct raw_flaws *flaws);
/** Write the payload of a new credential (R 4.9.1). */
void raw_put_cred(struct gk_buf *payload, struct raw *c, const struct raw_flaws *flaws);
/** Take what an answer to a join has for later: our node, or a new challenge. */
void raw_take_join_answer(struct raw *c, const struct raw_answer *answer);

#endif
