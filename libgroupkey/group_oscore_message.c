// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Messages of a group, in either mode: protecting and verifying them. The contexts are
 * group_oscore.c's.
 */
#include "group_oscore.h"

#include "numbers.h"

static const struct gk_span nothing;

/* what a message is made with */

/** How a message is protected. */
struct mode {
	bool group; /* encrypted for all and countersigned; else for one peer alone */
	const struct gk_aead *aead;
	const uint8_t *key;
	size_t beside; /* bytes of a payload beside the plaintext: tag, countersignature */
};

/** One message, going out or coming in. */
struct envelope {
	const struct gk_group_common *common;
	const struct mode *mode;
	const struct gk_oscore_ref *ref; /* the request, also of a response */
	bool is_request;
	struct gk_span option;      /* value of the OSCORE option of this message */
	struct gk_span piv;         /* Partial IV of this message; empty: the request's */
	const struct gk_id *sender; /* of this message */
	struct gk_span cred;        /* of this message's sender */
};

/** @return whose Partial IV enters nonce and keystream */
static struct gk_span id_piv_of(const struct envelope *e)
{
	return gk_id_span(e->piv.len > 0 ? e->sender : &e->ref->kid);
}

static struct gk_span piv_of(const struct envelope *e)
{
	return e->piv.len > 0 ? e->piv : gk_id_span(&e->ref->piv);
}

static void put_algorithm(struct gk_buf *buf, int64_t alg)
{
	if (alg == 0)
		gk_put_null(buf);
	else
		gk_put_int(buf, alg);
}

void gk_group_put_external_aad(struct gk_buf *buf, const struct gk_group_common *common,
			       const struct gk_oscore_ref *ref, struct gk_span option,
			       struct gk_span sender_cred)
{
	gk_put_array(buf, 9);
	gk_put_uint(buf, 1); // oscore_version
	gk_put_array(buf, 4);
	put_algorithm(buf, common->aead ? common->aead->alg : 0);
	put_algorithm(buf, common->enc ? common->enc->alg : 0);
	put_algorithm(buf, common->sign_alg);
	put_algorithm(buf, common->ecdh_alg);
	gk_put_bytes(buf, gk_id_span(&ref->kid));
	gk_put_bytes(buf, gk_id_span(&ref->piv));
	gk_put_bytes(buf, nothing); // no class I options exist
	gk_put_bytes(buf, gk_id_span(&ref->gid));
	gk_put_bytes(buf, option);
	gk_put_bytes(buf, sender_cred);
	gk_put_bytes(buf, gk_span(common->gm_cred, common->gm_cred_len));
}

enum gk_err gk_group_keystream(const struct gk_group_common *common, struct gk_span id_piv,
			       struct gk_span piv, bool is_request,
			       uint8_t keystream[static GK_SIG_LEN])
{
	uint8_t info[64];
	struct gk_buf buf = gk_buf(info, sizeof(info));
	gk_put_array(&buf, 4);
	gk_put_bytes(&buf, id_piv);
	gk_put_bytes(&buf, gk_id_span(&common->gid));
	gk_put_bool(&buf, is_request);
	gk_put_uint(&buf, GK_SIG_LEN);
	if (gk_buf_err(&buf))
		return GK_ERR_RANGE;
	return gk_hkdf(piv, gk_span(common->sign_enc_key, gk_group_key_len(common)),
		       gk_buf_span(&buf), keystream, GK_SIG_LEN);
}

static void put_external_aad(struct gk_buf *buf, const struct envelope *e)
{
	gk_group_put_external_aad(buf, e->common, e->ref, e->option, e->cred);
}

static struct gk_oscore_cipher prepare(const struct envelope *e, struct gk_span external_aad)
{
	const struct gk_aead *aead = e->mode->aead;
	struct gk_oscore_cipher cipher = {
		.aead = aead,
		.key = e->mode->key,
		.external_aad = external_aad,
	};
	gk_oscore_nonce(e->common->common_iv, aead->nonce_len, id_piv_of(e), piv_of(e),
			cipher.nonce);
	return cipher;
}

/** Encrypt a countersignature, or decrypt one (G 4.1). 'to' may be 'from'. */
static enum gk_err crypt_signature(const struct envelope *e, const uint8_t *from, uint8_t *to)
{
	uint8_t keystream[GK_SIG_LEN];
	enum gk_err err =
		gk_group_keystream(e->common, id_piv_of(e), piv_of(e), e->is_request, keystream);
	for (size_t i = 0; !err && i < GK_SIG_LEN; i++)
		to[i] = from[i] ^ keystream[i];
	gk_wipe(keystream, sizeof(keystream));
	return err;
}

