// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "oscore.h"

#include "cose.h"
#include "numbers.h"

#include <assert.h>
#include <string.h>

#define PAYLOAD_MARKER 0xff       /* RFC 7252 section 3 */
#define MESSAGE_MAX    UINT16_MAX /* of a datagram; CCM with a 13-byte nonce encrypts no more */
#define PIV_LEN_MAX    5          /* RFC 8613 section 6.1: 6 and 7 are reserved */
#define WINDOW_BITS    64
#define OBSERVE_MAX    3
#define NONCE_MIN      7 /* RFC 8613 section 5.2 */

static const struct gk_span nothing;

/* replay window */

bool gk_window_check(const struct gk_window *w, uint64_t piv)
{
	if (piv > GK_OSCORE_PIV_MAX)
		return false;
	if (piv >= w->next)
		return true;
	uint64_t age = w->next - 1 - piv;
	return age < WINDOW_BITS && !(w->bitmap >> age & 1);
}

void gk_window_accept(struct gk_window *w, uint64_t piv)
{
	if (!gk_window_check(w, piv))
		return;
	if (piv >= w->next) {
		uint64_t step = piv - w->next + 1;
		w->bitmap = step < WINDOW_BITS ? w->bitmap << step : 0;
		w->next = piv + 1;
	}
	w->bitmap |= UINT64_C(1) << (w->next - 1 - piv);
}

/* the OSCORE option */

/** A reading cursor over an option value. */
struct cursor {
	struct gk_span rest;
	bool failed; /* sticky */
};

static struct gk_span read_bytes(struct cursor *c, size_t len)
{
	struct gk_span bytes = gk_span_sub(c->rest, 0, len);
	c->failed = c->failed || bytes.len != len;
	c->rest = gk_span_sub(c->rest, len, c->rest.len);
	return c->failed ? nothing : bytes;
}

enum gk_err gk_oscore_option_read(struct gk_span value, struct gk_oscore_option *opt)
{
	struct gk_oscore_option found = { .piv = nothing };
	struct cursor c = { .rest = value };
	// RFC 8613 section 2: flags that are all zero are not sent at all.
	if (value.len > 0) {
		uint8_t flags = (uint8_t)gk_span_uint(read_bytes(&c, 1));
		uint8_t piv_len = flags & GK_OSCORE_FLAG_PIV;
		c.failed = flags == 0 || (flags & GK_OSCORE_FLAG_RESERVED) || piv_len > PIV_LEN_MAX;
		found.group = flags & GK_OSCORE_FLAG_GROUP;
		found.has_kid = flags & GK_OSCORE_FLAG_KID;
		found.has_kid_context = flags & GK_OSCORE_FLAG_KID_CONTEXT;
		found.piv = read_bytes(&c, piv_len);
	}
	if (found.has_kid_context) {
		size_t len = gk_span_uint(read_bytes(&c, 1));
		found.kid_context = read_bytes(&c, len);
	}
	if (found.has_kid)
		found.kid = read_bytes(&c, c.rest.len);
	if (c.failed || c.rest.len > 0)
		return GK_ERR_MALFORMED;
	*opt = found;
	return GK_OK;
}

void gk_oscore_option_put(struct gk_buf *buf, const struct gk_oscore_option *opt)
{
	assert(opt->piv.len <= PIV_LEN_MAX && opt->kid_context.len <= UINT8_MAX);
	unsigned flags = (unsigned)opt->piv.len | (opt->has_kid ? GK_OSCORE_FLAG_KID : 0) |
			 (opt->has_kid_context ? GK_OSCORE_FLAG_KID_CONTEXT : 0) |
			 (opt->group ? GK_OSCORE_FLAG_GROUP : 0);
	if (flags == 0)
		return;
	gk_buf_byte(buf, (uint8_t)flags);
	gk_buf_add(buf, opt->piv);
	if (opt->has_kid_context) {
		gk_buf_byte(buf, (uint8_t)opt->kid_context.len);
		gk_buf_add(buf, opt->kid_context);
	}
	if (opt->has_kid)
		gk_buf_add(buf, opt->kid);
}

