// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What must hold (docs/state.md section 1), seen by someone who sees every datagram, and looks over
 * the shoulder of whoever encrypts: no key is used with a nonce twice in what was sent, num and Gid
 * never go back, nobody who is out comes back by itself, and there is one key to a num.
 */
#include "libgroupkey/crypto.h"
#include "libgroupkey/member.h"
#include "tests/crash/crash.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_CAP   (1u << 15)
#define SEALED_MAX 512 /* encrypted and not sent; older ones will not be */
#define SAMPLE     16
#define SAMPLE_MIN 8 /* the tag of an empty message */

/* A set of keys with nonces, or with nums, and what goes with each. */
static struct seen {
	uint64_t key, value; /* key 0: free */
} seen[SEEN_CAP];
static size_t seen_count;

/* What was encrypted, and may be sent. */
static struct sealed {
	uint64_t key, value;
	bool of_old_life; /* the key was in use before the last accident */
	size_t len;
	uint8_t sample[SAMPLE]; /* how the ciphertext begins */
} sealed[SEALED_MAX];
static size_t sealed_count;

/* Of each group: the newest that left the router. */
static struct {
	int64_t num;
	struct gk_id gid;
	uint64_t age;
} newest[GROUPS];

/* How many accidents there have been, and the highest num of all groups before the last. */
static uint64_t age;
static int64_t age_num;

void violated(const char *rule, const char *format, ...)
{
	char text[400], line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(line, sizeof(line), "%s: %s", rule, text);
	for (char *c = line; *c; c++) // SQLite says some things in two lines
		*c = *c == '\n' ? ' ' : *c;
	tell("VIOLATED %s", line);
	verdict_add(line);
}

/* FNV-1a, 64 bits, finished by a mixer: by far enough for some thousands. */
static uint64_t digest(uint64_t h, struct gk_span bytes)
{
	h = (h + bytes.len * 257) * UINT64_C(0x9e3779b97f4a7c15) ^ UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < bytes.len; i++)
		h = (h ^ bytes.data[i]) * UINT64_C(0x100000001b3);
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return (h ^ h >> 27) | 1;
}

/* @return what goes with the key; 'value' if it is new */
static uint64_t remember(uint64_t key, uint64_t value)
{
	size_t i = key % SEEN_CAP;

	while (seen[i].key && seen[i].key != key)
		i = (i + 1) % SEEN_CAP;
	if (!seen[i].key) {
		seen[i] = (struct seen){ key, value };
		if (++seen_count > SEEN_CAP / 2)
			abort();
	}
	return seen[i].value;
}

/* (key, nonce) */

enum gk_err __real_gk_aead_seal(const struct gk_aead *aead, struct gk_span key,
				struct gk_span nonce, struct gk_span aad, struct gk_span plaintext,
				struct gk_buf *out);
enum gk_err __wrap_gk_aead_seal(const struct gk_aead *aead, struct gk_span key,
				struct gk_span nonce, struct gk_span aad, struct gk_span plaintext,
				struct gk_buf *out);
enum gk_err __wrap_gk_aead_seal(const struct gk_aead *aead, struct gk_span key,
				struct gk_span nonce, struct gk_span aad, struct gk_span plaintext,
				struct gk_buf *out)
{
	size_t before = out->len;
	enum gk_err err = __real_gk_aead_seal(aead, key, nonce, aad, plaintext, out);

	if (err || out->overflow || out->len - before < SAMPLE_MIN)
		return err;
	struct gk_span text = gk_span(out->data + before, out->len - before);
	struct sealed *s = &sealed[sealed_count++ % SEALED_MAX];
	s->key = digest(digest(1, key), nonce);
	s->value = digest(digest(2, text), aad);
	s->of_old_life = remember(digest(5, key), age) != age;
	s->len = text.len < SAMPLE ? text.len : SAMPLE;
	memcpy(s->sample, text.data, s->len);
	return err;
}

static bool contains(struct gk_span bytes, const struct sealed *s)
{
	return s->key && memmem(bytes.data, bytes.len, s->sample, s->len) != NULL;
}

