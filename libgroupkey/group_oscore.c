// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "group_oscore.h"

#include "numbers.h"

#include <string.h>

/* nonce = S, padded ID, 5 bytes of Partial IV (RFC 8613 section 5.2) */
#define NONCE_BESIDE_ID 6

static const struct gk_span nothing;

/* the Common Context */

/** Find an algorithm that may be unset. @return false: set, and not in this build */
static bool find_aead(int64_t alg, const struct gk_aead **aead)
{
	*aead = alg == 0 ? NULL : gk_aead_find(alg);
	return alg == 0 || *aead;
}

static enum gk_err find_algorithms(struct gk_group_common *common,
				   const struct gk_group_input *input)
{
	if (!find_aead(input->gp_enc_alg, &common->enc) || !find_aead(input->alg, &common->aead))
		return GK_ERR_UNSUPPORTED;
	if (!common->enc && !common->aead)
		return GK_ERR_UNSUPPORTED;
	// G 2.1.7, 2.1.8: the group mode needs both, and nothing else uses either.
	if (!common->enc != (input->sign_alg == 0) || input->hkdf != GK_ALG_HMAC_256)
		return GK_ERR_UNSUPPORTED;
	if (common->enc && gk_sign_curve(input->sign_alg) == 0)
		return GK_ERR_UNSUPPORTED;
	common->sign_alg = input->sign_alg;
	common->ecdh_alg = input->ecdh_alg;
	common->sign_protected = input->sign_protected;
	return GK_OK;
}

/** Copy all of 'span' to a field. @return false if it is too long */
static bool copy(void *field, size_t cap, struct gk_span span)
{
	struct gk_buf buf = gk_buf(field, cap);
	gk_buf_add(&buf, span);
	return !buf.overflow;
}

/** @return GK_ERR_CREDENTIAL: not one of that format */
static enum gk_err find_binary(int fmt, struct gk_span bytes, struct gk_span *binary)
{
	struct gk_cred cred;
	enum gk_err err;

	*binary = bytes;
	if (fmt == GK_HEADER_KCCS) // is what it is
		return GK_OK;
	err = gk_cred_read_own(fmt, bytes, &cred);
	if (!err)
		*binary = cred.binary;
	return err;
}

enum gk_err gk_group_common_set_gm_cred(struct gk_group_common *common, struct gk_span gm_cred)
{
	struct gk_span binary;
	enum gk_err err = find_binary(common->cred_fmt, gm_cred, &binary);

	if (err)
		return err;
	if (binary.len == 0 || !copy(common->gm_cred, sizeof(common->gm_cred), binary))
		return GK_ERR_RANGE;
	common->gm_cred_len = (uint16_t)binary.len;
	return GK_OK;
}

static enum gk_err copy_input(struct gk_group_common *common, const struct gk_group_input *input)
{
	enum gk_err err;

	common->cred_fmt = input->cred_fmt ? input->cred_fmt : GK_HEADER_KCCS;
	err = gk_group_common_set_gm_cred(common, input->gm_cred);
	if (err)
		return err;
	if (!copy(common->master_secret, sizeof(common->master_secret), input->master_secret) ||
	    !copy(common->master_salt, sizeof(common->master_salt), input->master_salt) ||
	    input->master_secret.len == 0)
		return GK_ERR_RANGE;
	common->master_secret_len = (uint8_t)input->master_secret.len;
	common->master_salt_len = (uint8_t)input->master_salt.len;
	return gk_id_set(&common->gid, input->gid);
}

/** Derive for 'id' and 'type' with the Group Encryption Algorithm if it is set, otherwise the
 *  AEAD Algorithm as 'alg_aead' (G 2.3). */
static enum gk_err derive(const struct gk_group_common *common, struct gk_span id, const char *type,
			  uint8_t *out, size_t len)
{
	const struct gk_oscore_input input = {
		.alg = common->enc ? common->enc->alg : common->aead->alg,
		.hkdf = GK_ALG_HMAC_256,
		.master_secret = gk_span(common->master_secret, common->master_secret_len),
		.master_salt = gk_span(common->master_salt, common->master_salt_len),
		.has_id_context = true,
		.id_context = gk_id_span(&common->gid),
	};
	return gk_oscore_derive(&input, id, type, out, len);
}

