// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * Random joins and departures, with all members following (tests/lib/tree.h), and with attackers
 * who have everything: all messages ever sent, and every key that anyone held who left, or who
 * came after a given time. They work in two ways:
 *
 *   by name   as one would: an entry is tried with the key that it names, a key is derived to the
 *             next version of its node, and to those of the node above. So it can be done with
 *             thousands of members.
 *   blindly   in trees of up to 64 slots: every value on every entry, every label and number (but
 *             "fresh", whose secret nobody has) on every value. What comes out, and is no key or
 *             seed of any node, is remembered, in case that it becomes one; no more is made of it.
 *
 * test_keytree_random [SEED]: other random numbers than usual.
 */
#include "libgroupkey/cbor.h"
#include "libgroupkey/crypto.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LEVELS       13
#define SLOTS        4096
#define STAYING      UINT32_MAX

static uint64_t seed_offset;

/** Make room for one more. */
static void *grown(void *rows, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return rows;
	*cap = *cap ? 2 * *cap : 64;
	rows = realloc(rows, *cap * size);
	assert_non_null(rows);
	return rows;
}

static void derive(const uint8_t *key, enum gk_tree_label label, uint64_t number, uint8_t *out)
{
	assert_int_equal(gk_tree_derive(gk_span(key, GK_TREE_KEY_LEN), label, number, out), GK_OK);
}

/* all that ever was: indices begin with 1, and 0 is none */

/** A key that a node had. */
struct old_key {
	struct gk_tree_name name;
	struct gk_tree_key key;
	size_t older, newer; /* versions of the same node */
	size_t above;        /* key of the node above of the same version, if it has one */
	size_t entries;      /* the newest entry sealed under it */
	bool has_seed;       /* it came from a seed */
	uint8_t seed[GK_TREE_KEY_LEN];
	bool known; /* to attackers */
};

struct old_entry {
	struct gk_tree_name child;
	uint32_t version, num;
	uint8_t bytes[GK_TREE_ENTRY_LEN];
	size_t under; /* old_key */
	size_t older; /* entry under the same key */
};

/** A member's time in the group: nums of its first keys and of its last. */
struct stay {
	uint16_t slot;
	uint32_t since, until;
};

struct history {
	struct old_key *keys;
	size_t key_count, key_cap;
	struct old_entry *entries;
	size_t entry_count, entry_cap;
	struct stay *stays;
	size_t stay_count, stay_cap;
	size_t newest[LEVELS][SLOTS];
	size_t stay_of[SLOTS];
	/* as of the rekeying before the newest one */
	size_t keys_before, entries_before;
	/* keys that the attackers have found, and not yet tried everywhere */
	size_t *found, found_count, found_cap;
	size_t opened; /* entries, by them */
};

static struct history *history_new(void)
{
	struct history *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->keys = grown(NULL, 0, &h->key_cap, sizeof(*h->keys));
	h->entries = grown(NULL, 0, &h->entry_cap, sizeof(*h->entries));
	h->stays = grown(NULL, 0, &h->stay_cap, sizeof(*h->stays));
	h->key_count = h->entry_count = h->stay_count = 1;
	return h;
}

static void history_free(struct history *h)
{
	free(h->keys);
	free(h->entries);
	free(h->stays);
	free(h->found);
	free(h);
}

static void keep_key(struct history *h, struct gk_tree_name name, const struct gk_tree_key *key)
{
	size_t *newest = &h->newest[name.level][name.index];

	h->keys = grown(h->keys, h->key_count, &h->key_cap, sizeof(*h->keys));
	h->keys[*newest].newer = h->key_count;
	h->keys[h->key_count] = (struct old_key){ .name = name, .key = *key, .older = *newest };
	*newest = h->key_count++;
}

static void keep_keys(struct history *h, const struct test_tree *t)
{
	for (uint8_t l = 0; l <= t->tree.height; l++) {
		for (size_t i = 0; i < (size_t)1 << (t->tree.height - l); i++) {
			const struct gk_keytree_node *node = &t->tree.level[l][i];
			size_t newest = h->newest[l][i];

			if (node->has_key &&
			    (!newest || h->keys[newest].key.version != node->key.version))
				keep_key(h, (struct gk_tree_name){ l, (uint16_t)i }, &node->key);
		}
	}
	for (size_t k = h->keys_before; k < h->key_count; k++) {
		struct gk_tree_name name = h->keys[k].name;
		size_t above =
			name.level + 1 < LEVELS ? h->newest[name.level + 1][name.index / 2] : 0;

		if (above && h->keys[above].key.version == h->keys[k].key.version)
			h->keys[k].above = above;
	}
}

