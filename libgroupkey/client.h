// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Clients, and protected exchanges with them: under OSCORE, or in DTLS sessions.
 */
#ifndef GK_CLIENT_H
#define GK_CLIENT_H

#include "kdc.h"

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

#endif
