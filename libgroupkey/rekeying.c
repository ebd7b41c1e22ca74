// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "rekeying.h"

#include "cose.h"
#include "numbers.h"
#include "scope.h"

#include <string.h>

/* What the KDC signs here begins with the head of an array and this text. The same key signs
 * nonces that clients choose (R 4.3.1), in what begins with the head of a byte string. */
#define CONTEXT "ACE group rekeying tree"

/* A content and a signature, with heads, a text in front and a group's name. */
#define COVERED_MAX (GK_REKEYING_COAP_MAX + GK_SIG_LEN + GK_GROUP_NAME_MAX + 48)
/* "confirmation", a group's name, two numbers, a digest and a key, with heads */
#define CONFIRMED_MAX (GK_GROUP_NAME_MAX + GK_HASH_LEN + GK_TREE_KEY_LEN + 32)
#define AAD_MAX       (GK_GROUP_NAME_MAX + 24) /* heads, "group", and two numbers: 19 */

#define PATH_MIN  (2 * GK_KEYPATH_NODE_LEN) /* leaf and root */
#define PATH_MAX  ((GK_TREE_HEIGHT_MAX + 1) * GK_KEYPATH_NODE_LEN)
#define NONCE_MAX 64 /* of a KDC; ours is of 8 bytes */
#define GID_MAX   8  /* struct gk_id */

#define COAP_HEADER_LEN 4 /* with an empty token: RFC 7252 section 3 */

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* arrays, read by a table */

/** An element: its kind, and bounds of the number or of the string's length. */
struct element {
	unsigned kind;
	int64_t min, max;
};

static bool in_bounds(const struct element *element, const struct gk_cbor_item *item)
{
	int64_t value = item->kind == GK_CBOR_UINT ? item->number : (int64_t)item->string.len;

	return value >= element->min && value <= element->max;
}

static struct gk_cbor_item read_element(struct gk_cbor *c, const struct element *element)
{
	struct gk_cbor_item item = gk_cbor_item(c, element->kind);

	if (!in_bounds(element, &item))
		gk_cbor_fail(c, GK_ERR_RANGE);
	return item;
}

/** Read an array of 'all' elements, or of the first 'some' of them, where the others are absent. */
static enum gk_err read_array(struct gk_span input, const struct element *elements, size_t some,
			      size_t all, struct gk_cbor_item *items)
{
	struct gk_cbor c = gk_cbor(input);
	struct gk_cbor_iter iter = gk_cbor_array(&c);
	size_t count = 0;

	for (size_t i = 0; i < all; i++)
		items[i] = (struct gk_cbor_item){ .kind = GK_CBOR_NONE };
	for (; count < all && gk_cbor_more(&c, &iter); count++)
		items[count] = read_element(&c, &elements[count]);
	if (gk_cbor_more(&c, &iter) || (count != some && count != all))
		gk_cbor_fail(&c, GK_ERR_TYPE);
	return gk_cbor_end(&c);
}

/* content */

enum {
	TYPE,
	OLD_NUM,
	NUM,
	PART,
	LAST_PART,
	LEISURE_MS,
	HEIGHT,
	JOINED,
	ENTRIES,
	MATERIAL,
	REKEYING_COUNT,

	BEACON_NUM = 1,
	BEACON_COUNT,
};

static const struct element rekeying_elements[REKEYING_COUNT] = {
	[TYPE] = { GK_CBOR_UINT, GK_REKEYING, GK_REKEYING },
	[OLD_NUM] = { GK_CBOR_UINT, 0, UINT32_MAX },
	[NUM] = { GK_CBOR_UINT, 0, UINT32_MAX },
	[PART] = { GK_CBOR_UINT, 0, UINT16_MAX },
	[LAST_PART] = { GK_CBOR_UINT, 0, UINT16_MAX },
	[LEISURE_MS] = { GK_CBOR_UINT, 0, GK_REKEYING_LEISURE_MAX_MS },
	[HEIGHT] = { GK_CBOR_UINT, 1, GK_TREE_HEIGHT_MAX },
	[JOINED] = { GK_CBOR_ARRAY, 0, 0 },
	[ENTRIES] = { GK_CBOR_BYTES, 0, GK_REKEYING_COAP_MAX },
	[MATERIAL] = { GK_CBOR_BYTES, 0, GK_REKEYING_COAP_MAX },
};