/** @return the key of a node that was the newest one at a num, or 0 */
static size_t key_at(const struct history *h, unsigned level, size_t index, uint32_t num)
{
	size_t k = level < LEVELS ? h->newest[level][index] : 0;

	while (k && h->keys[k].key.version > num)
		k = h->keys[k].older;
	return k;
}

/** Keep the seeds too, that of a node and those above, which no one but its members can tell from
 *  an entry: attackers must not come to them by any other way. */
static void keep_seeds(struct history *h, const struct test_tree *t, const struct old_entry *e)
{
	size_t k = key_at(h, e->child.level + 1u, e->child.index / 2, e->num);
	uint8_t seed[GK_TREE_KEY_LEN], made[GK_TREE_KEY_LEN];

	assert_int_equal(gk_tree_open(&t->tree.group, e->num, e->child, &h->keys[e->under].key,
				      gk_span(e->bytes, sizeof(e->bytes)), seed),
			 GK_OK);
	for (; k && !h->keys[k].has_seed; k = h->keys[k].above) {
		derive(seed, GK_TREE_KEY, 0, made);
		if (memcmp(made, h->keys[k].key.bytes, sizeof(made)) != 0)
			return; // the chain goes on from the other child
		h->keys[k].has_seed = true;
		memcpy(h->keys[k].seed, seed, sizeof(seed));
		derive(seed, GK_TREE_UP, 0, seed);
	}
}

static void keep_entry(struct history *h, const struct test_tree *t, const uint8_t *bytes)
{
	struct old_entry e = { .child = { bytes[0], (uint16_t)(bytes[1] << 8 | bytes[2]) },
			       .version = (uint32_t)gk_span_uint(gk_span(bytes + 3, 4)),
			       .num = t->num };

	memcpy(e.bytes, bytes, sizeof(e.bytes));
	e.under = h->newest[e.child.level][e.child.index];
	assert_int_not_equal(e.under, 0);
	assert_int_equal(h->keys[e.under].key.version, e.version);
	e.older = h->keys[e.under].entries;
	h->entries = grown(h->entries, h->entry_count, &h->entry_cap, sizeof(*h->entries));
	h->keys[e.under].entries = h->entry_count;
	h->entries[h->entry_count++] = e;
	keep_seeds(h, t, &e);
}

static void keep_stays(struct history *h, const struct test_tree *t)
{
	for (size_t slot = 0; slot < t->slot_count; slot++) {
		if (!t->slot[slot].member || t->slot[slot].since != t->num)
			continue;
		h->stays = grown(h->stays, h->stay_count, &h->stay_cap, sizeof(*h->stays));
		h->stays[h->stay_count] = (struct stay){ (uint16_t)slot, t->num, STAYING };
		h->stay_of[slot] = h->stay_count++;
	}
}

/** After a rekeying. */
static void keep(struct history *h, const struct test_tree *t)
{
	h->keys_before = h->key_count;
	h->entries_before = h->entry_count;
	keep_keys(h, t);
	for (size_t i = 0; i < t->entries; i++)
		keep_entry(h, t, t->message.entries.data + i * GK_TREE_ENTRY_LEN);
	keep_stays(h, t);
}

/* attackers who go by names */

static void find_key(struct history *h, size_t k)
{
	if (h->keys[k].known)
		return;
	h->keys[k].known = true;
	h->found = grown(h->found, h->found_count, &h->found_cap, sizeof(*h->found));
	h->found[h->found_count++] = k;
}

static void find_if_equal(struct history *h, size_t k, const uint8_t *bytes)
{
	if (memcmp(h->keys[k].key.bytes, bytes, GK_TREE_KEY_LEN) == 0)
		find_key(h, k);
}

/** The seed of a node leads to its key, and to the seed of the node above. */
static void use_seed(struct history *h, size_t k, const uint8_t *opened)
{
	uint8_t seed[GK_TREE_KEY_LEN], made[GK_TREE_KEY_LEN];

	memcpy(seed, opened, sizeof(seed));
	for (; k; k = h->keys[k].above) {
		derive(seed, GK_TREE_KEY, 0, made);
		find_if_equal(h, k, made);
		derive(seed, GK_TREE_UP, 0, seed);
	}
}

