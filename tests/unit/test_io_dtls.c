// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/coap.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/coap.h"
#include "libgroupkey/numbers.h"

#include <coap3/coap.h>

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct gk_addr loopback = { .ip = { [15] = 1 } };

/* The server is io/coap.c's; its clients are libcoap's, in the same process. */
struct world {
	struct io_coap *coap;
	uint16_t port;
	coap_context_t *clients;
	/* what the server heard */
	size_t requests;
	struct gk_id name; /* of the session of the newest request */
	uint64_t session;  /* ... and its number */
	size_t handshakes;
	bool refuses_raw_keys;
	/* what it got back on requests of its own */
	size_t answers;
	bool sent;
	uint8_t code;
	size_t notifications; /* ... and notifications */
	size_t gone;
	enum gk_notified outcome;
	int64_t notified_ms;
	/* what the clients heard */
	size_t responses;
	uint8_t response;
	size_t asked; /* requests of the server */
	bool mute;    /* they are not answered */
	bool rejects; /* responses, by a Reset */
	size_t closed;
};

static struct world world;

static bool find_psk(void *ctx, struct gk_span identity, struct gk_buf *key, struct gk_id *name)
{
	struct world *w = ctx;

	w->handshakes++;
	if (identity.len < 3 || memcmp(identity.data, "kid", 3) != 0)
		return false;
	gk_buf_add(key, gk_span("sixteen bytes...", 16));
	*name = (struct gk_id){ .len = 1, .data = { identity.data[3] } };
	return true;
}

static uint8_t known_spki[91];

static bool find_raw_key(void *ctx, struct gk_span spki, struct gk_id *name)
{
	const struct world *w = ctx;

	*name = (struct gk_id){ .len = 1, .data = { 'R' } };
	return !w->refuses_raw_keys && gk_span_equal(spki, gk_span(known_spki, sizeof(known_spki)));
}

static void on_request(void *ctx, const struct gk_exchange *exchange, struct gk_span message,
		       struct gk_buf *reply)
{
	struct world *w = ctx;

	(void)message;
	w->requests++;
	w->name = exchange->dtls;
	w->session = exchange->session;
	gk_coap_begin(reply, GK_COAP_CONTENT);
}

static void on_answer(void *ctx, uint64_t id, bool sent, struct gk_span message)
{
	struct world *w = ctx;

	(void)id;
	w->answers++;
	w->sent = sent;
	w->code = message.len ? message.data[0] : 0;
}

static void on_notified(void *ctx, uint64_t id, bool sent, enum gk_notified outcome)
{
	struct world *w = ctx;

	(void)id;
	w->notifications++;
	w->gone += sent && outcome == GK_NOTIFIED_GONE;
	w->sent = sent;
	w->outcome = outcome;
	w->notified_ms = io_now().mono.ms;
}

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent,
				   const coap_pdu_t *received, const coap_mid_t mid)
{
	(void)session, (void)sent, (void)mid;
	world.responses++;
	world.response = (uint8_t)coap_pdu_get_code(received);
	return world.rejects ? COAP_RESPONSE_FAIL : COAP_RESPONSE_OK;
}

static void on_asked(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
		     const coap_string_t *query, coap_pdu_t *response)
{
	(void)resource, (void)session, (void)request, (void)query;
	world.asked++;
	if (!world.mute)
		coap_pdu_set_code(response, COAP_RESPONSE_CODE_CHANGED);
}

static int on_event(coap_session_t *session, coap_event_t event)
{
	(void)session;
	world.closed += event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_DTLS_ERROR;
	return 0;
}

/* The private key of this test, and its public one. */
static const char key_d[] = "\xc9\xaf\xa9\xd8\x45\xba\x75\x16\x6b\x5c\x21\x57\x67\xb1\xd6\x93"
			    "\x4e\x50\xc3\xdb\x36\xe8\x9b\x12\x7b\x8a\x62\x2b\x12\x0f\x67\x21";