/** Append what is countersigned, in the group's reading of RFC 9338 section 3.3. */
static void put_to_sign(struct gk_buf *buf, const struct envelope *e, struct gk_span external_aad,
			struct gk_span ciphertext)
{
	if (!e->common->sign_protected) {
		gk_cose_put_countersign_structure(buf, nothing, external_aad, ciphertext);
		return;
	}
	gk_put_array(buf, 5);
	gk_put_text(buf, gk_span_str("CounterSignature0"));
	gk_put_bytes(buf, nothing); // body_protected
	gk_put_bytes(buf, nothing); // sign_protected
	gk_put_bytes(buf, external_aad);
	gk_put_bytes(buf, ciphertext);
}

/* Countersign_structure: a head of 25 bytes or so beside what it holds. */
#define TO_SIGN_MAX (GK_AAD_MAX + GK_GROUP_OSCORE_MESSAGE_MAX + GK_AEAD_TAG_MAX + 64)

static enum gk_err countersign(const struct envelope *e, const struct gk_key_pair *key,
			       struct gk_span external_aad, struct gk_span ciphertext,
			       struct gk_buf *out)
{
	uint8_t to_sign[TO_SIGN_MAX], signature[GK_SIG_LEN];
	struct gk_buf buf = gk_buf(to_sign, sizeof(to_sign));
	put_to_sign(&buf, e, external_aad, ciphertext);
	enum gk_err err = gk_buf_err(&buf);
	// What a key is not good for does not matter to the caller: the number is used up.
	if (!err && gk_sign(key, gk_buf_span(&buf), signature) != GK_OK)
		err = GK_ERR_CRYPTO;
	if (!err)
		err = crypt_signature(e, signature, signature);
	if (err)
		return err;
	gk_buf_add(out, gk_span(signature, sizeof(signature)));
	return gk_buf_err(out);
}

static enum gk_err check_countersignature(const struct envelope *e, const struct gk_public_key *key,
					  struct gk_span external_aad, struct gk_span ciphertext,
					  struct gk_span encrypted)
{
	uint8_t to_sign[TO_SIGN_MAX], signature[GK_SIG_LEN];
	struct gk_buf buf = gk_buf(to_sign, sizeof(to_sign));
	put_to_sign(&buf, e, external_aad, ciphertext);
	enum gk_err err = gk_buf_err(&buf) ? GK_ERR_RANGE : GK_OK;
	if (!err)
		err = crypt_signature(e, encrypted.data, signature);
	if (!err)
		err = gk_verify(key, gk_buf_span(&buf), gk_span(signature, sizeof(signature)));
	return err;
}

/** Group mode, with the key of who sends. */
static enum gk_err group_mode(const struct gk_group_common *common, const uint8_t *key,
			      struct mode *mode)
{
	if (common->master_secret_len == 0)
		return GK_ERR_STATE;
	if (!common->enc)
		return GK_ERR_UNSUPPORTED;
	*mode = (struct mode){
		.group = true,
		.aead = common->enc,
		.key = key,
		.beside = (size_t)common->enc->tag_len + GK_SIG_LEN,
	};
	return GK_OK;
}

/** Pairwise mode, with the key of that direction. */
static enum gk_err pairwise_mode(const struct gk_group_common *common, const uint8_t *key,
				 struct mode *mode)
{
	enum gk_err err = gk_pairwise_check(common);
	if (err)
		return err;
	*mode = (struct mode){
		.aead = common->aead,
		.key = key,
		.beside = common->aead->tag_len,
	};
	return GK_OK;
}

/** @return true if 'ref' is a request's, and its kid fits this group's nonce */
static bool is_group_request(const struct gk_group_common *common, const struct gk_oscore_ref *ref)
{
	return ref->piv.len > 0 && ref->kid.len <= gk_group_id_max(common);
}

/* protecting */

static bool has_sequence(const struct gk_group_sender *own)
{
	return own->seq < own->seq_limit && own->seq <= GK_OSCORE_PIV_MAX;
}

/** Encrypt what is laid out at the end of 'out'. In group mode, append the encrypted
 *  countersignature. */