static void open_entry(struct history *h, const struct test_tree *t, size_t at)
{
	const struct old_entry *e = &h->entries[at];
	uint8_t seed[GK_TREE_KEY_LEN];

	assert_int_equal(gk_tree_open(&t->tree.group, e->num, e->child, &h->keys[e->under].key,
				      gk_span(e->bytes, sizeof(e->bytes)), seed),
			 GK_OK);
	h->opened++;
	use_seed(h, key_at(h, e->child.level + 1u, e->child.index / 2, e->num), seed);
}

/** To the version before, which may be the same key. */
static void try_previous(struct history *h, size_t from)
{
	if (h->keys[from].older)
		find_if_equal(h, h->keys[from].older, h->keys[from].key.bytes);
}

/** From one version of a node to the next. */
static void try_next(struct history *h, size_t from, size_t to)
{
	uint8_t made[GK_TREE_KEY_LEN];

	if (!to || h->keys[to].known)
		return;
	find_if_equal(h, to, h->keys[from].key.bytes);
	derive(h->keys[from].key.bytes, GK_TREE_JOIN, h->keys[to].key.version, made);
	find_if_equal(h, to, made);
	derive(h->keys[from].key.bytes, GK_TREE_KEY, 0, made);
	find_if_equal(h, to, made);
	derive(h->keys[from].key.bytes, GK_TREE_UP, 0, made);
	if (h->keys[to].has_seed && memcmp(made, h->keys[to].seed, sizeof(made)) == 0)
		find_key(h, to);
}

/** From a node to the one above, as if that were new. */
static void try_grow(struct history *h, size_t from)
{
	struct gk_tree_name name = h->keys[from].name;
	size_t to = name.index == 0 && name.level + 1 < LEVELS ? h->newest[name.level + 1][0] : 0;
	uint8_t made[GK_TREE_KEY_LEN];

	if (!to)
		return;
	derive(h->keys[from].key.bytes, GK_TREE_GROW, name.level + 1u, made);
	for (; to && h->keys[to].key.version >= h->keys[from].key.version; to = h->keys[to].older)
		find_if_equal(h, to, made);
}

/** Use all that was found, and what that leads to. */
static void exploit(struct history *h, const struct test_tree *t)
{
	while (h->found_count > 0) {
		size_t k = h->found[--h->found_count];

		for (size_t e = h->keys[k].entries; e; e = h->entries[e].older)
			open_entry(h, t, e);
		try_previous(h, k);
		try_next(h, k, h->keys[k].newer);
		try_grow(h, k);
	}
}

/** What is known of old leads on in the newest message. */
static void exploit_message(struct history *h, const struct test_tree *t)
{
	for (size_t e = h->entries_before; e < h->entry_count; e++) {
		if (h->keys[h->entries[e].under].known)
			open_entry(h, t, e);
	}
	for (size_t k = h->keys_before; k < h->key_count; k++) {
		struct gk_tree_name name = h->keys[k].name;

		if (h->keys[k].older && h->keys[h->keys[k].older].known)
			try_next(h, h->keys[k].older, k);
		if (h->keys[k].older || name.level == 0 || name.index > 0)
			continue;
		// the first key of a node on the left may be a grown one
		for (size_t below = h->newest[name.level - 1][0]; below;
		     below = h->keys[below].older) {
			if (h->keys[below].known)
				try_grow(h, below);
		}
	}
	exploit(h, t);
}

/** All keys that someone held. */
static void rob(struct history *h, const struct stay *stay)
{
	for (unsigned l = 0; l < LEVELS; l++) {
		size_t k = key_at(h, l, (size_t)stay->slot >> l, stay->until);

		for (; k && h->keys[k].key.version >= stay->since; k = h->keys[k].older)
			find_key(h, k);
	}
}

static void expect_no_current_key_known(const struct history *h, const struct test_tree *t)
{
	for (unsigned l = 0; l <= t->tree.height; l++) {
		for (size_t i = 0; i < (size_t)1 << (t->tree.height - l); i++) {
			if (t->tree.level[l][i].has_key && h->keys[h->newest[l][i]].known)
				fail_msg("seed %llu, num %u: who left has the key of (%u, %zu)",
					 t->seed, t->num, l, i);
		}
	}
}

