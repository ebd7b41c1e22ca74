// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "pair.h"

#include "libgroupkey/cbor.h"
#include "libgroupkey/cred.h"
#include "libgroupkey/kdc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 1000000
#define START_S  1760000000
#define NONCES   (1u << 15)
#define RAW_ID   (UINT64_C(1) << 62)
#define ANYONE   (-3)
#define KEY_LEN  16

static void break_rule(struct pair *p, const char *rule, struct gk_span bytes)
{
	if (!p->broken[0])
		snprintf(p->broken, sizeof(p->broken), "%s (at %lld ms, event %zu, %zu bytes)",
			 rule, (long long)p->now.mono.ms, p->events, bytes.len);
}

static void *must_have(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct gk_span copy(struct gk_span bytes)
{
	uint8_t *data = must_have(malloc(bytes.len + 1));

	if (bytes.len)
		memcpy(data, bytes.data, bytes.len);
	return gk_span(data, bytes.len);
}

static void text_of(struct gk_span bytes, char *out, size_t size)
{
	size_t len = bytes.len < size - 1 ? bytes.len : size - 1;

	if (len)
		memcpy(out, bytes.data, len);
	out[len] = '\0';
}

/* the store */

static struct pair_record *find_record(const struct pair *p, enum gk_table table,
				       struct gk_span key)
{
	for (size_t i = 0; i < p->record_count; i++) {
		struct pair_record *r = &p->records[i];

		if (r->table == table && gk_span_equal(gk_span(r->key, r->key_len), key))
			return r;
	}
	return NULL;
}

static void drop_record(struct pair *p, struct pair_record *r)
{
	free(r->key);
	free(r->value);
	*r = p->records[--p->record_count];
}

static void set_record(struct pair *p, const struct gk_record *record)
{
	struct pair_record *r = find_record(p, record->table, record->key);

	if (r && !record->value.len) {
		drop_record(p, r);
		return;
	}
	if (!record->value.len)
		return;
	if (!r) {
		if (p->record_count == p->record_cap) {
			p->record_cap = p->record_cap ? 2 * p->record_cap : 16;
			p->records =
				must_have(realloc(p->records, p->record_cap * sizeof(*p->records)));
		}
		r = &p->records[p->record_count++];
		*r = (struct pair_record){ .table = record->table };
		r->key = (uint8_t *)(uintptr_t)copy(record->key).data;
		r->key_len = record->key.len;
	}
	free(r->value);
	r->value = (uint8_t *)(uintptr_t)copy(record->value).data;
	r->value_len = record->value.len;
}

static void remember(struct pair *p, const struct gk_record *record)
{
	const struct pair_record *r = find_record(p, record->table, record->key);
	struct gk_span value = r ? gk_span(r->value, r->value_len) : gk_span(NULL, 0);

	if (p->undo_count == p->undo_cap) {
		p->undo_cap = p->undo_cap ? 2 * p->undo_cap : 16;
		p->undo = must_have(realloc(p->undo, p->undo_cap * sizeof(*p->undo)));
	}
	p->undo[p->undo_count++] = (struct pair_record){
		.table = record->table,
		.key = (uint8_t *)(uintptr_t)copy(record->key).data,
		.value = (uint8_t *)(uintptr_t)copy(value).data,
		.key_len = record->key.len,
		.value_len = value.len,
	};
}

/* The transaction is over: it happened, or it did not. */
static void end_transaction(struct pair *p, bool happened)
{
	while (p->undo_count) {
		struct pair_record *u = &p->undo[--p->undo_count];

		if (!happened)
			set_record(p,
				   &(struct gk_record){ .table = u->table,
							.key = gk_span(u->key, u->key_len),
							.value = gk_span(u->value, u->value_len) });
		free(u->key);
		free(u->value);
	}
}

static void commit(struct pair *p, const struct gk_record *record)
{
	if (p->crash_at > p->events)
		remember(p, record);
	set_record(p, record);
}

static int by_key(const void *a, const void *b)
{
	const struct pair_record *x = *(const struct pair_record *const *)a;
	const struct pair_record *y = *(const struct pair_record *const *)b;
	size_t len = x->key_len < y->key_len ? x->key_len : y->key_len;
	int order = (int)x->table - (int)y->table;

	if (!order)
		order = memcmp(x->key, y->key, len);
	return order ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

void pair_digest(const struct pair *p, uint8_t out[GK_HASH_LEN])
{
	const struct pair_record **sorted =
		must_have(malloc((p->record_count + 1) * sizeof(struct pair_record *)));
	size_t total = 1, at = 0;
	uint8_t *all;

	for (size_t i = 0; i < p->record_count; i++) {
		sorted[i] = &p->records[i];
		total += 1 + sorted[i]->key_len + sorted[i]->value_len;
	}
	qsort(sorted, p->record_count, sizeof(*sorted), by_key);
	all = must_have(malloc(total));
	for (size_t i = 0; i < p->record_count; i++) {
		all[at++] = (uint8_t)sorted[i]->table;
		memcpy(all + at, sorted[i]->key, sorted[i]->key_len);
		at += sorted[i]->key_len;
		memcpy(all + at, sorted[i]->value, sorted[i]->value_len);
		at += sorted[i]->value_len;
	}
	if (gk_sha256(gk_span(all, at), out))
		abort();
	free(all);
	free(sorted);
}

/* what the store knows of an association: record.c's form, read again */

struct stored {
	struct gk_oscore ctx; /* the KDC's own */
};

static bool read_client(const struct pair_record *r, struct stored *s)
{
	struct gk_cbor c = gk_cbor(gk_span(r->value, r->value_len));
	struct gk_buf id_context = gk_buf(s->ctx.id_context, sizeof(s->ctx.id_context));
	bool fine;

	memset(s, 0, sizeof(*s));
	(void)gk_cbor_array(&c); /* what is behind these fields differs from form to form */
	(void)gk_cbor_uint(&c, UINT32_MAX);
	(void)gk_cbor_bytes(&c);
	(void)gk_cbor_bytes(&c);
	(void)gk_cbor_int(&c);
	s->ctx.aead = gk_aead_find(gk_cbor_int(&c));
	fine = !gk_id_set(&s->ctx.recipient_id, gk_cbor_bytes(&c));
	fine = fine && !gk_id_set(&s->ctx.sender_id, gk_cbor_bytes(&c));
	s->ctx.has_id_context = gk_cbor_bool(&c);
	gk_buf_add(&id_context, gk_cbor_bytes(&c));
	s->ctx.id_context_len = (uint8_t)id_context.len;
	for (int i = 0; i < 3; i++) {
		uint8_t *out[] = { s->ctx.sender_key, s->ctx.recipient_key, s->ctx.common_iv };
		struct gk_span bytes = gk_cbor_bytes(&c);
		struct gk_buf buf = gk_buf(out[i], i == 2 ? GK_AEAD_NONCE_MAX : KEY_LEN);

		gk_buf_add(&buf, bytes);
		fine = fine && !buf.overflow;
	}
	return fine && !c.err && s->ctx.aead;
}

/* The ceiling of all sequence numbers is the KDC's: [form, five keys, ceiling]. */
static uint64_t stored_ceiling(const struct pair *p)
{
	for (size_t i = 0; i < p->record_count; i++) {
		const struct pair_record *r = &p->records[i];
		struct gk_cbor c = gk_cbor(gk_span(r->value, r->value_len));

		if (r->table != GK_TABLE_KDC)
			continue;
		gk_cbor_array_of(&c, 7);
		(void)gk_cbor_uint(&c, UINT32_MAX);
		for (int k = 0; k < 5; k++)
			(void)gk_cbor_bytes(&c);
		return gk_cbor_uint(&c, UINT64_MAX);
	}
	return 0;
}

/* The association by the kid that is the KDC's Recipient ID, which is unique. */
static bool find_association(const struct pair *p, struct gk_span kid, struct stored *s)
{
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table == GK_TABLE_CLIENT && read_client(&p->records[i], s) &&
		    gk_span_equal(gk_id_span(&s->ctx.recipient_id), kid))
			return true;
	}
	return false;
}

/* The other end's view of a context. */
static struct gk_oscore mirror(const struct gk_oscore *ctx)
{
	struct gk_oscore m = *ctx;

	m.sender_id = ctx->recipient_id;
	m.recipient_id = ctx->sender_id;
	memcpy(m.sender_key, ctx->recipient_key, sizeof(m.sender_key));
	memcpy(m.recipient_key, ctx->sender_key, sizeof(m.recipient_key));
	m.window = (struct gk_window){ 0 };
	return m;
}

/* nonces */

struct pair_nonce {
	uint64_t key;   /* hash of key, id_piv and Partial IV; 0: free */
	uint64_t bytes; /* hash of the message */
};

