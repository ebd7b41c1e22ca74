// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * A group: its material, its Sender IDs, its tree of administrative keys, its members coming and
 * going.
 */
#ifndef GK_GROUP_H
#define GK_GROUP_H

#include "kdc.h"

/* group.c */
/** An empty group, linked into the KDC, neither served nor with material. */
GK_MUST_CHECK enum gk_err gk_group_new(struct gk_kdc *kdc, struct gk_span name,
				       struct gk_group **group);
/** The first material of a new group: Gid prefix, Master Secret, num 0. */
GK_MUST_CHECK enum gk_err gk_group_create(struct gk_group *group, struct gk_now now);
/** Set the timer of the next scheduled rekeying. */
void gk_group_arm_period(struct gk_group *group);
/** Set the timer; and the age before, if the material is inherited. */
void gk_group_resume(struct gk_group *group, struct gk_now now);
/** Remove all members, without a rekeying. gk_group_end() has to follow. */
void gk_group_dissolve(struct gk_group *group, const char *reason, struct gk_now now);
/** All that is left of a group that ends: name, num, Gid prefix. Stores that;
 * its nodes are gone. */
void gk_group_end(struct gk_group *group);
/** Such a group begins anew, with the next num; gk_record_group() has to follow.
 *  @return GK_ERR_ENTROPY, GK_ERR_SEQUENCE: it has not */
GK_MUST_CHECK enum gk_err gk_group_revive(struct gk_group *group, struct gk_now now);
/** The age of inherited material, by a calendar that was corrected. */
void gk_group_correct_age(struct gk_group *group, struct gk_now now);
/** Unlink, wipe, free, with its nodes. */
void gk_group_free(struct gk_group *group);
struct gk_group *gk_group_find(const struct gk_kdc *kdc, struct gk_span name);
/** ... that is served. */
struct gk_group *gk_group_find_served(const struct gk_kdc *kdc, struct gk_span name);
struct gk_span gk_group_name(const struct gk_group *group);
/** Append "ace-group/NAME", or under whatever root. */
void gk_group_put_path(struct gk_buf *buf, const struct gk_group *group);
/** The same as a relative URI, "/ace-group/NAME" (RFC 3986 section 4.2). */
void gk_group_put_uri_path(struct gk_buf *buf, const struct gk_group *group);
struct gk_id gk_group_gid(const struct gk_group *group);
/** Seconds for which the present material is still valid, and until when. */
uint32_t gk_group_exi(const struct gk_group *group, struct gk_now now);
struct gk_utc gk_group_exp(const struct gk_group *group, struct gk_now now);
/** New material: num, Gid, Master Secret, stale sets. gk_group_distribute() has to follow. */
GK_MUST_CHECK enum gk_err gk_group_renew(struct gk_group *group, struct gk_now now);
/** Store and tell of what gk_group_renew() made, and bring it to all members but the joiner. */
void gk_group_distribute(struct gk_group *group, const char *reason, struct gk_now now);
/** New material and its delivery to all; on failure it is tried again. */
void gk_group_rekey(struct gk_group *group, struct gk_now now, const char *reason);
/** A rekeying within the coalescing time. */
void gk_group_schedule_rekey(struct gk_group *group, struct gk_now now);
struct gk_node *gk_group_node_of(const struct gk_group *group, const struct gk_client *client);
struct gk_node *gk_group_node_named(const struct gk_group *group, struct gk_span name);
/** Make a node, not yet a member; gk_group_add() or gk_node_free(). */
GK_MUST_CHECK enum gk_err gk_node_new(struct gk_group *group, struct gk_client *client,
				      struct gk_node **node);
void gk_node_free(struct gk_node *node);
/** Make it a member. @return GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_group_add(struct gk_node *node, struct gk_now now);
struct gk_span gk_node_name(const struct gk_node *node);
/** Remove a member (R 5): its Sender ID goes stale, a rekeying is scheduled. */
void gk_group_remove(struct gk_node *node, enum gk_note_kind kind, const char *reason,
		     struct gk_now now);

/* sid.c */
struct gk_stale_set *gk_group_stale_now(struct gk_group *group);
/** Rekey soon if so many Sender IDs were given back that the set gets long. */
void gk_group_relieve(struct gk_group *group, struct gk_now now);
/** Keep at most 'max' sets, the newest (P 7.1). */
void gk_group_trim_stale(struct gk_group *group, size_t max);
/** Begin the set of the present version. */
void gk_group_begin_stale(struct gk_group *group);
/** Put a Sender ID into the set of the present version. */
GK_MUST_CHECK enum gk_err gk_group_add_stale(struct gk_group *group, const struct gk_id *sid);
/** Choose a Sender ID unused since the present Gid was assigned. @return GK_ERR_NO_SPACE */
GK_MUST_CHECK enum gk_err gk_group_choose_sid(struct gk_group *group, struct gk_id *sid);

/* material.c */
/** @return true if its members sign messages: the mode is not pairwise-only */
bool gk_group_signs(const struct gk_group *group);
/** @return true if its members agree on keys: the mode is pairwise-only, or both */
bool gk_group_agrees(const struct gk_group *group);
/** Append a group's entry of sign_info if its members sign (R 3.3), of ecdh_info if they agree on
 *  keys, and of kdc_dh_creds if it is pairwise-only (P 5.3). */