static void forget_all(struct history *h)
{
	for (size_t k = 1; k < h->key_count; k++)
		h->keys[k].known = false;
}

/** All who came at a num or later, with all they got since, learn of nothing that was before. */
static void expect_nothing_earlier_known(const struct history *h, uint32_t num)
{
	for (size_t k = 1; k < h->key_count; k++) {
		if (h->keys[k].known && h->keys[k].key.version < num)
			fail_msg("who came at num %u has the key of (%u, %u) of num %u", num,
				 h->keys[k].name.level, h->keys[k].name.index,
				 h->keys[k].key.version);
	}
}

/* attackers who try everything */

/** Keys and seeds, found by their bytes. */
struct value_set {
	struct value {
		uint8_t bytes[GK_TREE_KEY_LEN];
		bool used;
	} * slots;
	size_t count, size; /* a power of two */
};

static size_t place_in(const struct value_set *set, const uint8_t *bytes)
{
	size_t at = (size_t)gk_span_uint(gk_span(bytes, 8)) & (set->size - 1);

	while (set->slots[at].used && memcmp(set->slots[at].bytes, bytes, GK_TREE_KEY_LEN) != 0)
		at = (at + 1) & (set->size - 1);
	return at;
}

static bool set_has(const struct value_set *set, const uint8_t *bytes)
{
	return set->size && set->slots[place_in(set, bytes)].used;
}

static void set_resize(struct value_set *set)
{
	struct value_set bigger = { .size = set->size ? 4 * set->size : 1024, .count = set->count };

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	assert_non_null(bigger.slots);
	for (size_t i = 0; i < set->size; i++) {
		if (set->slots[i].used)
			bigger.slots[place_in(&bigger, set->slots[i].bytes)] = set->slots[i];
	}
	free(set->slots);
	*set = bigger;
}

/** @return false: it was there */
static bool set_add(struct value_set *set, const uint8_t *bytes)
{
	struct value *slot;

	if (set->count >= set->size / 2)
		set_resize(set);
	slot = &set->slots[place_in(set, bytes)];
	if (slot->used)
		return false;
	memcpy(slot->bytes, bytes, sizeof(slot->bytes));
	slot->used = true;
	set->count++;
	return true;
}

/** A value that the attackers hold. */
struct loot {
	uint8_t bytes[GK_TREE_KEY_LEN], wrap[GK_TREE_KEY_LEN];
	unsigned ups; /* how often "up" makes a seed of it that may be one */
};

struct ciphertext {
	uint8_t nonce[GK_TREE_IV_LEN], aad[64], sealed[24];
	size_t aad_len;
	unsigned level;
};

struct blind {
	struct value_set real; /* all keys and seeds that any node ever had */
	struct value_set held, made;
	struct loot *loot;
	size_t loot_count, loot_cap, tried;
	struct ciphertext *ciphertexts;
	size_t ciphertext_count, ciphertext_cap;
	uint32_t num;
	unsigned height;
	size_t opened;
};

static void blind_free(struct blind *b)
{
	free(b->real.slots);
	free(b->held.slots);
	free(b->made.slots);
	free(b->loot);
	free(b->ciphertexts);
}

static void hold(struct blind *b, const uint8_t *bytes, unsigned ups)
{
	struct loot loot = { .ups = ups };

	if (!set_add(&b->held, bytes))
		return;
	memcpy(loot.bytes, bytes, sizeof(loot.bytes));
	derive(loot.bytes, GK_TREE_WRAP, 0, loot.wrap);
	b->loot = grown(b->loot, b->loot_count, &b->loot_cap, sizeof(*b->loot));
	b->loot[b->loot_count++] = loot;
}

/** Nearly all that can be derived is nothing; of that, no more is derived. */
static void consider(struct blind *b, const uint8_t *from, enum gk_tree_label label,
		     uint64_t number)
{
	uint8_t made[GK_TREE_KEY_LEN];

	derive(from, label, number, made);
	set_add(&b->made, made);
	if (set_has(&b->real, made))
		hold(b, made, b->height);
}

static void try_ciphertext(struct blind *b, struct loot loot, const struct ciphertext *c)
{
	uint8_t seed[GK_TREE_KEY_LEN];
	struct gk_buf out = gk_buf(seed, sizeof(seed));

	if (gk_aead_open(gk_aead_find(GK_ALG_AES_CCM_16_64_128), gk_span(loot.wrap, 16),
			 gk_span(c->nonce, sizeof(c->nonce)), gk_span(c->aad, c->aad_len),
			 gk_span(c->sealed, sizeof(c->sealed)), &out) != GK_OK)
		return;
	b->opened++;
	hold(b, seed, b->height > c->level ? b->height - c->level : 0);
}