static void look_for_sealed(struct gk_span bytes, bool by_the_kdc)
{
	size_t count = sealed_count < SEALED_MAX ? sealed_count : SEALED_MAX;

	world.anything_said = true;
	for (size_t i = 0; i < count; i++) {
		if (!contains(bytes, &sealed[i]))
			continue;
		if (remember(sealed[i].key, sealed[i].value) != sealed[i].value)
			violated("no key and nonce twice", "in a message of %zu bytes", bytes.len);
		if (by_the_kdc && sealed[i].of_old_life)
			violated("no key of an old life", "in a message of %zu bytes", bytes.len);
	}
}

void observer_sent(struct gk_span bytes)
{
	look_for_sealed(bytes, true);
}

/* The key for tokens stays. */
void observer_issued(struct gk_span token)
{
	look_for_sealed(token, false);
}

/* num and Gid */

static int group_named(struct gk_span name)
{
	for (int g = 0; g < GROUPS; g++) {
		if (gk_span_equal(name, gk_span_str(group_names[g])))
			return g;
	}
	return -1;
}

static int compare(const struct gk_id *a, const struct gk_id *b)
{
	int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);

	return order ? order : (int)a->len - (int)b->len;
}

static void known(int group, int64_t num, struct gk_span gid)
{
	struct gk_id id;

	if (group < 0 || num <= newest[group].num || gk_id_set(&id, gid))
		return;
	newest[group].num = num;
	newest[group].age = age;
	newest[group].gid = id;
}

static void check_num_and_gid(int g, const struct gk_group_info *info, const char *when)
{
	int order = compare(&info->gid, &newest[g].gid);

	if (info->num < newest[g].num)
		violated("num never goes back", "%s: %s: %lld, was %lld", when, group_names[g],
			 (long long)info->num, (long long)newest[g].num);
	if (order < 0 || (order == 0) != (info->num == newest[g].num))
		violated("a Gid never goes back", "%s: %s: num %lld, was %lld", when,
			 group_names[g], (long long)info->num, (long long)newest[g].num);
}

/* A new prefix for the Gid, and a num that no group had. */
static void check_begun_anew(int g, const struct gk_group_info *info, const char *when)
{
	if (info->num <= age_num)
		violated("an old store goes on above all nums", "%s: %s: %lld, was %lld", when,
			 group_names[g], (long long)info->num, (long long)age_num);
	if (compare(&info->gid, &newest[g].gid) == 0)
		violated("an old store gets new Gids", "%s: %s", when, group_names[g]);
}

static void check_groups(const char *when)
{
	struct gk_group_info info;
	size_t at = 0;

	while (gk_kdc_group_next(world.daemon->kdc, &at, &info)) {
		int g = group_named(info.name);

		if (g >= 0 && newest[g].age != age)
			check_begun_anew(g, &info, when);
		else if (g >= 0 && newest[g].num >= 0)
			check_num_and_gid(g, &info, when);
	}
}

/* One key and one Gid to a num; and one num to a Gid, and to a key. */
static void check_material(const struct node *node, int g, const struct gk_membership *ms)
{
	struct gk_span gid = gk_id_span(&ms->common.gid);
	struct gk_span secret = gk_span(ms->common.master_secret, ms->common.master_secret_len);
	uint64_t keys = digest(digest(3, secret), gid);
	uint64_t num = digest((uint64_t)g + 4, gk_span((const uint8_t *)&ms->num, sizeof(ms->num)));

	if (remember(num, keys) != keys)
		violated("one key to a num", "%s: num %lld, as %s has it", group_names[g],
			 (long long)ms->num, node->name);
	if (remember(digest((uint64_t)g + 40, gid), num) != num)
		violated("one num to a Gid", "%s: num %lld, as %s has it", group_names[g],
			 (long long)ms->num, node->name);
	if (remember(digest((uint64_t)g + 80, secret), num) != num)
		violated("one num to a key", "%s: num %lld, as %s has it", group_names[g],
			 (long long)ms->num, node->name);
	if (ms->num >= node->place[g].out_num)
		violated("a departure is final", "%s: %s gets num %lld, departed before %lld",
			 group_names[g], node->name, (long long)ms->num,
			 (long long)node->place[g].out_num);
	known(g, ms->num, gid);
}

