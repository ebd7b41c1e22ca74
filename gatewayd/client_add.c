// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/calls.h"
#include "gatewayd/show.h"
#include "io/bundle.h"
#include "io/hex.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/scope.h"
#include <stdlib.h>
#include <string.h>

#define DAY_S      INT64_C(86400)
#define DEFAULT_S  (365 * DAY_S)
#define LONGEST_S  (36500 * DAY_S)
#define NAME_BYTES 32
#define SPKI_MAX   128 /* the longest that there is here has 91 bytes */

/* What is asked for. */
struct order {
	const char *name;
	struct gk_span groups[IO_BUNDLE_GROUPS_MAX];
	uint32_t roles[IO_BUNDLE_GROUPS_MAX]; /* 0: not said yet */
	size_t group_count;
	int64_t lifetime_s;
	struct gk_addr kdc;
	bool has_kdc;
	enum gk_profile profile;
	uint8_t spki[SPKI_MAX];
	size_t spki_len; /* 0: none */
	bool sleepy;
};

static int take_group(struct gw_call *call, struct order *order, const char *value)
{
	for (size_t i = 0; i < order->group_count; i++) {
		if (gk_span_equal(order->groups[i], gk_span_str(value)))
			return gw_call_fail(call, GW_USAGE, "--group %s: given twice", value);
	}
	if (order->group_count == IO_BUNDLE_GROUPS_MAX)
		return gw_call_fail(call, GW_USAGE, "--group: at most %d", IO_BUNDLE_GROUPS_MAX);
	order->groups[order->group_count++] = gk_span_str(value);
	return GW_DONE;
}

static uint32_t parse_roles(const char *text)
{
	uint32_t roles = 0;

	for (;;) {
		size_t len = strcspn(text, ",");
		uint32_t role = gk_role_parse(gk_span(text, len));
		if (!role || roles & role)
			return 0;
		roles |= role;
		if (!text[len])
			return roles;
		text += len + 1;
	}
}

static int take_roles(struct gw_call *call, struct order *order, const char *value)
{
	uint32_t roles = parse_roles(value);
	size_t at = order->group_count;

	if (at == 0 || order->roles[at - 1])
		return gw_call_fail(call, GW_USAGE, "--roles: once behind each --group");
	if (!roles)
		return gw_call_fail(call, GW_USAGE,
				    "--roles %s: one or several, with commas, of requester, "
				    "responder, monitor, verifier",
				    value);
	order->roles[at - 1] = roles;
	return GW_DONE;
}

static int64_t parse_duration(const char *text)
{
	static const struct {
		const char *name;
		int64_t s;
	} units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", DAY_S }, { "w", 7 * DAY_S } };
	int64_t number = 0;

	if (*text < '1' || *text > '9')
		return 0;
	for (; *text >= '0' && *text <= '9' && number <= LONGEST_S; text++)
		number = number * 10 + (*text - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].name) == 0 && number <= LONGEST_S / units[i].s)
			return number * units[i].s;
	}
	return 0;
}

static int take_expires(struct gw_call *call, struct order *order, const char *value)
{
	order->lifetime_s = parse_duration(value);
	if (order->lifetime_s == 0)
		return gw_call_fail(
			call, GW_USAGE,
			"--expires %s: a number and s, m, h, d or w, as in 30d; at most "
			"36500d",
			value);
	return GW_DONE;
}

static int take_kdc(struct gw_call *call, struct order *order, const char *value)
{
	if (!io_addr_parse(value, io_coap_port(call->daemon->coap), &order->kdc) ||
	    order->kdc.port == 0)
		return gw_call_fail(call, GW_USAGE, "--kdc %s: an address as in [fd00::1]:5683",
				    value);
	order->has_kdc = true;
	return GW_DONE;
}

static int take_profile(struct gw_call *call, struct order *order, const char *value)
{
	static const char *const names[] = {
		[GK_PROFILE_OSCORE] = "oscore",
		[GK_PROFILE_DTLS_PSK] = "dtls-psk",
		[GK_PROFILE_DTLS_RPK] = "dtls-rpk",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]) != 0)
			continue;
		order->profile = (enum gk_profile)i;
		return GW_DONE;
	}
	return gw_call_fail(call, GW_USAGE, "--profile %s: oscore, dtls-psk or dtls-rpk", value);
}

static int take_public_key(struct gw_call *call, struct order *order, const char *value)
{
	order->spki_len = io_hex_read(gk_span_str(value), order->spki, sizeof(order->spki));
	if (order->spki_len == 0)
		return gw_call_fail(call, GW_USAGE,
				    "--public-key: a SubjectPublicKeyInfo (DER) in hex");
	return GW_DONE;
}

