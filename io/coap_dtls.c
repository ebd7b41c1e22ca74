// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The side of an endpoint that is under DTLS. Handshakes and records are libcoap's TLS library's;
 * here sessions get the name that who knows the keys gives them, and are kept: libcoap ends a
 * session after a while of silence, and makes room for strangers, but a session that we hold stays.
 */
#include "config.h"
#include "io/coap_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HANDSHAKES_MAX 64    /* under way at once, that have named a key */
#define HANDSHAKE_MS   10000 /* until one is given up, as libcoap does with what it counts */
#define UNUSED_MS      60000 /* ... and a session that nothing comes in */
#define SLOTS          (IO_COAP_SESSIONS_MAX + HANDSHAKES_MAX)

/* RFC 5480, RFC 5915: a P-256 key as DER, whose parts stand at fixed places. */
#define SPKI_HEAD                                                                                  \
	"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03"     \
	"\x01\x07\x03\x42\x00\x04"
#define PRIVATE_HEAD "\x30\x77\x02\x01\x01\x04\x20"
#define PRIVATE_MID  "\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\xa1\x44\x03\x42\x00\x04"

struct slot {
	coap_session_t *session; /* NULL: free */
	struct gk_id name;
	uint64_t number; /* random, as an endpoint before this one had others */
	uint64_t order;  /* newer sessions have higher ones, in the same millisecond too */
	int64_t since_ms;
	int64_t heard_ms; /* 0: no request came yet */
	unsigned silent;  /* requests of ours without an answer */
	bool left_over;   /* ... of which libcoap may still send one */
	bool ending;      /* at the end of the turn */
};

struct io_coap_dtls {
	coap_address_t local;
	struct io_coap_keys keys;
	void *ctx;
	uint8_t psk[GK_PSK_ROOM];
	coap_bin_const_t psk_given; /* to libcoap, which copies it */
	uint8_t spki[91], private_key[121];
	uint64_t order; /* of the newest slot */
	struct slot slots[SLOTS];
};

/* sessions */

static struct slot *slot_of(const coap_session_t *session)
{
	return coap_session_get_app_data(session);
}

static bool is_established(const struct slot *slot)
{
	return slot->session && !slot->ending &&
	       coap_session_get_state(slot->session) == COAP_SESSION_STATE_ESTABLISHED;
}

static struct slot *find_free(struct io_coap_dtls *dtls)
{
	size_t handshakes = 0;
	struct slot *unused = NULL;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &dtls->slots[i];

		if (!slot->session)
			unused = slot;
		else if (!is_established(slot))
			handshakes++;
	}
	return handshakes < HANDSHAKES_MAX ? unused : NULL;
}

static struct slot *take_slot(struct io_coap_dtls *dtls, coap_session_t *session)
{
	struct slot *slot = find_free(dtls);
	struct gk_env env = io_env();
	uint64_t number;

	if (!slot || !env.random(env.ctx, (uint8_t *)&number, sizeof(number)))
		return NULL;
	*slot = (struct slot){ .session = coap_session_reference(session),
			       .number = number,
			       .order = ++dtls->order,
			       .since_ms = io_now().mono.ms };
	coap_session_set_app_data(session, slot);
	return slot;
}

/* A handshake has named a key. One in a session that is up could give it another client's name. */
static bool give_name(struct io_coap *coap, coap_session_t *session, const struct gk_id *name)
{
	struct slot *slot = slot_of(session);

	if (coap_session_get_state(session) == COAP_SESSION_STATE_ESTABLISHED)
		return false;
	if (!slot)
		slot = take_slot(coap->dtls, session);
	if (!slot)
		return false;
	slot->name = *name;
	return true;
}

static void drop(struct slot *slot, bool close)
{
	coap_session_t *session = slot->session;

	coap_session_set_app_data(session, NULL);
	*slot = (struct slot){ .session = NULL };
	if (close)
		coap_session_disconnected(session, COAP_NACK_NOT_DELIVERABLE);
	coap_session_release(session);
}

/* A client that makes one session after the other and uses none takes one place, not all. */
static bool is_superseded(const struct io_coap_dtls *dtls, const struct slot *slot)
{
	if (slot->heard_ms || !is_established(slot))
		return false;
	for (size_t i = 0; i < SLOTS; i++) {
		const struct slot *other = &dtls->slots[i];

		if (other != slot && is_established(other) &&
		    gk_id_equal(&other->name, &slot->name) && other->order > slot->order)
			return true;
	}
	return false;
}

static bool is_over(const struct slot *slot, int64_t now_ms)
{
	bool up = coap_session_get_state(slot->session) == COAP_SESSION_STATE_ESTABLISHED;
	int64_t age_ms = now_ms - slot->since_ms;

	return slot->ending || (!up && age_ms > HANDSHAKE_MS) ||
	       (up && !slot->heard_ms && age_ms > UNUSED_MS);
}

