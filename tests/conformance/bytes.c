// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "bytes.h"

#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define URI_PATH 11

static const struct gk_span nothing = { NULL, 0 };

/* writing */

struct gk_span all_of(const struct bytes *b)
{
	return gk_span(b->data, b->len);
}

void put_raw(struct bytes *b, struct gk_span raw)
{
	if (raw.len > sizeof(b->data) - b->len)
		fail_msg("%zu bytes do not fit behind %zu", raw.len, b->len);
	if (raw.len)
		memcpy(b->data + b->len, raw.data, raw.len);
	b->len += raw.len;
}

static void put_byte(struct bytes *b, uint64_t byte)
{
	put_raw(b, gk_span(&(uint8_t){ (uint8_t)byte }, 1));
}

void put_hex(struct bytes *b, const char *text)
{
	b->len += hex(text, b->data + b->len, sizeof(b->data) - b->len);
}

void put_head(struct bytes *b, unsigned major, uint64_t value)
{
	int width = value < 24            ? 0
		    : value <= UINT8_MAX  ? 1
		    : value <= UINT16_MAX ? 2
		    : value <= UINT32_MAX ? 4
					  : 8;
	static const uint8_t info[] = { 0, 24, 25, 0, 26, 0, 0, 0, 27 };

	put_byte(b, major << 5 | (width ? info[width] : value));
	while (width-- > 0)
		put_byte(b, value >> 8 * width);
}

void put_int(struct bytes *b, int64_t value)
{
	if (value < 0)
		put_head(b, 1, (uint64_t)(-1 - value));
	else
		put_head(b, 0, (uint64_t)value);
}

void put_bstr(struct bytes *b, struct gk_span content)
{
	put_head(b, 2, content.len);
	put_raw(b, content);
}

void put_tstr(struct bytes *b, const char *text)
{
	put_head(b, 3, strlen(text));
	put_raw(b, gk_span_str(text));
}

void put_entry(struct bytes *b, const char *group, uint32_t roles)
{
	put_head(b, 4, 2);
	put_tstr(b, group);
	put_int(b, roles);
}

/* reading */

struct item {
	unsigned major;
	uint64_t value;
	size_t head, len; /* of the head; of all */
};

static size_t head_of(struct gk_span in, unsigned *major, uint64_t *value)
{
	static const uint64_t least[] = { 24, UINT8_MAX + 1, UINT16_MAX + 1,
					  (uint64_t)UINT32_MAX + 1 };
	size_t width;

	if (!in.len)
		fail_msg("CBOR ends too early");
	*major = in.data[0] >> 5;
	*value = in.data[0] & 0x1f;
	if (*value < 24)
		return 1;
	if (*value > 27)
		fail_msg("indefinite or reserved head %02x", in.data[0]);
	width = (size_t)1 << (*value - 24);
	if (in.len < 1 + width)
		fail_msg("CBOR ends too early");
	*value = 0;
	for (size_t i = 1; i <= width; i++)
		*value = *value << 8 | in.data[i];
	if (*major != 7 && *value < least[in.data[0] & 3])
		fail_msg("head %s is not in the shortest form",
			 hex_text(gk_span(in.data, 1 + width)));
	return 1 + width;
}

static struct item item_of(struct gk_span in)
{
	struct item item = { 0 };
	uint64_t inside = 0;

	item.head = head_of(in, &item.major, &item.value);
	item.len = item.head;
	if (item.major == 2 || item.major == 3) {
		if (item.value > in.len - item.head)
			fail_msg("CBOR string ends too early");
		item.len += item.value;
	} else if (item.major >= 4 && item.major <= 6) {
		inside = item.major == 6 ? 1 : item.major == 5 ? 2 * item.value : item.value;
	}
	while (inside-- > 0)
		item.len += item_of(gk_span(in.data + item.len, in.len - item.len)).len;
	return item;
}

static struct gk_span whole(struct gk_span in)
{
	return gk_span(in.data, item_of(in).len);
}

static struct gk_span after(struct gk_span in, size_t len)
{
	return gk_span(in.data + len, in.len - len);
}

/* The items inside of a container, which has to be all that there is. */
static struct gk_span inside_of(struct gk_span in, unsigned major, uint64_t *count)
{
	struct item item = item_of(in);

	if (item.major != major || item.len != in.len)
		fail_msg("%s is not one item of major type %u", hex_text(in), major);
	*count = item.value;
	return after(in, item.head);
}

int64_t integer(struct gk_span encoded)
{
	struct item item = item_of(encoded);

	if (item.major > 1 || item.len != encoded.len)
		fail_msg("%s is no integer", hex_text(encoded));
	return item.major ? -1 - (int64_t)item.value : (int64_t)item.value;
}

struct gk_span bstr(struct gk_span encoded)
{
	uint64_t len;

	return inside_of(encoded, 2, &len);
}

struct gk_span tstr(struct gk_span encoded)
{
	uint64_t len;

	return inside_of(encoded, 3, &len);
}

struct gk_span in_map(struct gk_span map, int64_t label)
{
	struct gk_span found = nothing;
	uint64_t count;
	struct gk_span rest = inside_of(map, 5, &count);

	while (count-- > 0) {
		struct gk_span key = whole(rest), value = whole(after(rest, key.len));

		if (item_of(key).major <= 1 && integer(key) == label) {
			if (found.len)
				fail_msg("label %lld twice", (long long)label);
			found = value;
		}
		rest = after(rest, key.len + value.len);
	}
	return found;
}