static void use_loot(struct blind *b, struct loot loot)
{
	uint8_t above[GK_TREE_KEY_LEN];

	for (size_t i = 0; i < b->ciphertext_count; i++)
		try_ciphertext(b, loot, &b->ciphertexts[i]);
	for (enum gk_tree_label label = GK_TREE_UP; label <= GK_TREE_GROUP; label++)
		consider(b, loot.bytes, label, 0);
	for (uint32_t num = 1; num <= b->num; num++)
		consider(b, loot.bytes, GK_TREE_JOIN, num);
	for (unsigned level = 1; level <= GK_TREE_HEIGHT_MAX; level++)
		consider(b, loot.bytes, GK_TREE_GROW, level);
	if (!loot.ups)
		return;
	derive(loot.bytes, GK_TREE_UP, 0, above);
	hold(b, above, loot.ups - 1);
}

static void use_all_loot(struct blind *b)
{
	while (b->tried < b->loot_count)
		use_loot(b, b->loot[b->tried++]);
}

/** docs/rekeying.md section 4, step 6, once more. */
static struct ciphertext ciphertext_of(const struct gk_tree_group *group, const struct old_entry *e)
{
	struct ciphertext c = { .level = e->child.level };
	struct gk_buf aad = gk_buf(c.aad, sizeof(c.aad));

	gk_put_array(&aad, 6);
	gk_put_text(&aad, gk_span_str("wrap"));
	gk_put_text(&aad, group->name);
	gk_put_uint(&aad, e->child.level);
	gk_put_uint(&aad, e->child.index);
	gk_put_uint(&aad, e->version);
	gk_put_uint(&aad, e->num);
	c.aad_len = gk_buf_span(&aad).len;
	gk_tree_nonce(group, e->num, c.nonce);
	memcpy(c.sealed, e->bytes + 7, sizeof(c.sealed));
	return c;
}

static void see_entry(struct blind *b, const struct gk_tree_group *group, const struct old_entry *e)
{
	struct ciphertext c = ciphertext_of(group, e);

	b->ciphertexts = grown(b->ciphertexts, b->ciphertext_count, &b->ciphertext_cap,
			       sizeof(*b->ciphertexts));
	b->ciphertexts[b->ciphertext_count++] = c;
	for (size_t i = 0; i < b->tried; i++)
		try_ciphertext(b, b->loot[i], &c);
}

static void see_value(struct blind *b, const uint8_t *value)
{
	set_add(&b->real, value);
	if (set_has(&b->made, value))
		hold(b, value, b->height);
}

/** A rekeying: what was derived before may be a key now, and what is held may open something. */
static void see_rekeying(struct blind *b, const struct history *h, const struct test_tree *t)
{
	b->num = t->num;
	b->height = t->tree.height;
	for (size_t k = h->keys_before; k < h->key_count; k++) {
		see_value(b, h->keys[k].key.bytes);
		if (h->keys[k].has_seed)
			see_value(b, h->keys[k].seed);
	}
	for (size_t e = h->entries_before; e < h->entry_count; e++)
		see_entry(b, &t->tree.group, &h->entries[e]);
	for (size_t i = 0; i < b->tried; i++)
		consider(b, b->loot[i].bytes, GK_TREE_JOIN, t->num);
	use_all_loot(b);
}

static void rob_blindly(struct blind *b, const struct history *h, const struct stay *stay)
{
	for (unsigned l = 0; l < LEVELS; l++) {
		size_t k = key_at(h, l, (size_t)stay->slot >> l, stay->until);

		for (; k && h->keys[k].key.version >= stay->since; k = h->keys[k].older)
			hold(b, h->keys[k].key.bytes, 0);
	}
}

static void expect_no_current_key_held(const struct blind *b, const struct test_tree *t)
{
	for (unsigned l = 0; l <= t->tree.height; l++) {
		for (size_t i = 0; i < (size_t)1 << (t->tree.height - l); i++) {
			const struct gk_keytree_node *node = &t->tree.level[l][i];

			if (node->has_key && (set_has(&b->held, node->key.bytes) ||
					      set_has(&b->made, node->key.bytes)))
				fail_msg("seed %llu, num %u: who left has the key of (%u, %zu)",
					 t->seed, t->num, l, i);
		}
	}
}

