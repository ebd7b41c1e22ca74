// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Clients that come by DTLS (RFC 9202). Their handshakes and records are the shell's; here it is
 * decided which key belongs to which token. A session is called by its key, so that a session
 * proves a token with that very key; a client by the name of its key alone, or by its public key.
 */
#include "client.h"
#include "cwt.h"
#include "delivery.h"
#include "ledger.h"
#include "presence.h"
#include "serve.h"

#include <string.h>

#define REPLY_ROOM 2048 /* an answer beside its credentials */
#define PSK_LEN    16   /* of a derived key: as strong as TLS_PSK_WITH_AES_128_CCM_8 */
#define SPKI_MAX   26   /* bytes before the key */

/* names */

enum {
	NAME_OF_KID = 1,
	NAME_OF_PUBLIC_KEY = 2,
	NAME_OF_PSK = 3,
};

static enum gk_err make_name(struct gk_buf *of, struct gk_id *id)
{
	uint8_t hash[GK_HASH_LEN];
	enum gk_err err = gk_buf_err(of);

	if (!err)
		err = gk_sha256(gk_buf_span(of), hash);
	return err ? err : gk_id_set(id, gk_span(hash, sizeof(id->data)));
}

enum gk_err gk_session_name_kid(struct gk_span kid, struct gk_id *client)
{
	uint8_t bytes[1 + GK_KID_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_buf_byte(&buf, NAME_OF_KID);
	gk_buf_add(&buf, kid);
	return make_name(&buf, client);
}

enum gk_err gk_session_name_key(const struct gk_public_key *key, struct gk_id *client)
{
	uint8_t bytes[1 + 64];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_buf_byte(&buf, NAME_OF_PUBLIC_KEY);
	gk_buf_add(&buf, gk_span(key->x, sizeof(key->x)));
	if (key->crv == GK_CRV_P256)
		gk_buf_add(&buf, gk_span(key->y, sizeof(key->y)));
	return make_name(&buf, client);
}

static struct gk_span kid_of(const struct gk_session *session)
{
	return gk_span(session->kid, session->kid_len);
}

static enum gk_err name_psk(struct gk_session *session)
{
	uint8_t bytes[2 + GK_KID_MAX + GK_PSK_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	gk_buf_byte(&buf, NAME_OF_PSK);
	gk_buf_byte(&buf, session->kid_len);
	gk_buf_add(&buf, kid_of(session));
	gk_buf_add(&buf, gk_span(session->psk, session->psk_len));
	err = make_name(&buf, &session->id);
	gk_wipe(bytes, sizeof(bytes));
	return err;
}

/* finding */

struct gk_client *gk_session_find(const struct gk_kdc *kdc, struct gk_span id)
{
	struct gk_link *link = gk_hash_find(&kdc->associations_by_kid, id);