static const char key_xy[] = "\x60\xfe\xd4\xba\x25\x5a\x9d\x31\xc9\x61\xeb\x74\xc6\x35\x6d\x68"
			     "\xc0\x49\xb8\x92\x3b\x61\xfa\x6c\xe6\x69\x62\x2e\x60\xf2\x9f\xb6"
			     "\x79\x03\xfe\x10\x08\xb8\xbc\x99\xa4\x1a\xe9\xe9\x56\x28\xbc\x64"
			     "\xf2\xf1\xb2\x0c\x2d\x7e\x9f\x51\x77\xa3\xc2\x94\xd4\x46\x22\x99";

static int open_server(struct world *w, const struct io_coap *old, uint16_t port)
{
	struct io_coap_keys keys = { .psk = find_psk, .raw_key = find_raw_key };
	struct gk_addr listen = loopback;
	int err;

	memcpy(keys.d, key_d, sizeof(keys.d));
	memcpy(keys.xy, key_xy, sizeof(keys.xy));
	assert_int_equal(io_coap_open_beside(&w->coap, old, &listen, on_request, on_answer, w), 0);
	io_coap_on_notified(w->coap, on_notified);
	listen.port = port;
	err = io_coap_open_dtls(w->coap, old, &listen, &keys, w);
	w->port = io_coap_dtls_port(w->coap);
	return err;
}

static int open_world(void **state)
{
	world = (struct world){ .coap = NULL };
	*state = &world;
	if (!io_coap_has_dtls())
		return 0;
	assert_int_equal(open_server(&world, NULL, 0), 0);
	world.clients = coap_new_context(NULL);
	assert_non_null(world.clients);
	coap_register_response_handler(world.clients, on_response);
	coap_register_event_handler(world.clients, on_event);
	coap_resource_t *all = coap_resource_unknown_init(on_asked);
	coap_register_handler(all, COAP_REQUEST_POST, on_asked);
	coap_add_resource(world.clients, all);
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	if (w->clients)
		coap_free_context(w->clients);
	io_coap_close(w->coap);
	return 0;
}

static void turn(struct world *w)
{
	struct pollfd fds[] = { { .fd = io_coap_fd(w->coap), .events = POLLIN },
				{ .fd = coap_context_get_coap_fd(w->clients), .events = POLLIN } };

	(void)poll(fds, 2, 20);
	io_coap_read(w->coap);
	(void)io_coap_next_expiry(w->coap, io_now());
	coap_io_process(w->clients, COAP_IO_NO_WAIT);
}

#define WAIT_FOR(w, condition)                                                                     \
	for (int i_ = 0; !(condition) && i_ < 500; i_++)                                           \
		turn(w);                                                                           \
	assert_true(condition)

static coap_address_t server_address(const struct world *w)
{
	coap_address_t address;

	coap_address_init(&address);
	address.size = sizeof(address.addr.sin6);
	address.addr.sin6.sin6_family = AF_INET6;
	address.addr.sin6.sin6_addr = in6addr_loopback;
	address.addr.sin6.sin6_port = htons(w->port);
	return address;
}

static coap_session_t *connect_with(struct world *w, const char *identity, const char *key)
{
	coap_dtls_cpsk_t setup = {
		.version = COAP_DTLS_CPSK_SETUP_VERSION,
		.psk_info = { .identity = { strlen(identity), (const uint8_t *)identity },
			      .key = { strlen(key), (const uint8_t *)key } },
	};
	coap_address_t address = server_address(w);
	coap_session_t *session =
		coap_new_client_session_psk2(w->clients, NULL, &address, COAP_PROTO_DTLS, &setup);

	assert_non_null(session);
	return session;
}

static void ask(coap_session_t *session)
{
	static uint8_t token;
	coap_pdu_t *pdu = coap_new_pdu(COAP_MESSAGE_CON, COAP_REQUEST_CODE_GET, session);

	token++;
	assert_true(coap_add_token(pdu, 1, &token));
	assert_true(coap_send(session, pdu) >= 0);
}