/** Attackers who see all of a history at once, and hold nothing yet. */
static struct blind blind_from(const struct history *h, const struct test_tree *t)
{
	struct blind b = { .num = t->num, .height = t->tree.height };

	for (size_t k = 1; k < h->key_count; k++) {
		see_value(&b, h->keys[k].key.bytes);
		if (h->keys[k].has_seed)
			see_value(&b, h->keys[k].seed);
	}
	for (size_t e = 1; e < h->entry_count; e++)
		see_entry(&b, &t->tree.group, &h->entries[e]);
	return b;
}

static void expect_nothing_earlier_held(const struct blind *b, const struct history *h,
					uint32_t num)
{
	for (size_t k = 1; k < h->key_count; k++) {
		const struct gk_tree_key *key = &h->keys[k].key;

		if (key->version < num &&
		    (set_has(&b->held, key->bytes) || set_has(&b->made, key->bytes)))
			fail_msg("who came at num %u has a key of num %u", num, key->version);
	}
}

/* what happens */

struct run {
	struct test_tree *t;
	struct history *h;
	struct blind *blind; /* NULL: by name */
	bool filling;
	struct stay *gone; /* since the last rekeying */
	size_t gone_count, gone_cap;
};

static void leave(struct run *r, uint16_t slot)
{
	if (r->t->slot[slot].member) {
		struct stay *stay = &r->h->stays[r->h->stay_of[slot]];

		stay->until = r->t->num;
		r->gone = grown(r->gone, r->gone_count, &r->gone_cap, sizeof(*r->gone));
		r->gone[r->gone_count++] = *stay;
	}
	test_tree_leave(r->t, slot);
}

static void leave_any(struct run *r)
{
	size_t slot = test_tree_random(r->t, 1u << r->t->tree.height);

	if (r->t->members == 0)
		return;
	while (!test_tree_is_taken(r->t, slot))
		slot = (slot + 1) & (((size_t)1 << r->t->tree.height) - 1);
	leave(r, (uint16_t)slot);
}

static void join_any(struct run *r)
{
	if (r->t->members < r->t->slot_count)
		test_tree_join(r->t);
}

static void one_of_them(struct run *r)
{
	if (test_tree_random(r->t, 4) < (r->filling ? 3u : 1u))
		join_any(r);
	else
		leave_any(r);
}

static void several(struct run *r)
{
	size_t free = r->t->slot_count - r->t->members;
	size_t joins = test_tree_random(r->t, (uint32_t)free / (r->filling ? 2 : 8) + 2);
	size_t leaves = test_tree_random(r->t, (uint32_t)r->t->members / (r->filling ? 8 : 2) + 2);

	while (joins + leaves > 0) {
		if (test_tree_random(r->t, (uint32_t)(joins + leaves)) < joins) {
			joins--;
			join_any(r);
		} else {
			leaves--;
			leave_any(r);
		}
	}
}

/** All below some node go; others may take their slots at once. */
static void whole_subtree(struct run *r)
{
	unsigned level = 1 + test_tree_random(r->t, r->t->tree.height);
	size_t index = test_tree_random(r->t, 1u << (r->t->tree.height - level));
	size_t joins = test_tree_random(r->t, 2) ? test_tree_random(r->t, 1u << level) : 0;

	for (size_t slot = index << level; slot < (index + 1) << level; slot++) {
		if (test_tree_is_taken(r->t, slot))
			leave(r, (uint16_t)slot);
	}
	while (joins-- > 0)
		join_any(r);
}

static void nobody(struct run *r)
{
	(void)r;
}

static void something(struct run *r)
{
	static const struct {
		unsigned weight;
		void (*happens)(struct run *r);
	} kinds[] = { { 14, one_of_them }, { 4, several }, { 1, whole_subtree }, { 1, nobody } };
	unsigned dice = test_tree_random(r->t, 20);
	size_t kind = 0;

	if (r->t->members == r->t->slot_count)
		r->filling = false;
	if (r->t->members == 0)
		r->filling = true;
	while (dice >= kinds[kind].weight)
		dice -= kinds[kind++].weight;
	kinds[kind].happens(r);
}