static uint64_t hash_of(uint64_t h, struct gk_span bytes)
{
	h = (h ^ bytes.len) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < bytes.len; i++)
		h = (h ^ bytes.data[i]) * UINT64_C(0x100000001b3);
	return (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

/* @return true the first time */
static bool use_nonce(struct pair *p, struct gk_span key, struct gk_span id, struct gk_span piv,
		      struct gk_span message)
{
	uint64_t h = hash_of(hash_of(hash_of(1, key), id), piv) | 1;
	uint64_t bytes = hash_of(2, message);
	size_t i = h % NONCES;
	bool first;

	while (p->nonces[i].key && p->nonces[i].key != h)
		i = (i + 1) % NONCES;
	if (p->nonces[i].key && p->nonces[i].bytes != bytes)
		break_rule(p, "two messages with the same key and nonce", message);
	first = !p->nonces[i].key;
	if (first && ++p->nonce_count == NONCES / 2)
		break_rule(p, "too many messages for this harness", message);
	p->nonces[i] = (struct pair_nonce){ h, bytes };
	return first;
}

/* material */

struct stored_group {
	int64_t num;
	uint8_t prefix[2];
	uint8_t ms[GK_MS_LEN];
};

static bool read_group(const struct pair_record *r, struct stored_group *g)
{
	struct gk_cbor c = gk_cbor(gk_span(r->value, r->value_len));
	struct gk_span prefix, ms;

	gk_cbor_array_of(&c, 16);
	(void)gk_cbor_uint(&c, UINT32_MAX);
	g->num = gk_cbor_int(&c);
	(void)gk_cbor_bool(&c);
	(void)gk_cbor_bool(&c);
	prefix = gk_cbor_bytes(&c);
	ms = gk_cbor_bytes(&c);
	if (c.err || prefix.len != 2 || ms.len != GK_MS_LEN)
		return false;
	memcpy(g->prefix, prefix.data, 2);
	memcpy(g->ms, ms.data, GK_MS_LEN);
	return true;
}

/* What is given out is what is stored: its num and its key. Only an answer that is given once more
 * may be older. */
static void check_material(struct pair *p, struct gk_span payload, bool newest)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_PARAM_KEY, GK_CBOR_MAP, true },
		{ GK_PARAM_NUM, GK_CBOR_UINT, true },
	};
	static const struct gk_cbor_field key_fields[] = {
		{ GK_OSC_MS, GK_CBOR_BYTES, true },
		{ GK_OSC_CONTEXT_ID, GK_CBOR_BYTES, true },
	};
	struct gk_cbor_item item[2], key[2];
	struct stored_group g;

	if (gk_cbor_read_map(payload, fields, 2, item) ||
	    gk_cbor_read_map(item[0].encoded, key_fields, 2, key))
		return;
	for (size_t i = 0; i < p->record_count; i++) {
		if (p->records[i].table != GK_TABLE_GROUP || !read_group(&p->records[i], &g) ||
		    memcmp(g.prefix, key[1].string.data, 2) != 0)
			continue;
		if (item[1].number > g.num || (newest && item[1].number < g.num))
			break_rule(p, "material of a version that is not the stored one", payload);
		if (item[1].number == g.num &&
		    !gk_span_equal(key[0].string, gk_span(g.ms, GK_MS_LEN)))
			break_rule(p, "a key that is not the stored one", payload);
		use_nonce(p, gk_span_str("gid"), key[1].string, gk_span(NULL, 0), key[0].string);
		return;
	}
	break_rule(p, "material of a group that is not stored", payload);
}

/* the log */

static struct pair_message *append(struct pair *p, enum pair_kind kind, int from, int to,
				   struct gk_span bytes)
{
	struct pair_message *m = must_have(calloc(1, sizeof(*m)));

	if (p->log_count == p->log_cap) {
		p->log_cap = p->log_cap ? 2 * p->log_cap : 64;
		p->log = must_have(realloc(p->log, p->log_cap * sizeof(struct pair_message *)));
	}
	p->log[p->log_count++] = m;
	*m = (struct pair_message){ .kind = kind,
				    .from = from,
				    .to = to,
				    .bytes = copy(bytes),
				    .sent_ms = p->now.mono.ms,
				    .deadline_ms = GK_NEVER,
				    .life = p->life };
	/* a message id and a token as a shell would choose them */
	m->exchange = (struct gk_exchange){ .id = p->log_count,
					    .message_id = (uint16_t)(0x4000 + p->log_count),
					    .token_len = 2 };
	m->exchange.token[0] = (uint8_t)(p->log_count >> 8);
	m->exchange.token[1] = (uint8_t)p->log_count;
	return m;
}

/* Clients choose the KDC's Sender IDs, so several may have the same. */
static bool open_as(struct pair *p, struct pair_message *m, const struct stored *s,
		    const struct gk_oscore_option *option, struct gk_buf *buf)
{
	struct gk_oscore other = mirror(&s->ctx);
	struct gk_oscore_ref ref;
	bool fresh;

	if (!gk_span_equal(gk_id_span(&s->ctx.sender_id), option->kid) ||
	    gk_oscore_unprotect_request(&other, m->bytes, buf, &ref, &fresh))
		return false;
	if (gk_span_uint(option->piv) >= stored_ceiling(p))
		break_rule(p, "a request's Partial IV is not reserved", m->bytes);
	use_nonce(p, gk_span(s->ctx.sender_key, KEY_LEN), option->kid, option->piv, m->bytes);
	return true;
}

static void open_request(struct pair *p, struct pair_message *m)
{
	struct gk_oscore_option option;
	struct stored s;
	uint8_t *plain = must_have(malloc(m->bytes.len + 1));
	struct gk_buf buf = gk_buf(plain, m->bytes.len);
	struct gk_coap msg;
	bool found = false;

	m->plain = gk_span(plain, 0);
	if (gk_oscore_peek(m->bytes, &option, NULL)) {
		break_rule(p, "a request that is not protected", m->bytes);
		return;
	}
	for (size_t i = 0; !found && i < p->record_count; i++)
		found = p->records[i].table == GK_TABLE_CLIENT && read_client(&p->records[i], &s) &&
			open_as(p, m, &s, &option, &buf);
	if (!found)
		break_rule(p, "a request under an association that is not stored", m->bytes);
	m->plain = gk_buf_span(&buf);
	if (found && !gk_coap_parse(m->plain, &msg))
		check_material(p, msg.payload, true);
}

/* A REPLY of the KDC to 'request'. */
static struct gk_span open_reply(struct pair *p, struct gk_span request, struct gk_span bytes)
{
	struct gk_oscore_option option, asked;
	struct gk_oscore_ref ref = { .nonce_used = false };
	struct stored s;
	struct gk_oscore other;
	uint8_t *plain = must_have(malloc(bytes.len + 1));
	struct gk_buf buf = gk_buf(plain, bytes.len);
	struct gk_coap msg;

	if (gk_oscore_peek(bytes, &option, NULL) == GK_ERR_MISSING) {
		memcpy(plain, bytes.data, bytes.len);
		return gk_span(plain, bytes.len);
	}
	if (gk_oscore_peek(request, &asked, NULL) || !find_association(p, asked.kid, &s)) {
		break_rule(p, "an answer under an association that is not stored", bytes);
		return gk_span(plain, 0);
	}
	if (option.piv.len && gk_span_uint(option.piv) >= stored_ceiling(p))
		break_rule(p, "an answer's Partial IV is not reserved", bytes);
	use_nonce(p, gk_span(s.ctx.sender_key, KEY_LEN),
		  option.piv.len ? gk_id_span(&s.ctx.sender_id) : asked.kid,
		  option.piv.len ? option.piv : asked.piv, bytes);
	if (gk_id_set(&ref.kid, asked.kid) || gk_id_set(&ref.piv, asked.piv))
		abort();
	other = mirror(&s.ctx);
	if (gk_oscore_unprotect_response(&other, &ref, bytes, &buf, NULL)) {
		break_rule(p, "an answer that its receiver cannot open", bytes);
		return gk_span(plain, 0);
	}
	if (!gk_coap_parse(gk_buf_span(&buf), &msg))
		check_material(p, msg.payload, false);
	return gk_buf_span(&buf);
}

/* notes */

static void take_note(struct pair *p, int from, const struct gk_event *event)
{
	const struct gk_note *note = &event->note;
	struct pair_note *n;
	struct gk_coap msg;

	if (p->note_count == p->note_cap) {
		p->note_cap = p->note_cap ? 2 * p->note_cap : 64;
		p->notes = must_have(realloc(p->notes, p->note_cap * sizeof(*p->notes)));
	}
	n = &p->notes[p->note_count++];
	*n = (struct pair_note){ .from = from,
				 .kind = note->kind,
				 .last_sign = note->last_sign,
				 .last_seen_ms = note->last_seen_ms,
				 .num = note->num,
				 .via = note->via,
				 .reason = note->reason,
				 .id = event->id,
				 .pairwise = note->pairwise };
	text_of(note->node, n->node, sizeof(n->node));
	text_of(note->name, n->name, sizeof(n->name));
	text_of(note->group, n->group, sizeof(n->group));
	if (gk_id_set(&n->sid, note->sid))
		break_rule(p, "a Sender ID longer than any", note->sid);
	if (note->message.len && !gk_coap_parse(note->message, &msg))
		text_of(msg.payload, n->text, sizeof(n->text));
}

/* group | 0 | number, as record_group.c has it */
static bool has_member_record(const struct pair *p, struct gk_span group, struct gk_span node)
{
	uint8_t key[128];
	struct gk_buf buf = gk_buf(key, sizeof(key));
	char name[32];
	unsigned long long number;

	text_of(node, name, sizeof(name));
	number = strtoull(name + 1, NULL, 10);
	gk_buf_add(&buf, group);
	gk_buf_byte(&buf, 0);
	for (int shift = 56; shift >= 0; shift -= 8)
		gk_buf_byte(&buf, (uint8_t)(number >> shift));
	return find_record(p, GK_TABLE_MEMBER, gk_buf_span(&buf)) != NULL;
}