bool has(struct gk_span map, int64_t label)
{
	return in_map(map, label).len > 0;
}

size_t map_size(struct gk_span map)
{
	uint64_t count;

	(void)inside_of(map, 5, &count);
	return count;
}

size_t array_size(struct gk_span array)
{
	uint64_t count;

	(void)inside_of(array, 4, &count);
	return count;
}

struct gk_span in_array(struct gk_span array, size_t i)
{
	uint64_t count;
	struct gk_span rest = inside_of(array, 4, &count);

	if (i >= count)
		fail_msg("no element %zu in %s", i, hex_text(array));
	while (i-- > 0)
		rest = after(rest, whole(rest).len);
	return whole(rest);
}

/* credentials */

void put_ccs(struct bytes *b, const char *name, const struct gk_public_key *pub, int alg)
{
	bool ec = pub->crv == 1;

	put_hex(b, "a2 02");
	put_tstr(b, name);
	put_hex(b, ec ? "08 a1 01 a5 01 02 03" : "08 a1 01 a4 01 01 03");
	put_int(b, alg);
	put_hex(b, "20");
	put_int(b, pub->crv);
	put_hex(b, "21");
	put_bstr(b, gk_span(pub->x, 32));
	if (ec) {
		put_hex(b, "22");
		put_bstr(b, gk_span(pub->y, 32));
	}
}

static struct gk_public_key cose_key(struct gk_span key)
{
	struct gk_public_key pub = { .crv = (int)integer(in_map(key, -1)) };
	struct gk_span x = bstr(in_map(key, -2)), y = nothing;

	if (pub.crv == 1)
		y = bstr(in_map(key, -3));
	if (x.len != 32 || (pub.crv == 1 && y.len != 32))
		fail_msg("coordinates of %zu and %zu bytes", x.len, y.len);
	memcpy(pub.x, x.data, 32);
	if (y.len)
		memcpy(pub.y, y.data, 32);
	return pub;
}

struct gk_public_key key_in(struct gk_span ccs)
{
	return cose_key(in_map(in_map(ccs, 8), 1));
}

/* messages: code, options, ff, payload */

void put_option(struct bytes *b, unsigned *last, unsigned number, struct gk_span value)
{
	unsigned delta = number - *last;

	put_byte(b, (delta < 13 ? delta : 13) << 4 | (value.len < 13 ? value.len : 13));
	if (delta >= 13)
		put_byte(b, delta - 13);
	if (value.len >= 13)
		put_byte(b, value.len - 13);
	put_raw(b, value);
	*last = number;
}

void put_option_uint(struct bytes *b, unsigned *last, unsigned number, uint32_t value)
{
	uint8_t be[4];
	size_t len = 0;

	for (int shift = 24; shift >= 0; shift -= 8) {
		if (len || value >> shift)
			be[len++] = (uint8_t)(value >> shift);
	}
	put_option(b, last, number, gk_span(be, len));
}

void put_path(struct bytes *b, unsigned *last, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		put_option(b, last, URI_PATH, gk_span(path, len));
		path += len + (path[len] == '/');
	}
}

static size_t extended(struct gk_span *rest, size_t nibble)
{
	size_t more = nibble == 13 ? 1 : nibble == 14 ? 2 : 0, value = 0;

	if (nibble == 15 || more > rest->len)
		fail_msg("an option that cannot be");
	for (size_t i = 0; i < more; i++)
		value = value << 8 | rest->data[i];
	*rest = after(*rest, more);
	return more == 2 ? value + 269 : more ? value + 13 : nibble;
}

/* @return the options, up to the payload */
struct gk_span walk_options(struct gk_span rest, unsigned wanted, size_t place,
			    struct gk_span *value)
{
	const uint8_t *start = rest.data;
	unsigned number = 0;

	*value = nothing;
	while (rest.len && rest.data[0] != 0xff) {
		uint8_t head = rest.data[0];
		size_t delta, len;

		rest = after(rest, 1);
		delta = extended(&rest, head >> 4);
		len = extended(&rest, head & 15);
		if (len > rest.len)
			fail_msg("an option that ends too early");
		number += (unsigned)delta;
		if (number == wanted && place-- == 0)
			*value = gk_span(rest.data, len);
		rest = after(rest, len);
	}
	return gk_span(start, (size_t)(rest.data - start));
}

int64_t option_number(struct gk_span options, unsigned number)
{
	struct gk_span value;
	int64_t sum = 0;

	(void)walk_options(options, number, 0, &value);
	if (!value.data)
		return -1;
	for (size_t i = 0; i < value.len; i++)
		sum = sum << 8 | value.data[i];
	return sum;
}

struct gk_span options_in(struct gk_span message, unsigned number, size_t place,
			  struct gk_span *value)
{
	struct gk_span unused;

	return walk_options(after(message, 1), number, place, value ? value : &unused);
}

int64_t option_in(struct gk_span message, unsigned number)
{
	return option_number(after(message, 1), number);
}

struct gk_span payload_in(struct gk_span message)
{
	size_t head = 1 + options_in(message, 0, 0, NULL).len;

	return head < message.len ? after(message, head + 1) : nothing;
}

void path_in(struct gk_span message, char *path, size_t size)
{
	struct gk_span segment;

	path[0] = '\0';
	for (size_t i = 0; options_in(message, URI_PATH, i, &segment), segment.data; i++)
		snprintf(path + strlen(path), size - strlen(path), "%s%.*s", i ? "/" : "",
			 (int)segment.len, (const char *)segment.data);
}
