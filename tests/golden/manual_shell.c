// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The shell that the examples of groupkey(3) do not show: one KDC and two nodes in one process, a
 * store in memory with a second place, and a network that loses nothing. tests/golden/manual.sh
 * links it with the examples as they stand in the page.
 */
#include <groupkey.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NODES      2
#define QUEUE_MAX  64
#define STORE_MAX  64
#define KDC_PORT   5683
#define FIRST_PORT 6000

/* the examples' functions */

struct gk_member *node_start(const struct gk_env *env, const struct gk_member_config *config);
void node_receive(struct gk_member *member, const struct gk_exchange *exchange,
		  struct gk_span message);
void node_answer(struct gk_member *member, uint64_t id, struct gk_span message);
void node_expire(struct gk_member *member);
void node_say_on(struct gk_member *member);
struct gk_kdc *kdc_start(const struct gk_env *env, struct gk_span as_key);
void kdc_receive(struct gk_kdc *kdc, const struct gk_exchange *exchange, struct gk_span message);
void kdc_answer(struct gk_kdc *kdc, uint64_t id, struct gk_span message);
void kdc_confirmed(struct gk_kdc *kdc, struct gk_span message);
void kdc_expire(struct gk_kdc *kdc);
void kdc_stop(struct gk_kdc *kdc);

/* and what they call */

struct gk_now shell_now(void);
void shell_request(struct gk_member *member, const struct gk_event *event);
void shell_reply(struct gk_member *member, const struct gk_event *event);
void shell_multicast(struct gk_member *member, struct gk_span bytes);
void shell_confirm(const struct gk_event *event);
void shell_listen(struct gk_member *member, const struct gk_addr *control_group);
bool store_is_old(void);
bool store_first(struct gk_record *record);
bool store_next(struct gk_record *record);
void store_put(const struct gk_record *record);
bool store_commit(void);
void outbox_add(const struct gk_event *event);
void outbox_send(void);

/* everything that is kept */

struct bytes {
	size_t len;
	uint8_t data[2048];
};

/* A message on its way, to be delivered by 'deliver'. */
struct packet {
	void (*deliver)(const struct packet *packet);
	size_t node;
	uint64_t id;
	struct bytes bytes;
};

struct row {
	enum gk_table table;
	struct bytes key, value;
};

struct place {
	struct row rows[STORE_MAX];
	size_t count;
	uint64_t commits;
};

static struct gk_kdc *kdc;
static struct gk_member *nodes[NODES];
static bool listens[NODES]; /* to the KDC's messages to the group */
static struct gk_now now = { { 1000 }, { 1800000000 } };
static struct packet queue[QUEUE_MAX], outbox[QUEUE_MAX];
static size_t queued, outbox_count;
static struct place store, mark /* the second place */, backup;
static struct row pending[STORE_MAX];
static size_t pending_count, store_at;
static uint64_t last_exchange;
static size_t asker[1024]; /* which node an exchange with the KDC is with, by its id */
static uint64_t asked[1024];

static struct bytes copy(struct gk_span span)
{
	struct bytes bytes = { .len = span.len };

	if (span.len > sizeof(bytes.data))
		abort();
	if (span.len)
		memcpy(bytes.data, span.data, span.len);
	return bytes;
}

static struct gk_span span(const struct bytes *bytes)
{
	return (struct gk_span){ bytes->data, bytes->len };
}

struct gk_now shell_now(void)
{
	return now;
}

/* the network */

static size_t index_of(const struct gk_member *member)
{
	size_t i = 0;

	/* the one that is being started is not known yet */
	while (i < NODES && nodes[i] && nodes[i] != member)
		i++;
	return i;
}

static void add(struct packet *packets, size_t *count, const struct packet *packet)
{
	if (*count == QUEUE_MAX)
		abort();
	packets[(*count)++] = *packet;
}

static struct gk_exchange exchange_with(uint16_t port)
{
	struct gk_exchange exchange = { .id = ++last_exchange };