/* What the operator is told is stored. */
static void check_note(struct pair *p, const struct gk_note *note)
{
	bool member = note->node.len && has_member_record(p, note->group, note->node);
	struct pair_record *r = find_record(p, GK_TABLE_GROUP, note->group);
	struct stored_group g;

	if ((note->kind == GK_NOTE_LEFT || note->kind == GK_NOTE_EVICTED) && member)
		break_rule(p, "a departure was told of before it was stored", note->node);
	if ((note->kind == GK_NOTE_JOINED || note->kind == GK_NOTE_REJOINED) && !member)
		break_rule(p, "a join was told of before it was stored", note->node);
	if (note->kind == GK_NOTE_REKEYED && (!r || !read_group(r, &g) || g.num != note->num))
		break_rule(p, "a rekeying was told of before it was stored", note->group);
}

/* events */

static int index_of(const struct pair *p, const struct gk_addr *addr)
{
	for (size_t i = 0; i < p->node_count; i++) {
		if (memcmp(p->node[i].addr.ip, addr->ip, 16) == 0)
			return (int)i;
	}
	return PAIR_OUTSIDE;
}

static void take_kdc_request(struct pair *p, const struct gk_event *event)
{
	struct pair_message *m =
		append(p, PAIR_REQUEST, PAIR_KDC, index_of(p, &event->peer), event->bytes);

	m->id = event->id;
	m->peer = event->peer;
	m->dtls = event->dtls;
	m->open = true;
	m->deadline_ms = p->now.mono.ms + event->timeout_ms;
	if (event->dtls.len)
		m->plain = copy(event->bytes);
	else
		open_request(p, m);
}

/* Not the address that members know. */
const struct gk_addr pair_prober = { .ip = { 0xfe, 0x80, [15] = 9 }, .port = 5690, .scope = 3 };

/* The one that goes to nobody is what answers are to. */
static void take_kdc_probe(struct pair *p, const struct gk_event *event)
{
	size_t first = p->log_count;

	for (int to = -1; to < (int)p->node_count; to++) {
		struct pair_message *m =
			append(p, PAIR_PROBE, PAIR_KDC, to < 0 ? PAIR_OUTSIDE : to, event->bytes);

		m->id = event->id;
		m->peer = event->peer;
		memcpy(m->exchange.token, p->log[first]->exchange.token, sizeof(m->exchange.token));
		m->exchange.peer = pair_prober;
		m->exchange.multicast = true;
	}
	p->log[first]->open = true;
	p->log[first]->deadline_ms = p->now.mono.ms + event->timeout_ms;
	open_request(p, p->log[first]);
	if (event->peer.ip[0] != 0xff || !event->peer.port || event->dtls.len)
		break_rule(p, "a multicast to no multicast address", event->bytes);
}

/* Requests with Observe that reached the KDC, by whom and with which token. */
struct pair_observed {
	struct gk_exchange exchange;
	struct gk_span request;
};

static bool has_observe(struct gk_span message, uint32_t *value)
{
	struct gk_coap msg;
	int64_t found =
		gk_coap_parse(message, &msg) ? -1 : gk_coap_find_uint(&msg, GK_OPT_OBSERVE, -1);

	*value = (uint32_t)found;
	return found >= 0;
}

static void note_observed(struct pair *p, const struct gk_exchange *exchange,
			  struct gk_span request)
{
	size_t size = (p->observed_count + 1) * sizeof(*p->observed);
	uint32_t value;

	if (!has_observe(request, &value))
		return;
	p->observed = must_have(realloc(p->observed, size));
	p->observed[p->observed_count++] = (struct pair_observed){ *exchange, copy(request) };
}

static struct gk_span find_observed(const struct pair *p, const struct gk_event *event)
{
	for (size_t i = p->observed_count; i-- > 0;) {
		const struct gk_exchange *e = &p->observed[i].exchange;

		if (memcmp(e->peer.ip, event->peer.ip, 16) == 0 &&
		    e->peer.port == event->peer.port && e->token_len == event->token_len &&
		    memcmp(e->token, event->token, e->token_len) == 0)
			return p->observed[i].request;
	}
	return gk_span(NULL, 0);
}

/* RFC 8613 section 4.1.3.5.2, and RFC 7641 section 4.2: no error goes with Observe. */
static void check_notification(struct pair *p, const struct pair_message *m)
{
	struct gk_oscore_option option;
	struct gk_coap inner;
	uint32_t value;

	if (!m->dtls.len && (gk_oscore_peek(m->bytes, &option, NULL) || !option.piv.len))
		break_rule(p, "a notification without a Partial IV of its own", m->bytes);
	if (gk_coap_parse(m->plain, &inner) ||
	    has_observe(m->plain, &value) != (inner.code >> 5 == 2) ||
	    has_observe(m->bytes, &value) != (inner.code >> 5 == 2))
		break_rule(p, "a notification whose Observe option does not fit its code",
			   m->bytes);
}

static void take_kdc_notify(struct pair *p, const struct gk_event *event)
{
	struct gk_span request = find_observed(p, event);
	struct pair_message *m;

	if (!request.len) {
		break_rule(p, "a notification of what nobody observes", event->bytes);
		return;
	}
	m = append(p, PAIR_NOTIFY, PAIR_KDC, index_of(p, &event->peer), event->bytes);
	m->id = event->id;
	m->peer = event->peer;
	m->open = true;
	m->deadline_ms = p->now.mono.ms + event->timeout_ms;
	m->exchange.token_len = event->token_len;
	memcpy(m->exchange.token, event->token, sizeof(event->token));
	m->dtls = event->dtls;
	m->exchange.session = event->session;
	m->plain = event->dtls.len ? copy(event->bytes) : open_reply(p, request, event->bytes);
	check_notification(p, m);
}

static void take_kdc_reply(struct pair *p, const struct gk_event *event)
{
	struct pair_message *m, *request;

	if (event->id >= RAW_ID) {
		if (event->id != p->raw_id)
			break_rule(p, "an answer to no request", event->bytes);
		p->raw_answers++;
		p->raw_len = event->bytes.len;
		memcpy(p->raw_answer, event->bytes.data, event->bytes.len);
		free((void *)(uintptr_t)open_reply(p, p->raw_request, event->bytes).data);
		return;
	}
	request = p->log[event->id - 1];
	m = append(p, PAIR_REPLY, PAIR_KDC, request->from, event->bytes);
	m->id = event->id;
	m->plain = open_reply(p, request->bytes, event->bytes);
}

/* [form, version, key] */
static struct gk_span version_in(const struct pair_record *r, int64_t *version)
{
	struct gk_cbor c = gk_cbor(gk_span(r->value, r->value_len));

	gk_cbor_array_of(&c, 3);
	(void)gk_cbor_uint(&c, UINT32_MAX);
	*version = gk_cbor_int(&c);
	return gk_cbor_bytes(&c);
}

static void check_tree_key(struct pair *p, const struct pair_record *was,
			   const struct pair_record *is)
{
	int64_t before, now;
	struct gk_span old = version_in(was, &before), new = version_in(is, &now);

	if (now < before)
		break_rule(p, "the version of a node goes back", new);
	if (now == before && !gk_span_equal(old, new))
		break_rule(p, "two keys of a node under one version", new);
}

/* [form, num, message]; a newer one may take its place before its copies are sent. */
static void note_cast(struct pair *p, struct gk_span value)
{
	struct gk_cbor c = gk_cbor(value);
	struct gk_span message;

	gk_cbor_array_of(&c, 3);
	(void)gk_cbor_uint(&c, UINT32_MAX);
	(void)gk_cbor_int(&c);
	message = gk_cbor_bytes(&c);
	(void)use_nonce(p, gk_span_str("stored"), message, gk_span(NULL, 0), message);
}

static void take_store(struct pair *p, const struct gk_record *record)
{
	struct pair_record *r = find_record(p, record->table, record->key);
	struct pair_record new = { .value = (uint8_t *)(uintptr_t)record->value.data,
				   .value_len = record->value.len };
	static const uint8_t no_key[GK_MS_LEN]; /* of a group that has ended */
	struct stored_group was, is;

	if (record->table == GK_TABLE_TREE && r && record->value.len)
		check_tree_key(p, r, &new);
	if (record->table == GK_TABLE_CAST && record->value.len)
		note_cast(p, record->value);
	if (record->table == GK_TABLE_GROUP && r && read_group(r, &was) && read_group(&new, &is)) {
		if (is.num < was.num)
			break_rule(p, "num goes back", record->key);
		if (is.num == was.num && memcmp(is.ms, was.ms, GK_MS_LEN) != 0 &&
		    memcmp(is.ms, no_key, GK_MS_LEN) != 0)
			break_rule(p, "two keys under one num", record->key);
		if (memcmp(is.prefix, was.prefix, 2) != 0)
			break_rule(p, "a group changed its Gid prefix", record->key);
	}
	commit(p, record);
}

static void check_cast(struct pair *p, struct gk_span bytes)
{
	struct gk_rekeying message;
	struct gk_coap coap;
	uint8_t what[4 + 2];

	if (gk_coap_parse(bytes, &coap) || gk_rekeying_read(coap.payload, &message)) {
		break_rule(p, "a message to the group that nobody can read", bytes);
		return;
	}
	if (message.type != GK_REKEYING)
		return;
	memcpy(what, &message.num, 4);
	memcpy(what + 4, &message.part, 2);
	(void)use_nonce(p, gk_span_str("cast"), coap.options, gk_span(what, sizeof(what)), bytes);
	if (use_nonce(p, gk_span_str("stored"), bytes, gk_span(NULL, 0), bytes))
		break_rule(p, "a message to the group that was never stored", bytes);
}