void observer_member(struct node *node)
{
	for (size_t i = 0; i < node->member->group_count; i++) {
		const struct gk_membership *ms = node->member->groups[i];
		int g = group_named(gk_membership_name(ms));

		if (g >= 0 && ms->has_material && ms->num >= 0)
			check_material(node, g, ms);
	}
}

/* notes */

static struct node *node_named(struct gk_span name)
{
	for (int i = 0; i < NODES; i++) {
		if (gk_span_equal(name, gk_span_str(world.node[i].name)))
			return &world.node[i];
	}
	return NULL;
}

static void gone(struct node *node, int g)
{
	node->place[g].out_num = newest[g].num + 1;
	if (node->place[g].settled)
		violated("nobody notices a restart", "%s is out of %s", node->name, group_names[g]);
}

static void on_departure(const struct gk_note *note)
{
	struct node *node = node_named(note->name);
	int g = group_named(note->group);

	if (node && g >= 0)
		gone(node, g);
}

static void on_join(const struct gk_note *note)
{
	struct node *node = node_named(note->name);
	int g = group_named(note->group);

	if (!node || g < 0)
		return;
	if (node->place[g].settled)
		violated("nobody notices a restart", "%s joins %s again", node->name,
			 group_names[g]);
	if (node->place[g].banned || node->revoked)
		violated("a ban is final", "%s joins %s", node->name, group_names[g]);
	if (node->place[g].out_num != INT64_MAX && !node->place[g].wanted &&
	    !node->place[g].unsure && !node->place[g].free)
		violated("a departure is final", "%s joins %s", node->name, group_names[g]);
	if (node->token_void)
		violated("a new key voids tokens", "%s joins %s", node->name, group_names[g]);
	node->place[g].out_num = INT64_MAX;
	node->place[g].astray = false;
}

static void on_token(const struct gk_note *note)
{
	struct node *node = node_named(note->name);

	if (node && node->token_void)
		violated("a new key voids tokens", "%s posts the old one", node->name);
	for (int g = 0; node && g < GROUPS; g++) {
		if (node->place[g].settled)
			violated("nobody notices a restart", "%s posts its token again",
				 node->name);
	}
}

void observer_note(const struct gk_note *note)
{
	static const struct {
		enum gk_note_kind kind;
		void (*take)(const struct gk_note *note);
	} kinds[] = {
		{ GK_NOTE_JOINED, on_join },    { GK_NOTE_REJOINED, on_join },
		{ GK_NOTE_LEFT, on_departure }, { GK_NOTE_EVICTED, on_departure },
		{ GK_NOTE_TOKEN, on_token },
	};

	tell("KDC note %d %.*s %.*s num %lld %s", (int)note->kind, (int)note->name.len,
	     (const char *)note->name.data, (int)note->group.len, (const char *)note->group.data,
	     (long long)note->num, note->reason ? note->reason : "");
	world.anything_said = true;
	if (note->kind == GK_NOTE_REKEYED)
		known(group_named(note->group), note->num, note->gid);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].kind == note->kind)
			kinds[i].take(note);
	}
}

void observer_member_note(struct node *node, const struct gk_note *note)
{
	int g = group_named(note->group);

	tell("%s note %d %.*s num %lld %s", node->name, (int)note->kind, (int)note->group.len,
	     (const char *)note->group.data, (long long)note->num,
	     note->reason ? note->reason : "");
	if (note->kind == GK_NOTE_MESSAGE) {
		world.heard++;
		if (g >= 0 && note->num >= node->place[g].out_num)
			violated("who is out reads nothing", "%s in %s", node->name,
				 group_names[g]);
	}
	// It was told that it stays.
	if (note->kind == GK_NOTE_ERROR && g >= 0 && world.daemon &&
	    observer_lists(node, g, false) &&
	    strcmp(note->reason ? note->reason : "", "the KDC refuses to let us leave") == 0)
		node->place[g].wanted = true;
	if (note->kind != GK_NOTE_LEFT || g < 0)
		return;
	// Who gives up joining does not know whether the KDC has heard of it.
	if (note->num < 0)
		node->place[g].free = true;
	else if (node->place[g].out_num == INT64_MAX)
		node->place[g].out_num = newest[g].num + 1;
}