size_t gk_group_key_len(const struct gk_group_common *common)
{
	return common->enc ? common->enc->key_len : common->aead->key_len;
}

/** Nonce lengths of the two algorithms; that of the one that is set, if one is not. */
static void nonce_lens(const struct gk_group_common *common, size_t *shorter, size_t *longer)
{
	const struct gk_aead *one = common->enc ? common->enc : common->aead;
	const struct gk_aead *other = common->aead ? common->aead : common->enc;
	bool ordered = one->nonce_len <= other->nonce_len;
	*shorter = ordered ? one->nonce_len : other->nonce_len;
	*longer = ordered ? other->nonce_len : one->nonce_len;
}

static enum gk_err derive_common(struct gk_group_common *common)
{
	size_t shorter, longer;
	nonce_lens(common, &shorter, &longer);
	enum gk_err err = derive(common, nothing, "IV", common->common_iv, longer);
	if (!err && common->enc)
		err = derive(common, nothing, "SEKey", common->sign_enc_key,
			     gk_group_key_len(common));
	return err;
}

enum gk_err gk_group_common_init(struct gk_group_common *common, const struct gk_group_input *input)
{
	struct gk_group_common made = { .enc = NULL };
	enum gk_err err = find_algorithms(&made, input);
	if (!err)
		err = copy_input(&made, input);
	if (!err)
		err = derive_common(&made);
	if (!err) {
		gk_group_common_wipe(common);
		*common = made;
	}
	gk_group_common_wipe(&made);
	return err;
}

void gk_group_common_wipe(struct gk_group_common *common)
{
	gk_wipe(common, sizeof(*common));
}

size_t gk_group_id_max(const struct gk_group_common *common)
{
	size_t shorter, longer;
	if (common->master_secret_len == 0)
		return 0;
	nonce_lens(common, &shorter, &longer);
	return shorter - NONCE_BESIDE_ID;
}

/* sender and recipients */

/** Derive the key of a member whose credential has this public key. */
static enum gk_err derive_member(const struct gk_group_common *common, struct gk_span id,
				 const struct gk_public_key *sign_key, struct gk_id *member_id,
				 uint8_t *key)
{
	enum gk_err err;

	if (common->enc && sign_key->crv != gk_sign_curve(common->sign_alg))
		return GK_ERR_CREDENTIAL;
	err = gk_id_set(member_id, id);
	if (err)
		return err;
	return derive(common, id, "Key", key, gk_group_key_len(common));
}

/** What can be said before a credential is read. */
static enum gk_err check_member(const struct gk_group_common *common, struct gk_span id)
{
	if (common->master_secret_len == 0)
		return GK_ERR_STATE;
	return id.len > gk_group_id_max(common) ? GK_ERR_RANGE : GK_OK;
}

static bool same_public_key(const struct gk_public_key *a, const struct gk_public_key *b)
{
	// 'y' is there on P-256 only.
	return a->crv == b->crv && memcmp(a->x, b->x, sizeof(a->x)) == 0 &&
	       (a->crv != GK_CRV_P256 || memcmp(a->y, b->y, sizeof(a->y)) == 0);
}

enum gk_err gk_group_sender_init(const struct gk_group_common *common, struct gk_span id,
				 const struct gk_key_pair *sign_key, struct gk_span cred,
				 struct gk_group_sender *sender)
{
	struct gk_group_sender made = {
		.seq_limit = GK_OSCORE_PIV_MAX + 1,
		.sign_key = sign_key,
	};
	struct gk_cred read = { .alg = 0 };
	enum gk_err err = check_member(common, id);
	if (!err)
		err = gk_cred_read_own(common->cred_fmt, cred, &read);
	if (!err && !same_public_key(&read.key, &sign_key->pub))
		err = GK_ERR_CREDENTIAL;
	made.cred = read.binary;
	if (!err)
		err = derive_member(common, id, &read.key, &made.id, made.key);
	if (!err)
		*sender = made;
	gk_wipe(&made, sizeof(made));
	return err;
}

