// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The messages of the scheme "tree" (docs/rekeying.md sections 6 to 9): rekeying messages and
 * beacons from the KDC to the group, confirmations back, and 'mgt_key_material' in unicast
 * messages. Bytes in, bytes out; nothing is kept.
 *
 *   message      = [ content: bstr .cbor (rekeying / beacon), signature: bstr, ? mac: bstr .size 8
 * ] rekeying     = [ 0, old_num, num, part, last_part, leisure_ms, height, joined: [* slot],
 * entries: bstr, material: bstr ] beacon       = [ 1, num ] confirmation = [ gid: bstr, slot, mac:
 * bstr .size 8 ]
 */
#ifndef GK_REKEYING_H
#define GK_REKEYING_H

#include "cbor.h"
#include "keypath.h"

#define GK_REKEYING_MAC_LEN        8
#define GK_REKEYING_COAP_MAX       1232 /* a CoAP message in an IPv6 packet of 1,280 bytes */
#define GK_REKEYING_LEISURE_MAX_MS 3600000

/** Values of the first element of 'content'. 2 is reserved: "group ended". */
enum gk_rekeying_type {
	GK_REKEYING = 0,
	GK_REKEYING_BEACON = 1,
};

/** A message of the KDC to the group. Spans are borrowed. */
struct gk_rekeying {
	enum gk_rekeying_type type;
	uint32_t num; /* new version; of a beacon: the present one */
	/* of GK_REKEYING alone */
	uint32_t old_num;
	uint16_t part, last_part; /* of several messages, the first is 0 */
	uint32_t leisure_ms;      /* confirm after a random time up to this; 0: do not confirm */
	struct gk_tree_step step; /* its num is the one above, and does not matter when writing */
	struct gk_span material;  /* sealed under the new root */
	/* as received */
	struct gk_span content, signature, mac;
};

/**
 * Append the payload of a message: signed, and with a MAC if there is an old root.
 * @param message   what it says; content, signature and mac do not matter
 * @param sign_key  the KDC's, of the group's sign_alg
 * @param old_root  key of the root before; NULL for a beacon
 * @return GK_OK; GK_ERR_NO_SPACE: no room in 'payload', or more than GK_REKEYING_COAP_MAX; what
 *         gk_rekeying_read() would say, if it would refuse it; what gk_sign() says
 */
GK_MUST_CHECK enum gk_err gk_rekeying_put(struct gk_buf *payload, struct gk_span group,
					  const struct gk_rekeying *message,
					  const struct gk_key_pair *sign_key,
					  const uint8_t *old_root);
/**
 * How many entries fit into one CoAP message of GK_REKEYING_COAP_MAX bytes?
 * @param message   of GK_REKEYING, what it says beside them: the entries in it do not matter;
 *                  'part' and 'last_part' take more bytes from 24 and from 256 on
 * @param overhead  bytes of the CoAP message between its header of 4 and the payload: token,
 *                  options, payload marker
 * @return their number; 0 if there is no room for any, or not for the message without them either
 */
size_t gk_rekeying_room(const struct gk_rekeying *message, size_t overhead);
/**
 * Read a payload; nothing in it is verified yet. But it is one that can be: numbers in range, num
 * above old_num, part no more than last_part, slots of a tree of that height, entries whole, a MAC
 * where one belongs and only there.
 * @return GK_OK; GK_ERR_UNSUPPORTED: another type; GK_ERR_RANGE: that, and a payload above
 *         GK_REKEYING_COAP_MAX; else what it is wrong in
 */
GK_MUST_CHECK enum gk_err gk_rekeying_read(struct gk_span payload, struct gk_rekeying *message);
/** Check the MAC: it keeps outsiders from making us verify signatures.
 *  @return GK_OK; GK_ERR_CRYPTO: wrong or absent */
GK_MUST_CHECK enum gk_err gk_rekeying_check_mac(const struct gk_rekeying *message,
						struct gk_span group, const uint8_t *old_root);
/** Verify the KDC's signature. @return GK_OK, GK_ERR_CRYPTO, GK_ERR_UNSUPPORTED */
GK_MUST_CHECK enum gk_err gk_rekeying_verify(const struct gk_rekeying *message,
					     struct gk_span group, const struct gk_public_key *key);

/** Append the group's material (the map of R 6.1), sealed under a new root. A num has one material:
 *  the nonce depends on nothing else. @return GK_OK, GK_ERR_NO_SPACE, GK_ERR_CRYPTO */
GK_MUST_CHECK enum gk_err gk_rekeying_seal(const struct gk_tree_group *group, uint32_t old_num,
					   uint32_t num, const uint8_t *root,
					   struct gk_span material, struct gk_buf *out);
/** Open it; the map is appended to 'out'.
 *  @return GK_OK; GK_ERR_CRYPTO: not the root of this message; GK_ERR_NO_SPACE */
GK_MUST_CHECK enum gk_err gk_rekeying_open(const struct gk_tree_group *group,
					   const struct gk_rekeying *message, const uint8_t *root,
					   struct gk_buf *out);

/** What a confirmation is about; and what its MAC covers, with the group's name. */
struct gk_confirmation {
	struct gk_span gid; /* the new one: names group and version */
	uint16_t slot;
	struct gk_span mac;
};
/**
 * MAC of a confirmation: that the owner of a leaf key has decrypted this message.
 * @param material  the message's, sealed
 * @param root      the new one
 */
GK_MUST_CHECK enum gk_err gk_confirmation_mac(struct gk_span group, uint32_t num, uint16_t slot,
					      struct gk_span material, const uint8_t *leaf,
					      const uint8_t *root,
					      uint8_t out[static GK_REKEYING_MAC_LEN]);
/** Append the payload of a confirmation. */
void gk_confirmation_put(struct gk_buf *payload, const struct gk_confirmation *confirmation);
GK_MUST_CHECK enum gk_err gk_confirmation_read(struct gk_span payload,
					       struct gk_confirmation *confirmation);

/** 'mgt_key_material' of one member. Spans are borrowed. */
struct gk_mgt_material {
	uint16_t slot;
	uint8_t repeat; /* how often each message comes */
	uint8_t base_iv[GK_TREE_IV_LEN];
	struct gk_span path; /* as of gk_keytree_put_path() */
	/* in groups whose own credential is not for signatures (R 6.2.1); else empty */
	struct gk_span kdc_cred, kdc_nonce, kdc_verify;
};
/** Append the content of the byte string: [ slot, repeat, base_iv, path, ? kdc_cred, kdc_nonce,
 *  kdc_cred_verify ]. */
void gk_mgt_material_put(struct gk_buf *buf, const struct gk_mgt_material *mgt);
GK_MUST_CHECK enum gk_err gk_mgt_material_read(struct gk_span bytes, struct gk_mgt_material *mgt);

#endif