enum gk_err gk_oscore_peek(struct gk_span message, struct gk_oscore_option *opt,
			   struct gk_span *payload)
{
	struct gk_coap msg;
	struct gk_span value = nothing;
	size_t count = 0;
	enum gk_err err = gk_coap_parse(message, &msg);
	if (err)
		return err;
	for (struct gk_coap_iter iter = gk_coap_options(&msg); gk_coap_next(&iter);) {
		if (iter.number == GK_OPT_OSCORE) {
			value = iter.value;
			count++;
		}
	}
	if (count == 0)
		return GK_ERR_MISSING;
	// RFC 8613 section 2: not repeatable, and malformed in a message without payload.
	if (count > 1 || msg.payload.len == 0)
		return GK_ERR_MALFORMED;
	err = gk_oscore_option_read(value, opt);
	if (!err && payload)
		*payload = msg.payload;
	return err;
}

/* what is encrypted and what stays outside */

/** Where an option goes. */
enum place {
	PLACE_INNER = 1 << 0, /* class E */
	PLACE_OUTER = 1 << 1, /* class U */
};

/**
 * RFC 8613 figure 5, for the sender. Max-Age, Block, Size and No-Response are of both classes, but
 * what an application sets of them is meant for the other end (sections 4.1.3.1, .4 and .6).
 */
static unsigned place_of(uint16_t number)
{
	static const struct {
		uint16_t number;
		unsigned places;
	} exceptions[] = {
		{ GK_OPT_URI_HOST, PLACE_OUTER },
		{ GK_OPT_OBSERVE, PLACE_INNER | PLACE_OUTER },
		{ GK_OPT_URI_PORT, PLACE_OUTER },
		{ GK_OPT_PROXY_SCHEME, PLACE_OUTER },
	};
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		if (exceptions[i].number == number)
			return exceptions[i].places;
	}
	return PLACE_INNER;
}

/** RFC 7252 section 3: class 0 but not 0.00 in a request, 2 to 5 in a response. */
static bool code_fits(uint8_t code, bool is_request)
{
	unsigned class = code >> 5;
	return is_request ? class == 0 && code != GK_COAP_EMPTY : class >= 2 && class <= 5;
}

/** Parse a message that is, or was, to be protected. */
static enum gk_err read_unprotected(struct gk_span message, bool is_request, struct gk_coap *msg)
{
	struct gk_span value;
	enum gk_err err = gk_coap_parse(message, msg);
	if (err)
		return err;
	// RFC 8613 section 4.1.3.7: nested use is not supported.
	if (!code_fits(msg->code, is_request) || gk_coap_find(msg, GK_OPT_OSCORE, &value))
		return GK_ERR_MALFORMED;
	return GK_OK;
}

/** @return true if Observe is absent, or there once and as long as it may be (RFC 7641 section 2);
 *  it is sent twice, so that any number and length of it would have no bound */
static bool observe_fits(const struct gk_coap *msg)
{
	size_t count = 0;
	for (struct gk_coap_iter iter = gk_coap_options(msg); gk_coap_next(&iter);) {
		if (iter.number == GK_OPT_OBSERVE && (iter.value.len > OBSERVE_MAX || count++ > 0))
			return false;
	}
	return true;
}

static void put_outer(struct gk_buf *buf, const struct gk_coap *msg, bool is_request,
		      struct gk_span option)
{
	// RFC 8613 section 4.1.3.5: POST is not defined with Observe, FETCH is.
	static const uint8_t codes[2][2] = {
		{ GK_COAP_CHANGED, GK_COAP_CONTENT },
		{ GK_COAP_POST, GK_COAP_FETCH },
	};
	struct gk_span value;
	bool observe = gk_coap_find(msg, GK_OPT_OBSERVE, &value);
	bool done = false;
	struct gk_coap_writer w = gk_coap_begin(buf, codes[is_request][observe]);
	for (struct gk_coap_iter iter = gk_coap_options(msg); gk_coap_next(&iter);) {
		if (!(place_of(iter.number) & PLACE_OUTER))
			continue;
		if (!done && iter.number > GK_OPT_OSCORE) {
			gk_coap_put(&w, GK_OPT_OSCORE, option);
			done = true;
		}
		gk_coap_put(&w, iter.number, iter.value);
	}
	if (!done)
		gk_coap_put(&w, GK_OPT_OSCORE, option);
}

