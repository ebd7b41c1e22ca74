// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// What the KDC does, event by event, and the rules that are watched meanwhile.
#include "pair_inside.h"

#include "libgroupkey/cbor.h"

#include <stdlib.h>
#include <string.h>

/* the log */

struct pair_message *pair_append(struct pair *p, enum pair_kind kind, int from, int to,
				 struct gk_span bytes)
{
	struct pair_message *m = pair_must_have(calloc(1, sizeof(*m)));

	if (p->log_count == p->log_cap) {
		p->log_cap = p->log_cap ? 2 * p->log_cap : 64;
		p->log =
			pair_must_have(realloc(p->log, p->log_cap * sizeof(struct pair_message *)));
	}
	p->log[p->log_count++] = m;
	*m = (struct pair_message){ .kind = kind,
				    .from = from,
				    .to = to,
				    .bytes = pair_copy(bytes),
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
static bool open_as(struct pair *p, struct pair_message *m, const struct pair_stored *s,
		    const struct gk_oscore_option *option, struct gk_buf *buf)
{
	struct gk_oscore other = pair_mirror(&s->ctx);
	struct gk_oscore_ref ref;
	bool fresh;

	if (!gk_span_equal(gk_id_span(&s->ctx.sender_id), option->kid) ||
	    gk_oscore_unprotect_request(&other, m->bytes, buf, &ref, &fresh))
		return false;
	if (gk_span_uint(option->piv) >= pair_stored_ceiling(p))
		pair_break_rule(p, "a request's Partial IV is not reserved", m->bytes);
	pair_use_nonce(p, gk_span(s->ctx.sender_key, KEY_LEN), option->kid, option->piv, m->bytes);
	return true;
}

static void open_request(struct pair *p, struct pair_message *m)
{
	struct gk_oscore_option option;
	struct pair_stored s;
	uint8_t *plain = pair_must_have(malloc(m->bytes.len + 1));
	struct gk_buf buf = gk_buf(plain, m->bytes.len);
	struct gk_coap msg;
	bool found = false;

	m->plain = gk_span(plain, 0);
	if (gk_oscore_peek(m->bytes, &option, NULL)) {
		pair_break_rule(p, "a request that is not protected", m->bytes);
		return;
	}
	for (size_t i = 0; !found && i < p->record_count; i++)
		found = p->records[i].table == GK_TABLE_CLIENT &&
			pair_read_client(&p->records[i], &s) && open_as(p, m, &s, &option, &buf);
	if (!found)
		pair_break_rule(p, "a request under an association that is not stored", m->bytes);
	m->plain = gk_buf_span(&buf);
	if (found && !gk_coap_parse(m->plain, &msg))
		pair_check_material(p, msg.payload, true);
}

/* A REPLY of the KDC to 'request'. */
static struct gk_span open_reply(struct pair *p, struct gk_span request, struct gk_span bytes)
{
	struct gk_oscore_option option, asked;
	struct gk_oscore_ref ref = { .nonce_used = false };
	struct pair_stored s;
	struct gk_oscore other;
	uint8_t *plain = pair_must_have(malloc(bytes.len + 1));
	struct gk_buf buf = gk_buf(plain, bytes.len);
	struct gk_coap msg;

	if (gk_oscore_peek(bytes, &option, NULL) == GK_ERR_MISSING) {
		memcpy(plain, bytes.data, bytes.len);
		return gk_span(plain, bytes.len);
	}
	if (gk_oscore_peek(request, &asked, NULL) || !pair_find_association(p, asked.kid, &s)) {
		pair_break_rule(p, "an answer under an association that is not stored", bytes);
		return gk_span(plain, 0);
	}
	if (option.piv.len && gk_span_uint(option.piv) >= pair_stored_ceiling(p))
		pair_break_rule(p, "an answer's Partial IV is not reserved", bytes);
	pair_use_nonce(p, gk_span(s.ctx.sender_key, KEY_LEN),
		       option.piv.len ? gk_id_span(&s.ctx.sender_id) : asked.kid,
		       option.piv.len ? option.piv : asked.piv, bytes);
	if (gk_id_set(&ref.kid, asked.kid) || gk_id_set(&ref.piv, asked.piv))
		abort();
	other = pair_mirror(&s.ctx);
	if (gk_oscore_unprotect_response(&other, &ref, bytes, &buf, NULL)) {
		pair_break_rule(p, "an answer that its receiver cannot open", bytes);
		return gk_span(plain, 0);
	}
	if (!gk_coap_parse(gk_buf_span(&buf), &msg))
		pair_check_material(p, msg.payload, false);
	return gk_buf_span(&buf);
}

/* notes */

void pair_take_note(struct pair *p, int from, const struct gk_event *event)
{
	const struct gk_note *note = &event->note;
	struct pair_note *n;
	struct gk_coap msg;

	if (p->note_count == p->note_cap) {
		p->note_cap = p->note_cap ? 2 * p->note_cap : 64;
		p->notes = pair_must_have(realloc(p->notes, p->note_cap * sizeof(*p->notes)));
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
	pair_text_of(note->node, n->node, sizeof(n->node));
	pair_text_of(note->name, n->name, sizeof(n->name));
	pair_text_of(note->group, n->group, sizeof(n->group));
	if (gk_id_set(&n->sid, note->sid))
		pair_break_rule(p, "a Sender ID longer than any", note->sid);
	if (note->message.len && !gk_coap_parse(note->message, &msg))
		pair_text_of(msg.payload, n->text, sizeof(n->text));
}

/* group | 0 | number, as record_group.c has it */
static bool has_member_record(const struct pair *p, struct gk_span group, struct gk_span node)
{
	uint8_t key[128];
	struct gk_buf buf = gk_buf(key, sizeof(key));
	char name[32];
	unsigned long long number;

	pair_text_of(node, name, sizeof(name));
	number = strtoull(name + 1, NULL, 10);
	gk_buf_add(&buf, group);
	gk_buf_byte(&buf, 0);
	for (int shift = 56; shift >= 0; shift -= 8)
		gk_buf_byte(&buf, (uint8_t)(number >> shift));
	return pair_find_record(p, GK_TABLE_MEMBER, gk_buf_span(&buf)) != NULL;
}

/* What the operator is told is stored. */
static void check_note(struct pair *p, const struct gk_note *note)
{
	bool member = note->node.len && has_member_record(p, note->group, note->node);
	struct pair_record *r = pair_find_record(p, GK_TABLE_GROUP, note->group);
	struct pair_stored_group g;

	if ((note->kind == GK_NOTE_LEFT || note->kind == GK_NOTE_EVICTED) && member)
		pair_break_rule(p, "a departure was told of before it was stored", note->node);
	if ((note->kind == GK_NOTE_JOINED || note->kind == GK_NOTE_REJOINED) && !member)
		pair_break_rule(p, "a join was told of before it was stored", note->node);
	if (note->kind == GK_NOTE_REKEYED && (!r || !pair_read_group(r, &g) || g.num != note->num))
		pair_break_rule(p, "a rekeying was told of before it was stored", note->group);
}

/* events */

int pair_index_of(const struct pair *p, const struct gk_addr *addr)
{
	for (size_t i = 0; i < p->node_count; i++) {
		if (memcmp(p->node[i].addr.ip, addr->ip, 16) == 0)
			return (int)i;
	}
	return PAIR_OUTSIDE;
}

static void take_kdc_request(struct pair *p, const struct gk_event *event)
{
	struct pair_message *m = pair_append(p, PAIR_REQUEST, PAIR_KDC,
					     pair_index_of(p, &event->peer), event->bytes);

	m->id = event->id;
	m->peer = event->peer;
	m->dtls = event->dtls;
	m->open = true;
	m->deadline_ms = p->now.mono.ms + event->timeout_ms;
	if (event->dtls.len)
		m->plain = pair_copy(event->bytes);
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
		struct pair_message *m = pair_append(p, PAIR_PROBE, PAIR_KDC,
						     to < 0 ? PAIR_OUTSIDE : to, event->bytes);

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
		pair_break_rule(p, "a multicast to no multicast address", event->bytes);
}

bool pair_has_observe(struct gk_span message, uint32_t *value)
{
	struct gk_coap msg;
	int64_t found =
		gk_coap_parse(message, &msg) ? -1 : gk_coap_find_uint(&msg, GK_OPT_OBSERVE, -1);

	*value = (uint32_t)found;
	return found >= 0;
}

void pair_note_observed(struct pair *p, const struct gk_exchange *exchange, struct gk_span request)
{
	size_t size = (p->observed_count + 1) * sizeof(*p->observed);
	uint32_t value;

	if (!pair_has_observe(request, &value))
		return;
	p->observed = pair_must_have(realloc(p->observed, size));
	p->observed[p->observed_count++] = (struct pair_observed){ *exchange, pair_copy(request) };
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
		pair_break_rule(p, "a notification without a Partial IV of its own", m->bytes);
	if (gk_coap_parse(m->plain, &inner) ||
	    pair_has_observe(m->plain, &value) != (inner.code >> 5 == 2) ||
	    pair_has_observe(m->bytes, &value) != (inner.code >> 5 == 2))
		pair_break_rule(p, "a notification whose Observe option does not fit its code",
				m->bytes);
}

static void take_kdc_notify(struct pair *p, const struct gk_event *event)
{
	struct gk_span request = find_observed(p, event);
	struct pair_message *m;

	if (!request.len) {
		pair_break_rule(p, "a notification of what nobody observes", event->bytes);
		return;
	}
	m = pair_append(p, PAIR_NOTIFY, PAIR_KDC, pair_index_of(p, &event->peer), event->bytes);
	m->id = event->id;
	m->peer = event->peer;
	m->open = true;
	m->deadline_ms = p->now.mono.ms + event->timeout_ms;
	m->exchange.token_len = event->token_len;
	memcpy(m->exchange.token, event->token, sizeof(event->token));
	m->dtls = event->dtls;
	m->exchange.session = event->session;
	m->plain = event->dtls.len ? pair_copy(event->bytes) : open_reply(p, request, event->bytes);
	check_notification(p, m);
}

static void take_kdc_reply(struct pair *p, const struct gk_event *event)
{
	struct pair_message *m, *request;

	if (event->id >= RAW_ID) {
		if (event->id != p->raw_id)
			pair_break_rule(p, "an answer to no request", event->bytes);
		p->raw_answers++;
		p->raw_len = event->bytes.len;
		memcpy(p->raw_answer, event->bytes.data, event->bytes.len);
		free((void *)(uintptr_t)open_reply(p, p->raw_request, event->bytes).data);
		return;
	}
	request = p->log[event->id - 1];
	m = pair_append(p, PAIR_REPLY, PAIR_KDC, request->from, event->bytes);
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
		pair_break_rule(p, "the version of a node goes back", new);
	if (now == before && !gk_span_equal(old, new))
		pair_break_rule(p, "two keys of a node under one version", new);
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
	(void)pair_use_nonce(p, gk_span_str("stored"), message, gk_span(NULL, 0), message);
}

void pair_take_store(struct pair *p, const struct gk_record *record)
{
	struct pair_record *r = pair_find_record(p, record->table, record->key);
	struct pair_record new = { .value = (uint8_t *)(uintptr_t)record->value.data,
				   .value_len = record->value.len };
	static const uint8_t no_key[GK_MS_LEN]; /* of a group that has ended */
	struct pair_stored_group was, is;

	if (record->table == GK_TABLE_TREE && r && record->value.len)
		check_tree_key(p, r, &new);
	if (record->table == GK_TABLE_CAST && record->value.len)
		note_cast(p, record->value);
	if (record->table == GK_TABLE_GROUP && r && pair_read_group(r, &was) &&
	    pair_read_group(&new, &is)) {
		if (is.num < was.num)
			pair_break_rule(p, "num goes back", record->key);
		if (is.num == was.num && memcmp(is.ms, was.ms, GK_MS_LEN) != 0 &&
		    memcmp(is.ms, no_key, GK_MS_LEN) != 0)
			pair_break_rule(p, "two keys under one num", record->key);
		if (memcmp(is.prefix, was.prefix, 2) != 0)
			pair_break_rule(p, "a group changed its Gid prefix", record->key);
	}
	pair_commit(p, record);
}

static void check_cast(struct pair *p, struct gk_span bytes)
{
	struct gk_rekeying message;
	struct gk_coap coap;
	uint8_t what[4 + 2];

	if (gk_coap_parse(bytes, &coap) || gk_rekeying_read(coap.payload, &message)) {
		pair_break_rule(p, "a message to the group that nobody can read", bytes);
		return;
	}
	if (message.type != GK_REKEYING)
		return;
	memcpy(what, &message.num, 4);
	memcpy(what + 4, &message.part, 2);
	(void)pair_use_nonce(p, gk_span_str("cast"), coap.options, gk_span(what, sizeof(what)),
			     bytes);
	if (pair_use_nonce(p, gk_span_str("stored"), bytes, gk_span(NULL, 0), bytes))
		pair_break_rule(p, "a message to the group that was never stored", bytes);
}

static void take_kdc_multicast(struct pair *p, const struct gk_event *event)
{
	check_cast(p, event->bytes);
	for (size_t k = 0; k < p->node_count; k++) {
		struct pair_message *m =
			pair_append(p, PAIR_MULTICAST, PAIR_KDC, (int)k, event->bytes);

		m->peer = event->peer;
		m->exchange.peer = (struct gk_addr){ .port = event->peer.port };
		m->exchange.token_len = 0;
	}
}

void pair_take_kdc_event(struct pair *p, const struct gk_event *event)
{
	switch (event->kind) {
	case GK_EVENT_STORE:
		pair_take_store(p, &event->record);
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
		pair_take_note(p, PAIR_KDC, event);
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
		pair_break_rule(p, "an event that a KDC never makes", event->bytes);
		break;
	}
}