/* @return how many words it takes */
static size_t take_flag(struct order *order, const char *word)
{
	if (strcmp(word, "--sleepy") != 0)
		return 0;
	order->sleepy = true;
	return 1;
}

static int take_option(struct gw_call *call, struct order *order, size_t at)
{
	static const struct {
		const char *name;
		int (*take)(struct gw_call *call, struct order *order, const char *value);
	} options[] = {
		{ "--group", take_group },     { "--roles", take_roles },
		{ "--expires", take_expires }, { "--kdc", take_kdc },
		{ "--profile", take_profile }, { "--public-key", take_public_key },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(call->words[at], options[i].name) != 0)
			continue;
		if (at + 1 == call->count)
			return gw_call_fail(call, GW_USAGE, "%s: a value must follow",
					    options[i].name);
		return options[i].take(call, order, call->words[at + 1]);
	}
	return gw_call_fail(call, GW_USAGE, "%s: no such option of client add", call->words[at]);
}

static int read_order(struct gw_call *call, struct order *order)
{
	*order = (struct order){ .name = call->words[0], .lifetime_s = DEFAULT_S };
	if (order->name[0] == '-' || strlen(order->name) > NAME_BYTES)
		return gw_call_fail(call, GW_USAGE,
				    "client add: a name of 1 to %d bytes, not beginning with '-'",
				    NAME_BYTES);
	for (size_t at = 1; at < call->count;) {
		size_t used = take_flag(order, call->words[at]);
		int status = used ? GW_DONE : take_option(call, order, at);
		if (status)
			return status;
		at += used ? used : 2;
	}
	if (order->group_count == 0 || !order->roles[order->group_count - 1])
		return gw_call_fail(call, GW_USAGE, "client add: --group and --roles are needed");
	for (size_t i = 0; i < order->group_count; i++) {
		if (!order->roles[i])
			return gw_call_fail(call, GW_USAGE, "--roles: once behind each --group");
	}
	if ((order->profile == GK_PROFILE_DTLS_RPK) != (order->spki_len > 0))
		return gw_call_fail(call, GW_USAGE,
				    "--public-key: with --profile dtls-rpk, and only then");
	return GW_DONE;
}

/* Which of these the libcoap of this build can do is known. */
static int check_profile(struct gw_call *call, const struct order *order)
{
	if (order->profile != GK_PROFILE_OSCORE && !io_coap_dtls_port(call->daemon->coap))
		return gw_call_fail(call, GW_REFUSED,
				    "client add: DTLS is not offered; listen_dtls does that");
	if (order->profile == GK_PROFILE_DTLS_RPK && !io_coap_has_raw_keys())
		return gw_call_fail(call, GW_REFUSED,
				    "client add: this build has no raw public keys");
	return GW_DONE;
}

/* Where nodes reach us: said here, said in the configuration, or the interface's. */
static bool choose_address(const struct gw_call *call, const struct order *order, char *text)
{
	static const uint8_t any[16];
	struct gk_addr addr = order->kdc;

	if (!order->has_kdc) {
		if (!io_addr_parse(call->daemon->conf.listen, IO_ADDR_COAP_PORT, &addr))
			return false;
		addr.port = io_coap_port(call->daemon->coap);
		if (memcmp(addr.ip, any, sizeof(any)) == 0 &&
		    !gw_segment_address(&call->daemon->segment, &addr))
			return false;
	}
	// Interfaces have other names on the node.
	addr.scope = 0;
	io_addr_format(&addr, text);
	return true;
}

/* Where a KDC has something, unless that is where every one does by default. */
static void fill_path(char out[static GK_ROOT_MAX + 1], const char *path, const char *usual)
{
	snprintf(out, GK_ROOT_MAX + 1, "%s", strcmp(path, usual) == 0 ? "" : path);
}

/* The address is the one of CoAP, with the port of DTLS. The identity of a pre-shared key is
 * {cnf: {COSE_Key: {kty: symmetric, kid}}} (RFC 9202 section 3.3.2), 'head' what precedes the kid.
 */
static void fill_dtls(const struct gw_call *call, const struct order *order,
		      const struct gk_client_bundle *made, struct io_bundle *bundle)
{
	static const uint8_t head[] = { 0xa1, 0x08, 0xa1, 0x01, 0xa2, 0x01, 0x04, 0x02, 0x48 };
	struct gk_addr addr;

	if (order->profile == GK_PROFILE_OSCORE || !io_addr_parse(bundle->kdc, 0, &addr))
		return;
	addr.port = io_coap_dtls_port(call->daemon->coap);
	io_addr_format(&addr, bundle->dtls);
	if (order->profile == GK_PROFILE_DTLS_RPK) {
		memcpy(bundle->kdc_key, made->kdc_key, sizeof(made->kdc_key));
		bundle->kdc_key_len = sizeof(made->kdc_key);
		return;
	}
	memcpy(bundle->identity, head, sizeof(head));
	memcpy(bundle->identity + sizeof(head), made->kid, sizeof(made->kid));
	bundle->identity_len = sizeof(head) + sizeof(made->kid);
	memcpy(bundle->psk, made->psk, sizeof(made->psk));
	bundle->psk_len = sizeof(made->psk);
}