static const struct element beacon_elements[BEACON_COUNT] = {
	[TYPE] = { GK_CBOR_UINT, GK_REKEYING_BEACON, GK_REKEYING_BEACON },
	[BEACON_NUM] = { GK_CBOR_UINT, 0, UINT32_MAX },
};

static void put_rekeying(struct gk_buf *buf, const struct gk_rekeying *message)
{
	gk_put_uint(buf, message->old_num);
	gk_put_uint(buf, message->num);
	gk_put_uint(buf, message->part);
	gk_put_uint(buf, message->last_part);
	gk_put_uint(buf, message->leisure_ms);
	gk_put_uint(buf, message->step.height);
	gk_buf_add(buf, message->step.joined);
	gk_put_bytes(buf, message->step.entries);
	gk_put_bytes(buf, message->material);
}

static void put_beacon(struct gk_buf *buf, const struct gk_rekeying *message)
{
	gk_put_uint(buf, message->num);
}

static enum gk_err check_joined(struct gk_span joined, uint8_t height)
{
	struct gk_cbor c = gk_cbor(joined);
	struct gk_cbor_iter iter = gk_cbor_array(&c);

	while (gk_cbor_more(&c, &iter))
		gk_cbor_uint(&c, (UINT64_C(1) << height) - 1);
	return gk_cbor_end(&c);
}

static enum gk_err take_rekeying(const struct gk_cbor_item *items, struct gk_rekeying *message)
{
	message->old_num = (uint32_t)items[OLD_NUM].number;
	message->num = (uint32_t)items[NUM].number;
	message->part = (uint16_t)items[PART].number;
	message->last_part = (uint16_t)items[LAST_PART].number;
	message->leisure_ms = (uint32_t)items[LEISURE_MS].number;
	message->step = (struct gk_tree_step){
		.num = message->num,
		.height = (uint8_t)items[HEIGHT].number,
		.joined = items[JOINED].encoded,
		.entries = items[ENTRIES].string,
	};
	message->material = items[MATERIAL].string;
	if (message->num <= message->old_num || message->part > message->last_part ||
	    message->step.entries.len % GK_TREE_ENTRY_LEN != 0)
		return GK_ERR_RANGE;
	return check_joined(message->step.joined, message->step.height);
}

static enum gk_err take_beacon(const struct gk_cbor_item *items, struct gk_rekeying *message)
{
	message->num = (uint32_t)items[BEACON_NUM].number;
	return GK_OK;
}

/** What there is to know of each type of message. */
static const struct type {
	const struct element *elements;
	size_t count;
	bool has_mac;
	void (*put)(struct gk_buf *, const struct gk_rekeying *);
	enum gk_err (*take)(const struct gk_cbor_item *, struct gk_rekeying *);
} types[] = {
	[GK_REKEYING] = { rekeying_elements, REKEYING_COUNT, true, put_rekeying, take_rekeying },
	[GK_REKEYING_BEACON] = { beacon_elements, BEACON_COUNT, false, put_beacon, take_beacon },
};

static void put_content(struct gk_buf *buf, const struct gk_rekeying *message)
{
	gk_put_array(buf, types[message->type].count);
	gk_put_uint(buf, message->type);
	types[message->type].put(buf, message);
}

/** Of the other elements of a type that is unknown, nothing is known. */
static enum gk_err read_type(struct gk_span content, enum gk_rekeying_type *type)
{
	struct gk_cbor c = gk_cbor(content);
	struct gk_cbor_iter iter = gk_cbor_array(&c);
	uint64_t number;

