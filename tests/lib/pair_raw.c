// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A client by hand: what no member would send.
#include "pair_inside.h"

#include "libgroupkey/cbor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	pair_issue(p,
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
	p->raw_request = pair_copy(message);
	pair_note_observed(p, &raw->exchange, message);
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
		pair_break_rule(p, "a client's token is not taken", gk_span(NULL, 0));
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
			pair_text_of(it.value, raw->node, sizeof(raw->node));
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
	pair_answer(raw->p, m, gk_buf_span(&buf));
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
	pair_outcome_of(raw->p, raw->p->log[notification->exchange.id - 1], outcome);
}
