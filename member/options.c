// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/options.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/scope.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* All CoAP Nodes, realm-local (RFC 7252 section 12.8); a port of its own, so that the unicast
 * socket's port stays free of other people's multicast. */
#define GROUP_ADDRESS "[ff03::fd]:5685"
#define GROUP_PORT    5685

const char gkm_options_usage[] =
	"usage: gkmember -b BUNDLE [-g GROUP]... [-k '[ADDRESS]:PORT'] [-i INTERFACE] [-d]\n"
	"                [--roles ROLE[,ROLE]] [--state DIR] [--port PORT]\n"
	"                [--group-address '[ADDRESS]:PORT'] [--point-to-point]\n"
	"                [--observe] [--sleepy] [--sign-protected]\n"
	"                [--cred-format FORMAT --cred FILE --cred-key FILE [--cred-issuers FILE]]\n"
	"       gkmember --version | --help\n";

static bool take_bundle(struct gkm_options *options, const char *value)
{
	options->bundle = value;
	return *value != '\0';
}

static bool take_group(struct gkm_options *options, const char *value)
{
	if (options->group_count == IO_BUNDLE_GROUPS_MAX || *value == '\0')
		return false;
	options->groups[options->group_count++] = value;
	return true;
}

static bool take_kdc(struct gkm_options *options, const char *value)
{
	struct gk_addr addr;

	options->kdc = value;
	return io_addr_parse(value, IO_ADDR_COAP_PORT, &addr) && addr.port != 0;
}

static bool take_interface(struct gkm_options *options, const char *value)
{
	options->interface = value;
	return *value != '\0';
}

static bool take_roles(struct gkm_options *options, const char *value)
{
	options->roles = 0;
	while (value) {
		const char *comma = strchr(value, ',');
		size_t len = comma ? (size_t)(comma - value) : strlen(value);
		uint32_t role = gk_role_parse(gk_span(value, len));
		if (!role)
			return false;
		options->roles |= role;
		value = comma ? comma + 1 : NULL;
	}
	return gk_roles_joinable(options->roles);
}

static bool take_state(struct gkm_options *options, const char *value)
{
	options->state = value;
	return *value != '\0';
}

static bool take_port(struct gkm_options *options, const char *value)
{
	char text[IO_ADDR_TEXT];
	struct gk_addr addr;

	if (snprintf(text, sizeof(text), "[::]:%s", value) >= (int)sizeof(text) ||
	    !io_addr_parse(text, 0, &addr))
		return false;
	options->port = addr.port;
	options->has_port = true;
	return true;
}

static bool take_address(struct gkm_options *options, const char *value)
{
	return io_addr_parse(value, GROUP_PORT, &options->address) &&
	       options->address.ip[0] == 0xff && options->address.port != 0 &&
	       options->address.scope == 0;
}

static bool take_point_to_point(struct gkm_options *options, const char *value)
{
	(void)value;
	return options->point_to_point = true;
}

static bool take_sign_protected(struct gkm_options *options, const char *value)
{
	(void)value;
	return options->sign_protected = true;
}

static bool take_cred_format(struct gkm_options *options, const char *value)
{
	static const struct {
		const char *name;
		int fmt;
	} formats[] = {
		{ "ccs", GK_HEADER_KCCS },
		{ "cwt", GK_HEADER_KCWT },
		{ "x5chain", GK_HEADER_X5CHAIN },
		{ "x5bag", GK_HEADER_X5BAG },
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].name, value) == 0)
			options->cred_format = formats[i].fmt;
	}
	return options->cred_format != 0;
}

static bool take_cred(struct gkm_options *options, const char *value)
{
	options->cred = value;
	return *value != '\0';
}

static bool take_cred_key(struct gkm_options *options, const char *value)
{
	options->cred_key = value;
	return *value != '\0';
}

static bool take_cred_issuers(struct gkm_options *options, const char *value)
{
	options->cred_issuers = value;
	return *value != '\0';
}

static bool take_observe(struct gkm_options *options, const char *value)
{
	(void)value;
	return options->observe = true;
}

static bool take_sleepy(struct gkm_options *options, const char *value)
{
	(void)value;
	return options->sleepy = true;
}

static bool take_debug(struct gkm_options *options, const char *value)
{
	(void)value;
	return options->debug = true;
}

static bool take_version(struct gkm_options *options, const char *value)
{
	(void)value;
	return options->version = true;
}

static bool take_help(struct gkm_options *options, const char *value)
{
	(void)value;
	return options->help = true;
}