static void put_inner(struct gk_buf *buf, const struct gk_coap *msg, bool is_request)
{
	struct gk_coap_writer w = gk_coap_begin(buf, msg->code);
	for (struct gk_coap_iter iter = gk_coap_options(msg); gk_coap_next(&iter);) {
		if (!(place_of(iter.number) & PLACE_INNER))
			continue;
		// RFC 8613 section 4.1.3.5.2: empty in notifications, which the Partial IV orders.
		bool empty = iter.number == GK_OPT_OBSERVE && !is_request;
		gk_coap_put(&w, iter.number, empty ? nothing : iter.value);
	}
	gk_coap_put_payload(&w, msg->payload);
}

enum gk_err gk_oscore_lay_out(struct gk_span message, bool is_request, struct gk_span option,
			      size_t room, struct gk_buf *out, struct gk_span *plaintext)
{
	const struct gk_buf before = *out;
	struct gk_coap msg;
	struct gk_span value;
	if (message.len > MESSAGE_MAX)
		return GK_ERR_RANGE;
	enum gk_err err = read_unprotected(message, is_request, &msg);
	if (err)
		return err;
	if (!observe_fits(&msg))
		return GK_ERR_MALFORMED;
	if (gk_coap_find(&msg, GK_OPT_PROXY_URI, &value))
		return GK_ERR_UNSUPPORTED;

	put_outer(out, &msg, is_request, option);
	gk_buf_byte(out, PAYLOAD_MARKER);
	size_t from = out->len;
	put_inner(out, &msg, is_request);
	size_t to = out->len;
	gk_buf_take(out, room);
	if (gk_buf_err(out)) {
		*out = before;
		return GK_ERR_NO_SPACE;
	}
	gk_buf_truncate(out, to);
	*plaintext = gk_span_sub(gk_buf_span(out), from, to);
	return GK_OK;
}

/* encryption */

/** AAD of the AEAD: Enc_structure with an empty protected header (RFC 8613 section 5.4). */
static struct gk_span put_aad(struct gk_buf *buf, const struct gk_oscore_cipher *cipher)
{
	gk_cose_put_enc_structure(buf, nothing, cipher->external_aad);
	return gk_buf_span(buf);
}

enum gk_err gk_oscore_encrypt(const struct gk_oscore_cipher *cipher, struct gk_span plaintext,
			      struct gk_buf *out)
{
	uint8_t bytes[GK_AAD_MAX + 32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	const struct gk_span aad = put_aad(&buf, cipher);
	const size_t at = out->len - plaintext.len;
	assert(out->data + at == plaintext.data);

	gk_buf_truncate(out, at);
	enum gk_err err = gk_buf_err(&buf);
	if (!err)
		err = gk_aead_seal(cipher->aead, gk_span(cipher->key, cipher->aead->key_len),
				   gk_span(cipher->nonce, cipher->aead->nonce_len), aad, plaintext,
				   out);
	if (err)
		gk_wipe(out->data + at, plaintext.len);
	return err;
}

enum gk_err gk_oscore_decrypt(const struct gk_oscore_cipher *cipher, struct gk_span ciphertext,
			      bool is_request, struct gk_buf *out)
{
	uint8_t bytes[GK_AAD_MAX + 32];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	const struct gk_span aad = put_aad(&buf, cipher);
	const struct gk_buf before = *out;
	struct gk_coap inner;
	enum gk_err err = gk_buf_err(&buf);
	if (!err)
		err = gk_aead_open(cipher->aead, gk_span(cipher->key, cipher->aead->key_len),
				   gk_span(cipher->nonce, cipher->aead->nonce_len), aad, ciphertext,
				   out);
	if (err) {
		*out = before;
		return err;
	}

	struct gk_span plaintext = gk_span_sub(gk_buf_span(out), before.len, out->len);
	err = read_unprotected(plaintext, is_request, &inner);
	if (err) {
		gk_wipe(out->data + before.len, plaintext.len);
		*out = before;
	}
	return err;
}

/* derivation */

void gk_oscore_put_info(struct gk_buf *buf, struct gk_span id, bool has_id_context,
			struct gk_span id_context, int64_t alg, const char *type, size_t len)
{
	gk_put_array(buf, 5);
	gk_put_bytes(buf, id);
	if (has_id_context)
		gk_put_bytes(buf, id_context);
	else
		gk_put_null(buf);
	gk_put_int(buf, alg);
	gk_put_text(buf, gk_span_str(type));
	gk_put_uint(buf, len);
}

enum gk_err gk_oscore_derive(const struct gk_oscore_input *input, struct gk_span id,
			     const char *type, uint8_t *out, size_t len)
{
	uint8_t info[64];
	struct gk_buf buf = gk_buf(info, sizeof(info));
	gk_oscore_put_info(&buf, id, input->has_id_context, input->id_context, input->alg, type,
			   len);
	if (gk_buf_err(&buf))
		return GK_ERR_RANGE;
	return gk_hkdf(input->master_salt, input->master_secret, gk_buf_span(&buf), out, len);
}

struct gk_id gk_oscore_piv(uint64_t seq)
{
	struct gk_id piv = { .len = 0 };
	for (int shift = 56; shift >= 0; shift -= 8) {
		uint8_t byte = (uint8_t)(seq >> shift);
		if (byte != 0 || piv.len > 0 || shift == 0)
			piv.data[piv.len++] = byte;
	}
	return piv;
}

void gk_oscore_nonce(const uint8_t *common_iv, size_t nonce_len, struct gk_span id_piv,
		     struct gk_span piv, uint8_t *nonce)
{
	const size_t id_len = nonce_len - PIV_LEN_MAX - 1;
	assert(nonce_len >= NONCE_MIN && id_piv.len <= id_len && piv.len <= PIV_LEN_MAX);