static void ask_and_hear(struct world *w, coap_session_t *session)
{
	size_t before = w->responses;

	ask(session);
	WAIT_FOR(w, w->responses > before);
}

static bool lacks_dtls(const struct world *w)
{
	return w->coap == NULL;
}

#define NEEDS_DTLS(w)                                                                              \
	if (lacks_dtls(w)) {                                                                       \
		print_message("built without DTLS\n");                                             \
		skip();                                                                            \
	}

static int ask_server(struct world *w, char name, uint32_t timeout_ms)
{
	static uint64_t id;
	static const uint8_t message[] = { GK_COAP_POST, 0xb4, 'n', 'o', 'd', 'e' };
	struct gk_id session = { .len = 1, .data = { (uint8_t)name } };

	return io_coap_request_in(w->coap, ++id, &session, gk_span(message, sizeof(message)),
				  timeout_ms, io_now());
}

static void a_request_has_the_name_of_its_session(void **state)
{
	struct world *w = *state;
	coap_session_t *session;

	NEEDS_DTLS(w);
	session = connect_with(w, "kidA", "sixteen bytes...");
	ask_and_hear(w, session);
	assert_int_equal(w->response, GK_COAP_CONTENT);
	assert_int_equal(w->name.len, 1);
	assert_int_equal(w->name.data[0], 'A');
	assert_int_equal(io_coap_session_count(w->coap), 1);
	coap_session_release(session);
}

static void a_wrong_key_and_an_unknown_identity_get_nowhere(void **state)
{
	struct world *w = *state;
	coap_session_t *wrong, *unknown;

	NEEDS_DTLS(w);
	wrong = connect_with(w, "kidA", "sixteen others..");
	unknown = connect_with(w, "who?", "sixteen bytes...");
	ask(wrong);
	ask(unknown);
	WAIT_FOR(w, w->handshakes >= 2);
	for (int i = 0; i < 40; i++)
		turn(w);
	assert_int_equal(w->requests, 0);
	assert_int_equal(io_coap_session_count(w->coap), 0);
	coap_session_release(wrong);
	coap_session_release(unknown);
}

static void our_requests_go_in_the_session_and_come_back(void **state)
{
	struct world *w = *state;
	coap_session_t *session;

	NEEDS_DTLS(w);
	assert_int_equal(ask_server(w, 'A', 5000), -ENOTCONN);
	session = connect_with(w, "kidA", "sixteen bytes...");
	ask_and_hear(w, session);
	assert_int_equal(ask_server(w, 'B', 5000), -ENOTCONN);
	assert_int_equal(ask_server(w, 'A', 5000), 0);
	assert_int_equal(ask_server(w, 'A', 5000), 0); // waits for its turn
	WAIT_FOR(w, w->answers == 2);
	assert_int_equal(w->asked, 2);
	assert_true(w->sent);
	assert_int_equal(w->code, GK_COAP_CHANGED);
	// and the session is still the client's
	ask_and_hear(w, session);
	assert_int_equal(io_coap_session_count(w->coap), 1);
	coap_session_release(session);
}

/* notifications */

static int notify(struct world *w, char name, uint64_t session, uint32_t timeout_ms)
{
	static uint64_t id = 1000;
	static const uint8_t message[] = { GK_COAP_CONTENT, 0x61, 7, 0xff, 'k' };
	struct gk_id client = { .len = 1, .data = { (uint8_t)name } };

	return io_coap_notify_in(w->coap, ++id, &client, session, gk_span("\x55", 1),
				 gk_span(message, sizeof(message)), timeout_ms, io_now());
}

static coap_session_t *come(struct world *w, const char *identity)
{
	coap_session_t *session = connect_with(w, identity, "sixteen bytes...");

	ask_and_hear(w, session);
	return session;
}