	exchange.peer.ip[15] = 1;
	exchange.peer.port = port;
	exchange.message_id = (uint16_t)last_exchange;
	return exchange;
}

static void ask_kdc(const struct packet *packet)
{
	struct gk_exchange exchange = exchange_with((uint16_t)(FIRST_PORT + packet->node));

	asker[exchange.id % 1024] = packet->node;
	asked[exchange.id % 1024] = packet->id;
	kdc_receive(kdc, &exchange, span(&packet->bytes));
}

static void answer_kdc(const struct packet *packet)
{
	kdc_answer(kdc, packet->id, span(&packet->bytes));
}

static void ask_node(const struct packet *packet)
{
	struct gk_exchange exchange = exchange_with(KDC_PORT);

	asked[exchange.id % 1024] = packet->id;
	node_receive(nodes[packet->node], &exchange, span(&packet->bytes));
}

static void answer_node(const struct packet *packet)
{
	node_answer(nodes[packet->node], packet->id, span(&packet->bytes));
}

void shell_request(struct gk_member *member, const struct gk_event *event)
{
	add(queue, &queued,
	    &(struct packet){ ask_kdc, index_of(member), event->id, copy(event->bytes) });
}

void shell_reply(struct gk_member *member, const struct gk_event *event)
{
	add(queue, &queued,
	    &(struct packet){ answer_kdc, index_of(member), asked[event->id % 1024],
			      copy(event->bytes) });
}

void shell_multicast(struct gk_member *member, struct gk_span bytes)
{
	(void)member;
	for (size_t i = 0; i < NODES; i++)
		add(queue, &queued, &(struct packet){ ask_node, i, 0, copy(bytes) });
}

static void confirm(const struct packet *packet)
{
	kdc_confirmed(kdc, span(&packet->bytes));
}

void shell_confirm(const struct gk_event *event)
{
	add(queue, &queued, &(struct packet){ confirm, 0, 0, copy(event->bytes) });
}

void shell_listen(struct gk_member *member, const struct gk_addr *control_group)
{
	if (index_of(member) < NODES)
		listens[index_of(member)] = control_group->ip[0] == 0xff;
}

/* the KDC's side */

static void add_to_listeners(struct gk_span bytes)
{
	for (size_t i = 0; i < NODES; i++) {
		if (listens[i])
			add(outbox, &outbox_count, &(struct packet){ ask_node, i, 0, copy(bytes) });
	}
}

void outbox_add(const struct gk_event *event)
{
	if (event->kind == GK_EVENT_REPLY)
		add(outbox, &outbox_count,
		    &(struct packet){ answer_node, asker[event->id % 1024], asked[event->id % 1024],
				      copy(event->bytes) });
	else if (event->kind == GK_EVENT_REQUEST)
		add(outbox, &outbox_count,
		    &(struct packet){ ask_node, event->peer.port - (size_t)FIRST_PORT, event->id,
				      copy(event->bytes) });
	else if (event->kind == GK_EVENT_MULTICAST)
		add_to_listeners(event->bytes);
}

void outbox_send(void)
{
	for (size_t i = 0; i < outbox_count; i++)
		add(queue, &queued, &outbox[i]);
	outbox_count = 0;
}

static bool is_at(const struct row *row, const struct row *other)
{
	return row->table == other->table && row->key.len == other->key.len &&
	       memcmp(row->key.data, other->key.data, row->key.len) == 0;
}

static void apply(struct place *place, const struct row *row)
{
	size_t i = 0;

	while (i < place->count && !is_at(&place->rows[i], row))
		i++;
	if (i == STORE_MAX)
		abort();
	if (row->value.len) {
		place->rows[i] = *row;
		place->count += i == place->count;
	} else if (i < place->count) {
		place->rows[i] = place->rows[--place->count];
	}
}

void store_put(const struct gk_record *record)
{
	if (pending_count == STORE_MAX)
		abort();
	pending[pending_count++] =
		(struct row){ record->table, copy(record->key), copy(record->value) };
}