	for (; link; link = gk_hash_next(link)) {
		struct gk_client *client = GK_OWNER(link, struct gk_client, assoc.by_kid);

		if (client->session && gk_span_equal(gk_id_span(&client->session->id), id))
			return client;
	}
	return NULL;
}

bool gk_session_is_of(const struct gk_client *a, const struct gk_client *b)
{
	if (!a->session || !b->session)
		return a->session == b->session;
	if (a->session->public_key.crv || b->session->public_key.crv)
		return gk_public_key_equal(&a->session->public_key, &b->session->public_key);
	return gk_span_equal(kid_of(a->session), kid_of(b->session));
}

/* @param raw  by its kid a client is called that has a pre-shared key; one with a raw public key
 * has a kid for its AS alone, and may have chosen it */
static bool has_kid(const struct gk_client *client, struct gk_span kid, bool raw)
{
	return client->session && (client->session->public_key.crv != 0) == raw &&
	       gk_span_equal(kid_of(client->session), kid);
}

bool gk_session_has_key(const struct gk_client *client, const struct gk_session *key)
{
	const struct gk_session *own = client->session;

	if (own->public_key.crv || key->public_key.crv)
		return gk_public_key_equal(&own->public_key, &key->public_key);
	return gk_span_equal(kid_of(own), kid_of(key)) && own->psk_len == key->psk_len &&
	       gk_equal(own->psk, key->psk, own->psk_len);
}

static const struct gk_client *find_client_by_psk(const struct gk_kdc *kdc, struct gk_span kid)
{
	const struct gk_client *client = NULL;
	struct gk_id id;

	if (kid.len && kid.len <= GK_KID_MAX && !gk_session_name_kid(kid, &id))
		client = gk_client_find(kdc, gk_id_span(&id));
	return client && has_kid(client, kid, false) ? client : NULL;
}

static const struct gk_client *find_candidate_by_psk(const struct gk_kdc *kdc, struct gk_span kid)
{
	const struct gk_client *newest = NULL;

	for (const struct gk_client *c = kdc->candidates; c; c = c->next_candidate) {
		if (has_kid(c, kid, false) && (!newest || c->iat.s >= newest->iat.s))
			newest = c;
	}
	return newest;
}

/* @return how many have it @param found  the last of them */
static size_t find_by_raw_key(const struct gk_kdc *kdc, struct gk_span kid,
			      const struct gk_client **found)
{
	struct gk_link *link;
	size_t at = 0, count = 0;

	while ((link = gk_hash_at(&kdc->clients_by_id, &at)) != NULL) {
		const struct gk_client *client = GK_OWNER(link, struct gk_client, by_id);

		if (has_kid(client, kid, true)) {
			*found = client;
			count++;
		}
	}
	for (const struct gk_client *c = kdc->candidates; c; c = c->next_candidate) {
		if (has_kid(c, kid, true)) {
			*found = c;
			count++;
		}
	}
	return count;
}

/* Whose rights does a token update that names its key by this? Where two raw public keys have the
 * same kid, an AS took it from its clients, and one of them may be after the other's rights.
 * @return GK_OK, with NULL for nobody; GK_ERR_DUPLICATE */
static enum gk_err find_named(const struct gk_kdc *kdc, struct gk_span kid,
			      const struct gk_client **found)
{
	*found = find_client_by_psk(kdc, kid);
	if (!*found)
		*found = find_candidate_by_psk(kdc, kid);
	if (*found)
		return GK_OK;
	return find_by_raw_key(kdc, kid, found) > 1 ? GK_ERR_DUPLICATE : GK_OK;
}

/* keys from tokens */

/* D 3.3.1: the key is derived from the one shared with the AS, and the token as it was posted. */
static enum gk_err derive(const struct gk_kdc *kdc, struct gk_span token,
			  struct gk_session *session)
{
	uint8_t bytes[GK_TOKEN_MAX + 64];
	struct gk_buf info = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	gk_put_array(&info, 3);
	gk_put_text(&info, gk_span_str("ACE-CoAP-DTLS-key-derivation"));
	gk_put_uint(&info, PSK_LEN);
	gk_put_bytes(&info, token);
	err = gk_buf_err(&info);
	if (!err)
		err = gk_hkdf(gk_span(NULL, 0), gk_span(kdc->as_key, sizeof(kdc->as_key)),
			      gk_buf_span(&info), session->psk, PSK_LEN);
	session->psk_len = PSK_LEN;
	return err;
}

static void set_kid(struct gk_session *session, struct gk_span kid)
{
	session->kid_len = (uint8_t)kid.len;
	if (kid.len)
		memcpy(session->kid, kid.data, kid.len);
}

static enum gk_err read_public(const struct gk_cwt *cwt, struct gk_session *session)
{
	session->public_key = cwt->public_key;
	set_kid(session, cwt->kid);
	if (cwt->public_key.crv != GK_CRV_P256 && cwt->public_key.crv != GK_CRV_ED25519)
		return GK_ERR_UNSUPPORTED; /* no handshake is signed with it */
	return gk_session_name_key(&session->public_key, &session->id);
}

static enum gk_err read_symmetric(const struct gk_kdc *kdc, struct gk_span token,
				  const struct gk_cwt *cwt, struct gk_session *session)
{
	enum gk_err err = GK_OK;

	set_kid(session, cwt->kid);
	if (cwt->psk.len) {
		session->psk_len = (uint8_t)cwt->psk.len;
		memcpy(session->psk, cwt->psk.data, cwt->psk.len);
	} else {
		err = derive(kdc, token, session);
	}
	return err ? err : name_psk(session);
}

static enum gk_err name_client(const struct gk_session *session, struct gk_id *client)
{
	if (!session->public_key.crv)
		return gk_session_name_kid(kid_of(session), client);
	*client = session->id;
	return GK_OK;
}

/* A token that has the name of a key and no key is for the one that is known by that name (D 4);
 * an AS gives a name once. */
enum gk_err gk_session_read(const struct gk_kdc *kdc, struct gk_span token,
			    const struct gk_cwt *cwt, struct gk_session *session,
			    struct gk_id *client)
{
	const struct gk_client *known = NULL;
	enum gk_err err = GK_OK;