enum gk_err gk_group_recipient_init(const struct gk_group_common *common, struct gk_span id,
				    struct gk_span cred, struct gk_group_recipient *peer)
{
	struct gk_group_recipient made = { .id = { .len = 0 } };
	struct gk_cred read = { .alg = 0 };
	enum gk_err err = check_member(common, id);
	if (!err)
		err = gk_cred_read(common->cred_fmt, cred, &read);
	made.sign_key = read.key;
	made.cred = read.binary;
	if (!err)
		err = derive_member(common, id, &made.sign_key, &made.id, made.key);
	if (!err)
		*peer = made;
	gk_wipe(&made, sizeof(made));
	return err;
}

/* pairwise keys */

enum gk_err gk_pairwise_check(const struct gk_group_common *common)
{
	if (common->master_secret_len == 0)
		return GK_ERR_STATE;
	// P 6.4: not without both.
	if (!common->aead || common->ecdh_alg != GK_ALG_ECDH_SS_HKDF_256)
		return GK_ERR_UNSUPPORTED;
	return GK_OK;
}

/** Who sends in one direction, and what enters the key of it. */
struct direction {
	const struct gk_id *id;
	const uint8_t *sender_key;
	struct gk_span from, to; /* credentials */
};

static enum gk_err derive_direction(const struct gk_group_common *common, const struct direction *d,
				    struct gk_span secret, uint8_t *key)
{
	uint8_t ikm_bytes[2 * GK_CRED_MAX + GK_DH_LEN], info_bytes[64];
	struct gk_buf ikm = gk_buf(ikm_bytes, sizeof(ikm_bytes));
	struct gk_buf info = gk_buf(info_bytes, sizeof(info_bytes));
	gk_buf_add(&ikm, d->from);
	gk_buf_add(&ikm, d->to);
	gk_buf_add(&ikm, secret);
	gk_oscore_put_info(&info, gk_id_span(d->id), true, gk_id_span(&common->gid),
			   common->aead->alg, "Key", common->aead->key_len);
	enum gk_err err = gk_buf_err(&ikm) || gk_buf_err(&info) ? GK_ERR_RANGE : GK_OK;
	if (!err)
		err = gk_hkdf(gk_span(d->sender_key, gk_group_key_len(common)), gk_buf_span(&ikm),
			      gk_buf_span(&info), key, common->aead->key_len);
	gk_wipe(ikm_bytes, sizeof(ikm_bytes));
	return err;
}

enum gk_err gk_pairwise_init(const struct gk_group_common *common,
			     const struct gk_group_sender *own,
			     const struct gk_group_recipient *peer, struct gk_pairwise *keys)
{
	const struct direction there = { &own->id, own->key, own->cred, peer->cred };
	const struct direction back = { &peer->id, peer->key, peer->cred, own->cred };
	struct gk_pairwise made = { .sender_key = { 0 } };
	uint8_t secret_bytes[GK_DH_LEN] = { 0 };
	const struct gk_span secret = gk_span(secret_bytes, sizeof(secret_bytes));
	enum gk_err err = gk_pairwise_check(common);
	if (!err) {
		err = gk_ecdh(own->sign_key, &peer->sign_key, secret_bytes);
		if (err == GK_ERR_CRYPTO)
			err = GK_ERR_CREDENTIAL;
	}
	if (!err)
		err = derive_direction(common, &there, secret, made.sender_key);
	if (!err)
		err = derive_direction(common, &back, secret, made.recipient_key);
	if (!err)
		*keys = made;
	gk_wipe(secret_bytes, sizeof(secret_bytes));
	gk_wipe(&made, sizeof(made));
	return err;
}