static enum gk_err encrypt_and_sign(const struct envelope *e, const struct gk_group_sender *own,
				    struct gk_span plaintext, struct gk_buf *out)
{
	uint8_t aad[GK_AAD_MAX];
	struct gk_buf buf = gk_buf(aad, sizeof(aad));
	put_external_aad(&buf, e);
	enum gk_err err = gk_buf_err(&buf);
	if (err)
		return err;

	const struct gk_oscore_cipher cipher = prepare(e, gk_buf_span(&buf));
	err = gk_oscore_encrypt(&cipher, plaintext, out);
	if (err || !e->mode->group)
		return err;
	struct gk_span ciphertext = gk_span(plaintext.data, plaintext.len + e->mode->aead->tag_len);
	return countersign(e, own->sign_key, gk_buf_span(&buf), ciphertext, out);
}

/** Protect a message whose option is 'opt'. From the commit on, its nonce counts as used. */
static enum gk_err protect(const struct gk_group_common *common, const struct mode *mode,
			   struct gk_group_sender *own, struct gk_oscore_ref *ref,
			   const struct gk_oscore_option *opt, struct gk_span message,
			   bool is_request, struct gk_buf *out)
{
	uint8_t value[GK_OSCORE_OPTION_MAX];
	struct gk_buf value_buf = gk_buf(value, sizeof(value));
	const struct gk_buf before = *out;
	struct gk_span plaintext;
	if (message.len > GK_GROUP_OSCORE_MESSAGE_MAX)
		return GK_ERR_RANGE;

	gk_oscore_option_put(&value_buf, opt);
	const struct gk_span option = gk_buf_span(&value_buf);
	enum gk_err err =
		gk_oscore_lay_out(message, is_request, option, mode->beside, out, &plaintext);
	if (err)
		return err;

	if (opt->piv.len > 0)
		own->seq++;
	else
		ref->nonce_used = true;
	const struct envelope e = {
		.common = common,
		.mode = mode,
		.ref = ref,
		.is_request = is_request,
		.option = option,
		.piv = opt->piv,
		.sender = &own->id,
		.cred = own->cred,
	};
	err = encrypt_and_sign(&e, own, plaintext, out);
	if (err)
		*out = before;
	return err;
}

static enum gk_err protect_request(const struct gk_group_common *common, const struct mode *mode,
				   struct gk_group_sender *own, struct gk_span message,
				   struct gk_buf *out, struct gk_oscore_ref *ref)
{
	if (!has_sequence(own))
		return GK_ERR_SEQUENCE;

	struct gk_oscore_ref mine = {
		.kid = own->id,
		.piv = gk_oscore_piv(own->seq),
		.gid = common->gid,
		.pairwise = !mode->group,
	};
	const struct gk_oscore_option opt = {
		.group = mode->group,
		.has_kid = true,
		.kid = gk_id_span(&mine.kid),
		.piv = gk_id_span(&mine.piv),
		.has_kid_context = true,
		.kid_context = gk_id_span(&mine.gid),
	};
	enum gk_err err = protect(common, mode, own, &mine, &opt, message, true, out);
	if (!err)
		*ref = mine;
	return err;
}

enum gk_err gk_group_protect_request(const struct gk_group_common *common,
				     struct gk_group_sender *own, struct gk_span message,
				     struct gk_buf *out, struct gk_oscore_ref *ref)
{
	struct mode mode;
	enum gk_err err = group_mode(common, own->key, &mode);
	return err ? err : protect_request(common, &mode, own, message, out, ref);
}

enum gk_err gk_pairwise_protect_request(const struct gk_group_common *common,
					struct gk_group_sender *own, const struct gk_pairwise *keys,
					struct gk_span message, struct gk_buf *out,
					struct gk_oscore_ref *ref)
{
	struct mode mode;
	enum gk_err err = pairwise_mode(common, keys->sender_key, &mode);
	return err ? err : protect_request(common, &mode, own, message, out, ref);
}

static enum gk_err protect_response(const struct gk_group_common *common, const struct mode *mode,
				    struct gk_group_sender *own, struct gk_oscore_ref *ref,
				    struct gk_span message, bool own_piv, struct gk_buf *out)
{
	if (!is_group_request(common, ref))
		return GK_ERR_STATE;