static void take_kdc_multicast(struct pair *p, const struct gk_event *event)
{
	check_cast(p, event->bytes);
	for (size_t k = 0; k < p->node_count; k++) {
		struct pair_message *m = append(p, PAIR_MULTICAST, PAIR_KDC, (int)k, event->bytes);

		m->peer = event->peer;
		m->exchange.peer = (struct gk_addr){ .port = event->peer.port };
		m->exchange.token_len = 0;
	}
}

static void take_kdc_event(struct pair *p, const struct gk_event *event)
{
	switch (event->kind) {
	case GK_EVENT_STORE:
		take_store(p, &event->record);
		break;
	case GK_EVENT_REPLY:
		take_kdc_reply(p, event);
		break;
	case GK_EVENT_REQUEST:
		if (event->multicast)
			take_kdc_probe(p, event);
		else
			take_kdc_request(p, event);
		break;
	case GK_EVENT_PROBE:
		p->probes++;
		p->probed = event->peer;
		break;
	case GK_EVENT_NOTE:
		check_note(p, &event->note);
		take_note(p, PAIR_KDC, event);
		break;
	case GK_EVENT_MULTICAST:
		take_kdc_multicast(p, event);
		break;
	case GK_EVENT_END:
		p->ends++;
		p->ended = event->dtls;
		break;
	case GK_EVENT_NOTIFY:
		take_kdc_notify(p, event);
		break;
	case GK_EVENT_NONE:
	case GK_EVENT_CANCEL:
	case GK_EVENT_CONFIRM:
		break_rule(p, "an event that a KDC never makes", event->bytes);
		break;
	}
}

/* the KDC's life */

const uint8_t pair_as_key[16] = "key of the AS!!";

static enum gk_err give_back(struct pair *p)
{
	enum gk_err err = GK_OK;

	for (enum gk_table t = GK_TABLE_KDC; !err && t <= GK_TABLE_REVOKED; t++) {
		for (size_t i = 0; !err && i < p->record_count; i++) {
			const struct pair_record *r = &p->records[i];
			struct gk_record record = { .table = t,
						    .key = gk_span(r->key, r->key_len),
						    .value = gk_span(r->value, r->value_len) };

			if (r->table == t)
				err = gk_kdc_restore(p->kdc, &record, p->now);
		}
	}
	return err;
}

static struct gk_span text_or_none(const char *text)
{
	return text ? gk_span_str(text) : gk_span(NULL, 0);
}

static enum gk_err start(struct pair *p)
{
	struct gk_kdc_config config = { .audience = gk_span_str("gatewayd"),
					.as_key = gk_span(pair_as_key, sizeof(pair_as_key)),
					.as_uri = text_or_none(p->as_uri),
					.group_path = text_or_none(p->group_path),
					.authz_path = text_or_none(p->authz_path),
					.discovery = p->discovery,
					.rekeying_bps = p->rekeying_bps };
	enum gk_err err = gk_kdc_new(&p->env, &config, &p->kdc);

	if (err)
		return err;
	p->life++;
	return give_back(p);
}

static void stop(struct pair *p)
{
	gk_kdc_free(p->kdc);
	p->kdc = NULL;
	if (p->kdc_env.blocks) {
		char text[64];

		snprintf(text, sizeof(text), "the KDC kept %zu blocks of memory",
			 p->kdc_env.blocks);
		break_rule(p, text, gk_span(NULL, 0));
	}
}

/* Before 'event': if that is the first but for STOREs, or a later one, the transaction is done. */
static void crash(struct pair *p, struct gk_event event, bool acted)
{
	bool committed = acted || event.kind != GK_EVENT_STORE;

	do {
		if (committed && event.kind == GK_EVENT_STORE)
			take_store(p, &event.record);
	} while (gk_kdc_event(p->kdc, &event));
	end_transaction(p, committed);
}

/* @return false: it crashed on the way */
static bool drain(struct pair *p)
{
	struct gk_event event;
	bool acted = false, stored = false, urgent = false;

	while (gk_kdc_event(p->kdc, &event)) {
		p->events++;
		stored |= event.kind == GK_EVENT_STORE;
		urgent |= event.kind == GK_EVENT_STORE && !event.record.may_wait;
		if (p->events == p->crash_at) {
			crash(p, event, acted);
			return false;
		}
		acted |= event.kind != GK_EVENT_STORE;
		take_kdc_event(p, &event);
	}
	p->batches += stored;
	p->urgent_batches += urgent;
	end_transaction(p, true);
	return true;
}

/* Groups come after all records; a failure that was ordered may strike here too. */
static bool serve_all(struct pair *p)
{
	for (size_t i = 0; i < p->group_count; i++) {
		enum gk_err err = gk_kdc_add_group(p->kdc, &p->config[i], p->now);

		if (!drain(p) || err)
			return false;
	}
	return true;
}

void pair_restart(struct pair *p)
{
	for (int i = 0; i < 4; i++) {
		enum gk_err err;

		if (p->kdc)
			stop(p);
		err = start(p);
		if (!err && serve_all(p))
			return;
		if (err != GK_OK && err != GK_ERR_NO_MEMORY && err != GK_ERR_ENTROPY)
			break_rule(p, gk_strerror(err), gk_span_str("restart"));
	}
	break_rule(p, "the KDC does not start", gk_span(NULL, 0));
}

void pair_drain_kdc(struct pair *p, enum gk_err err)
{
	bool alive = drain(p) && err != GK_ERR_NO_MEMORY;

	p->last = err;
	if (alive)
		return;
	if (p->manual_restart)
		stop(p);
	else
		pair_restart(p);
}

/* members */

/** Whom a member asks. */
static int whom(const struct pair *p, const struct gk_addr *addr)
{
	static const uint8_t kdc[16];

	return memcmp(addr->ip, kdc, sizeof(kdc)) == 0 ? PAIR_KDC : index_of(p, addr);
}

static void forget_observation(struct pair *p, size_t i, uint64_t id)
{
	for (size_t k = 0; k < p->log_count; k++) {
		if (p->log[k]->kind == PAIR_REQUEST && p->log[k]->from == (int)i &&
		    p->log[k]->id == id)
			p->log[k]->observe = p->log[k]->observed = false;
	}
}

static void take_node_event(struct pair *p, size_t i, const struct gk_event *event)
{
	struct pair_message *m;
	struct gk_oscore_option option;

	switch (event->kind) {
	case GK_EVENT_REQUEST:
		m = append(p, PAIR_REQUEST, (int)i, whom(p, &event->peer), event->bytes);
		if (m->to != PAIR_KDC && !gk_oscore_peek(event->bytes, &option, NULL))
			use_nonce(p, option.kid_context, option.kid, option.piv, event->bytes);
		m->id = event->id;
		m->peer = event->peer;
		m->open = true;
		m->deadline_ms = p->now.mono.ms + event->timeout_ms;
		m->exchange.peer = p->node[i].addr;
		m->observe = event->observe;
		m->life = 0;
		break;
	case GK_EVENT_CANCEL:
		forget_observation(p, i, event->id);
		break;
	case GK_EVENT_REPLY:
		m = append(p, PAIR_REPLY, (int)i, p->log[event->id - 1]->from, event->bytes);
		m->id = event->id;
		break;
	case GK_EVENT_MULTICAST:
		if (!gk_oscore_peek(event->bytes, &option, NULL))
			use_nonce(p, option.kid_context, option.kid, option.piv, event->bytes);
		for (size_t k = 0; k < p->node_count; k++) {
			if (k == i)
				continue;
			m = append(p, PAIR_MULTICAST, (int)i, (int)k, event->bytes);
			m->id = event->id;
			m->exchange.peer = p->node[i].addr;
		}
		break;
	case GK_EVENT_CONFIRM:
		m = append(p, event->token_len ? PAIR_PROBED : PAIR_CONFIRM, (int)i, PAIR_KDC,
			   event->bytes);
		m->id = event->id;
		m->peer = event->peer;
		m->exchange.token_len = event->token_len;
		memcpy(m->exchange.token, event->token, sizeof(event->token));
		break;
	case GK_EVENT_NOTE:
		take_note(p, (int)i, event);
		break;
	case GK_EVENT_STORE:
	case GK_EVENT_PROBE:
	case GK_EVENT_END:
	case GK_EVENT_NOTIFY:
	case GK_EVENT_NONE:
		break_rule(p, "an event that a member never makes", event->bytes);
		break;
	}
}

void pair_drain_node(struct pair *p, size_t i)
{
	struct gk_event event;

	while (p->node[i].member && gk_member_event(p->node[i].member, &event))
		take_node_event(p, i, &event);
}

static void make_member(struct pair *p, size_t i)
{
	struct pair_node *n = &p->node[i];
	struct gk_member_config config = {
		.token = gk_span(n->bundle.token, n->bundle.token_len),
		.osc_id = gk_span(n->bundle.osc_id, 8),
		.ms = gk_span(n->bundle.ms, 32),
		.salt = gk_span(n->bundle.salt, 8),
		.key_seed = gk_span(n->seed, 32),
		.name = gk_span_str(n->name),
		.control_base = gk_span_str(n->base),
		.kdc = { .port = 5683 },
		.rejoin_delay_ms = 10000,
		.point_to_point = n->point_to_point,
		.sign_protected = n->sign_protected,
		.creds = n->creds,
		.cred_count = n->cred_count,
		.group_path = text_or_none(p->group_path),
		.authz_path = text_or_none(p->authz_path),
		.observe = n->observer,
		.sleepy = n->sleepy,
	};

	if (n->observer)
		config.control_base = gk_span(NULL, 0);

	if (gk_member_new(&n->env, &config, &n->member))
		abort();
}

