// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "uri.h"

#include <string.h>

#define IP_GROUPS 8

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to four hex digits from 'at' on. @return how many were read */
static size_t read_group(struct gk_span text, size_t at, uint16_t *group)
{
	size_t n = 0;

	*group = 0;
	while (n < 4 && at + n < text.len && hex_digit(text.data[at + n]) >= 0) {
		*group = (uint16_t)(*group << 4 | hex_digit(text.data[at + n]));
		n++;
	}
	return n;
}

struct ip_reader {
	uint16_t group[IP_GROUPS];
	size_t count;
	size_t gap; /* where "::" stands; IP_GROUPS + 1: nowhere */
};

static bool is_gap(struct gk_span text, size_t at)
{
	return at + 1 < text.len && text.data[at] == ':' && text.data[at + 1] == ':';
}

/* What stands between two groups: "::" once, or ":". @return how far to go on, 0: neither */
static size_t read_separator(struct ip_reader *r, struct gk_span text, size_t at)
{
	if (is_gap(text, at) && r->gap > IP_GROUPS) {
		r->gap = r->count;
		return 2;
	}
	return r->count && at + 1 < text.len && text.data[at] == ':' && !is_gap(text, at) ? 1 : 0;
}

static bool read_groups(struct ip_reader *r, struct gk_span text)
{
	size_t at = 0;

	while (at < text.len) {
		size_t step = r->count || is_gap(text, at) ? read_separator(r, text, at) : 0;

		if (!step && (r->count || r->gap <= IP_GROUPS))
			return false;
		at += step;
		if (at == text.len)
			break;
		step = r->count < IP_GROUPS ? read_group(text, at, &r->group[r->count]) : 0;
		if (!step)
			return false;
		r->count++;
		at += step;
	}
	return r->gap <= IP_GROUPS ? r->count < IP_GROUPS : r->count == IP_GROUPS;
}

enum gk_err gk_ip_read(struct gk_span text, uint8_t ip[static 16])
{
	struct ip_reader r = { .gap = IP_GROUPS + 1 };
	size_t skip, at = 0;

	if (!read_groups(&r, text))
		return GK_ERR_MALFORMED;
	skip = IP_GROUPS - r.count;
	memset(ip, 0, 16);
	for (size_t i = 0; i < r.count; i++, at++) {
		if (i == r.gap)
			at += skip;
		ip[2 * at] = (uint8_t)(r.group[i] >> 8);
		ip[2 * at + 1] = (uint8_t)r.group[i];
	}
	return GK_OK;
}

static size_t find(struct gk_span text, char c)
{
	size_t i = 0;

	while (i < text.len && text.data[i] != (uint8_t)c)
		i++;
	return i;
}

/* ":5683", or nothing: then the port stays. */
static enum gk_err read_port(struct gk_span text, uint16_t *port)
{
	uint32_t value = 0;

	if (text.len == 0)
		return GK_OK;
	if (text.data[0] != ':' || text.len > 6)
		return GK_ERR_MALFORMED;
	for (size_t i = 1; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return GK_ERR_MALFORMED;
		value = 10 * value + (uint32_t)(text.data[i] - '0');
	}
	if (text.len > 1)
		*port = (uint16_t)value;
	return value > UINT16_MAX || (text.len > 1 && value == 0) ? GK_ERR_MALFORMED : GK_OK;
}

static enum gk_err read_uri(struct gk_span scheme, uint16_t port, struct gk_span uri,
			    struct gk_addr *addr, struct gk_span *path)
{
	struct gk_span rest, authority, ip;
	struct gk_addr found = { .port = port };
	enum gk_err err;

	if (!gk_span_equal(gk_span_sub(uri, 0, scheme.len), scheme))
		return GK_ERR_UNSUPPORTED;
	rest = gk_span_sub(uri, scheme.len, uri.len);
	ip = gk_span_sub(rest, 0, find(rest, ']'));
	if (ip.len == rest.len)
		return GK_ERR_MALFORMED;
	rest = gk_span_sub(rest, ip.len + 1, rest.len);
	authority = gk_span_sub(rest, 0, find(rest, '/'));
	rest = gk_span_sub(rest, authority.len + 1, rest.len);
	if (find(rest, '?') < rest.len || find(rest, '#') < rest.len || find(rest, '%') < rest.len)
		return GK_ERR_UNSUPPORTED;
	err = gk_ip_read(ip, found.ip);
	if (!err)
		err = read_port(authority, &found.port);
	if (err)
		return err;
	*addr = found;
	*path = rest;
	return GK_OK;
}

enum gk_err gk_uri_read(struct gk_span uri, struct gk_addr *addr, struct gk_span *path)
{
	return read_uri(gk_span_str("coap://["), 5683, uri, addr, path);
}

enum gk_err gk_uri_read_secure(struct gk_span uri, struct gk_addr *addr, struct gk_span *path)
{
	return read_uri(gk_span_str("coaps://["), 5684, uri, addr, path);
}

/* writing */

static void put_number(struct gk_buf *buf, unsigned value, unsigned base)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t text[8];
	size_t at = sizeof(text);

	do {
		text[--at] = (uint8_t)digits[value % base];
		value /= base;
	} while (value);
	gk_buf_add(buf, gk_span(&text[at], sizeof(text) - at));
}

static unsigned group_of(const uint8_t ip[static 16], size_t i)
{
	return (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
}

/* The longest run of two or more zero groups, the first of equals. @return its length */
static size_t find_zeros(const uint8_t ip[static 16], size_t *start)
{
	size_t best = 1, run = 0;

	*start = IP_GROUPS;
	for (size_t i = 0; i < IP_GROUPS; i++) {
		run = group_of(ip, i) ? 0 : run + 1;
		if (run > best) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return *start < IP_GROUPS ? best : 0;
}

static void put_ip(struct gk_buf *buf, const uint8_t ip[static 16])
{
	size_t start, zeros = find_zeros(ip, &start);

	for (size_t i = 0; i < IP_GROUPS; i++) {
		if (i == start) {
			gk_buf_add(buf, gk_span_str("::"));
			i += zeros - 1;
			continue;
		}
		if (i && i != start + zeros)
			gk_buf_byte(buf, ':');
		put_number(buf, group_of(ip, i), 16);
	}
}

void gk_uri_put(struct gk_buf *buf, const struct gk_addr *addr)
{
	gk_buf_add(buf, gk_span_str("coap://["));
	put_ip(buf, addr->ip);
	gk_buf_add(buf, gk_span_str("]:"));
	put_number(buf, addr->port, 10);
}

/* RFC 3986 section 2.3 */
static bool is_unreserved(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void gk_uri_put_segment(struct gk_buf *buf, struct gk_span segment)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < segment.len; i++) {
		uint8_t c = segment.data[i];

		if (is_unreserved(c)) {
			gk_buf_byte(buf, c);
			continue;
		}
		gk_buf_byte(buf, '%');
		gk_buf_byte(buf, (uint8_t)digits[c >> 4]);
		gk_buf_byte(buf, (uint8_t)digits[c & 15]);
	}
}

struct gk_span gk_path_first(struct gk_span path)
{
	size_t len = 0;

	while (len < path.len && path.data[len] != '/')
		len++;
	return gk_span_sub(path, 0, len);
}