	struct gk_buf buf = gk_buf(nonce, nonce_len);
	gk_buf_byte(&buf, (uint8_t)id_piv.len);
	gk_buf_zeros(&buf, id_len - id_piv.len);
	gk_buf_add(&buf, id_piv);
	gk_buf_zeros(&buf, PIV_LEN_MAX - piv.len);
	gk_buf_add(&buf, piv);
	for (size_t i = 0; i < nonce_len; i++)
		nonce[i] ^= common_iv[i];
}

/* the security context */

static enum gk_err check_input(const struct gk_oscore_input *input)
{
	const struct gk_aead *aead = gk_aead_find(input->alg);
	if (!aead || input->hkdf != GK_ALG_HMAC_256)
		return GK_ERR_UNSUPPORTED;
	// RFC 8613 section 3.3: the nonce has room for so much of an ID.
	size_t id_max = (size_t)aead->nonce_len - PIV_LEN_MAX - 1;
	if (input->sender_id.len > id_max || input->recipient_id.len > id_max ||
	    gk_span_equal(input->sender_id, input->recipient_id))
		return GK_ERR_RANGE;
	if (input->has_id_context && input->id_context.len > GK_OSCORE_ID_CONTEXT_MAX)
		return GK_ERR_RANGE;
	return input->master_secret.len > 0 ? GK_OK : GK_ERR_RANGE;
}

static enum gk_err derive_context(const struct gk_oscore_input *input, struct gk_oscore *ctx)
{
	const size_t key_len = ctx->aead->key_len;
	enum gk_err err;
	err = gk_oscore_derive(input, input->sender_id, "Key", ctx->sender_key, key_len);
	if (!err)
		err = gk_oscore_derive(input, input->recipient_id, "Key", ctx->recipient_key,
				       key_len);
	if (!err)
		err = gk_oscore_derive(input, nothing, "IV", ctx->common_iv, ctx->aead->nonce_len);
	return err;
}

enum gk_err gk_oscore_init(struct gk_oscore *ctx, const struct gk_oscore_input *input)
{
	enum gk_err err = check_input(input);
	if (err)
		return err;