void gk_group_put_sign_info(struct gk_buf *buf, const struct gk_group *group);
void gk_group_put_ecdh_info(struct gk_buf *buf, const struct gk_group *group);
void gk_group_put_dh_creds(struct gk_buf *buf, const struct gk_group *group);
/** @return the curve of the keys in the group's credentials, the KDC's included */
int gk_group_curve(const struct gk_group *group);
/** @return the COSE algorithm with which they are used */
int gk_group_cred_alg(const struct gk_group *group);
/** Read a credential and check that it fits the group. @return as gk_cred_check() */
GK_MUST_CHECK enum gk_err gk_group_check_cred(const struct gk_group *group, struct gk_span bytes,
					      struct gk_now now, struct gk_public_key *key);

/** Append the 'key' map: whole, or short as in rekeying messages; 'sid_of' for its Sender ID. */
void gk_group_put_key(struct gk_buf *buf, const struct gk_group *group, bool whole,
		      const struct gk_node *sid_of);

#define GK_MATERIAL_PAIRS 6
/** Append as many: what a verifier may know of the material. */
void gk_group_put_public(struct gk_buf *buf, const struct gk_group *group, struct gk_now now);
/** Append the pair group_policies. */
void gk_group_put_policies(struct gk_buf *buf);
/**
 * Append the pairs that every message with material has (R 4.3.2, P 6.3, 9.1, 11.1).
 * @param whole   with the algorithms, or just the keys as in rekeying messages
 * @param sid_of  whose Sender ID goes into the map under 'key'; NULL: nobody's
 */
void gk_group_put_material(struct gk_buf *buf, const struct gk_group *group, bool whole,
			   const struct gk_node *sid_of, struct gk_now now);

/**
 * Append the map of a rekeying message (R 6.1, P 11.1).
 * @param joiner  the credential of the newest member goes along
 * @param node    whose path goes into 'mgt_key_material'; NULL: none
 */
void gk_group_put_rekeying(struct gk_buf *buf, const struct gk_group *group, bool joiner,
			   const struct gk_node *node, struct gk_now now);
/** @return true if the credential of the newest member fits into a rekeying message */
bool gk_group_joiner_fits(const struct gk_group *group);
/**
 * Append the map that answers who asks for the group's material (R 4.3.2, 4.8.1; P 9.1).
 * @param sid_of  whose Sender ID goes along; NULL: nobody's
 */
void gk_group_put_answer(struct gk_buf *buf, const struct gk_node *node,
			 const struct gk_node *sid_of, struct gk_now now);

#define GK_PEERS_PAIRS 3
typedef bool gk_node_filter(const void *ctx, const struct gk_node *node);
/** How many members with a credential a filter lets through. */
size_t gk_group_count_peers(const struct gk_group *group, gk_node_filter *wanted, const void *ctx);
/** Append their credentials, roles and Sender IDs: three parallel arrays. */
void gk_group_put_peers(struct gk_buf *buf, const struct gk_group *group, gk_node_filter *wanted,
			const void *ctx);

#define GK_CRED_EVIDENCE_PAIRS 3
/** That the KDC has the key of a credential: a signature, or a MAC. */
struct gk_cred_evidence {
	struct gk_span cred; /* the KDC's */
	uint8_t nonce[GK_NONCE_LEN];
	uint8_t verify[GK_SIG_LEN];
	size_t verify_len;
};
/**
 * Make evidence for a client's nonce, in the manner of the group.
 * @param peer  the client's credential, which the MAC of a pairwise-only group needs
 * @return GK_ERR_ENTROPY, GK_ERR_CRYPTO; GK_ERR_CREDENTIAL
 */
GK_MUST_CHECK enum gk_err gk_cred_evidence_make(const struct gk_group *group, struct gk_span peer,
						struct gk_span n_c,
						struct gk_cred_evidence *evidence);
/** ... always a signature, of the key that messages to the group are signed with. */
GK_MUST_CHECK enum gk_err gk_cred_evidence_sign(const struct gk_group *group, struct gk_span n_c,
						struct gk_cred_evidence *evidence);
/** Append the KDC's credential with evidence. */
void gk_cred_evidence_put(struct gk_buf *buf, const struct gk_cred_evidence *evidence);

/* mgt.c */
/** Let a member take part in the tree. The caller distributes new material before the member is
 *  told anything. If the tree is full it stays point-to-point. */
void gk_mgt_enter(struct gk_node *node);
/** Take it out; the keys that it knew end with the next rekeying. */
void gk_mgt_leave(struct gk_node *node);
/** @return true if gk_mgt_clear() has something to do */
bool gk_mgt_in_use(const struct gk_group *group);
/** All out, and nothing of the tree stays in the store: the group is point-to-point from now on. */
void gk_mgt_clear(struct gk_group *group);
/** A restored member takes its slot. @return GK_ERR_RANGE, GK_ERR_DUPLICATE, GK_ERR_NO_MEMORY */
GK_MUST_CHECK enum gk_err gk_mgt_restore(struct gk_node *node);
/** A restored group is complete. @return GK_ERR_MALFORMED: keys, or parts of the newest message to
 *  the group, are missing in the store */
GK_MUST_CHECK enum gk_err gk_mgt_restored(struct gk_group *group);
/** @return how many pairs gk_mgt_put() appends for this node */
size_t gk_mgt_pairs(const struct gk_node *node);
/**
 * Append rekeying_scheme, mgt_key_material and control_group_uri, if it is in the tree.
 * @param signer  that the KDC has the key of messages to the group, where the group's credentials
 *                do not show it; NULL: leave it out
 */
void gk_mgt_put(struct gk_buf *buf, const struct gk_node *node,
		const struct gk_cred_evidence *signer);
/** Append the pair mgt_key_material alone. */
void gk_mgt_put_material(struct gk_buf *buf, const struct gk_node *node,
			 const struct gk_cred_evidence *signer);

#endif
