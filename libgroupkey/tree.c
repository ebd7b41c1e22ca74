// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "tree.h"

#include "cbor.h"
#include "numbers.h"
#include "scope.h"

#include <string.h>

#define INFO_MAX 16                       /* array head, the longest label, a number of any size */
#define AAD_MAX  (GK_GROUP_NAME_MAX + 23) /* heads, "wrap", and four numbers */

/* An entry: where its parts begin. */
#define INDEX_AT   1
#define VERSION_AT 3
#define SEALED_AT  7

/* derivation */

static const char *const labels[] = {
	[GK_TREE_FRESH] = "fresh", [GK_TREE_UP] = "up",       [GK_TREE_KEY] = "key",
	[GK_TREE_JOIN] = "join",   [GK_TREE_GROW] = "grow",   [GK_TREE_WRAP] = "wrap",
	[GK_TREE_MAC] = "mac",     [GK_TREE_GROUP] = "group",
};

enum gk_err gk_tree_derive(struct gk_span key, enum gk_tree_label label, uint64_t number,
			   uint8_t out[static GK_TREE_KEY_LEN])
{
	uint8_t info_bytes[INFO_MAX], made[GK_TREE_KEY_LEN];
	struct gk_buf info = gk_buf(info_bytes, sizeof(info_bytes));
	enum gk_err err;

	gk_put_array(&info, 2);
	gk_put_text(&info, gk_span_str(labels[label]));
	gk_put_uint(&info, number);
	err = gk_hkdf(gk_span(NULL, 0), key, gk_buf_span(&info), made, sizeof(made));
	if (err == GK_OK)
		memcpy(out, made, sizeof(made));
	gk_wipe(made, sizeof(made));
	return err;
}

struct gk_tree_name gk_tree_child(struct gk_tree_name name, unsigned side)
{
	return (struct gk_tree_name){ .level = (uint8_t)(name.level - 1),
				      .index = (uint16_t)(2 * name.index + side) };
}

uint64_t gk_tree_number(struct gk_tree_name name)
{
	return (uint64_t)name.level << 16 | name.index;
}

void gk_tree_nonce(const struct gk_tree_group *group, uint32_t num,
		   uint8_t out[static GK_TREE_IV_LEN])
{
	memcpy(out, group->base_iv, GK_TREE_IV_LEN);
	for (size_t i = 0; i < sizeof(num); i++)
		out[GK_TREE_IV_LEN - 1 - i] ^= (uint8_t)(num >> 8 * i);
}

/* entries */

/** What a seal or its opening needs: the AEAD's inputs apart from the text. */
struct wrapping {
	uint8_t key[GK_TREE_KEY_LEN], nonce[GK_TREE_IV_LEN], aad[AAD_MAX];
	size_t aad_len;
};

static void put_aad(struct gk_buf *aad, const struct gk_tree_group *group, uint32_t num,
		    struct gk_tree_name child, uint32_t version)
{
	gk_put_array(aad, 6);
	gk_put_text(aad, gk_span_str("wrap"));
	gk_put_text(aad, group->name);
	gk_put_uint(aad, child.level);
	gk_put_uint(aad, child.index);
	gk_put_uint(aad, version);
	gk_put_uint(aad, num);
}

/** @return GK_ERR_RANGE: no group has such a name; else as gk_tree_derive() */
static enum gk_err prepare(struct wrapping *w, const struct gk_tree_group *group, uint32_t num,
			   struct gk_tree_name child, const struct gk_tree_key *key)
{
	struct gk_buf aad = gk_buf(w->aad, sizeof(w->aad));

	put_aad(&aad, group, num, child, key->version);
	w->aad_len = aad.len;
	gk_tree_nonce(group, num, w->nonce);
	if (gk_buf_err(&aad) != GK_OK)
		return GK_ERR_RANGE;
	return gk_tree_derive(gk_span(key->bytes, sizeof(key->bytes)), GK_TREE_WRAP, 0, w->key);
}

static void put_name(struct gk_buf *out, struct gk_tree_name name, uint32_t version)
{
	gk_buf_byte(out, name.level);
	gk_buf_byte(out, (uint8_t)(name.index >> 8));
	gk_buf_byte(out, (uint8_t)name.index);
	for (int shift = 24; shift >= 0; shift -= 8)
		gk_buf_byte(out, (uint8_t)(version >> shift));
}

enum gk_err gk_tree_seal(const struct gk_tree_group *group, uint32_t num, struct gk_tree_name child,
			 const struct gk_tree_key *key, const uint8_t seed[static GK_TREE_KEY_LEN],
			 struct gk_buf *out)
{
	struct wrapping w;
	size_t before = out->len;
	enum gk_err err = prepare(&w, group, num, child, key);

	if (err == GK_OK) {
		put_name(out, child, key->version);
		err = gk_aead_seal(gk_aead_find(GK_ALG_AES_CCM_16_64_128),
				   gk_span(w.key, sizeof(w.key)), gk_span(w.nonce, sizeof(w.nonce)),
				   gk_span(w.aad, w.aad_len), gk_span(seed, GK_TREE_KEY_LEN), out);
	}
	// A buffer that was too small says so; of any other failure it shows nothing.
	if (err != GK_OK && err != GK_ERR_NO_SPACE)
		gk_buf_truncate(out, before);
	gk_wipe(&w, sizeof(w));
	return err;
}

static bool is_for(struct gk_span entry, struct gk_tree_name child)
{
	return entry.data[0] == child.level &&
	       gk_span_uint(gk_span_sub(entry, INDEX_AT, 2)) == child.index;
}

/** @return the entry for a child, or an empty span */
static struct gk_span find_entry(struct gk_span entries, struct gk_tree_name child)
{
	for (size_t at = 0;; at += GK_TREE_ENTRY_LEN) {
		struct gk_span entry = gk_span_sub(entries, at, GK_TREE_ENTRY_LEN);

		if (entry.len < GK_TREE_ENTRY_LEN)
			return gk_span(NULL, 0);
		if (is_for(entry, child))
			return entry;
	}
}

static enum gk_err open_sealed(const struct wrapping *w, struct gk_span sealed,
			       uint8_t seed[static GK_TREE_KEY_LEN])
{
	uint8_t opened[GK_TREE_KEY_LEN];
	struct gk_buf out = gk_buf(opened, sizeof(opened));
	enum gk_err err = gk_aead_open(
		gk_aead_find(GK_ALG_AES_CCM_16_64_128), gk_span(w->key, sizeof(w->key)),
		gk_span(w->nonce, sizeof(w->nonce)), gk_span(w->aad, w->aad_len), sealed, &out);

	if (err == GK_OK)
		memcpy(seed, opened, sizeof(opened));
	gk_wipe(opened, sizeof(opened));
	return err;
}

enum gk_err gk_tree_open(const struct gk_tree_group *group, uint32_t num, struct gk_tree_name child,
			 const struct gk_tree_key *key, struct gk_span entries,
			 uint8_t seed[static GK_TREE_KEY_LEN])
{
	struct gk_span entry = find_entry(entries, child);
	struct wrapping w;
	enum gk_err err;

	if (entry.len == 0)
		return GK_ERR_MISSING;
	if (gk_span_uint(gk_span_sub(entry, VERSION_AT, 4)) != key->version)
		return GK_ERR_CRYPTO;
	err = prepare(&w, group, num, child, key);
	if (err == GK_OK)
		err = open_sealed(&w, gk_span_sub(entry, SEALED_AT, SIZE_MAX), seed);
	gk_wipe(&w, sizeof(w));
	return err;
}
