// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Records of the store: CBOR arrays that begin with the version of their form. A restored object
 * goes on where the record was written; sequence numbers go on behind all that were reserved, and
 * the replay window is asked for anew with Echo (RFC 8613 appendix B.1.2).
 *
 * Records are written in the newest form. Of the earlier ones, which are read too:
 *   1  had neither pairwise-only groups nor trees, and no sign_alg at the very first
 *   2  had no bans, revocations and issued tokens, and no group that has ended
 * Both reserved sequence numbers for each client, where there is one limit for the whole KDC now.
 *   3  knew no clients that come by DTLS, no tokens whose lifetime begins when they are first seen,
 *      not with which words a member had asked for its roles, and no credentials but CCS
 *   4  knew of nobody that it is sleepy
 *
 * This is what record.c, record_group.c and record_ledger.c share; kdc.h has what others call.
 */
#ifndef GK_RECORD_H
#define GK_RECORD_H

#include "kdc.h"

#define GK_RECORD_FORM  5
#define GK_RECORD_FORMS (GK_RECORD_FORM + 1) /* row 0: form 1 as it was at the very first */
#define GK_RECORD_ROOM  1536

/* out */

/** Store what 'value' has become, and wipe it. */
void gk_record_store(struct gk_kdc *kdc, struct gk_record record, struct gk_buf *value);
void gk_record_store_value(struct gk_kdc *kdc, enum gk_table table, struct gk_span key,
			   struct gk_buf *value);
void gk_record_store_gone(struct gk_kdc *kdc, enum gk_table table, struct gk_span key);
/** Begin a record in the newest form. */
void gk_record_put_head(struct gk_buf *buf, const uint8_t fields[static GK_RECORD_FORMS]);
void gk_record_put_raw(struct gk_buf *buf, const uint8_t *data, size_t len);

/* in */

/** Enter a record. @param fields  how many each form has; 0: there was no such record
 * @return its form; 0: the very first, or an error */
unsigned gk_record_take_head(struct gk_cbor *c, const uint8_t fields[static GK_RECORD_FORMS]);
/** Read a byte string of exactly 'len' bytes into place. */
void gk_record_take_raw(struct gk_cbor *c, uint8_t *data, size_t len);
/** Up to 'max' bytes into place. @return how many */
uint8_t gk_record_take_upto(struct gk_cbor *c, struct gk_span span, void *data, size_t max);
void gk_record_take_id(struct gk_cbor *c, struct gk_id *id);
/** @return what comes before the first 0 */
struct gk_span gk_record_name_in_key(struct gk_span key);

typedef enum gk_err gk_record_restorer(struct gk_kdc *kdc, const struct gk_record *record,
				       struct gk_now now);

/* record_group.c */
gk_record_restorer gk_record_restore_group;
gk_record_restorer gk_record_restore_node;
gk_record_restorer gk_record_restore_tree;
gk_record_restorer gk_record_restore_cast;

/* record_ledger.c */
gk_record_restorer gk_record_restore_mark;
gk_record_restorer gk_record_restore_issued;
gk_record_restorer gk_record_restore_revoked;
gk_record_restorer gk_record_restore_ban;

#endif