/* Once more, if the test has let entropy or memory fail. */
static void issue(struct pair *p, const struct gk_client_spec *spec,
		  struct gk_client_bundle *bundle)
{
	enum gk_err err = GK_ERR_STATE;

	for (int i = 0; err && i < 3; i++) {
		if (!p->kdc)
			pair_restart(p);
		err = gk_kdc_issue(p->kdc, spec, p->now, bundle);
		pair_drain_kdc(p, err);
	}
	if (err)
		abort();
}

size_t pair_add(struct pair *p, uint32_t roles)
{
	size_t i = p->node_count++;
	struct pair_node *n = &p->node[i];
	struct gk_span groups[PAIR_GROUPS_MAX];
	uint32_t all[PAIR_GROUPS_MAX];

	*n = (struct pair_node){ .addr = { .port = 5683 } };
	n->env = test_env(&n->test_env, p->seed + 1000 + i);
	n->addr.ip[0] = 0xfd;
	n->addr.ip[15] = (uint8_t)(i + 16);
	snprintf(n->name, sizeof(n->name), "node%zu", i);
	snprintf(n->base, sizeof(n->base), "coap://[fd00::%zx]:5683", i + 16);
	memset(n->seed, (int)i + 1, sizeof(n->seed));
	n->seed[0] = (uint8_t)p->seed;
	for (size_t g = 0; g < p->group_count; g++) {
		groups[g] = p->config[g].name;
		all[g] = roles;
	}
	issue(p,
	      &(struct gk_client_spec){ .name = gk_span_str(n->name),
					.groups = groups,
					.roles = all,
					.group_count = p->group_count,
					.lifetime_s = 30 * 86400,
					.sleepy = p->sleepy_tokens },
	      &n->bundle);
	make_member(p, i);
	return i;
}

static void free_member(struct pair *p, size_t i)
{
	gk_member_free(p->node[i].member);
	p->node[i].member = NULL;
	if (p->node[i].test_env.blocks)
		break_rule(p, "a member kept memory", gk_span_str(p->node[i].name));
}

void pair_reset(struct pair *p, size_t i)
{
	free_member(p, i);
	for (size_t k = 0; k < p->log_count; k++) {
		if (p->log[k]->from == (int)i)
			p->log[k]->open = p->log[k]->observed = false;
	}
	make_member(p, i);
}

enum gk_err pair_join(struct pair *p, size_t i, const char *group, uint32_t roles)
{
	enum gk_err err = gk_member_join(p->node[i].member, gk_span_str(group), roles, p->now);

	pair_drain_node(p, i);
	return err;
}

void pair_join_all(struct pair *p, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		size_t i = pair_add(p, 6);

		if (pair_join(p, i, PAIR_LIGHTS, 6))
			break_rule(p, "a join that was refused", gk_span_str(p->node[i].name));
		pair_run(p);
	}
}

enum gk_err pair_say(struct pair *p, size_t i, const char *group, const char *text)
{
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);
	enum gk_err err;

	gk_coap_put_payload(&w, gk_span_str(text));
	err = gk_member_say(p->node[i].member, gk_span_str(group), gk_buf_span(&buf), p->now);
	pair_drain_node(p, i);
	return err;
}

enum gk_err pair_tell(struct pair *p, size_t i, struct gk_span sid, size_t to, const char *text)
{
	uint8_t bytes[128];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);
	enum gk_err err;

	gk_coap_put_payload(&w, gk_span_str(text));
	err = gk_member_tell(p->node[i].member, gk_span_str(PAIR_LIGHTS), sid, &p->node[to].addr,
			     gk_buf_span(&buf), p->now);
	pair_drain_node(p, i);
	return err;
}

enum gk_err pair_leave(struct pair *p, size_t i, const char *group)
{
	enum gk_err err = gk_member_leave(p->node[i].member, gk_span_str(group), p->now);

	pair_drain_node(p, i);
	return err;
}

/* the network */

static void kdc_receive(struct pair *p, const struct pair_message *m)
{
	note_observed(p, &m->exchange, m->bytes);
	if (p->kdc)
		pair_drain_kdc(p, gk_kdc_receive(p->kdc, &m->exchange, m->bytes, p->now));
}

static void node_receive(struct pair *p, const struct pair_message *m)
{
	size_t i = (size_t)m->to;

	if (!p->node[i].member)
		return;
	if (gk_member_receive(p->node[i].member, &m->exchange, m->bytes, p->now) ==
	    GK_ERR_NO_MEMORY)
		break_rule(p, "a member ran out of memory", m->bytes);
	pair_drain_node(p, i);
}

static void outcome_of(struct pair *p, struct pair_message *notification, enum gk_notified outcome)
{
	notification->open = false;
	if (p->kdc && notification->life == p->life)
		pair_drain_kdc(p, gk_kdc_notified(p->kdc, notification->id, outcome, p->now));
}

static void answer(struct pair *p, struct pair_message *request, struct gk_span bytes)
{
	if (!request->open)
		return;
	request->open = false;
	if (request->kind == PAIR_NOTIFY) {
		outcome_of(p, request, GK_NOTIFIED_NOT);
	} else if (request->from != PAIR_KDC) {
		size_t i = (size_t)request->from;
		uint32_t value;

		request->observed = request->observe && has_observe(bytes, &value);
		if (gk_member_answer(p->node[i].member, request->id, bytes, p->now))
			break_rule(p, "a member ran out of memory", bytes);
		pair_drain_node(p, i);
	} else if (p->kdc && request->life == p->life) {
		pair_drain_kdc(p, gk_kdc_answer(p->kdc, request->id, bytes, p->now));
	}
}

/* Whose token it has, if the member still wants to hear of it. The first answer may be one. */
static struct pair_message *find_observing(const struct pair *p, const struct pair_message *m)
{
	size_t place = (size_t)m->exchange.token[0] << 8 | m->exchange.token[1];
	struct pair_message *request = place && place <= p->log_count ? p->log[place - 1] : NULL;

	return request && request->from == m->to && request->kind == PAIR_REQUEST &&
			       (request->observed || (request->observe && request->open))
		       ? request
		       : NULL;
}

/* Whoever sent it; and there may be another. */
static void kdc_probed(struct pair *p, const struct pair_message *m)
{
	size_t place = (size_t)m->exchange.token[0] << 8 | m->exchange.token[1];
	const struct pair_message *probe =
		place && place <= p->log_count ? p->log[place - 1] : NULL;

	if (p->kdc && probe && probe->kind == PAIR_PROBE && probe->open && probe->life == p->life)
		pair_drain_kdc(p, gk_kdc_answer(p->kdc, probe->id, m->bytes, p->now));
}

/* A shell acknowledges whatever has a token that it knows. */
static void node_notified(struct pair *p, const struct pair_message *m)
{
	size_t i = (size_t)m->to;
	struct pair_message *request = p->node[i].member ? find_observing(p, m) : NULL;
	struct pair_message *ack =
		append(p, request ? PAIR_ACK : PAIR_RESET, (int)i, PAIR_KDC, gk_span(NULL, 0));
	uint32_t value;

	ack->id = m->exchange.id;
	if (!request)
		return;
	if (request->open)
		request->observed = has_observe(m->bytes, &value);
	request->open = false;
	if (gk_member_answer(p->node[i].member, request->id, m->bytes, p->now))
		break_rule(p, "a member ran out of memory", m->bytes);
	pair_drain_node(p, i);
}

static void kdc_acknowledged(struct pair *p, const struct pair_message *m)
{
	struct pair_message *notification = p->log[m->id - 1];

	if (notification->open)
		outcome_of(p, notification,
			   m->kind == PAIR_ACK ? GK_NOTIFIED_ACK : GK_NOTIFIED_RESET);
}

static bool is_cut(const struct pair *p, int who)
{
	return who >= 0 && p->node[who].cut;
}

static void arrive(struct pair *p, struct pair_message *m)
{
	if (m->arrived || is_cut(p, m->from) || is_cut(p, m->to) || m->to == PAIR_OUTSIDE)
		return;
	if (p->pass && !p->pass(p, m))
		return;
	if (m->kind == PAIR_REPLY) {
		struct pair_message *request = p->log[m->id - 1];

		if (request->again)
			request = p->log[request->again - 1];
		if (request->kind == PAIR_REQUEST)
			answer(p, request, m->bytes);
	} else if (m->kind == PAIR_NOTIFY) {
		node_notified(p, m);
	} else if (m->kind == PAIR_ACK || m->kind == PAIR_RESET) {
		kdc_acknowledged(p, m);
	} else if (m->kind == PAIR_PROBED) {
		kdc_probed(p, m);
	} else if (m->kind == PAIR_CONFIRM) {
		if (p->kdc)
			pair_drain_kdc(p, gk_kdc_confirmed(p->kdc, m->bytes, p->now));
	} else if (m->to == PAIR_KDC) {
		kdc_receive(p, m);
	} else {
		node_receive(p, m);
	}
}