void io_coap_tidy_sessions(struct io_coap *coap, struct gk_mono now)
{
	for (size_t i = 0; coap->dtls && i < SLOTS; i++) {
		struct slot *slot = &coap->dtls->slots[i];

		if (!slot->session)
			continue;
		if (coap_session_get_state(slot->session) == COAP_SESSION_STATE_NONE)
			drop(slot, false);
		else if (is_over(slot, now.ms) || is_superseded(coap->dtls, slot))
			drop(slot, true);
	}
}

/* The one that was silent for longest makes room. */
static void bound_sessions(struct io_coap_dtls *dtls)
{
	struct slot *oldest = NULL;
	size_t count = 0;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &dtls->slots[i];

		if (!is_established(slot))
			continue;
		count++;
		if (!oldest || slot->heard_ms < oldest->heard_ms)
			oldest = slot;
	}
	if (count > IO_COAP_SESSIONS_MAX)
		oldest->ending = true;
}

/* One client, one session: an older one of the same name is what is left of an earlier life. */
static void end_older(struct io_coap_dtls *dtls, const struct slot *slot)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *other = &dtls->slots[i];

		if (other != slot && is_established(other) &&
		    gk_id_equal(&other->name, &slot->name) && other->order < slot->order)
			other->ending = true;
	}
}

bool io_coap_name_session(const coap_session_t *session, struct gk_id *name)
{
	const struct slot *slot = slot_of(session);

	if (slot)
		*name = slot->name;
	return slot || coap_session_get_proto(session) != COAP_PROTO_DTLS;
}

bool io_coap_hear_session(struct io_coap *coap, const coap_session_t *session, struct gk_id *name)
{
	struct slot *slot = slot_of(session);

	if (!io_coap_name_session(session, name))
		return false;
	if (!slot)
		return true;
	if (!slot->heard_ms)
		end_older(coap->dtls, slot);
	slot->heard_ms = io_now().mono.ms;
	slot->silent = 0;
	bound_sessions(coap->dtls);
	return true;
}

coap_session_t *io_coap_find_session(const struct io_coap *coap, const struct gk_id *name)
{
	const struct slot *newest = NULL;

	for (size_t i = 0; coap->dtls && i < SLOTS; i++) {
		const struct slot *slot = &coap->dtls->slots[i];

		if (is_established(slot) && gk_id_equal(&slot->name, name) &&
		    (!newest || slot->order > newest->order))
			newest = slot;
	}
	return newest ? newest->session : NULL;
}

uint64_t io_coap_session_number(const coap_session_t *session)
{
	const struct slot *slot = slot_of(session);

	return slot ? slot->number : 0;
}

coap_session_t *io_coap_find_numbered(const struct io_coap *coap, uint64_t number)
{
	for (size_t i = 0; coap->dtls && i < SLOTS; i++) {
		const struct slot *slot = &coap->dtls->slots[i];

		if (is_established(slot) && slot->number == number)
			return slot->session;
	}
	return NULL;
}

/* A client that lost its side of the session and came back to the same port cannot make another one
 * before this one ends. libcoap sends one thing at a time too: who answers this one has ended those
 * before. */
void io_coap_note_silence(const coap_session_t *session, bool silent, bool fits)
{
	struct slot *slot = slot_of(session);

	if (!slot)
		return;
	slot->silent = silent ? slot->silent + 1 : 0;
	slot->left_over = silent && !fits;
	slot->ending = slot->ending || slot->silent >= GK_SESSION_SILENT;
}

bool io_coap_is_left_over(const coap_session_t *session)
{
	const struct slot *slot = slot_of(session);

	return slot && slot->left_over;
}

void io_coap_end_sessions(struct io_coap *coap, const struct gk_id *name)
{
	for (size_t i = 0; coap->dtls && i < SLOTS; i++) {
		struct slot *slot = &coap->dtls->slots[i];

		if (slot->session && gk_id_equal(&slot->name, name))
			slot->ending = true;
	}
}

size_t io_coap_session_count(const struct io_coap *coap)
{
	size_t count = 0;

	for (size_t i = 0; coap->dtls && i < SLOTS; i++)
		count += is_established(&coap->dtls->slots[i]);
	return count;
}

/* keys */

static const coap_bin_const_t *take_identity(coap_bin_const_t *identity, coap_session_t *session,
					     void *arg)
{
	struct io_coap *coap = arg;
	struct io_coap_dtls *dtls = coap->dtls;
	struct gk_buf key = gk_buf(dtls->psk, sizeof(dtls->psk));
	struct gk_id name;

	if (!dtls->keys.psk(dtls->ctx, gk_span(identity->s, identity->length), &key, &name) ||
	    key.overflow || !give_name(coap, session, &name))
		return NULL;
	dtls->psk_given = (coap_bin_const_t){ key.len, key.data };
	return &dtls->psk_given;
}

