// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What the files of pair share: pair.c opens, closes and looks, pair_store.c is the store,
 * pair_watch.c the KDC's events and the rules, pair_ends.c the lives of the KDC and its members,
 * pair_network.c messages on their way, pair_raw.c a client by hand.
 */
#ifndef TEST_PAIR_INSIDE_H
#define TEST_PAIR_INSIDE_H

#include "pair.h"

#include "libgroupkey/kdc.h"

#define NONCES  (1u << 15)
#define RAW_ID  (UINT64_C(1) << 62) /* the first id of an exchange of a pair_raw */
#define KEY_LEN 16

/** Keep the first breach. */
void pair_break_rule(struct pair *p, const char *rule, struct gk_span bytes);
/** @return 'memory'; without it the test ends */
void *pair_must_have(void *memory);
/** @return a copy on the heap, also of nothing */
struct gk_span pair_copy(struct gk_span bytes);
/** Write what fits, with a NUL behind it. */
void pair_text_of(struct gk_span bytes, char *out, size_t size);

/* store */

/** What the store knows of an association. */
struct pair_stored {
	struct gk_oscore ctx; /* the KDC's own */
};

struct pair_stored_group {
	int64_t num;
	uint8_t prefix[2];
	uint8_t ms[GK_MS_LEN];
};

struct pair_nonce {
	uint64_t key;   /* hash of key, id_piv and Partial IV; 0: free */
	uint64_t bytes; /* hash of the message */
};

struct pair_record *pair_find_record(const struct pair *p, enum gk_table table, struct gk_span key);
void pair_drop_record(struct pair *p, struct pair_record *r);
void pair_commit(struct pair *p, const struct gk_record *record);
/** The transaction is over: it happened, or it did not. */
void pair_end_transaction(struct pair *p, bool happened);
bool pair_read_client(const struct pair_record *r, struct pair_stored *s);
bool pair_read_group(const struct pair_record *r, struct pair_stored_group *g);
/** The ceiling of all sequence numbers is the KDC's. */
uint64_t pair_stored_ceiling(const struct pair *p);
/** The association by the kid that is the KDC's Recipient ID, which is unique. */
bool pair_find_association(const struct pair *p, struct gk_span kid, struct pair_stored *s);
/** @return the other end's view of a context */
struct gk_oscore pair_mirror(const struct gk_oscore *ctx);
/** @return true the first time */
bool pair_use_nonce(struct pair *p, struct gk_span key, struct gk_span id, struct gk_span piv,
		    struct gk_span message);
/** What is given out is what is stored. */
void pair_check_material(struct pair *p, struct gk_span payload, bool newest);

/* watch */

/** A request with Observe that reached the KDC, by whom and with which token. */
struct pair_observed {
	struct gk_exchange exchange;
	struct gk_span request;
};

struct pair_message *pair_append(struct pair *p, enum pair_kind kind, int from, int to,
				 struct gk_span bytes);
void pair_take_note(struct pair *p, int from, const struct gk_event *event);
/** @return which member has that address */
int pair_index_of(const struct pair *p, const struct gk_addr *addr);
bool pair_has_observe(struct gk_span message, uint32_t *value);
void pair_note_observed(struct pair *p, const struct gk_exchange *exchange, struct gk_span request);
void pair_take_store(struct pair *p, const struct gk_record *record);
void pair_take_kdc_event(struct pair *p, const struct gk_event *event);

/* ends */

enum gk_err pair_start(struct pair *p);
void pair_stop(struct pair *p);
/** Once more, if the test has let entropy or memory fail. */
void pair_issue(struct pair *p, const struct gk_client_spec *spec, struct gk_client_bundle *bundle);
void pair_free_member(struct pair *p, size_t i);

/* network */

void pair_outcome_of(struct pair *p, struct pair_message *notification, enum gk_notified outcome);
void pair_answer(struct pair *p, struct pair_message *request, struct gk_span bytes);

#endif