bool pair_step(struct pair *p)
{
	if (p->next == p->log_count)
		return false;
	arrive(p, p->log[p->next++]);
	return true;
}

void pair_run(struct pair *p)
{
	while (pair_step(p))
		;
}

void pair_repeat(struct pair *p, const struct pair_message *m, bool same_exchange)
{
	struct pair_message *again = append(p, m->kind, m->from, m->to, m->bytes);
	uint64_t id = again->exchange.id;

	again->id = m->id;
	again->again = m->again ? m->again : (size_t)m->exchange.id;
	if (same_exchange)
		again->exchange = m->exchange;
	again->exchange.id = id;
	again->exchange.peer = m->exchange.peer;
}

/* what the KDC never said */

/* The KDC's end of a member's association; far from the sequence numbers that it uses itself. */
static struct gk_oscore association_of(const struct pair *p, size_t i)
{
	struct pair_record *r =
		find_record(p, GK_TABLE_CLIENT, gk_span(p->node[i].bundle.osc_id, 8));
	struct stored s;

	if (!r || !read_client(r, &s))
		abort();
	s.ctx.seq = (UINT64_C(1) << 30) + p->log_count;
	s.ctx.seq_limit = GK_OSCORE_PIV_MAX;
	return s.ctx;
}

static uint8_t code_of_reply(const struct pair *p, size_t from, struct gk_oscore *ctx,
			     const struct gk_oscore_ref *ref)
{
	uint8_t bytes[512];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	for (size_t k = from; k < p->log_count; k++) {
		bool replies = p->log[k]->kind == PAIR_REPLY || p->log[k]->kind == PAIR_PROBED;

		p->log[k]->arrived |= replies;
		if (replies && p->log[k]->id == from &&
		    !gk_oscore_unprotect_response(ctx, ref, p->log[k]->bytes, &buf, NULL))
			return bytes[0];
	}
	return 0;
}

static uint8_t forge(struct pair *p, size_t i, enum pair_kind kind, struct gk_span plain)
{
	struct gk_oscore ctx = association_of(p, i);
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	struct pair_message *m;

	if (gk_oscore_protect_request(&ctx, plain, &buf, &ref))
		abort();
	m = append(p, kind, PAIR_KDC, (int)i, gk_buf_span(&buf));
	m->exchange.multicast = kind == PAIR_PROBE;
	m->arrived = true;
	m->life = 0;
	node_receive(p, m);
	return code_of_reply(p, (size_t)m->exchange.id, &ctx, &ref);
}

uint8_t pair_forge_request(struct pair *p, size_t i, struct gk_span plain)
{
	return forge(p, i, PAIR_REQUEST, plain);
}

uint8_t pair_forge_probe(struct pair *p, size_t i, struct gk_span plain)
{
	return forge(p, i, PAIR_PROBE, plain);
}

static struct pair_message *waiting(const struct pair *p, size_t i)
{
	for (size_t k = p->log_count; k-- > 0;) {
		if (p->log[k]->from == (int)i && p->log[k]->open)
			return p->log[k];
	}
	return NULL;
}

const struct pair_message *pair_waiting(const struct pair *p, size_t i)
{
	return waiting(p, i);
}

void pair_forge_plain_answer(struct pair *p, size_t i, struct gk_span bytes)
{
	struct pair_message *m = waiting(p, i);

	if (!m)
		abort();
	m->arrived = true;
	answer(p, m, bytes);
}

void pair_forge_answer(struct pair *p, size_t i, struct gk_span plain)
{
	struct pair_message *m = waiting(p, i);
	struct gk_oscore_ref ref = { .nonce_used = false };
	struct gk_oscore_option asked;
	struct gk_oscore ctx;
	struct gk_buf buf;
	uint8_t *bytes;

	if (!m || gk_oscore_peek(m->bytes, &asked, NULL)) {
		pair_forge_plain_answer(p, i, plain);
		return;
	}
	ctx = association_of(p, i);
	bytes = must_have(malloc(plain.len + 128));
	buf = gk_buf(bytes, plain.len + 128);
	/* not if it has made another association with somebody */
	if (gk_id_set(&ref.kid, asked.kid) || gk_id_set(&ref.piv, asked.piv) ||
	    gk_oscore_protect_response(&ctx, &ref, plain, true, &buf))
		pair_forge_plain_answer(p, i, plain);
	else
		pair_forge_plain_answer(p, i, gk_buf_span(&buf));
	free(bytes);
}

/* time */

static int64_t next_deadline(const struct pair *p)
{
	int64_t next = p->kdc ? gk_kdc_next_expiry(p->kdc).ms : GK_NEVER;

	for (size_t i = 0; i < p->node_count; i++) {
		int64_t at =
			p->node[i].member ? gk_member_next_expiry(p->node[i].member).ms : GK_NEVER;

		next = at < next ? at : next;
	}
	for (size_t i = 0; i < p->log_count; i++) {
		if (p->log[i]->open && p->log[i]->deadline_ms < next)
			next = p->log[i]->deadline_ms;
	}
	return next;
}

static void set_time(struct pair *p, int64_t ms)
{
	if (ms <= p->now.mono.ms)
		return;
	p->now.utc.s += ms / 1000 - p->now.mono.ms / 1000;
	p->now.mono.ms = ms;
}

static void expire(struct pair *p)
{
	for (size_t i = 0; i < p->log_count; i++) {
		if (p->log[i]->open && p->log[i]->deadline_ms <= p->now.mono.ms)
			answer(p, p->log[i], gk_span(NULL, 0));
	}
	if (p->kdc && gk_kdc_next_expiry(p->kdc).ms <= p->now.mono.ms)
		pair_drain_kdc(p, gk_kdc_expire(p->kdc, p->now));
	for (size_t i = 0; i < p->node_count; i++) {
		if (!p->node[i].member ||
		    gk_member_next_expiry(p->node[i].member).ms > p->now.mono.ms)
			continue;
		if (gk_member_expire(p->node[i].member, p->now))
			break_rule(p, "a member ran out of memory", gk_span(NULL, 0));
		pair_drain_node(p, i);
	}
	pair_run(p);
}

void pair_advance(struct pair *p, int64_t ms)
{
	int64_t end = p->now.mono.ms + ms;
	unsigned same = 0;
	int64_t at;

	pair_run(p);
	while ((at = next_deadline(p)) <= end) {
		same = at <= p->now.mono.ms ? same + 1 : 0;
		if (same > 1000) {
			break_rule(p, "time stands still", gk_span(NULL, 0));
			break;
		}
		set_time(p, at);
		expire(p);
	}
	set_time(p, end);
}

/* life of the pair */

int pair_global_init(void **state)
{
	static struct test_env t;
	static struct gk_env env;

	(void)state;
	env = test_env(&t, 7);
	return gk_global_init(&env) == GK_OK ? 0 : 1;
}

void pair_open(struct pair *p, uint64_t seed)
{
	memset(p, 0, sizeof(*p));
	p->seed = seed;
	p->now = (struct gk_now){ { START_MS }, { START_S } };
	p->nonces = must_have(calloc(NONCES, sizeof(*p->nonces)));
	p->raw_id = RAW_ID;
	p->env = test_env(&p->kdc_env, seed);
	if (start(p))
		abort();
}

struct gk_group_config pair_config(const char *name)
{
	struct gk_group_config config;

	gk_group_defaults(&config);
	config.name = gk_span_str(name);
	config.rekey.scheme = GK_POINT_TO_POINT;
	return config;
}

struct gk_group_config pair_tree_config(const char *name)
{
	struct gk_group_config config = pair_config(name);

	config.rekey.scheme = GK_TREE;
	config.rekey.confirm = GK_CONFIRM_ALL;
	return config;
}

enum gk_err pair_serve(struct pair *p, const struct gk_group_config *config)
{
	enum gk_err err;

	p->config[p->group_count] = config ? *config : pair_config(PAIR_LIGHTS);
	err = gk_kdc_add_group(p->kdc, &p->config[p->group_count], p->now);
	p->group_count += !err;
	pair_drain_kdc(p, err);
	return err;
}

int pair_begin(void **state, uint64_t seed, const struct gk_group_config *config)
{
	static struct pair p;

	pair_open(&p, seed);
	*state = &p;
	return pair_serve(&p, config) == GK_OK ? 0 : 1;
}

int pair_end(void **state)
{
	return pair_close(*state) ? 0 : 1;
}

bool pair_close(struct pair *p)
{
	bool fine;

	for (size_t i = 0; i < p->node_count; i++)
		free_member(p, i);
	stop(p);
	for (size_t i = 0; i < p->log_count; i++) {
		free((void *)(uintptr_t)p->log[i]->bytes.data);
		free((void *)(uintptr_t)p->log[i]->plain.data);
		free(p->log[i]);
	}
	while (p->record_count)
		drop_record(p, &p->records[0]);
	free(p->log);
	for (size_t i = 0; i < p->observed_count; i++)
		free((void *)(uintptr_t)p->observed[i].request.data);
	free(p->observed);
	free(p->notes);
	free(p->records);
	free(p->nonces);
	free(p->undo);
	free((void *)(uintptr_t)p->raw_request.data);
	fine = !p->broken[0];
	if (!fine)
		fprintf(stderr, "broken: %s\n", p->broken);
	memset(p, 0, sizeof(*p));
	return fine;
}

/* looking at it */

