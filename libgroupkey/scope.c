// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "scope.h"
#include "numbers.h"

// Tperm bit 0 marks an admin entry (P 3).
#define ADMIN_BIT UINT64_C(1)
// What a role's name that we do not know counts as: a bit that is no role of ours either.
#define UNKNOWN_ROLE_BIT (UINT64_C(1) << 63)

// One entry as it stands, with whatever bits Tperm has.
struct entry {
	struct gk_span group;
	uint64_t roles;
};

static const struct {
	const char *name;
	uint32_t role;
} role_names[] = {
	{ "requester", GK_ROLE_REQUESTER },
	{ "responder", GK_ROLE_RESPONDER },
	{ "monitor", GK_ROLE_MONITOR },
	{ "verifier", GK_ROLE_VERIFIER },
};

uint32_t gk_role_parse(struct gk_span name)
{
	for (size_t i = 0; i < sizeof(role_names) / sizeof(role_names[0]); i++) {
		if (gk_span_equal(name, gk_span_str(role_names[i].name)))
			return role_names[i].role;
	}
	return 0;
}

static uint64_t read_role_name(struct gk_cbor *c)
{
	uint32_t role = gk_role_parse(gk_cbor_text(c));
	return role != 0 ? role : UNKNOWN_ROLE_BIT;
}

static uint64_t read_role_names(struct gk_cbor *c)
{
	uint64_t roles = 0;
	struct gk_cbor_iter iter = gk_cbor_array(c);
	while (gk_cbor_more(c, &iter))
		roles |= read_role_name(c);
	return roles;
}

// Tperm (P 3), or a role's name or an array of them (R 3.1).
static uint64_t read_roles(struct gk_cbor *c)
{
	switch (gk_cbor_peek(c)) {
	case GK_CBOR_TEXT:
		return read_role_name(c);
	case GK_CBOR_ARRAY:
		return read_role_names(c);
	default:
		return gk_cbor_uint(c, UINT64_MAX);
	}
}

static struct entry read_entry(struct gk_cbor *c)
{
	gk_cbor_array_of(c, 2);
	// 'true' and tagged items name the groups of admin entries.
	struct gk_cbor_item name = gk_cbor_item(c, GK_CBOR_TEXT | GK_CBOR_BOOL | GK_CBOR_TAG);
	uint64_t roles = read_roles(c);
	if (name.kind != GK_CBOR_TEXT && !(roles & ADMIN_BIT))
		gk_cbor_fail(c, GK_ERR_TYPE);
	return (struct entry){ .group = name.string, .roles = roles };
}

static bool name_fits(struct gk_span group)
{
	return group.len >= 1 && group.len <= GK_GROUP_NAME_MAX;
}

// A group by a name that no group here can have is one we do not know: no fault of the token.
static bool is_user_entry(const struct entry *entry)
{
	return !(entry->roles & ADMIN_BIT) && name_fits(entry->group);
}

enum gk_err gk_scope_read(struct gk_span encoded, struct gk_scope *scope)
{
	struct gk_cbor c = gk_cbor(encoded);
	struct entry entry = read_entry(&c);
	enum gk_err err = gk_cbor_end(&c);
	if (err != GK_OK)
		return err;

	if (!name_fits(entry.group) || (entry.roles & ~(uint64_t)GK_ROLE_ALL))
		return GK_ERR_RANGE;
	*scope = (struct gk_scope){ .group = entry.group, .roles = (uint32_t)entry.roles };
	return GK_OK;
}

bool gk_roles_joinable(uint32_t roles)
{
	switch (roles) {
	case GK_ROLE_REQUESTER:
	case GK_ROLE_RESPONDER:
	case GK_ROLE_REQUESTER | GK_ROLE_RESPONDER:
	case GK_ROLE_MONITOR:
		return true;
	default:
		return false;
	}
}

enum gk_err gk_scope_check_all(struct gk_span encoded, size_t *entries)
{
	size_t count = 0;
	struct gk_cbor c = gk_cbor(encoded);
	struct gk_cbor_iter iter = gk_cbor_array(&c);
	while (gk_cbor_more(&c, &iter)) {
		struct entry entry = read_entry(&c);
		count += is_user_entry(&entry);
	}

	enum gk_err err = gk_cbor_end(&c);
	if (err == GK_OK)
		*entries = count;
	return err;
}

bool gk_scope_next(struct gk_span encoded, size_t *at, struct gk_scope *scope)
{
	struct gk_cbor c = gk_cbor(encoded);
	struct gk_cbor_iter iter = gk_cbor_array(&c);
	for (size_t i = 0; gk_cbor_more(&c, &iter); i++) {
		struct entry entry = read_entry(&c);
		if (i < *at || c.err != GK_OK || !is_user_entry(&entry))
			continue;

		*at = i + 1;
		// A token may grant what has no meaning here yet.
		uint32_t roles = (uint32_t)(entry.roles & GK_ROLE_ALL);
		*scope = (struct gk_scope){ .group = entry.group, .roles = roles };
		return true;
	}
	return false;
}

uint32_t gk_scope_roles(struct gk_span encoded, struct gk_span group)
{
	uint32_t roles = 0;
	size_t at = 0;
	struct gk_scope scope;
	while (gk_scope_next(encoded, &at, &scope)) {
		if (gk_span_equal(scope.group, group))
			roles |= scope.roles;
	}
	return roles;
}

void gk_scope_put(struct gk_buf *buf, struct gk_span group, uint32_t roles)
{
	gk_put_array(buf, 2);
	gk_put_text(buf, group);
	gk_put_uint(buf, roles);
}