	if (cwt->kid.len > GK_KID_MAX || (!cwt->kid.len && !cwt->public_key.crv))
		return GK_ERR_UNSUPPORTED;
	if (!cwt->public_key.crv && !cwt->psk.len)
		err = find_named(kdc, cwt->kid, &known);
	if (err)
		return err;
	if (known)
		*session = *known->session;
	else if (cwt->public_key.crv)
		err = read_public(cwt, session);
	else
		err = read_symmetric(kdc, token, cwt, session);
	return err ? err : name_client(session, client);
}

enum gk_err gk_session_set(struct gk_kdc *kdc, struct gk_client *client,
			   const struct gk_session *session)
{
	enum gk_err err = gk_hash_reserve(&kdc->associations_by_kid);
	struct gk_session *copy;

	if (err)
		return err;
	copy = gk_alloc(&kdc->env, sizeof(*copy));
	if (!copy)
		return GK_ERR_NO_MEMORY;
	*copy = *session;
	client->session = copy;
	return gk_client_link(kdc, client);
}

void gk_session_end(struct gk_kdc *kdc, const struct gk_client *client)
{
	if (client->session)
		gk_queue_add(&kdc->queue, &(struct gk_event){ .kind = GK_EVENT_END,
							      .dtls = client->session->id });
}

/* handshakes */

static bool is_good(const struct gk_kdc *kdc, const struct gk_client *client, struct gk_now now)
{
	return client && client->exp.s > now.utc.s &&
	       !gk_ledger_is_revoked(kdc, gk_id_span(&client->id));
}

/* D 3.3.2: {cnf: {COSE_Key: {kty: symmetric, kid}}}, or the other way to say it. */
static enum gk_err read_identity(struct gk_span identity, struct gk_span *kid)
{
	static const struct gk_cbor_field outer[] = { { GK_CLAIM_CNF, GK_CBOR_MAP, true } };
	static const struct gk_cbor_field cnf[] = { { GK_CNF_COSE_KEY, GK_CBOR_MAP, false },
						    { GK_CNF_KID, GK_CBOR_BYTES, false } };
	static const struct gk_cbor_field key[] = { { GK_COSE_KTY, GK_CBOR_UINT, true },
						    { GK_COSE_KID, GK_CBOR_BYTES, true } };
	struct gk_cbor c = gk_cbor(identity);
	enum gk_cbor_kind kind = gk_cbor_peek(&c);
	struct gk_cbor_item item[2];
	enum gk_err err;

	if (kind == GK_CBOR_TAG || kind == GK_CBOR_ARRAY)
		return GK_ERR_UNSUPPORTED;
	err = gk_cbor_read_map(identity, outer, 1, item);
	if (!err)
		err = gk_cbor_read_map(item[0].encoded, cnf, 2, item);
	if (err)
		return err;
	*kid = item[1].string;
	if (!item[0].kind)
		return item[1].kind ? GK_OK : GK_ERR_MISSING;
	err = gk_cbor_read_map(item[0].encoded, key, 2, item);
	if (!err && item[0].number != GK_KTY_SYMMETRIC)
		err = GK_ERR_TYPE;
	*kid = item[1].string;
	return err;
}

/* A newer token may have brought another key of that name: its candidate has not been heard of. */
static const struct gk_client *holder_of_kid(const struct gk_kdc *kdc, struct gk_span kid)
{
	const struct gk_client *candidate = find_candidate_by_psk(kdc, kid);

	return candidate ? candidate : find_client_by_psk(kdc, kid);
}

enum gk_err gk_kdc_psk(const struct gk_kdc *kdc, struct gk_span identity, struct gk_now now,
		       struct gk_buf *key, struct gk_id *id)
{
	const struct gk_client *holder;
	struct gk_span kid;
	enum gk_err err = read_identity(identity, &kid);