static bool is_between(const struct pair_message *m, enum pair_kind kind, int from, int to)
{
	return m->kind == kind && (from == ANYONE || m->from == from) &&
	       (to == ANYONE || m->to == to);
}

const struct pair_message *pair_newest(const struct pair *p, enum pair_kind kind, int from, int to)
{
	for (size_t i = p->log_count; i-- > 0;) {
		if (is_between(p->log[i], kind, from, to))
			return p->log[i];
	}
	return NULL;
}

size_t pair_count(const struct pair *p, enum pair_kind kind, int from, int to)
{
	size_t count = 0;

	for (size_t i = 0; i < p->log_count; i++)
		count += is_between(p->log[i], kind, from, to);
	return count;
}

size_t pair_count_notes(const struct pair *p, int from, enum gk_note_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < p->note_count; i++)
		count += p->notes[i].kind == kind && (from == ANYONE || p->notes[i].from == from);
	return count;
}

const struct pair_note *pair_note(const struct pair *p, int from, enum gk_note_kind kind)
{
	for (size_t i = p->note_count; i-- > 0;) {
		if (p->notes[i].kind == kind && (from == ANYONE || p->notes[i].from == from))
			return &p->notes[i];
	}
	return NULL;
}

size_t pair_heard(const struct pair *p, size_t i, const char *text)
{
	size_t count = 0;

	for (size_t k = 0; k < p->note_count; k++)
		count += p->notes[k].kind == GK_NOTE_MESSAGE && p->notes[k].from == (int)i &&
			 strcmp(p->notes[k].text, text) == 0;
	return count;
}

struct gk_membership_info pair_info(const struct pair *p, size_t i)
{
	struct gk_membership_info info = { .num = -1 };

	if (p->node[i].member && gk_member_info(p->node[i].member, gk_span_str(PAIR_LIGHTS), &info))
		info = (struct gk_membership_info){ .num = -1 };
	return info;
}

struct gk_group_info pair_group(const struct pair *p)
{
	struct gk_group_info info;
	size_t at = 0;

	while (gk_kdc_group_next(p->kdc, &at, &info)) {
		if (gk_span_equal(info.name, gk_span_str(PAIR_LIGHTS)))
			return info;
	}
	return (struct gk_group_info){ .num = -1 };
}

int64_t pair_num(const struct pair *p)
{
	return pair_group(p).num;
}

bool pair_read_cast(const struct pair_message *m, struct gk_rekeying *message)
{
	struct gk_coap coap;

	return m->kind == PAIR_MULTICAST && m->from == PAIR_KDC &&
	       !gk_coap_parse(m->bytes, &coap) && !gk_rekeying_read(coap.payload, message);
}

bool pair_agree(const struct pair *p, size_t first, size_t last)
{
	int64_t num = pair_num(p);

	for (size_t i = first; i <= last; i++) {
		struct gk_membership_info info = pair_info(p, i);

		if (!info.joined || info.num != num)
			return false;
	}
	return true;
}

bool pair_shown(const struct pair *p, const char *group, const char *name,
		struct gk_member_info *info)
{
	size_t at = 0;

	while (gk_kdc_member_next(p->kdc, gk_span_str(group), &at, info)) {
		if (gk_span_equal(info->name, gk_span_str(name)))
			return true;
	}
	return false;
}

int pair_presence(const struct pair *p, const char *name)
{
	struct gk_member_info info;

	return pair_shown(p, PAIR_LIGHTS, name, &info) ? (int)info.presence : -1;
}

struct gk_presence_counts pair_presence_counts(const struct pair *p)
{
	struct gk_presence_counts counts;

	gk_kdc_presence_counts(p->kdc, &counts);
	return counts;
}

void pair_reach(struct pair *p, const struct gk_addr *addr, enum gk_reach reach)
{
	struct gk_reach_report report = { *addr, reach };

	pair_drain_kdc(p, gk_kdc_reach(p->kdc, &report, 1, p->now));
}

/* a client by hand */

void pair_raw_open(struct pair_raw *raw, struct pair *p, unsigned number, const char *name,
		   const char *const *groups, const uint32_t *roles, size_t count)
{
	struct gk_span names[8];
	uint8_t d[32] = { 1 };
	struct gk_buf cred;

	memset(raw, 0, sizeof(*raw));
	raw->p = p;
	raw->addr = (struct gk_addr){ .port = 5683 };
	raw->addr.ip[0] = 0xfd;
	raw->addr.ip[13] = 1;
	raw->addr.ip[15] = (uint8_t)number;
	raw->exchange.message_id = (uint16_t)(number << 10);
	for (size_t i = 0; i < count; i++)
		names[i] = gk_span_str(groups ? groups[i] : PAIR_LIGHTS);
	issue(p,
	      &(struct gk_client_spec){ .name = gk_span_str(name),
					.groups = names,
					.roles = roles,
					.group_count = count,
					.lifetime_s = 86400,
					.sleepy = p->sleepy_tokens },
	      &raw->bundle);
	d[31] = (uint8_t)number;
	cred = gk_buf(raw->cred, sizeof(raw->cred));
	if (gk_key_from_private(GK_CRV_P256, gk_span(d, 32), &raw->key))
		abort();
	gk_ccs_put(&cred, gk_span_str(name), &raw->key.pub);
	raw->cred_len = cred.len;
}

static uint8_t receive(struct pair_raw *raw, struct gk_span message)
{
	struct pair *p = raw->p;

	raw->exchange.id = ++p->raw_id;
	raw->exchange.peer = raw->addr;
	p->raw_answers = 0;
	p->raw_len = 0;
	free((void *)(uintptr_t)p->raw_request.data);
	p->raw_request = copy(message);
	note_observed(p, &raw->exchange, message);
	pair_drain_kdc(p, gk_kdc_receive(p->kdc, &raw->exchange, message, p->now));
	raw->answers = p->raw_answers;
	return p->raw_answers ? p->raw_answer[0] : 0;
}

uint8_t pair_raw_send(struct pair_raw *raw, struct gk_span message)
{
	raw->exchange.message_id++;
	raw->exchange.token_len = 2;
	raw->exchange.token[0] = (uint8_t)(raw->exchange.message_id >> 8);
	raw->exchange.token[1] = (uint8_t)raw->exchange.message_id;
	raw->sent_len = message.len;
	memcpy(raw->sent, message.data, message.len);
	raw->is_protected = false;
	raw->answer = (struct gk_coap){ 0 };
	if (!receive(raw, message))
		return 0;
	if (gk_coap_parse(gk_span(raw->p->raw_answer, raw->p->raw_len), &raw->answer))
		return 0;
	return raw->answer.code;
}

uint8_t pair_raw_again(struct pair_raw *raw, bool same_exchange)
{
	if (!same_exchange)
		raw->exchange.message_id++;
	return receive(raw, gk_span(raw->sent, raw->sent_len));
}

void pair_raw_put_post(struct pair_raw *raw, struct gk_buf *buf, struct gk_span token)
{
	for (size_t i = 0; i < 8; i++)
		raw->n1[i] = (uint8_t)(raw->n1[i] + raw->addr.ip[15] + i);
	raw->id1 = (struct gk_id){ 2, { raw->addr.ip[15], (uint8_t)(raw->id1.data[1] + 1) } };
	gk_put_map(buf, 4);
	gk_put_int(buf, GK_ACE_ACCESS_TOKEN);
	gk_put_bytes(buf, token);
	gk_put_int(buf, GK_ACE_NONCE1);
	gk_put_bytes(buf, gk_span(raw->n1, 8));
	gk_put_int(buf, GK_ACE_CLIENT_RECIPIENTID);
	gk_put_bytes(buf, gk_id_span(&raw->id1));
	gk_put_int(buf, GK_ACE_SIGN_INFO);
	gk_put_null(buf);
}

void pair_raw_derive(struct pair_raw *raw)
{
	static const struct gk_cbor_field fields[] = {
		{ GK_ACE_NONCE2, GK_CBOR_BYTES, true },
		{ GK_ACE_SERVER_RECIPIENTID, GK_CBOR_BYTES, true },
		{ GK_ACE_KDCCHALLENGE, GK_CBOR_BYTES, true },
	};
	struct gk_cbor_item item[3];
	uint8_t bytes[64];
	struct gk_buf salt = gk_buf(bytes, sizeof(bytes));

	if (gk_cbor_read_map(raw->answer.payload, fields, 3, item))
		abort();
	gk_put_bytes(&salt, gk_span(raw->bundle.salt, 8));
	gk_put_bytes(&salt, gk_span(raw->n1, 8));
	gk_put_bytes(&salt, item[0].string);
	if (gk_oscore_init(&raw->ctx,
			   &(struct gk_oscore_input){ .alg = GK_ALG_AES_CCM_16_64_128,
						      .hkdf = GK_ALG_HMAC_256,
						      .master_secret = gk_span(raw->bundle.ms, 32),
						      .master_salt = gk_buf_span(&salt),
						      .sender_id = item[1].string,
						      .recipient_id = gk_id_span(&raw->id1) }))
		abort();
	raw->challenge_len = item[2].string.len;
	memcpy(raw->challenge, item[2].string.data, raw->challenge_len);
}

int pair_raw_error(const struct pair_raw *raw)
{
	struct gk_span p = raw->answer.payload;

	if (gk_coap_find_uint(&raw->answer, GK_OPT_CONTENT_FORMAT, -1) != GK_CF_PROBLEM_DETAILS ||
	    p.len != 5 || memcmp(p.data, "\xa1\x00\xa1\x00", 4) != 0)
		return -1;
	return p.data[4];
}