	// G 7.3: after a rekeying the request's nonce is not one of this context.
	bool rekeyed = !gk_id_equal(&ref->gid, &common->gid);
	struct gk_id piv = { .len = 0 };
	if (own_piv || ref->nonce_used || rekeyed) {
		if (!has_sequence(own))
			return GK_ERR_SEQUENCE;
		piv = gk_oscore_piv(own->seq);
	}
	// G 3.2 wants a kid where the request was in group mode, and where our Sender ID may be
	// news to the client (7.3, 8.5). Whether it is, we cannot tell: it never hurts.
	const struct gk_oscore_option opt = {
		.group = mode->group,
		.has_kid = true,
		.kid = gk_id_span(&own->id),
		.piv = gk_id_span(&piv),
		.has_kid_context = rekeyed,
		.kid_context = rekeyed ? gk_id_span(&common->gid) : nothing,
	};
	return protect(common, mode, own, ref, &opt, message, false, out);
}

enum gk_err gk_group_protect_response(const struct gk_group_common *common,
				      struct gk_group_sender *own, struct gk_oscore_ref *ref,
				      struct gk_span message, bool own_piv, struct gk_buf *out)
{
	struct mode mode;
	enum gk_err err = group_mode(common, own->key, &mode);
	return err ? err : protect_response(common, &mode, own, ref, message, own_piv, out);
}

enum gk_err gk_pairwise_protect_response(const struct gk_group_common *common,
					 struct gk_group_sender *own,
					 const struct gk_pairwise *keys, struct gk_oscore_ref *ref,
					 struct gk_span message, bool own_piv, struct gk_buf *out)
{
	struct mode mode;
	enum gk_err err = pairwise_mode(common, keys->sender_key, &mode);
	return err ? err : protect_response(common, &mode, own, ref, message, own_piv, out);
}

/* verifying */

/** A received message, taken apart. */
struct received {
	struct gk_oscore_option opt;
	struct gk_span option;
	struct gk_span ciphertext;
	struct gk_span signature; /* encrypted; empty in pairwise mode */
};

/** See if a message is in this mode, and of this group and peer. */
static enum gk_err check_option(const struct gk_group_common *common, const struct mode *mode,
				const struct gk_group_recipient *peer, bool needs_kid,
				const struct gk_oscore_option *opt)
{
	if (opt->group != mode->group)
		return GK_ERR_UNSUPPORTED;
	if (needs_kid && !opt->has_kid)
		return GK_ERR_MALFORMED;
	if (opt->has_kid_context && !gk_span_equal(opt->kid_context, gk_id_span(&common->gid)))
		return GK_ERR_UNKNOWN;
	if (opt->has_kid && !gk_span_equal(opt->kid, gk_id_span(&peer->id)))
		return GK_ERR_UNKNOWN;
	return GK_OK;
}

/** Take a message apart. @param needs_kid  else it may be without one, and is the peer's */
static enum gk_err read_protected(const struct gk_group_common *common, const struct mode *mode,
				  const struct gk_group_recipient *peer, struct gk_span message,
				  bool needs_kid, struct received *in)
{
	struct gk_coap msg;
	struct gk_span payload;
	enum gk_err err = gk_oscore_peek(message, &in->opt, &payload);
	if (!err)
		err = gk_coap_parse(message, &msg);
	if (!err)
		err = check_option(common, mode, peer, needs_kid, &in->opt);
	if (err)
		return err;
	if (!gk_coap_find(&msg, GK_OPT_OSCORE, &in->option))
		return GK_ERR_MALFORMED;

	// At least a code is encrypted.
	if (payload.len <= mode->beside)
		return GK_ERR_MALFORMED;
	if (payload.len - mode->beside > GK_GROUP_OSCORE_MESSAGE_MAX)
		return GK_ERR_RANGE;
	size_t signature_len = mode->group ? GK_SIG_LEN : 0;
	in->ciphertext = gk_span_sub(payload, 0, payload.len - signature_len);
	in->signature = gk_span_sub(payload, in->ciphertext.len, signature_len);
	return GK_OK;
}

/** Check the countersignature, then decrypt: nothing unsigned is ever readable (G 7.2, 7.4). In
 *  pairwise mode, only the peer can have made what decrypts. */