	if (err)
		return err;
	holder = kdc->dtls ? holder_of_kid(kdc, kid) : NULL;
	if (!is_good(kdc, holder, now))
		return GK_ERR_UNKNOWN;
	gk_buf_add(key, gk_span(holder->session->psk, holder->session->psk_len));
	*id = holder->session->id;
	return gk_buf_err(key);
}

/* RFC 5480 section 2.1, RFC 8410 section 4: what comes before the key is always the same. */
static const struct spki {
	int crv;
	size_t len, key_len;
	uint8_t head[SPKI_MAX];
} spkis[] = {
	{ GK_CRV_P256, 26, 65, { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
				 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
				 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 } },
	{ GK_CRV_ED25519,
	  12,
	  32,
	  { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 } },
};

static bool take_point(const struct spki *spki, struct gk_span bytes, struct gk_public_key *key)
{
	struct gk_public_key found = { .crv = spki->crv };

	if (spki->crv == GK_CRV_P256) {
		if (bytes.data[0] != 4) /* a compressed point */
			return false;
		memcpy(found.x, bytes.data + 1, sizeof(found.x));
		memcpy(found.y, bytes.data + 33, sizeof(found.y));
	} else {
		memcpy(found.x, bytes.data, sizeof(found.x));
	}
	if (gk_public_key_check(&found))
		return false;
	*key = found;
	return true;
}

enum gk_err gk_spki_read(struct gk_span spki, struct gk_public_key *key)
{
	for (size_t i = 0; i < sizeof(spkis) / sizeof(spkis[0]); i++) {
		const struct spki *row = &spkis[i];

		if (spki.len == row->len + row->key_len &&
		    memcmp(spki.data, row->head, row->len) == 0 &&
		    take_point(row, gk_span_sub(spki, row->len, row->key_len), key))
			return GK_OK;
	}
	return GK_ERR_UNSUPPORTED;
}

enum gk_err gk_kdc_raw_key(const struct gk_kdc *kdc, struct gk_span spki, struct gk_now now,
			   struct gk_id *id)
{
	const struct gk_client *holder;
	struct gk_public_key key;
	struct gk_id name;
	enum gk_err err = gk_spki_read(spki, &key);

	if (!err)
		err = gk_session_name_key(&key, &name);
	if (err)
		return err;
	holder = kdc->dtls ? gk_session_find(kdc, gk_id_span(&name)) : NULL;
	if (!is_good(kdc, holder, now) || !gk_public_key_equal(&holder->session->public_key, &key))
		return GK_ERR_UNKNOWN;
	*id = name;
	return GK_OK;
}

/* requests */

/* Kept before it goes out, so that a retransmission is not carried out twice. */
static void reply(struct gk_kdc *kdc, struct gk_client *client, const struct gk_exchange *exchange,
		  struct gk_span request, struct gk_span answer, struct gk_now now)
{
	if (client && !gk_kept_set(&kdc->env, &client->assoc.kept, exchange, request, answer, now))
		gk_timer_set(&kdc->timers, &client->forget, client->assoc.kept.until_ms);
	gk_queue_reply(&kdc->queue, exchange, answer);
}

static void reply_code(struct gk_kdc *kdc, const struct gk_exchange *exchange, uint8_t code)
{
	uint8_t bytes[8];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, code);

	if (code == GK_COAP_UNAVAILABLE)
		gk_coap_put_uint(&w, GK_OPT_MAX_AGE, GK_STORAGE_MAX_AGE_S);
	gk_queue_reply(&kdc->queue, exchange, gk_buf_span(&buf));
}

/* @param client  NULL: the session has no token any more, and may bring another (D 3.4) */
static void serve(struct gk_kdc *kdc, struct gk_client *client, const struct gk_exchange *exchange,
		  struct gk_span request, const struct gk_coap *msg, struct gk_now now)
{
	uint8_t bytes[REPLY_ROOM];
	struct gk_call call = {
		.kdc = kdc,
		.exchange = exchange,
		.client = client,
		.msg = *msg,
		.outer_observe = gk_coap_find_uint(msg, GK_OPT_OBSERVE, -1),
		.now = now,
		.reply = gk_buf(bytes, sizeof(bytes)),
	};

	if (client) {
		gk_address_heard(kdc, client, &exchange->peer, now);
		gk_client_seen(client, GK_FACT_REQUEST, now);
	}
	gk_resource_serve(&call);
	reply(kdc, client, exchange, request, gk_buf_span(&call.reply), now);
	for (struct gk_node *node = client ? client->nodes : NULL; node;
	     node = node->next_of_client)
		gk_delivery_wake(node, now);
	gk_blob_wipe(&kdc->env, &call.large);
	gk_wipe(bytes, sizeof(bytes));
}

void gk_session_receive(struct gk_kdc *kdc, const struct gk_exchange *exchange,
			struct gk_span message, const struct gk_coap *msg, struct gk_now now)
{
	struct gk_client *client = gk_session_find(kdc, gk_id_span(&exchange->dtls));
	uint8_t refusal;

	if (client && client->exp.s <= now.utc.s)
		client = NULL;
	if (client && gk_kept_matches(&client->assoc.kept, exchange, message, now)) {
		gk_queue_reply(&kdc->queue, exchange, gk_blob_span(&client->assoc.kept.answer));
		return;
	}
	if (client && client->candidate) {
		refusal = gk_client_refusal(kdc, client);
		client = refusal ? NULL : gk_client_confirm(kdc, client, now);
		if (!client) {
			reply_code(kdc, exchange, refusal ? refusal : GK_COAP_UNAVAILABLE);
			return;
		}
	}
	serve(kdc, client, exchange, message, msg, now);
}