static void attack(struct run *r)
{
	if (r->blind) {
		see_rekeying(r->blind, r->h, r->t);
		for (size_t i = 0; i < r->gone_count; i++)
			rob_blindly(r->blind, r->h, &r->gone[i]);
		use_all_loot(r->blind);
		expect_no_current_key_held(r->blind, r->t);
	} else {
		for (size_t i = 0; i < r->gone_count; i++)
			rob(r->h, &r->gone[i]);
		exploit(r->h, r->t);
		exploit_message(r->h, r->t);
		expect_no_current_key_known(r->h, r->t);
	}
}

static void expect_log2_at_most(const struct run *r, bool joined)
{
	if (r->gone_count == 1 && !joined)
		assert_true(r->t->entries <= r->t->tree.height);
	if (r->gone_count == 0)
		assert_int_equal(r->t->entries, 0);
}

static void step(struct run *r)
{
	something(r);
	r->t->num += test_tree_random(r->t, 16) == 0; // it need not grow by one
	test_tree_rekey(r->t);
	expect_log2_at_most(r, r->t->message.joined_count > 0);
	keep(r->h, r->t);
	attack(r);
	r->gone_count = 0;
}

/** @return true if a stay is the first of its num, and that is far enough from the last one */
static bool is_time_to_look(const struct run *r, size_t s, uint32_t *looked)
{
	const struct stay *stay = &r->h->stays[s];

	if (stay[-1].since == stay->since || *looked - stay->since < r->t->num / 32)
		return false;
	*looked = stay->since;
	return true;
}

/** Beginning with the last, who came joins those who came later; of what was before the first of
 *  them, they know nothing. */
static void look_back(struct run *r)
{
	struct blind b = blind_from(r->h, r->t);
	uint32_t looked = r->t->num;

	forget_all(r->h);
	for (size_t s = r->h->stay_count - 1; s > 0; s--) {
		const struct stay *stay = &r->h->stays[s];

		if (r->blind)
			rob_blindly(&b, r->h, stay);
		else
			rob(r->h, stay);
		if (!is_time_to_look(r, s, &looked))
			continue;
		use_all_loot(&b);
		exploit(r->h, r->t);
		expect_nothing_earlier_held(&b, r->h, stay->since);
		expect_nothing_earlier_known(r->h, stay->since);
	}
	blind_free(&b);
}

struct plan {
	size_t slots, at_once; /* who join before the first rekeying */
	unsigned steps, runs;  /* a tree grows but a few times, in the first steps of a run */
};

/** @return how many entries the attackers opened */
static size_t run(const struct plan *plan, uint64_t seed, struct blind *blind)
{
	struct run r = { .t = test_tree_new(seed + seed_offset, plan->slots),
			 .h = history_new(),
			 .blind = blind,
			 .filling = true };
	size_t opened;

	test_tree_join_many(r.t, plan->at_once);
	for (unsigned i = 0; i < plan->steps; i++)
		step(&r);
	look_back(&r);
	opened = blind ? blind->opened : r.h->opened;
	history_free(r.h);
	test_tree_free(r.t);
	free(r.gone);
	return opened;
}

static void all_members_follow_and_nobody_else_knows_a_key(void **state)
{
	static const struct plan plans[] = {
		{ 8, 0, 4000, 1 },    { 16, 0, 10, 70 },  { 64, 0, 3000, 1 },    { 128, 2, 40, 25 },
		{ 512, 100, 800, 1 }, { 4096, 1, 10, 2 }, { 4096, 3000, 80, 1 },
	};
	size_t opened = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(plans); i++) {
		for (unsigned n = 0; n < plans[i].runs; n++)
			opened += run(&plans[i], 100 * i + n, NULL);
	}
	assert_true(opened > 10000); // else they were no attackers
}

static void trying_everything_on_everything_gives_no_key(void **state)
{
	static const struct plan plans[] = {
		{ 4, 0, 100, 1 }, { 16, 0, 10, 14 }, { 16, 3, 80, 1 }, { 64, 40, 80, 1 }
	};
	size_t opened = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(plans); i++) {
		for (unsigned n = 0; n < plans[i].runs; n++) {
			struct blind b = { .num = 0 };

			opened += run(&plans[i], 1000 + 100 * i + n, &b);
			blind_free(&b);
		}
	}
	assert_true(opened > 300);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_members_follow_and_nobody_else_knows_a_key),
		cmocka_unit_test(trying_everything_on_everything_gives_no_key),
	};

	seed_offset = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
