// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/usage.h"
#include <string.h>

const struct gw_usage gw_usages[GW_CALLS] = {
	[GW_CALL_STATUS] = { "status", "", "how the daemon is", 0, 0 },
	[GW_CALL_GROUPS] = { "groups", "", "the groups, their keys' version and their members", 0,
			     0 },
	[GW_CALL_MEMBERS] = { "members", "GROUP", "the members of a group", 1, 1 },
	[GW_CALL_WHY] = { "why", "GROUP NODE",
			  "what is known of a member and by what, and what comes next", 2, 2 },
	[GW_CALL_EVENTS] = { "events", "[--follow]", "what happened lately, and what will", 0, 1 },
	[GW_CALL_METRICS] = { "metrics", "", "figures for monitoring, as Prometheus reads them", 0,
			      0 },
	[GW_CALL_REKEY] = { "rekey", "GROUP", "make a new group key now", 1, 1 },
	[GW_CALL_EVICT] = { "evict", "GROUP NODE [--ban]",
			    "remove a member, by node or client name, or keep it out for good", 2,
			    3 },
	[GW_CALL_UNBAN] = { "unban", "GROUP NODE", "let one that is kept out join again", 2, 2 },
	[GW_CALL_CONFIRM] = { "confirm", "GROUP",
			      "remove all that are lost of a group that is blind by mass loss", 1,
			      1 },
	[GW_CALL_CLIENT_ADD] = { "client add",
				 "NAME --group GROUP --roles ROLE[,ROLE] [--group ...]\n"
				 "             [--expires 365d] [--kdc [ADDRESS]:PORT] [-o FILE]\n"
				 "             [--profile oscore|dtls-psk|dtls-rpk] "
				 "[--public-key HEX]\n"
				 "             [--sleepy]",
				 "make what a node is provisioned with", 1, GW_WORDS_MAX },
	[GW_CALL_CLIENT_LIST] = { "client list", "", "whose tokens are valid, and whose revoked", 0,
				  0 },
	[GW_CALL_CLIENT_REVOKE] = { "client revoke", "NAME", "refuse all tokens of a client", 1,
				    1 },
	[GW_CALL_RELOAD] = { "reload", "", "put the configuration file into effect", 0, 0 },
};

static size_t count_words(const char *name)
{
	return strchr(name, ' ') ? 2 : 1;
}

static bool is_name(const char *name, const char *const *words, size_t count)
{
	const char *space = strchr(name, ' ');
	size_t first = space ? (size_t)(space - name) : strlen(name);

	if (count < count_words(name) || strlen(words[0]) != first ||
	    memcmp(words[0], name, first) != 0)
		return false;
	return !space || strcmp(words[1], space + 1) == 0;
}

enum gw_call_id gw_usage_find(const char *const *words, size_t count, size_t *used)
{
	for (size_t i = 0; i < GW_CALLS; i++) {
		if (is_name(gw_usages[i].name, words, count)) {
			*used = count_words(gw_usages[i].name);
			return (enum gw_call_id)i;
		}
	}
	return GW_CALLS;
}

bool gw_usage_takes_value(const char *word)
{
	static const char *const options[] = { "--group", "--roles",   "--expires",
					       "--kdc",   "--profile", "--public-key" };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(word, options[i]) == 0)
			return true;
	}
	return false;
}

void gw_usage_print(FILE *out)
{
	fputs("usage: gatewayctl [-s SOCKET] [--json] CALL\n", out);
	for (size_t i = 0; i < GW_CALLS; i++)
		fprintf(out, "  %s%s%s\n        %s\n", gw_usages[i].name,
			gw_usages[i].arguments[0] ? " " : "", gw_usages[i].arguments,
			gw_usages[i].what);
}