	struct gk_oscore made = {
		.aead = gk_aead_find(input->alg),
		.seq_limit = GK_OSCORE_PIV_MAX + 1,
		.has_id_context = input->has_id_context,
	};
	err = gk_id_set(&made.sender_id, input->sender_id);
	if (!err)
		err = gk_id_set(&made.recipient_id, input->recipient_id);
	if (!err)
		err = derive_context(input, &made);
	if (!err) {
		struct gk_buf buf = gk_buf(made.id_context, sizeof(made.id_context));
		if (input->has_id_context)
			gk_buf_add(&buf, input->id_context);
		made.id_context_len = (uint8_t)buf.len;
		*ctx = made;
	}
	gk_wipe(&made, sizeof(made));
	return err;
}

void gk_oscore_wipe(struct gk_oscore *ctx)
{
	gk_wipe(ctx, sizeof(*ctx));
}

/* messages */

static struct gk_span id_context_of(const struct gk_oscore *ctx)
{
	return gk_span(ctx->id_context, ctx->id_context_len);
}

static bool has_sequence(const struct gk_oscore *ctx)
{
	return ctx->seq < ctx->seq_limit && ctx->seq <= GK_OSCORE_PIV_MAX;
}

/** Append aad_array (RFC 8613 section 5.4). */
static void put_external_aad(struct gk_buf *buf, const struct gk_oscore *ctx,
			     const struct gk_oscore_ref *ref)
{
	gk_put_array(buf, 5);
	gk_put_uint(buf, 1); // oscore_version
	gk_put_array(buf, 1);
	gk_put_int(buf, ctx->aead->alg);
	gk_put_bytes(buf, gk_id_span(&ref->kid));
	gk_put_bytes(buf, gk_id_span(&ref->piv));
	gk_put_bytes(buf, nothing); // no class I options exist
}

/**
 * Make ready to encrypt or decrypt one message.
 * @param sender  who sends it, and made the Partial IV if it has one
 * @param piv     its Partial IV; empty: the request's nonce is used
 * @param aad     memory for aad_array
 */
static struct gk_oscore_cipher prepare(const struct gk_oscore *ctx, const uint8_t *key,
				       const struct gk_id *sender, struct gk_span piv,
				       const struct gk_oscore_ref *ref, struct gk_buf *aad)
{
	const struct gk_id *id_piv = piv.len > 0 ? sender : &ref->kid;
	put_external_aad(aad, ctx, ref);
	struct gk_oscore_cipher cipher = {
		.aead = ctx->aead,
		.key = key,
		.external_aad = gk_buf_span(aad),
	};
	gk_oscore_nonce(ctx->common_iv, ctx->aead->nonce_len, gk_id_span(id_piv),
			piv.len > 0 ? piv : gk_id_span(&ref->piv), cipher.nonce);
	return cipher;
}

/** Protect a message whose option is 'opt'. From the commit on, its nonce counts as used. */
static enum gk_err protect(struct gk_oscore *ctx, struct gk_oscore_ref *ref,
			   const struct gk_oscore_option *opt, struct gk_span message,
			   bool is_request, struct gk_buf *out)
{
	uint8_t value[GK_OSCORE_OPTION_MAX], aad[64];
	struct gk_buf value_buf = gk_buf(value, sizeof(value));
	struct gk_buf aad_buf = gk_buf(aad, sizeof(aad));
	const struct gk_buf before = *out;
	struct gk_span plaintext;

	gk_oscore_option_put(&value_buf, opt);
	enum gk_err err = gk_oscore_lay_out(message, is_request, gk_buf_span(&value_buf),
					    ctx->aead->tag_len, out, &plaintext);
	if (err)
		return err;

	if (opt->piv.len > 0)
		ctx->seq++;
	else
		ref->nonce_used = true;
	const struct gk_oscore_cipher cipher =
		prepare(ctx, ctx->sender_key, &ctx->sender_id, opt->piv, ref, &aad_buf);
	err = gk_oscore_encrypt(&cipher, plaintext, out);
	if (err)
		*out = before;
	return err;
}

enum gk_err gk_oscore_protect_request(struct gk_oscore *ctx, struct gk_span message,
				      struct gk_buf *out, struct gk_oscore_ref *ref)
{
	if (!ctx->aead)
		return GK_ERR_STATE;
	if (!has_sequence(ctx))
		return GK_ERR_SEQUENCE;