static const struct row {
	const char *name;
	bool (*take)(struct gkm_options *options, const char *value);
	const char *allowed; /* NULL: it has no value */
	int letter;          /* 0: none */
} rows[] = {
	{ "bundle", take_bundle, "a file name", 'b' },
	{ "group", take_group, "a group's name, at most 8 times", 'g' },
	{ "kdc", take_kdc, "an IPv6 address in brackets, a port: [fd00::1]:5683", 'k' },
	{ "interface", take_interface, "the name of an interface", 'i' },
	{ "roles", take_roles, "requester, responder, both, or monitor alone", 0 },
	{ "state", take_state, "a directory", 0 },
	{ "port", take_port, "a port, 0: any", 0 },
	{ "group-address", take_address, "a multicast address, a port: " GROUP_ADDRESS, 0 },
	{ "point-to-point", take_point_to_point, NULL, 0 },
	{ "sign-protected", take_sign_protected, NULL, 0 },
	{ "cred-format", take_cred_format, "ccs, cwt, x5chain or x5bag", 0 },
	{ "cred", take_cred, "a file name", 0 },
	{ "cred-key", take_cred_key, "a file name", 0 },
	{ "cred-issuers", take_cred_issuers, "a file name", 0 },
	{ "observe", take_observe, NULL, 0 },
	{ "sleepy", take_sleepy, NULL, 0 },
	{ "debug", take_debug, NULL, 'd' },
	{ "version", take_version, NULL, 0 },
	{ "help", take_help, NULL, 'h' },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* What getopt_long() returns for a row without a letter. */
#define LONG_ONLY 256

static void fill_tables(struct option longs[static ROWS + 1], char letters[static 2 * ROWS + 2])
{
	char *at = letters;

	*at++ = ':'; // a missing value is told apart
	for (size_t i = 0; i < ROWS; i++) {
		longs[i] = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].allowed ? required_argument : no_argument,
			.val = rows[i].letter ? rows[i].letter : LONG_ONLY + (int)i,
		};
		if (rows[i].letter)
			*at++ = (char)rows[i].letter;
		if (rows[i].letter && rows[i].allowed)
			*at++ = ':';
	}
	longs[ROWS] = (struct option){ .name = NULL };
	*at = '\0';
}

static const struct row *find_row(int found)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (found == rows[i].letter || found == LONG_ONLY + (int)i)
			return &rows[i];
	}
	return NULL;
}

/* musl counts a value that is missing as one that it passed. */
static const char *last_word(int argc, char **argv)
{
	return argv[(optind < argc ? optind : argc) - 1];
}

static bool take(struct gkm_options *options, int found, const char *word, char *error, size_t size)
{
	const struct row *row = find_row(found);

	if (!row) {
		snprintf(error, size, "%s: %s", word,
			 found == ':' ? "needs a value" : "no such option");
		return false;
	}
	if (row->take(options, optarg))
		return true;
	snprintf(error, size, "--%s: %s: must be %s", row->name, optarg, row->allowed);
	return false;
}

/* All of it, or nothing. */
static bool has_whole_cred(const struct gkm_options *options)
{
	bool cred = options->cred != NULL;

	return cred == (options->cred_format != 0) && cred == (options->cred_key != NULL) &&
	       (cred || !options->cred_issuers);
}

static bool is_whole(const struct gkm_options *options, int argc, char **argv, char *error,
		     size_t size)
{
	if (options->version || options->help)
		return true;
	if (optind < argc)
		snprintf(error, size, "%s: not an option", argv[optind]);
	else if (!options->bundle)
		snprintf(error, size, "-b: a bundle is needed");
	else if (!has_whole_cred(options))
		snprintf(error, size,
			 "--cred: needs --cred-format and --cred-key, and they need it");
	return options->bundle && optind == argc && has_whole_cred(options);
}

bool gkm_options_read(int argc, char **argv, struct gkm_options *options, char *error, size_t size)
{
	struct gkm_options read = { .port = IO_ADDR_COAP_PORT };
	struct option longs[ROWS + 1];
	char letters[2 * ROWS + 2];
	int found;

	fill_tables(longs, letters);
	take_address(&read, GROUP_ADDRESS);
	optind = 0; // from the beginning, with nothing left of a command line before this one
	while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (!take(&read, found, last_word(argc, argv), error, size))
			return false;
	}
	if (!is_whole(&read, argc, argv, error, size))
		return false;
	if (read.observe && !read.has_port)
		read.port = 0; // a client's, whatever is free
	*options = read;
	return true;
}