static void assert_notified(const struct world *w, size_t count, enum gk_notified outcome)
{
	assert_int_equal(w->notifications, count);
	assert_true(w->sent);
	assert_int_equal(w->outcome, outcome);
}

/* Only the server's side: what the client does is up to the test. */
static void let_pass(struct world *w, int64_t ms)
{
	int64_t end = io_now().mono.ms + ms;

	while (io_now().mono.ms < end) {
		struct pollfd fd = { .fd = io_coap_fd(w->coap), .events = POLLIN };

		(void)poll(&fd, 1, 10);
		io_coap_read(w->coap);
		(void)io_coap_next_expiry(w->coap, io_now());
	}
}

static void a_notification_goes_in_the_session_and_is_acknowledged(void **state)
{
	struct world *w = *state;
	int64_t begun = io_now().mono.ms;
	coap_session_t *session;

	NEEDS_DTLS(w);
	session = come(w, "kidA");
	assert_int_equal(notify(w, 'A', w->session, 5000), 0);
	WAIT_FOR(w, w->notifications == 1);
	assert_notified(w, 1, GK_NOTIFIED_ACK);
	assert_int_equal(w->responses, 2);
	assert_true(w->notified_ms - begun < 3000); // nothing else was under way
	ask_and_hear(w, session);
	coap_session_release(session);
}

static void a_notification_that_is_reset_is_told(void **state)
{
	struct world *w = *state;
	coap_session_t *session;

	NEEDS_DTLS(w);
	session = come(w, "kidA");
	w->rejects = true;
	assert_int_equal(notify(w, 'A', w->session, 5000), 0);
	WAIT_FOR(w, w->notifications == 1);
	assert_notified(w, 1, GK_NOTIFIED_RESET);
	assert_int_equal(io_coap_session_count(w->coap), 1);
	coap_session_release(session);
}

static void a_notification_that_is_lost_is_not_acknowledged(void **state)
{
	struct world *w = *state;
	int64_t begun;
	coap_session_t *session;

	NEEDS_DTLS(w);
	session = come(w, "kidA");
	begun = io_now().mono.ms;
	assert_int_equal(notify(w, 'A', w->session, 3300), 0);
	let_pass(w, 3500);
	assert_notified(w, 1, GK_NOTIFIED_NOT);
	assert_true(w->notified_ms - begun >= 3300);
	// nor is one whose time libcoap does not know the end of
	assert_int_equal(notify(w, 'A', w->session, 500), 0);
	let_pass(w, 600);
	assert_notified(w, 2, GK_NOTIFIED_NOT);
	coap_session_release(session);
}

/* libcoap goes on with the request, and has not even begun with the notification. */
static void what_waits_behind_a_message_given_up_is_not_acknowledged(void **state)
{
	struct world *w = *state;
	coap_session_t *session;

	NEEDS_DTLS(w);
	session = come(w, "kidA");
	assert_int_equal(ask_server(w, 'A', 300), 0);
	let_pass(w, 400);
	assert_int_equal(w->answers, 1);
	assert_int_equal(notify(w, 'A', w->session, 3300), 0);
	let_pass(w, 3500);
	assert_notified(w, 1, GK_NOTIFIED_NOT);
	// until the client is there again
	w->mute = true;
	WAIT_FOR(w, w->asked > 0 && w->responses == 2);
	assert_int_equal(notify(w, 'A', w->session, 3300), 0);
	WAIT_FOR(w, w->notifications == 2);
	assert_notified(w, 2, GK_NOTIFIED_ACK);
	coap_session_release(session);
}