static int take_raw_key(const char *cn, const uint8_t *asn1, size_t len, coap_session_t *session,
			unsigned int depth, int validated, void *arg)
{
	struct io_coap *coap = arg;
	struct gk_id name;

	(void)cn, (void)depth, (void)validated;
	return coap->dtls->keys.raw_key(coap->dtls->ctx, gk_span(asn1, len), &name) &&
	       give_name(coap, session, &name);
}

static void put_own_key(struct io_coap_dtls *dtls)
{
	struct gk_buf spki = gk_buf(dtls->spki, sizeof(dtls->spki));
	struct gk_buf private_key = gk_buf(dtls->private_key, sizeof(dtls->private_key));

	gk_buf_add(&spki, gk_span(SPKI_HEAD, sizeof(SPKI_HEAD) - 1));
	gk_buf_add(&spki, gk_span(dtls->keys.xy, sizeof(dtls->keys.xy)));
	gk_buf_add(&private_key, gk_span(PRIVATE_HEAD, sizeof(PRIVATE_HEAD) - 1));
	gk_buf_add(&private_key, gk_span(dtls->keys.d, sizeof(dtls->keys.d)));
	gk_buf_add(&private_key, gk_span(PRIVATE_MID, sizeof(PRIVATE_MID) - 1));
	gk_buf_add(&private_key, gk_span(dtls->keys.xy, sizeof(dtls->keys.xy)));
}

static bool offer_psk(struct io_coap *coap)
{
	coap_dtls_spsk_t setup = {
		.version = COAP_DTLS_SPSK_SETUP_VERSION,
		.validate_id_call_back = take_identity,
		.id_call_back_arg = coap,
	};

	return coap_context_set_psk2(coap->context, &setup) != 0;
}

/* libcoap keeps pointers to the keys. */
static bool offer_raw_keys(struct io_coap *coap)
{
	struct io_coap_dtls *dtls = coap->dtls;
	coap_dtls_pki_t setup = {
		.version = COAP_DTLS_PKI_SETUP_VERSION,
		.verify_peer_cert = 1,
		.is_rpk_not_cert = 1,
		.validate_cn_call_back = take_raw_key,
		.cn_call_back_arg = coap,
		.pki_key = { .key_type = COAP_PKI_KEY_ASN1,
			     .key.asn1 = { .public_cert = dtls->spki,
					   .public_cert_len = sizeof(dtls->spki),
					   .private_key = dtls->private_key,
					   .private_key_len = sizeof(dtls->private_key),
					   .private_key_type = COAP_ASN1_PKEY_EC } },
	};

	if (!io_coap_has_raw_keys())
		return true;
	put_own_key(dtls);
	return coap_context_set_pki(coap->context, &setup) != 0;
}

/* what this libcoap can do, and configure has not left out */

bool io_coap_has_dtls(void)
{
#ifdef GK_WITHOUT_DTLS
	return false;
#else
	return coap_dtls_is_supported() != 0;
#endif
}

/* With other TLS libraries libcoap takes a raw public key for a certificate. */
bool io_coap_has_raw_keys(void)
{
#ifdef GK_WITHOUT_RPK
	return false;
#else
	return coap_get_tls_library_version()->type == COAP_TLS_LIBRARY_GNUTLS;
#endif
}

/* the endpoint */

int io_coap_open_dtls(struct io_coap *coap, const struct io_coap *old, const struct gk_addr *listen,
		      const struct io_coap_keys *keys, void *ctx)
{
	struct gk_addr address = *listen;
	coap_endpoint_t *endpoint;
	int err;

	if (!io_coap_has_dtls())
		return -ENOTSUP;
	err = io_coap_claim(&address, old && old->dtls ? &old->dtls->local : NULL);
	if (err < 0)
		return err;
	coap->dtls = calloc(1, sizeof(*coap->dtls));
	if (!coap->dtls)
		return -ENOMEM;
	coap->dtls->keys = *keys;
	coap->dtls->ctx = ctx;
	coap->dtls->local = io_coap_address_of(&address);
	if (!offer_psk(coap) || !offer_raw_keys(coap))
		return -ENOTSUP;
	errno = 0;
	endpoint = coap_new_endpoint(coap->context, &coap->dtls->local, COAP_PROTO_DTLS);
	if (!endpoint)
		return io_coap_last_error();
	coap_endpoint_set_default_mtu(endpoint, IO_COAP_DATAGRAM_MAX);
	io_coap_hear_nacks(coap->context);
	return 0;
}

uint16_t io_coap_dtls_port(const struct io_coap *coap)
{
	return coap->dtls ? ntohs(coap->dtls->local.addr.sin6.sin6_port) : 0;
}

void io_coap_release_sessions(struct io_coap *coap)
{
	for (size_t i = 0; coap->dtls && i < SLOTS; i++) {
		if (coap->dtls->slots[i].session)
			drop(&coap->dtls->slots[i], true);
	}
}

void io_coap_free_dtls(struct io_coap *coap)
{
	if (!coap->dtls)
		return;
	explicit_bzero(coap->dtls, sizeof(*coap->dtls));
	free(coap->dtls);
	coap->dtls = NULL;
}