uint8_t pair_raw_post_payload(struct pair_raw *raw, int format, struct gk_span payload)
{
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_POST);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("authz-info"));
	if (format >= 0)
		gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, (uint32_t)format);
	gk_coap_put_payload(&w, payload);
	return pair_raw_send(raw, gk_buf_span(&buf));
}

uint8_t pair_raw_post(struct pair_raw *raw)
{
	uint8_t bytes[1024];
	struct gk_buf payload = gk_buf(bytes, sizeof(bytes));
	uint8_t code;

	pair_raw_put_post(raw, &payload, gk_span(raw->bundle.token, raw->bundle.token_len));
	code = pair_raw_post_payload(raw, GK_CF_ACE, gk_buf_span(&payload));
	if (code == GK_COAP_CREATED)
		pair_raw_derive(raw);
	return code;
}

void pair_raw_begin(struct pair_raw *raw, struct pair *p, unsigned number, uint32_t roles)
{
	char name[16];

	snprintf(name, sizeof(name), "raw%u", number);
	pair_raw_open(raw, p, number, name, NULL, &roles, 1);
	if (pair_raw_post(raw) != GK_COAP_CREATED)
		break_rule(p, "a client's token is not taken", gk_span(NULL, 0));
	strcpy(raw->group, PAIR_LIGHTS);
	strcpy(raw->node, "n99");
}

uint8_t pair_raw_ask_message(struct pair_raw *raw, struct gk_span message)
{
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_buf plain = gk_buf(raw->plain, sizeof(raw->plain));
	struct gk_span got;

	if (raw->exchange.dtls.len)
		return pair_raw_send(raw, message);
	if (gk_oscore_protect_request(&raw->ctx, message, &buf, &raw->ref))
		abort();
	pair_raw_send(raw, gk_buf_span(&buf));
	got = gk_span(raw->p->raw_answer, raw->p->raw_len);
	if (raw->answers &&
	    !gk_oscore_unprotect_response(&raw->ctx, &raw->ref, got, &plain, NULL) &&
	    !gk_coap_parse(gk_buf_span(&plain), &raw->answer))
		raw->is_protected = true;
	return raw->answer.code;
}

uint8_t pair_raw_ask(struct pair_raw *raw, uint8_t method, const char *path, int format,
		     struct gk_span payload)
{
	uint8_t bytes[4096];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, method);

	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(path));
	if (format >= 0)
		gk_coap_put_uint(&w, GK_OPT_CONTENT_FORMAT, (uint32_t)format);
	gk_coap_put_payload(&w, payload);
	return pair_raw_ask_message(raw, gk_buf_span(&buf));
}

void pair_raw_put_join(struct pair_raw *raw, struct gk_buf *buf, const char *group, uint32_t roles,
		       bool control)
{
	uint8_t scope_bytes[80], pop_bytes[256], nonce[8], sig[GK_SIG_LEN];
	struct gk_buf scope = gk_buf(scope_bytes, sizeof(scope_bytes));
	struct gk_buf pop = gk_buf(pop_bytes, sizeof(pop_bytes));
	bool monitor = roles == GK_ROLE_MONITOR;
	char uri[120];

	memset(nonce, ++raw->cnonce, sizeof(nonce));
	gk_scope_put(&scope, gk_span_str(group), roles);
	gk_pop_put_client(&pop, gk_buf_span(&scope), gk_span(raw->challenge, raw->challenge_len),
			  gk_span(nonce, 8));
	if (gk_sign(&raw->key, gk_buf_span(&pop), sig))
		abort();
	gk_put_map(buf, 2 + (monitor ? 0u : 2u) + control + (raw->tree || raw->scheme.len) +
				(raw->sleepy.len > 0));
	if (raw->sleepy.len > 0)
		gk_put_int(buf, GK_PARAM_SLEEPY);
	gk_buf_add(buf, raw->sleepy);
	if (raw->tree || raw->scheme.len)
		gk_put_int(buf, GK_PARAM_REKEYING_SCHEME);
	if (raw->tree)
		gk_put_int(buf, GK_SCHEME_TREE);
	else
		gk_buf_add(buf, raw->scheme);
	gk_put_int(buf, GK_PARAM_SCOPE);
	gk_put_bytes(buf, gk_buf_span(&scope));
	if (!monitor) {
		gk_put_int(buf, GK_PARAM_CLIENT_CRED);
		gk_put_bytes(buf, gk_span(raw->cred, raw->cred_len));
		gk_put_int(buf, GK_PARAM_CLIENT_CRED_VERIFY);
		gk_put_bytes(buf, gk_span(sig, raw->no_evidence ? 0 : sizeof(sig)));
	}
	gk_put_int(buf, GK_PARAM_CNONCE);
	gk_put_bytes(buf, gk_span(nonce, 8));
	if (!control)
		return;
	snprintf(uri, sizeof(uri), "coap%s://[fd00::1:%x]:5683/ace-group/%s/node",
		 raw->secure_control ? "s" : "", raw->addr.ip[15], group);
	gk_put_int(buf, GK_PARAM_CONTROL_URI);
	gk_put_text(buf, gk_span_str(uri));
}

static void take_node(struct pair_raw *raw)
{
	struct gk_coap_iter it = gk_coap_options(&raw->answer);

	while (gk_coap_next(&it)) {
		if (it.number == GK_OPT_LOCATION_PATH)
			text_of(it.value, raw->node, sizeof(raw->node));
	}
}

uint8_t pair_raw_join(struct pair_raw *raw, const char *group, uint32_t roles, bool control)
{
	uint8_t bytes[1024];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	char path[80];

	if (!raw->exchange.dtls.len && !raw->ctx.aead && pair_raw_post(raw) != GK_COAP_CREATED)
		return raw->answer.code;
	pair_raw_put_join(raw, &buf, group, roles, control);
	snprintf(path, sizeof(path), "ace-group/%s", group);
	snprintf(raw->group, sizeof(raw->group), "%s", group);
	if (pair_raw_ask(raw, GK_COAP_POST, path, GK_CF_ACE_GROUPCOMM, gk_buf_span(&buf)) >> 5 == 2)
		take_node(raw);
	return raw->answer.code;
}

uint8_t pair_raw_get(struct pair_raw *raw, uint8_t method, const char *path)
{
	char whole[160];

	snprintf(whole, sizeof(whole), "ace-group/%s%s%s%s", raw->group,
		 path[0] == '*' ? "/nodes/"
		 : path[0]      ? "/"
				: "",
		 path[0] == '*' ? raw->node : path, path[0] == '*' ? path + 1 : "");
	return pair_raw_ask(raw, method, whole, -1, gk_span(NULL, 0));
}

const struct pair_message *pair_raw_asked(const struct pair_raw *raw)
{
	for (size_t i = raw->p->log_count; i-- > 0;) {
		const struct pair_message *m = raw->p->log[i];

		if (m->kind == PAIR_REQUEST && m->from == PAIR_KDC && m->open &&
		    memcmp(m->peer.ip, raw->addr.ip, 16) == 0)
			return m;
	}
	return NULL;
}

void pair_raw_reply_with(struct pair_raw *raw, const struct pair_message *request,
			 struct gk_span plain)
{
	struct pair_message *m = raw->p->log[request->exchange.id - 1];
	uint8_t request_bytes[2048], bytes[256];
	struct gk_buf opened = gk_buf(request_bytes, sizeof(request_bytes));
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_oscore_ref ref;
	bool fresh;

	if (m->dtls.len) {
		gk_buf_add(&buf, plain);
	} else if (plain.len) {
		if (gk_oscore_unprotect_request(&raw->ctx, m->bytes, &opened, &ref, &fresh) ||
		    gk_oscore_protect_response(&raw->ctx, &ref, plain, false, &buf))
			abort();
	}
	answer(raw->p, m, gk_buf_span(&buf));
}

void pair_raw_reply(struct pair_raw *raw, const struct pair_message *request, uint8_t code)
{
	pair_raw_reply_with(raw, request, gk_span(&code, code ? 1 : 0));
}

uint8_t pair_raw_observe(struct pair_raw *raw, const char *path, uint32_t value, bool quiet)
{
	uint8_t bytes[256];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_coap_writer w = gk_coap_begin(&buf, GK_COAP_GET);

	gk_coap_put_uint(&w, GK_OPT_OBSERVE, value);
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("ace-group"));
	gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(raw->group));
	if (path[0] == '*') {
		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str("nodes"));
		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(raw->node));
	} else {
		gk_coap_put_path(&w, GK_OPT_URI_PATH, gk_span_str(path));
	}
	if (quiet)
		gk_coap_put_uint(&w, GK_OPT_NO_RESPONSE, 2);
	return pair_raw_ask_message(raw, gk_buf_span(&buf));
}

const struct pair_message *pair_raw_notified(const struct pair_raw *raw)
{
	for (size_t i = raw->p->log_count; i-- > 0;) {
		const struct pair_message *m = raw->p->log[i];

		if (m->kind == PAIR_NOTIFY && m->open && memcmp(m->peer.ip, raw->addr.ip, 16) == 0)
			return m;
	}
	return NULL;
}

void pair_raw_acknowledge(struct pair_raw *raw, const struct pair_message *notification,
			  enum gk_notified outcome)
{
	outcome_of(raw->p, raw->p->log[notification->exchange.id - 1], outcome);
}