/* A request that nobody answers is under way till then. */
static void beside_others_an_acknowledgement_shows_at_the_end_of_the_time(void **state)
{
	static const uint8_t message[] = { GK_COAP_GET };
	struct world *w = *state;
	struct gk_addr nobody = loopback;
	coap_session_t *session;
	int64_t begun;

	NEEDS_DTLS(w);
	session = come(w, "kidA");
	nobody.port = 9;
	assert_int_equal(io_coap_request(w->coap, 1, &nobody, gk_span(message, 1), 60000, io_now()),
			 0);
	begun = io_now().mono.ms;
	assert_int_equal(notify(w, 'A', w->session, 3300), 0);
	WAIT_FOR(w, w->notifications == 1);
	assert_notified(w, 1, GK_NOTIFIED_ACK);
	assert_true(w->notified_ms - begun >= 3300);
	assert_int_equal(w->answers, 0);
	coap_session_release(session);
}

static void a_notification_waits_for_a_request_in_the_same_session(void **state)
{
	struct world *w = *state;
	coap_session_t *session;

	NEEDS_DTLS(w);
	session = come(w, "kidA");
	w->mute = true;
	assert_int_equal(ask_server(w, 'A', 400), 0);
	assert_int_equal(notify(w, 'A', w->session, 5000), 0);
	WAIT_FOR(w, w->asked == 1);
	assert_int_equal(w->responses, 1);
	WAIT_FOR(w, w->notifications == 1);
	assert_int_equal(w->answers, 1);
	assert_notified(w, 1, GK_NOTIFIED_ACK);
	coap_session_release(session);
}

static void in_another_session_of_that_name_it_does_not_go(void **state)
{
	struct world *w = *state;
	coap_session_t *older, *newer;
	uint64_t number;

	NEEDS_DTLS(w);
	older = come(w, "kidA");
	number = w->session;
	assert_true(number != 0);
	newer = come(w, "kidA");
	assert_true(w->session != number);
	WAIT_FOR(w, w->closed == 1);
	assert_int_equal(notify(w, 'A', number, 5000), -ENOTCONN);
	assert_int_equal(notify(w, 'A', w->session, 5000), 0);
	WAIT_FOR(w, w->notifications == 1);
	assert_notified(w, 1, GK_NOTIFIED_ACK);
	coap_session_release(older);
	coap_session_release(newer);
}

static void a_session_that_ends_meanwhile_takes_its_notifications_along(void **state)
{
	struct world *w = *state;
	coap_session_t *session;

	NEEDS_DTLS(w);
	session = come(w, "kidA");
	assert_int_equal(notify(w, 'A', w->session, 20000), 0);
	assert_int_equal(notify(w, 'A', w->session, 20000), 0); // waits for its turn
	coap_session_release(session);                          // says good-bye
	for (int i = 0; i < 100 && w->notifications < 2; i++)
		let_pass(w, 10);
	assert_int_equal(w->notifications, 2);
	assert_int_equal(w->gone, 1);
	assert_false(w->sent); // the other
	assert_int_equal(io_coap_session_count(w->coap), 0);
	assert_int_equal(notify(w, 'A', w->session, 5000), -ENOTCONN);
}

static void a_session_ends_when_it_is_told_to(void **state)
{
	struct world *w = *state;
	coap_session_t *session;

	NEEDS_DTLS(w);
	session = connect_with(w, "kidA", "sixteen bytes...");
	ask_and_hear(w, session);
	io_coap_end_sessions(w->coap, &(struct gk_id){ .len = 1, .data = { 'B' } });
	turn(w);
	assert_int_equal(io_coap_session_count(w->coap), 1);
	io_coap_end_sessions(w->coap, &(struct gk_id){ .len = 1, .data = { 'A' } });
	assert_int_equal(ask_server(w, 'A', 5000), -ENOTCONN);
	WAIT_FOR(w, w->closed > 0); // the client was told
	assert_int_equal(io_coap_session_count(w->coap), 0);
	coap_session_release(session);
}