bool store_commit(void)
{
	for (size_t i = 0; i < pending_count; i++) {
		apply(&store, &pending[i]);
		if (pending[i].table >= GK_TABLE_LASTING)
			apply(&mark, &pending[i]);
	}
	pending_count = 0;
	store.commits = ++mark.commits;
	return true;
}

bool store_is_old(void)
{
	return store.commits < mark.commits;
}

static void take_lasting(void)
{
	size_t i = 0;

	while (i < store.count) {
		if (store.rows[i].table >= GK_TABLE_LASTING)
			store.rows[i] = store.rows[--store.count];
		else
			i++;
	}
	for (i = 0; i < mark.count; i++)
		apply(&store, &mark.rows[i]);
}

static int compare(const void *a, const void *b)
{
	return (int)((const struct row *)a)->table - (int)((const struct row *)b)->table;
}

bool store_first(struct gk_record *record)
{
	if (store_is_old())
		take_lasting();
	qsort(store.rows, store.count, sizeof(store.rows[0]), compare);
	store_at = 0;
	return store_next(record);
}

bool store_next(struct gk_record *record)
{
	const struct row *row = &store.rows[store_at];

	if (store_at == store.count)
		return false;
	store_at++;
	*record = (struct gk_record){ .table = row->table,
				      .key = span(&row->key),
				      .value = span(&row->value) };
	return true;
}

/* the play */

static void expire_all(void)
{
	now.mono.ms += 1000;
	now.utc.s++;
	kdc_expire(kdc);
	for (size_t i = 0; i < NODES && nodes[i]; i++)
		node_expire(nodes[i]);
}

/* Deliver all that is on its way, and what follows from it, for ten seconds. */
static void play(void)
{
	for (int second = 0; second < 10; second++) {
		for (size_t i = 0; i < queued; i++)
			queue[i].deliver(&queue[i]);
		queued = 0;
		expire_all();
	}
}

static bool give_random(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	return getrandom(out, len, 0) == (ssize_t)len;
}

static void *give_memory(void *ctx, void *old, size_t size)
{
	(void)ctx;
	if (size)
		return realloc(old, size);
	free(old);
	return NULL;
}

static const struct gk_env env = { NULL, give_random, give_memory };
static const uint8_t as_key[16] = "sixteen bytes..";
static const struct gk_span as_key_span = { as_key, sizeof(as_key) };
static const struct gk_span lights = { (const uint8_t *)"lights", 6 };

static void start_node(size_t i)
{
	static const uint32_t roles = 6;
	char uri[] = "coap://[::1]:6000", name[] = "node0";
	struct gk_client_bundle bundle;
	uint8_t seed[32];

	uri[sizeof(uri) - 2] = (char)('0' + i);
	name[sizeof(name) - 2] = (char)('0' + i);
	if (!give_random(NULL, seed, sizeof(seed)) ||
	    gk_kdc_issue(kdc,
			 &(struct gk_client_spec){ .name = { (const uint8_t *)name, strlen(name) },
						   .groups = &lights,
						   .roles = &roles,
						   .group_count = 1,
						   .lifetime_s = 3600 },
			 now, &bundle))
		abort();
	kdc_expire(kdc); /* what is remembered of the token is stored before it is used */
	nodes[i] = node_start(&env, &(struct gk_member_config){
					    .token = { bundle.token, bundle.token_len },
					    .osc_id = { bundle.osc_id, sizeof(bundle.osc_id) },
					    .ms = { bundle.ms, sizeof(bundle.ms) },
					    .salt = { bundle.salt, sizeof(bundle.salt) },
					    .key_seed = { seed, sizeof(seed) },
					    .kdc = { .ip = { [15] = 1 }, .port = KDC_PORT },
					    .control_base = { (const uint8_t *)uri, strlen(uri) },
				    });
	if (!nodes[i])
		abort();
	play();
}

static struct gk_membership_info info_of(size_t i)
{
	struct gk_membership_info info = { 0 };