	if (!gk_cbor_more(&c, &iter))
		gk_cbor_fail(&c, GK_ERR_TYPE);
	number = gk_cbor_uint(&c, UINT64_MAX);
	if (c.err)
		return c.err;
	if (number >= ROWS(types))
		return GK_ERR_UNSUPPORTED;
	*type = (enum gk_rekeying_type)number;
	return GK_OK;
}

static enum gk_err read_content(struct gk_rekeying *message)
{
	struct gk_cbor_item items[REKEYING_COUNT];
	const struct type *type;
	enum gk_err err = read_type(message->content, &message->type);

	if (err)
		return err;
	type = &types[message->type];
	if ((message->mac.len > 0) != type->has_mac)
		return GK_ERR_TYPE;
	err = read_array(message->content, type->elements, type->count, type->count, items);
	return err ? err : type->take(items, message);
}

/* signature and MAC */

/** [ CONTEXT, scheme, group, content ] */
static void put_signed(struct gk_buf *buf, struct gk_span group, struct gk_span content)
{
	gk_put_array(buf, 4);
	gk_put_text(buf, gk_span_str(CONTEXT));
	gk_put_int(buf, GK_SCHEME_TREE);
	gk_put_text(buf, group);
	gk_put_bytes(buf, content);
}

static enum gk_err sign(const struct gk_key_pair *key, struct gk_span group, struct gk_span content,
			uint8_t signature[static GK_SIG_LEN])
{
	uint8_t bytes[COVERED_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	put_signed(&buf, group, content);
	return buf.overflow ? GK_ERR_NO_SPACE : gk_sign(key, gk_buf_span(&buf), signature);
}

enum gk_err gk_rekeying_verify(const struct gk_rekeying *message, struct gk_span group,
			       const struct gk_public_key *key)
{
	uint8_t bytes[COVERED_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	put_signed(&buf, group, message->content);
	return buf.overflow ? GK_ERR_CRYPTO : gk_verify(key, gk_buf_span(&buf), message->signature);
}

/** MAC over what is in 'buf', under the key of a root or leaf. */
static enum gk_err mac_under(const uint8_t *node_key, const struct gk_buf *buf,
			     uint8_t out[static GK_REKEYING_MAC_LEN])
{
	uint8_t key[GK_TREE_KEY_LEN], whole[GK_HASH_LEN];
	enum gk_err err = gk_buf_err(buf);

	if (!err)
		err = gk_tree_derive(gk_span(node_key, GK_TREE_KEY_LEN), GK_TREE_MAC, 0, key);
	if (!err)
		err = gk_hmac(gk_span(key, sizeof(key)), gk_buf_span(buf), whole);
	if (!err)
		memcpy(out, whole, GK_REKEYING_MAC_LEN);
	gk_wipe(key, sizeof(key));
	gk_wipe(whole, sizeof(whole));
	return err;
}

/** Over [ "rekeying", group, content, signature ]. */
static enum gk_err message_mac(const struct gk_rekeying *message, struct gk_span group,
			       const uint8_t *old_root, uint8_t out[static GK_REKEYING_MAC_LEN])
{
	uint8_t bytes[COVERED_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	gk_put_array(&buf, 4);
	gk_put_text(&buf, gk_span_str("rekeying"));
	gk_put_text(&buf, group);
	gk_put_bytes(&buf, message->content);
	gk_put_bytes(&buf, message->signature);
	return mac_under(old_root, &buf, out);
}

enum gk_err gk_rekeying_check_mac(const struct gk_rekeying *message, struct gk_span group,
				  const uint8_t *old_root)
{
	uint8_t mac[GK_REKEYING_MAC_LEN];

	if (message->mac.len != sizeof(mac) ||
	    message_mac(message, group, old_root, mac) != GK_OK ||
	    !gk_equal(mac, message->mac.data, sizeof(mac)))
		return GK_ERR_CRYPTO;
	return GK_OK;
}

/* messages */

enum {
	CONTENT,
	SIGNATURE,
	MAC,
	MESSAGE_COUNT,
};

static void put_message(struct gk_buf *buf, const struct gk_rekeying *message)
{
	gk_put_array(buf, message->mac.len > 0 ? 3 : 2);
	gk_put_bytes(buf, message->content);
	gk_put_bytes(buf, message->signature);
	if (message->mac.len > 0)
		gk_put_bytes(buf, message->mac);
}

/** Sign what is in 'content', and append the message. */
static enum gk_err put_sealed(struct gk_buf *payload, struct gk_span group,
			      const struct gk_buf *content, const struct gk_key_pair *sign_key,
			      const uint8_t *old_root)
{
	uint8_t signature[GK_SIG_LEN], mac[GK_REKEYING_MAC_LEN];
	struct gk_rekeying sealed = { .content = gk_buf_span(content),
				      .signature = gk_span(signature, sizeof(signature)) };
	enum gk_err err = gk_buf_err(content);

	if (!err)
		err = sign(sign_key, group, sealed.content, signature);
	if (!err && old_root)
		err = message_mac(&sealed, group, old_root, mac);
	if (err)
		return err;
	if (old_root)
		sealed.mac = gk_span(mac, sizeof(mac));
	put_message(payload, &sealed);
	return gk_buf_err(payload);
}

/** Read what was written, so that nothing leaves that its receivers would refuse. */
static enum gk_err check_written(struct gk_span payload)
{
	struct gk_rekeying back;

	if (payload.len > GK_REKEYING_COAP_MAX)
		return GK_ERR_NO_SPACE;
	return gk_rekeying_read(payload, &back);
}

enum gk_err gk_rekeying_put(struct gk_buf *payload, struct gk_span group,
			    const struct gk_rekeying *message, const struct gk_key_pair *sign_key,
			    const uint8_t *old_root)
{
	uint8_t bytes[GK_REKEYING_COAP_MAX];
	struct gk_buf content = gk_buf(bytes, sizeof(bytes));
	size_t before = payload->len;
	enum gk_err err;

	put_content(&content, message);
	err = put_sealed(payload, group, &content, sign_key, old_root);
	if (!err)
		err = check_written(gk_span_sub(gk_buf_span(payload), before, SIZE_MAX));
	if (err)
		gk_buf_truncate(payload, before);
	return err;
}

/** Length of a payload, whose strings need not be there. */
static size_t measure(const struct gk_rekeying *message)
{
	struct gk_buf content = gk_buf(NULL, 0), payload = gk_buf(NULL, 0);
	struct gk_rekeying sealed = { .signature.len = GK_SIG_LEN, .mac.len = GK_REKEYING_MAC_LEN };

	put_content(&content, message);
	sealed.content.len = content.len;
	put_message(&payload, &sealed);
	return payload.len;
}

size_t gk_rekeying_room(const struct gk_rekeying *message, size_t overhead)
{
	struct gk_rekeying with = *message;
	size_t count = 0;

	if (overhead > GK_REKEYING_COAP_MAX)
		return 0;
	with.type = GK_REKEYING;
	// The heads around the entries grow with them.
	do {
		count++;
		with.step.entries = gk_span(NULL, count * GK_TREE_ENTRY_LEN);
	} while (COAP_HEADER_LEN + overhead + measure(&with) <= GK_REKEYING_COAP_MAX);
	return count - 1;
}

enum gk_err gk_rekeying_read(struct gk_span payload, struct gk_rekeying *message)
{
	static const struct element elements[MESSAGE_COUNT] = {
		[CONTENT] = { GK_CBOR_BYTES, 0, GK_REKEYING_COAP_MAX },
		[SIGNATURE] = { GK_CBOR_BYTES, GK_SIG_LEN, GK_SIG_LEN },
		[MAC] = { GK_CBOR_BYTES, GK_REKEYING_MAC_LEN, GK_REKEYING_MAC_LEN },
	};
	struct gk_cbor_item items[MESSAGE_COUNT];
	struct gk_rekeying found = { .num = 0 };
	enum gk_err err;

	if (payload.len > GK_REKEYING_COAP_MAX)
		return GK_ERR_RANGE;
	err = read_array(payload, elements, MAC, MESSAGE_COUNT, items);
	if (err)
		return err;
	found.content = items[CONTENT].string;
	found.signature = items[SIGNATURE].string;
	found.mac = items[MAC].string;
	err = read_content(&found);
	if (!err)
		*message = found;
	return err;
}

/* the group's material */

/** Inputs of the AEAD. */
struct sealing {
	uint8_t key[GK_TREE_KEY_LEN], nonce[GK_TREE_IV_LEN], aad[AAD_MAX];
	struct gk_buf aad_buf;
};

/** aad = [ "group", group, old_num, num ] */
static enum gk_err prepare(struct sealing *s, const struct gk_tree_group *group, uint32_t old_num,
			   uint32_t num, const uint8_t *root)
{
	s->aad_buf = gk_buf(s->aad, sizeof(s->aad));
	gk_put_array(&s->aad_buf, 4);
	gk_put_text(&s->aad_buf, gk_span_str("group"));
	gk_put_text(&s->aad_buf, group->name);
	gk_put_uint(&s->aad_buf, old_num);
	gk_put_uint(&s->aad_buf, num);
	gk_tree_nonce(group, num, s->nonce);
	if (s->aad_buf.overflow)
		return GK_ERR_NO_SPACE;
	return gk_tree_derive(gk_span(root, GK_TREE_KEY_LEN), GK_TREE_GROUP, 0, s->key);
}

enum gk_err gk_rekeying_seal(const struct gk_tree_group *group, uint32_t old_num, uint32_t num,
			     const uint8_t *root, struct gk_span material, struct gk_buf *out)
{
	struct sealing s;
	enum gk_err err = prepare(&s, group, old_num, num, root);

	if (!err)
		err = gk_aead_seal(gk_aead_find(GK_ALG_AES_CCM_16_64_128),
				   gk_span(s.key, sizeof(s.key)), gk_span(s.nonce, sizeof(s.nonce)),
				   gk_buf_span(&s.aad_buf), material, out);
	gk_wipe(&s, sizeof(s));
	return err;
}

enum gk_err gk_rekeying_open(const struct gk_tree_group *group, const struct gk_rekeying *message,
			     const uint8_t *root, struct gk_buf *out)
{
	struct sealing s;
	enum gk_err err = prepare(&s, group, message->old_num, message->num, root);

	if (!err)
		err = gk_aead_open(gk_aead_find(GK_ALG_AES_CCM_16_64_128),
				   gk_span(s.key, sizeof(s.key)), gk_span(s.nonce, sizeof(s.nonce)),
				   gk_buf_span(&s.aad_buf), message->material, out);
	gk_wipe(&s, sizeof(s));
	return err;
}

/* confirmations */

enum {
	CONFIRMED_GID,
	CONFIRMED_SLOT,
	CONFIRMED_MAC,
	CONFIRMATION_COUNT,
};

/** Over [ "confirmation", group, num, slot, SHA-256(material), root ]. */
enum gk_err gk_confirmation_mac(struct gk_span group, uint32_t num, uint16_t slot,
				struct gk_span material, const uint8_t *leaf, const uint8_t *root,
				uint8_t out[static GK_REKEYING_MAC_LEN])
{
	uint8_t bytes[CONFIRMED_MAX], digest[GK_HASH_LEN];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err = gk_sha256(material, digest);

	if (err)
		return err;
	gk_put_array(&buf, 6);
	gk_put_text(&buf, gk_span_str("confirmation"));
	gk_put_text(&buf, group);
	gk_put_uint(&buf, num);
	gk_put_uint(&buf, slot);
	gk_put_bytes(&buf, gk_span(digest, sizeof(digest)));
	gk_put_bytes(&buf, gk_span(root, GK_TREE_KEY_LEN));
	err = mac_under(leaf, &buf, out);
	gk_wipe(bytes, sizeof(bytes));
	return err;
}

void gk_confirmation_put(struct gk_buf *payload, const struct gk_confirmation *confirmation)
{
	gk_put_array(payload, CONFIRMATION_COUNT);
	gk_put_bytes(payload, confirmation->gid);
	gk_put_uint(payload, confirmation->slot);
	gk_put_bytes(payload, confirmation->mac);
}

enum gk_err gk_confirmation_read(struct gk_span payload, struct gk_confirmation *confirmation)
{
	static const struct element elements[CONFIRMATION_COUNT] = {
		[CONFIRMED_GID] = { GK_CBOR_BYTES, 1, GID_MAX },
		[CONFIRMED_SLOT] = { GK_CBOR_UINT, 0, UINT16_MAX },
		[CONFIRMED_MAC] = { GK_CBOR_BYTES, GK_REKEYING_MAC_LEN, GK_REKEYING_MAC_LEN },
	};
	struct gk_cbor_item items[CONFIRMATION_COUNT];
	enum gk_err err =
		read_array(payload, elements, CONFIRMATION_COUNT, CONFIRMATION_COUNT, items);

	if (err)
		return err;
	*confirmation = (struct gk_confirmation){
		.gid = items[CONFIRMED_GID].string,
		.slot = (uint16_t)items[CONFIRMED_SLOT].number,
		.mac = items[CONFIRMED_MAC].string,
	};
	return GK_OK;
}

/* mgt_key_material */

enum {
	MGT_SLOT,
	MGT_REPEAT,
	MGT_BASE_IV,
	MGT_PATH,
	MGT_KDC_CRED,
	MGT_KDC_NONCE,
	MGT_KDC_VERIFY,
	MGT_COUNT,
};

void gk_mgt_material_put(struct gk_buf *buf, const struct gk_mgt_material *mgt)
{
	bool has_cred = mgt->kdc_cred.len > 0;

	gk_put_array(buf, has_cred ? MGT_COUNT : MGT_KDC_CRED);
	gk_put_uint(buf, mgt->slot);
	gk_put_uint(buf, mgt->repeat);
	gk_put_bytes(buf, gk_span(mgt->base_iv, sizeof(mgt->base_iv)));
	gk_put_bytes(buf, mgt->path);
	if (!has_cred)
		return;
	gk_put_bytes(buf, mgt->kdc_cred);
	gk_put_bytes(buf, mgt->kdc_nonce);
	gk_put_bytes(buf, mgt->kdc_verify);
}

enum gk_err gk_mgt_material_read(struct gk_span bytes, struct gk_mgt_material *mgt)
{
	static const struct element elements[MGT_COUNT] = {
		[MGT_SLOT] = { GK_CBOR_UINT, 0, UINT16_MAX },
		[MGT_REPEAT] = { GK_CBOR_UINT, 0, UINT8_MAX },
		[MGT_BASE_IV] = { GK_CBOR_BYTES, GK_TREE_IV_LEN, GK_TREE_IV_LEN },
		[MGT_PATH] = { GK_CBOR_BYTES, PATH_MIN, PATH_MAX },
		[MGT_KDC_CRED] = { GK_CBOR_BYTES, 1, GK_CRED_MAX },
		[MGT_KDC_NONCE] = { GK_CBOR_BYTES, 1, NONCE_MAX },
		[MGT_KDC_VERIFY] = { GK_CBOR_BYTES, GK_SIG_LEN, GK_SIG_LEN },
	};
	struct gk_cbor_item items[MGT_COUNT];
	enum gk_err err = read_array(bytes, elements, MGT_KDC_CRED, MGT_COUNT, items);

	if (err)
		return err;
	*mgt = (struct gk_mgt_material){
		.slot = (uint16_t)items[MGT_SLOT].number,
		.repeat = (uint8_t)items[MGT_REPEAT].number,
		.path = items[MGT_PATH].string,
		.kdc_cred = items[MGT_KDC_CRED].string,
		.kdc_nonce = items[MGT_KDC_NONCE].string,
		.kdc_verify = items[MGT_KDC_VERIFY].string,
	};
	memcpy(mgt->base_iv, items[MGT_BASE_IV].string.data, sizeof(mgt->base_iv));
	return GK_OK;
}