static void a_newer_session_of_a_client_ends_the_older(void **state)
{
	struct world *w = *state;
	coap_session_t *older, *newer, *other;

	NEEDS_DTLS(w);
	older = connect_with(w, "kidA", "sixteen bytes...");
	ask_and_hear(w, older);
	other = connect_with(w, "kidB", "sixteen bytes...");
	ask_and_hear(w, other);
	newer = connect_with(w, "kidA", "sixteen bytes...");
	ask_and_hear(w, newer);
	WAIT_FOR(w, w->closed == 1);
	assert_int_equal(io_coap_session_count(w->coap), 2);
	assert_int_equal(ask_server(w, 'A', 5000), 0);
	WAIT_FOR(w, w->answers == 1);
	assert_int_equal(w->code, GK_COAP_CHANGED);
	coap_session_release(older);
	coap_session_release(newer);
	coap_session_release(other);
}

static void a_session_in_which_nobody_answers_ends(void **state)
{
	struct world *w = *state;
	coap_session_t *session;

	NEEDS_DTLS(w);
	session = connect_with(w, "kidA", "sixteen bytes...");
	ask_and_hear(w, session);
	w->mute = true;
	for (size_t i = 1; i <= 4; i++) {
		assert_int_equal(io_coap_session_count(w->coap), 1);
		assert_int_equal(ask_server(w, 'A', 50), 0);
		WAIT_FOR(w, w->answers == i);
		assert_true(w->sent);
		assert_int_equal(w->code, 0);
	}
	WAIT_FOR(w, io_coap_session_count(w->coap) == 0);
	coap_session_release(session);
}

/* It proves its key in each of them, and says nothing. */
static void sessions_of_one_client_leave_room_for_others(void **state)
{
	static coap_session_t *sessions[IO_COAP_SESSIONS_MAX + 80];
	struct world *w = *state;
	coap_session_t *other;

	NEEDS_DTLS(w);
	for (size_t i = 0; i < IO_COAP_SESSIONS_MAX + 80; i++) {
		sessions[i] = connect_with(w, "kidA", "sixteen bytes...");
		WAIT_FOR(w, w->handshakes > i && coap_session_get_state(sessions[i]) ==
							 COAP_SESSION_STATE_ESTABLISHED);
	}
	other = connect_with(w, "kidB", "sixteen bytes...");
	ask_and_hear(w, other);
	assert_in_range(io_coap_session_count(w->coap), 1, 2);
	coap_session_release(other);
	for (size_t i = 0; i < IO_COAP_SESSIONS_MAX + 80; i++)
		coap_session_release(sessions[i]);
}

static void so_many_sessions_are_kept_and_the_most_silent_makes_room(void **state)
{
	static coap_session_t *sessions[IO_COAP_SESSIONS_MAX + 1];
	struct world *w = *state;
	char identity[] = "kid?????";

	NEEDS_DTLS(w);
	for (size_t i = 0; i <= IO_COAP_SESSIONS_MAX; i++) {
		// two letters name the client, of which one goes into the session's name
		snprintf(identity, sizeof(identity), "kid%c%zu", (char)(1 + i % 255), i);
		sessions[i] = connect_with(w, identity, "sixteen bytes...");
		ask_and_hear(w, sessions[i]);
	}
	turn(w);
	assert_in_range(io_coap_session_count(w->coap), IO_COAP_SESSIONS_MAX - 2,
			IO_COAP_SESSIONS_MAX);
	for (size_t i = 0; i <= IO_COAP_SESSIONS_MAX; i++)
		coap_session_release(sessions[i]);
}

static void the_port_can_be_taken_over(void **state)
{
	struct world *w = *state;
	struct io_coap *old = w->coap;
	coap_session_t *session;
	uint16_t port = w->port;

	NEEDS_DTLS(w);
	assert_int_equal(open_server(w, old, port), 0);
	assert_int_equal(w->port, port);
	io_coap_close(old);
	session = connect_with(w, "kidA", "sixteen bytes...");
	ask_and_hear(w, session);
	coap_session_release(session);
}

static void a_port_of_somebody_else_is_not(void **state)
{
	struct world *w = *state;
	struct io_coap *old = w->coap;

	NEEDS_DTLS(w);
	assert_int_equal(open_server(w, NULL, w->port), -EADDRINUSE);
	io_coap_close(w->coap);
	w->coap = old;
}