	if (gk_member_info(nodes[i], lights, &info))
		abort();
	return info;
}

static int count, failures;

static void result(bool ok, const char *name)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++count, name);
	failures += !ok;
}

/* The process ends without notice: what waited for a commit is lost. */
static bool crash_and_start(void)
{
	pending_count = 0;
	gk_kdc_free(kdc);
	kdc = kdc_start(&env, as_key_span);
	return kdc != NULL;
}

/* A KDC that is made anew from its store knows its members, and they notice nothing. */
static bool survives_restart(void)
{
	int64_t num = info_of(0).num;

	if (!crash_and_start() || gk_kdc_rekey(kdc, lights, now))
		return false;
	kdc_expire(kdc);
	play();
	return info_of(0).num == num + 1 && info_of(1).num == num + 1;
}

static struct gk_group_info group_info(void)
{
	struct gk_group_info info;
	size_t at = 0;

	if (!gk_kdc_group_next(kdc, &at, &info))
		abort();
	return info;
}

/* The rekeying after the restart: nobody got a message of its own. */
static bool all_confirmed_a_multicast(void)
{
	struct gk_group_info info = group_info();

	return info.in_tree == NODES && info.rekeying.confirmed == NODES &&
	       info.rekeying.unicast == 0;
}

/* That the members have confirmed it was no reason to commit. */
static bool what_could_wait_is_known_after_the_end(void)
{
	if (!pending_count)
		return false;
	kdc_stop(kdc);
	kdc = kdc_start(&env, as_key_span);
	return kdc && group_info().confirmed == NODES;
}

/* A node is put out after the backup was made, which still knows it. */
static bool a_backup_brings_nobody_back(void)
{
	static const struct gk_span name = { (const uint8_t *)"node1", 5 };
	int64_t num;

	backup = store;
	if (gk_kdc_ban(kdc, lights, name, now))
		return false;
	kdc_expire(kdc);
	play();
	num = group_info().num;
	if (info_of(0).num != num || info_of(1).joined)
		return false;
	store = backup;
	return crash_and_start() && !store_is_old() && group_info().members == 0 &&
	       group_info().num > num;
}

/* The node that was not put out is told when it asks, and comes back; the other one is refused. */
static bool only_who_was_not_put_out_comes_back(void)
{
	if (gk_member_check(nodes[0], lights, now) || gk_member_join(nodes[1], lights, 6, now))
		return false;
	for (size_t i = 0; i < NODES; i++)
		node_expire(nodes[i]);
	play();
	return info_of(0).joined && info_of(0).num == group_info().num && !info_of(1).joined &&
	       group_info().members == 1;
}

/* @param argv  how many tests were counted before ours */
int main(int argc, char **argv)
{
	if (argc > 1)
		count = atoi(argv[1]);
	if (gk_global_init(&env))
		return EXIT_FAILURE;
	kdc = kdc_start(&env, as_key_span);
	if (!kdc)
		return EXIT_FAILURE;
	for (size_t i = 0; i < NODES; i++)
		start_node(i);
	result(info_of(0).joined && info_of(1).joined, "nodes_of_the_example_join");
	result(info_of(0).num == 2 && info_of(1).num == 2, "the_join_rekeys_the_first");
	node_say_on(nodes[0]);
	play();
	result(info_of(1).accepted == 1 && info_of(0).accepted == 0,
	       "what_one_says_the_other_reads");
	result(survives_restart(), "the_kdc_goes_on_from_its_store");
	result(all_confirmed_a_multicast(), "one_message_to_the_group_rekeys_all");
	result(what_could_wait_is_known_after_the_end(), "what_could_wait_is_written_at_the_end");
	result(a_backup_brings_nobody_back(), "a_backup_brings_nobody_back");
	result(only_who_was_not_put_out_comes_back(), "only_who_was_not_put_out_comes_back");
	for (size_t i = 0; i < NODES; i++)
		gk_member_free(nodes[i]);
	gk_kdc_free(kdc);
	gk_global_cleanup();
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