static enum gk_err check_and_decrypt(const struct gk_group_common *common, const struct mode *mode,
				     const struct gk_group_recipient *peer,
				     const struct gk_oscore_ref *ref, const struct received *in,
				     bool is_request, struct gk_buf *out)
{
	uint8_t aad[GK_AAD_MAX];
	struct gk_buf buf = gk_buf(aad, sizeof(aad));
	const struct envelope e = {
		.common = common,
		.mode = mode,
		.ref = ref,
		.is_request = is_request,
		.option = in->option,
		.piv = in->opt.piv,
		.sender = &peer->id,
		.cred = peer->cred,
	};
	put_external_aad(&buf, &e);
	enum gk_err err = gk_buf_err(&buf) ? GK_ERR_RANGE : GK_OK;
	if (!err && mode->group)
		err = check_countersignature(&e, &peer->sign_key, gk_buf_span(&buf), in->ciphertext,
					     in->signature);
	if (err)
		return err;
	const struct gk_oscore_cipher cipher = prepare(&e, gk_buf_span(&buf));
	return gk_oscore_decrypt(&cipher, in->ciphertext, is_request, out);
}

static enum gk_err unprotect_request(const struct gk_group_common *common, const struct mode *mode,
				     struct gk_group_recipient *peer, struct gk_span message,
				     struct gk_buf *out, struct gk_oscore_ref *ref)
{
	struct received in;
	enum gk_err err = read_protected(common, mode, peer, message, true, &in);
	if (err)
		return err;
	struct gk_oscore_ref theirs = {
		.kid = peer->id,
		.gid = common->gid,
		.pairwise = !mode->group,
	};
	// RFC 8613 section 5 and G 3.2: requests carry all three.
	if (in.opt.piv.len == 0 || !in.opt.has_kid_context || gk_id_set(&theirs.piv, in.opt.piv))
		return GK_ERR_MALFORMED;

	const uint64_t piv = gk_span_uint(in.opt.piv);
	if (!gk_window_check(&peer->window, piv))
		return GK_ERR_REPLAY;
	err = check_and_decrypt(common, mode, peer, &theirs, &in, true, out);
	if (err)
		return err;
	gk_window_accept(&peer->window, piv);
	*ref = theirs;
	return GK_OK;
}

enum gk_err gk_group_unprotect_request(const struct gk_group_common *common,
				       struct gk_group_recipient *peer, struct gk_span message,
				       struct gk_buf *out, struct gk_oscore_ref *ref)
{
	struct mode mode;
	enum gk_err err = group_mode(common, peer->key, &mode);
	return err ? err : unprotect_request(common, &mode, peer, message, out, ref);
}

enum gk_err gk_pairwise_unprotect_request(const struct gk_group_common *common,
					  struct gk_group_recipient *peer,
					  const struct gk_pairwise *keys, struct gk_span message,
					  struct gk_buf *out, struct gk_oscore_ref *ref)
{
	struct mode mode;
	enum gk_err err = pairwise_mode(common, keys->recipient_key, &mode);
	return err ? err : unprotect_request(common, &mode, peer, message, out, ref);
}

static enum gk_err unprotect_response(const struct gk_group_common *common, const struct mode *mode,
				      const struct gk_group_recipient *peer,
				      const struct gk_oscore_ref *ref, struct gk_span message,
				      struct gk_buf *out)
{
	struct received in;
	enum gk_err err = read_protected(common, mode, peer, message, !ref->pairwise, &in);
	if (err)
		return err;
	if (!is_group_request(common, ref))
		return GK_ERR_STATE;
	// G 7.3: after a rekeying the request's nonce is not one of this context.
	bool rekeyed = !gk_id_equal(&ref->gid, &common->gid);
	if (rekeyed && in.opt.piv.len == 0)
		return GK_ERR_MALFORMED;
	return check_and_decrypt(common, mode, peer, ref, &in, false, out);
}

enum gk_err gk_group_unprotect_response(const struct gk_group_common *common,
					const struct gk_group_recipient *peer,
					const struct gk_oscore_ref *ref, struct gk_span message,
					struct gk_buf *out)
{
	struct mode mode;
	enum gk_err err = group_mode(common, peer->key, &mode);
	return err ? err : unprotect_response(common, &mode, peer, ref, message, out);
}

enum gk_err gk_pairwise_unprotect_response(const struct gk_group_common *common,
					   const struct gk_group_recipient *peer,
					   const struct gk_pairwise *keys,
					   const struct gk_oscore_ref *ref, struct gk_span message,
					   struct gk_buf *out)
{
	struct mode mode;
	enum gk_err err = pairwise_mode(common, keys->recipient_key, &mode);
	return err ? err : unprotect_response(common, &mode, peer, ref, message, out);
}