/* Of the same key pair as the server's: what matters is who is let in. */
static void a_raw_public_key_is_asked_about(void **state)
{
	static const char head[] =
		"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a"
		"\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
	static uint8_t private_key[121];
	struct world *w = *state;
	coap_dtls_pki_t setup = {
		.version = COAP_DTLS_PKI_SETUP_VERSION,
		.verify_peer_cert = 1,
		.is_rpk_not_cert = 1,
		.pki_key = { .key_type = COAP_PKI_KEY_ASN1,
			     .key.asn1 = { .public_cert = known_spki,
					   .public_cert_len = sizeof(known_spki),
					   .private_key = private_key,
					   .private_key_len = sizeof(private_key),
					   .private_key_type = COAP_ASN1_PKEY_EC } },
	};
	struct gk_buf buf = gk_buf(private_key, sizeof(private_key));
	coap_address_t address;
	coap_session_t *session;

	NEEDS_DTLS(w);
	if (!io_coap_has_raw_keys()) {
		print_message("built without raw public keys\n");
		skip();
	}
	memcpy(known_spki, head, 27);
	memcpy(known_spki + 27, key_xy, 64);
	gk_buf_add(&buf, gk_span("\x30\x77\x02\x01\x01\x04\x20", 7));
	gk_buf_add(&buf, gk_span(key_d, 32));
	gk_buf_add(&buf, gk_span("\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\xa1\x44\x03\x42"
				 "\x00\x04",
				 18));
	gk_buf_add(&buf, gk_span(key_xy, 64));
	assert_int_equal(buf.len, sizeof(private_key));
	address = server_address(w);
	session = coap_new_client_session_pki(w->clients, NULL, &address, COAP_PROTO_DTLS, &setup);
	assert_non_null(session);
	ask_and_hear(w, session);
	assert_int_equal(w->name.data[0], 'R');
	coap_session_release(session);

	// the same once more, when the server does not know it
	w->refuses_raw_keys = true;
	session = coap_new_client_session_pki(w->clients, NULL, &address, COAP_PROTO_DTLS, &setup);
	assert_non_null(session);
	ask(session);
	for (int i = 0; i < 60; i++)
		turn(w);
	assert_int_equal(w->requests, 1);
	coap_session_release(session);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

static int start_libcoap(void **state)
{
	(void)state;
	coap_startup();
	coap_set_log_level((coap_log_t)(getenv("COAP_LOG") ? atoi(getenv("COAP_LOG")) : 0));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_request_has_the_name_of_its_session),
		RULE(a_wrong_key_and_an_unknown_identity_get_nowhere),
		RULE(our_requests_go_in_the_session_and_come_back),
		RULE(a_notification_goes_in_the_session_and_is_acknowledged),
		RULE(a_notification_that_is_reset_is_told),
		RULE(a_notification_that_is_lost_is_not_acknowledged),
		RULE(what_waits_behind_a_message_given_up_is_not_acknowledged),
		RULE(beside_others_an_acknowledgement_shows_at_the_end_of_the_time),
		RULE(a_notification_waits_for_a_request_in_the_same_session),
		RULE(in_another_session_of_that_name_it_does_not_go),
		RULE(a_session_that_ends_meanwhile_takes_its_notifications_along),
		RULE(a_session_ends_when_it_is_told_to),
		RULE(a_newer_session_of_a_client_ends_the_older),
		RULE(a_session_in_which_nobody_answers_ends),
		RULE(sessions_of_one_client_leave_room_for_others),
		RULE(so_many_sessions_are_kept_and_the_most_silent_makes_room),
		RULE(the_port_can_be_taken_over),
		RULE(a_port_of_somebody_else_is_not),
		RULE(a_raw_public_key_is_asked_about),
	};

	return cmocka_run_group_tests(tests, start_libcoap, NULL);
}