static void fill_bundle(const struct gw_conf *conf, const struct order *order,
			const struct gk_client_bundle *made, struct io_bundle *bundle)
{
	fill_path(bundle->group_path, conf->group_path, "ace-group");
	fill_path(bundle->authz_path, conf->authz_path, "authz-info");
	snprintf(bundle->name, sizeof(bundle->name), "%s", order->name);
	memcpy(bundle->token, made->token, made->token_len);
	bundle->token_len = made->token_len;
	memcpy(bundle->osc_id, made->osc_id, sizeof(made->osc_id));
	bundle->osc_id_len = sizeof(made->osc_id);
	memcpy(bundle->ms, made->ms, sizeof(made->ms));
	bundle->ms_len = sizeof(made->ms);
	memcpy(bundle->salt, made->salt, sizeof(made->salt));
	bundle->salt_len = sizeof(made->salt);
	bundle->group_count = order->group_count;
	for (size_t i = 0; i < order->group_count; i++) {
		memcpy(bundle->groups[i], order->groups[i].data, order->groups[i].len);
		bundle->roles[i] = order->roles[i];
	}
	bundle->exp = made->exp.s;
	bundle->sleepy = order->sleepy;
}

static void print_bundle(struct gw_call *call, const struct io_bundle *bundle)
{
	struct io_json json;

	io_json_init(&json);
	io_bundle_put(&json, NULL, bundle);
	gw_call_print(call, &json);
}

/* A token ends by the calendar, so there is none without one. */
static int check_clock(struct gw_call *call)
{
	char time[GW_TIME_TEXT];

	if (call->daemon->clock.source != GW_CLOCK_ESTIMATED)
		return GW_DONE;
	return gw_call_fail(call, GW_REFUSED,
			    "client add: the clock of this machine is plainly wrong (%s); set it "
			    "first",
			    gw_show_time(io_loop_now(call->daemon->loop).utc, time));
}

/* What is not stored cannot be revoked, and is not handed out. */
static int store_token(struct gw_call *call)
{
	if (gw_serve_settle(call->daemon))
		return GW_DONE;
	return gw_call_fail(call, GW_REFUSED,
			    "client add: the store cannot be written (%s): there is no bundle",
			    strerror(-gw_outbox_error(&call->daemon->outbox)));
}

static int issue(struct gw_call *call, const struct order *order, struct gk_client_bundle *made)
{
	struct gk_client_spec spec = {
		.name = gk_span_str(order->name),
		.groups = order->groups,
		.roles = order->roles,
		.group_count = order->group_count,
		.lifetime_s = order->lifetime_s,
		.profile = order->profile,
		.public_key = gk_span(order->spki, order->spki_len),
		.sleepy = order->sleepy,
	};
	enum gk_err err = gk_kdc_issue(call->daemon->kdc, &spec, gw_now(call->daemon), made);

	if (err == GK_ERR_UNKNOWN)
		return gw_call_fail(call, GW_REFUSED, "client add: no such group");
	if (err == GK_ERR_UNSUPPORTED)
		return gw_call_fail(call, GW_REFUSED,
				    "client add: --public-key: not a key of P-256 or Ed25519");
	return err ? gw_call_conclude(call, err) : store_token(call);
}

int gw_call_client_add(struct gw_call *call)
{
	struct gk_client_bundle made = { 0 };
	struct io_bundle bundle = { 0 };
	struct order order;
	int status;

	if (!call->daemon->coap)
		return gw_call_fail(call, GW_REFUSED, "client add: %s is not there yet",
				    call->daemon->conf.listen);
	status = read_order(call, &order);
	if (status)
		return status;
	status = gw_call_ready(call);
	if (!status)
		status = check_clock(call);
	if (!status)
		status = check_profile(call, &order);
	if (status)
		return status;
	if (!choose_address(call, &order, bundle.kdc))
		return gw_call_fail(call, GW_REFUSED,
				    "client add: %s has no address yet; give one with --kdc",
				    call->daemon->conf.interface);
	status = issue(call, &order, &made);
	if (!status) {
		fill_bundle(&call->daemon->conf, &order, &made, &bundle);
		fill_dtls(call, &order, &made, &bundle);
		print_bundle(call, &bundle);
	}
	explicit_bzero(&made, sizeof(made));
	explicit_bzero(&bundle, sizeof(bundle));
	return status;
}