/* a power cut */

/* It has what it wants, in all its groups. */
static bool is_content(const struct node *node)
{
	bool content = node->member && !node->member->out.busy;

	for (size_t i = 0; content && i < node->member->group_count; i++)
		content = !node->member->groups[i]->wants;
	return content;
}

void observer_cut(void)
{
	sealed_count = 0;
	memset(sealed, 0, sizeof(sealed));
	for (int i = 0; i < NODES; i++) {
		struct node *node = &world.node[i];
		for (int g = 0; g < GROUPS; g++) {
			struct place *p = &node->place[g];
			struct gk_membership_info info = { .num = -1 };

			if (node->member)
				info = world_info(node, g);
			p->settled = p->wanted && !p->astray && !p->unsure &&
				     !node->revoke_unsure && info.joined && is_content(node) &&
				     info.num == newest[g].num;
		}
	}
}

/* Who is out knows what there was up to now, and nothing that comes. */
static void forget_place(struct place *place, int g)
{
	place->settled = false;
	place->astray = true;
	if (place->out_num != INT64_MAX)
		place->out_num = newest[g].num + 1;
}

void observer_accident(void)
{
	tell("an accident");
	age++;
	for (int g = 0; g < GROUPS; g++)
		age_num = newest[g].num > age_num ? newest[g].num : age_num;
	for (int i = 0; i < NODES; i++) {
		world.node[i].forgotten = true;
		for (int g = 0; g < GROUPS; g++)
			forget_place(&world.node[i].place[g], g);
	}
}

uint64_t observer_age(void)
{
	return age;
}

bool observer_astray(void)
{
	for (int i = 0; i < NODES; i++) {
		for (int g = 0; g < GROUPS; g++) {
			const struct place *p = &world.node[i].place[g];
			if (p->astray && p->wanted)
				return true;
		}
	}
	return false;
}

void observer_begin(void)
{
	for (int g = 0; g < GROUPS; g++)
		newest[g].num = -1;
}

void observer_start(void)
{
	check_groups("at the start");
}

bool observer_lists(const struct node *node, int g, bool banned)
{
	struct gk_member_info info;
	size_t at = 0;

	while (gk_kdc_member_next(world.daemon->kdc, gk_span_str(group_names[g]), &at, &info)) {
		if (gk_span_equal(info.name, gk_span_str(node->name)) &&
		    (info.presence == GK_BANNED) == banned)
			return true;
	}
	return false;
}

static void check_place(const struct node *node, int g)
{
	const struct place *p = &node->place[g];

	if (p->out_num != INT64_MAX && !p->wanted && observer_lists(node, g, false))
		violated("a departure is final", "%s is in %s", node->name, group_names[g]);
	if (p->banned && !observer_lists(node, g, true))
		violated("a ban is final", "%s may join %s", node->name, group_names[g]);
}

static bool find_client(const struct node *node, struct gk_client_info *info)
{
	size_t at = 0;

	while (gk_kdc_client_next(world.daemon->kdc, &at, info)) {
		if (gk_span_equal(info->name, gk_span_str(node->name)))
			return true;
	}
	return false;
}

bool observer_revoked(const struct node *node)
{
	struct gk_client_info info;

	return find_client(node, &info) && info.revoked;
}

/* What was handed out, and what the operator was told of it. */
static void check_client(struct node *node)
{
	struct gk_client_info info;
	bool found = find_client(node, &info);

	node->forgotten &= !found;
	if (node->member && !found && !node->forgotten)
		violated("an issued token is remembered", "%s", node->name);
	else if (node->revoked && !observer_revoked(node))
		violated("a revocation is final", "%s", node->name);
}

void observer_quiet(void)
{
	check_groups("when all is quiet");
	for (int i = 0; i < NODES; i++) {
		check_client(&world.node[i]);
		if (world.node[i].member)
			observer_member(&world.node[i]);
		for (int g = 0; g < GROUPS; g++)
			check_place(&world.node[i], g);
	}
}