	struct gk_oscore_ref mine = { .kid = ctx->sender_id, .piv = gk_oscore_piv(ctx->seq) };
	const struct gk_oscore_option opt = {
		.has_kid = true,
		.kid = gk_id_span(&mine.kid),
		.piv = gk_id_span(&mine.piv),
		.has_kid_context = ctx->has_id_context,
		.kid_context = id_context_of(ctx),
	};
	enum gk_err err = protect(ctx, &mine, &opt, message, true, out);
	if (!err)
		*ref = mine;
	return err;
}

enum gk_err gk_oscore_protect_response(struct gk_oscore *ctx, struct gk_oscore_ref *ref,
				       struct gk_span message, bool own_piv, struct gk_buf *out)
{
	if (!ctx->aead || ref->piv.len == 0 || !gk_id_equal(&ref->kid, &ctx->recipient_id))
		return GK_ERR_STATE;

	struct gk_id piv = { .len = 0 };
	// A nonce must not serve twice under one key (RFC 8613 section 7.2).
	if (own_piv || ref->nonce_used) {
		if (!has_sequence(ctx))
			return GK_ERR_SEQUENCE;
		piv = gk_oscore_piv(ctx->seq);
	}
	const struct gk_oscore_option opt = { .piv = gk_id_span(&piv) };
	return protect(ctx, ref, &opt, message, false, out);
}

/** Read a protected message and see if it is of this context. */
static enum gk_err read_protected(const struct gk_oscore *ctx, struct gk_span message,
				  struct gk_oscore_option *opt, struct gk_span *ciphertext)
{
	enum gk_err err = gk_oscore_peek(message, opt, ciphertext);
	if (err)
		return err;
	if (opt->group)
		return GK_ERR_UNSUPPORTED;
	if (opt->has_kid && !gk_span_equal(opt->kid, gk_id_span(&ctx->recipient_id)))
		return GK_ERR_UNKNOWN;
	if (opt->has_kid_context &&
	    !(ctx->has_id_context && gk_span_equal(opt->kid_context, id_context_of(ctx))))
		return GK_ERR_UNKNOWN;
	return GK_OK;
}

static enum gk_err unprotect(const struct gk_oscore *ctx, const struct gk_oscore_ref *ref,
			     struct gk_span piv, struct gk_span ciphertext, bool is_request,
			     struct gk_buf *out)
{
	uint8_t aad[64];
	struct gk_buf buf = gk_buf(aad, sizeof(aad));
	const struct gk_oscore_cipher cipher =
		prepare(ctx, ctx->recipient_key, &ctx->recipient_id, piv, ref, &buf);
	return gk_oscore_decrypt(&cipher, ciphertext, is_request, out);
}

enum gk_err gk_oscore_unprotect_request(const struct gk_oscore *ctx, struct gk_span message,
					struct gk_buf *out, struct gk_oscore_ref *ref, bool *fresh)
{
	struct gk_oscore_option opt;
	struct gk_span ciphertext;
	struct gk_oscore_ref theirs = { .kid = ctx->recipient_id };
	if (!ctx->aead)
		return GK_ERR_STATE;
	enum gk_err err = read_protected(ctx, message, &opt, &ciphertext);
	if (err)
		return err;
	// RFC 8613 section 5: both are in every request.
	if (!opt.has_kid || opt.piv.len == 0 || gk_id_set(&theirs.piv, opt.piv))
		return GK_ERR_MALFORMED;

	err = unprotect(ctx, &theirs, opt.piv, ciphertext, true, out);
	if (err)
		return err;
	*fresh = gk_window_check(&ctx->window, gk_span_uint(opt.piv));
	theirs.nonce_used = !*fresh;
	*ref = theirs;
	return GK_OK;
}

enum gk_err gk_oscore_unprotect_response(const struct gk_oscore *ctx,
					 const struct gk_oscore_ref *ref, struct gk_span message,
					 struct gk_buf *out, int64_t *notification_piv)
{
	struct gk_oscore_option opt;
	struct gk_span ciphertext;
	if (!ctx->aead || ref->piv.len == 0 || !gk_id_equal(&ref->kid, &ctx->sender_id))
		return GK_ERR_STATE;
	enum gk_err err = read_protected(ctx, message, &opt, &ciphertext);
	if (!err)
		err = unprotect(ctx, ref, opt.piv, ciphertext, false, out);
	if (!err && notification_piv)
		*notification_piv = opt.piv.len > 0 ? (int64_t)gk_span_uint(opt.piv) : -1;
	return err;
}
