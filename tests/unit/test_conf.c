// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// What the struct gets; the messages are in tests/golden.

#include "config.h"
#include "gatewayd/conf_table.h"
#include "io/log.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/env.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SMALLEST_WITH(option)                                                                      \
	"interface = \"lowpan0\"; groups = ( { name = \"lights\"; " option " } );"
#define SMALLEST SMALLEST_WITH("")

// libconfig 1.5 does not free the text that it has read last when a syntax error follows.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

static char error[GW_CONF_ERROR];

static bool parse(const char *text, struct gw_conf *conf)
{
	error[0] = '\0';
	return gw_conf_parse(exact_copy(gk_span_str(text)), "x", conf, error, sizeof(error));
}

static void must_parse(const char *text, struct gw_conf *conf)
{
	if (!parse(text, conf))
		fail_msg("%s: %s", text, error);
}

static void must_fail(const char *text, const char *why)
{
	struct gw_conf conf;

	if (parse(text, &conf)) {
		gw_conf_free(&conf);
		fail_msg("accepted: %s", text);
	}
	if (!strstr(error, why))
		fail_msg("%s:\n got %s\nwant %s", text, error, why);
}

static char *printed(const struct gw_conf *conf)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	gw_conf_print(conf, out);
	fclose(out);
	return text;
}

static void assert_same_rekeying(const struct gk_rekey_config *got,
				 const struct gk_rekey_config *want)
{
	assert_int_equal(got->scheme, want->scheme);
	assert_int_equal(got->confirm, want->confirm);
	assert_int_equal(got->repeat, want->repeat);
	assert_int_equal(got->repeat_ms, want->repeat_ms);
	assert_memory_equal(got->control_group.ip, want->control_group.ip, 16);
	assert_int_equal(got->control_group.port, want->control_group.port);
	assert_int_equal(got->control_group.scope, 0);
	assert_int_equal(got->beacon_min_s, want->beacon_min_s);
	assert_int_equal(got->beacon_max_s, want->beacon_max_s);
}

static void assert_same_settings(const struct gk_group_config *got,
				 const struct gk_group_config *want)
{
	assert_int_equal(got->mode, want->mode);
	assert_int_equal(got->active, want->active);
	assert_int_equal(got->sign_alg, want->sign_alg);
	assert_int_equal(got->rekey_on_join, want->rekey_on_join);
	assert_int_equal(got->period_s, want->period_s);
	assert_int_equal(got->coalesce_ms, want->coalesce_ms);
	assert_int_equal(got->in_flight, want->in_flight);
	assert_int_equal(got->stale_sets, want->stale_sets);
	assert_int_equal(got->members_max, want->members_max);
	assert_int_equal(got->presence.check_interval_s, want->presence.check_interval_s);
	assert_int_equal(got->presence.probes, want->presence.probes);
	assert_int_equal(got->presence.probe_wait_s, want->presence.probe_wait_s);
	assert_int_equal(got->presence.grace_s, want->presence.grace_s);
	assert_int_equal(got->presence.sleep_max_s, want->presence.sleep_max_s);
	assert_int_equal(got->presence.evict, want->presence.evict);
	assert_int_equal(got->presence.sleepy, want->presence.sleepy);
	assert_int_equal(got->presence.sleeper_count, want->presence.sleeper_count);
	for (size_t i = 0; i < want->presence.sleeper_count; i++)
		assert_true(gk_span_equal(got->presence.sleepers[i], want->presence.sleepers[i]));
	assert_int_equal(got->presence.evict_rate, want->presence.evict_rate);
	assert_int_equal(got->presence.mass_loss_percent, want->presence.mass_loss_percent);
	assert_int_equal(got->presence.mass_loss_window_s, want->presence.mass_loss_window_s);
	assert_same_rekeying(&got->rekey, &want->rekey);
}

static void defaults_of_a_group_are_those_of_the_library(void **state)
{
	struct gk_group_config want;
	struct gw_conf conf;
	(void)state;
	must_parse(SMALLEST, &conf);
	gk_group_defaults(&want);
	assert_int_equal(conf.group_count, 1);
	assert_same_settings(&conf.groups[0].core, &want);
	gw_conf_free(&conf);
}

static void groups_are_rekeyed_by_the_tree_unless_told_otherwise(void **state)
{
	static const struct gk_rekey_config want = {
		.scheme = GK_TREE,
		.confirm = GK_CONFIRM_AUTO,
		.repeat = 2,
		.repeat_ms = 1000,
		.control_group = { .ip = { 0xff, 0x03, [15] = 0xfd }, .port = 5686 },
		.beacon_min_s = 0,
		.beacon_max_s = 3600,
	};
	struct gw_conf conf;
	(void)state;
	must_parse(SMALLEST, &conf);
	assert_same_rekeying(&conf.groups[0].core.rekey, &want);
	gw_conf_free(&conf);
}

static void words_mean_what_the_library_means_by_them(void **state)
{
	static const struct {
		const char *option;
		enum gk_scheme scheme;
		enum gk_confirm confirm;
	} rows[] = {
		{ "scheme = \"tree\"", GK_TREE, GK_CONFIRM_AUTO },
		{ "scheme = \"point-to-point\"", GK_POINT_TO_POINT, GK_CONFIRM_AUTO },
		{ "confirm = \"auto\"", GK_TREE, GK_CONFIRM_AUTO },
		{ "confirm = \"all\"", GK_TREE, GK_CONFIRM_ALL },
		{ "confirm = \"implicit\"", GK_TREE, GK_CONFIRM_IMPLICIT },
		{ "confirm = \"none\"", GK_TREE, GK_CONFIRM_NONE },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[128];
		struct gw_conf conf;
		snprintf(text, sizeof(text),
			 "interface = \"i\"; groups = ( { name = \"g\"; rekey = { %s; }; } );",
			 rows[i].option);
		must_parse(text, &conf);
		assert_int_equal(conf.groups[0].core.rekey.scheme, rows[i].scheme);
		assert_int_equal(conf.groups[0].core.rekey.confirm, rows[i].confirm);
		gw_conf_free(&conf);
	}
}

static void rekeying_gets_its_share_of_the_link(void **state)
{
	static const struct {
		const char *link;
		uint32_t bps;
	} rows[] = {
		{ "", 62500 }, // a quarter of 250 kbit/s
		{ "link = { rate_kbps = 1; share_percent = 1; };", 10 },
		{ "link = { rate_kbps = 20; };", 5000 },
		{ "link = { share_percent = 100; };", 250000 },
		{ "link = { rate_kbps = 1000000; share_percent = 100; };", 1000000000 },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[256];
		struct gw_conf conf;
		snprintf(text, sizeof(text), "%s%s", SMALLEST, rows[i].link);
		must_parse(text, &conf);
		assert_int_equal(conf.rekeying_bps, rows[i].bps);
		gw_conf_free(&conf);
	}
}

static void messages_to_the_group_have_an_address_that_leaves_this_machine(void **state)
{
	static const struct {
		const char *address;
		bool fits;
	} rows[] = {
		{ "[ff02::fd]:1", true },
		{ "[ff03::fd]:65535", true },
		{ "[ff0e::fd]:5686", true },
		{ "[ff12:0:0:1::fd]:5686", true }, // transient
		{ "[ff00::fd]:5686", false },      // reserved scopes
		{ "[ff0f::fd]:5686", false },
		{ "[ff01::fd]:5686", false }, // of an interface
		{ "[fd03::fd]:5686", false }, // no multicast
		{ "[ff03::fd]:0", false },
		{ "[ff03::fd]", false },
		{ "[ff03::fd]:65536", false },
		{ "ff03::fd", false },
		{ "[ff02::fd%lo]:5686", false }, // 'interface' it is
		{ "", false },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[160];
		struct gw_conf conf;
		snprintf(
			text, sizeof(text),
			"interface = \"i\"; groups = ( { name = \"g\"; rekey = { address = \"%s\"; "
			"}; } );",
			rows[i].address);
		if (rows[i].fits) {
			must_parse(text, &conf);
			assert_string_equal(conf.groups[0].address, rows[i].address);
			gw_conf_free(&conf);
		} else {
			must_fail(text, "groups[0].rekey.address: must be an IPv6 multicast");
		}
	}
}

/* Libcoap has the other. Where the option is not in the file, its place is named all the same. */
static void the_control_group_has_a_port_of_its_own(void **state)
{
#define LISTEN(port) "interface = \"i\"; listen = \"[fe80::1%nope]:" port "\"; "
	static const char why[] = "groups[0].rekey.address: must have another port than 'listen'";
	struct gw_conf conf;
	(void)state;
	must_fail(LISTEN("5686") "groups = ( { name = \"g\"; } );", why);
	must_fail(LISTEN("5686") "groups = ( { name = \"g\"; rekey = { }; } );", why);
	must_fail(LISTEN("7") "groups = ( { name = \"g\"; rekey = { address = \"[ff02::1]:7\"; }; "
			      "} );",
		  why);
	// Nobody sends from it.
	must_parse(LISTEN("5686") "groups = ( { name = \"g\"; rekey = { scheme = "
				  "\"point-to-point\"; }; } );",
		   &conf);
	gw_conf_free(&conf);
}

static void beacons_become_rarer_and_not_more_frequent(void **state)
{
	static const struct {
		const char *rekey;
		bool fits;
	} rows[] = {
		{ "beacon_min_s = 0; beacon_max_s = 1;", true },
		{ "beacon_min_s = 60; beacon_max_s = 60;", true },
		{ "beacon_min_s = 3600;", true },
		{ "beacon_min_s = 61; beacon_max_s = 60;", false },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[160];
		struct gw_conf conf;
		snprintf(text, sizeof(text),
			 "interface = \"i\"; groups = ( { name = \"g\"; rekey = { %s }; } );",
			 rows[i].rekey);
		if (rows[i].fits) {
			must_parse(text, &conf);
			gw_conf_free(&conf);
		} else {
			must_fail(text, "x:1: groups[0].rekey.beacon_max_s: must be at least "
					"beacon_min_s");
		}
	}
}

static void defaults_of_the_daemon_are_as_documented(void **state)
{
	struct gw_conf conf;
	(void)state;
	must_parse(SMALLEST, &conf);
	assert_string_equal(conf.interface, "lowpan0");
	assert_int_equal(conf.rate_kbps, 250);
	assert_int_equal(conf.share_percent, 25);
	assert_string_equal(conf.listen, "[::]:5683");
	assert_string_equal(conf.state_dir, "/etc/gatewayd/state");
	assert_string_equal(conf.mark, "/var/lib/gatewayd/etc-gatewayd-state.mark");
	assert_string_equal(conf.control, "/run/gatewayd/gatewayd.sock");
	assert_int_equal(conf.log_level, LOG_LEVEL_INFO);
	assert_false(conf.log_to_syslog);
	assert_string_equal(conf.audience, "gatewayd");
	assert_string_equal(conf.as_key_file, "/etc/gatewayd/state/as.key");
	assert_null(conf.as_public_key_file);
	assert_null(conf.as_issuer);
	assert_null(conf.as_uri);
	assert_int_equal(conf.discovery, GK_DISCOVERY_KDC);
	assert_string_equal(conf.group_path, "ace-group");
	assert_string_equal(conf.authz_path, "authz-info");
	gw_conf_free(&conf);
}

static void the_key_of_the_as_is_in_the_directory_of_the_state(void **state)
{
	struct gw_conf conf;
	(void)state;
	must_parse(SMALLEST "state_dir = \"/s\";", &conf);
	assert_string_equal(conf.as_key_file, "/s/as.key");
	gw_conf_free(&conf);
	must_parse(SMALLEST "state_dir = \"/s\"; as = { key_file = \"/k\"; };", &conf);
	assert_string_equal(conf.as_key_file, "/k");
	gw_conf_free(&conf);
}

static void every_directory_has_a_mark_of_its_own(void **state)
{
	static const struct {
		const char *state_dir, *name;
	} rows[] = {
		{ "/s", "s" },          { "/a/b", "a-b" },
		{ "//a//b///", "a-b" }, // the same directory
		{ "/a-b", "a%2db" },    { "/a/-b", "a-%2db" },
		{ "/a-/b", "a%2d-b" },  { "/a%2db", "a%252db" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_conf conf;
		char text[256], want[256];
		snprintf(text, sizeof(text), SMALLEST "state_dir = \"%s\";", rows[i].state_dir);
		snprintf(want, sizeof(want), "/var/lib/gatewayd/%s.mark", rows[i].name);
		must_parse(text, &conf);
		assert_string_equal(conf.mark, want);
		gw_conf_free(&conf);
	}
}

// 255 bytes, of which ".mark" has five, and 16 are for what the store makes beside it.
static void the_mark_has_a_name_that_files_can_have(void **state)
{
	char text[512], name[235];
	struct gw_conf conf;
	(void)state;
	memset(name, 'n', sizeof(name));
	snprintf(text, sizeof(text), SMALLEST "state_dir = \"/%.234s\";", name);
	must_parse(text, &conf);
	gw_conf_free(&conf);
	snprintf(text, sizeof(text), SMALLEST "state_dir = \"/%.235s\";", name);
	must_fail(text, "x:1: mark: is missing; must be an absolute path");
	strcat(text, "mark = \"/m\";");
	must_parse(text, &conf);
	gw_conf_free(&conf);
}

static void the_mark_is_not_where_the_state_is(void **state)
{
	static const struct {
		const char *text;
		const char *why; // NULL: allowed
	} rows[] = {
		{ "state_dir = \"/s\"; mark = \"/s/mark\";", "mark: must be outside" },
		{ "state_dir = \"/s/\"; mark = \"/s/a/mark\";", "mark: must be outside" },
		{ "state_dir = \"/s\"; mark = \"/state/mark\";", NULL },
		{ "state_dir = \"/s/t\"; mark = \"/s/mark\";", NULL },
		{ "state_dir = \"/var/lib\";", "mark: is missing; must be" },
		{ "state_dir = \"/var/lib/gatewayd\";", "mark: is missing; must be" },
		{ "state_dir = \"/var/lib/gatewayd/state\";", NULL },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_conf conf;
		char text[256];
		snprintf(text, sizeof(text), SMALLEST "%s", rows[i].text);
		if (rows[i].why) {
			must_fail(text, rows[i].why);
			continue;
		}
		must_parse(text, &conf);
		gw_conf_free(&conf);
	}
}

static void a_file_has_a_name(void **state)
{
	static const struct {
		const char *before, *after;
	} rows[] = {
		{ "mark = \"", "\";" },
		{ "control = \"", "\";" },
		{ "as = { key_file = \"", "\"; };" },
		{ "as = { public_key_file = \"", "\"; };" },
	};
	static const char *const paths[] = { "/", "/etc/", "/etc//", "/etc/.", "/etc/..", "etc" };
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t j = 0; j < COUNT(paths); j++) {
			char text[256];
			snprintf(text, sizeof(text), SMALLEST "%s%s%s", rows[i].before, paths[j],
				 rows[i].after);
			must_fail(text, "must be the absolute path of a file");
		}
	}
}

static void every_option_reaches_its_field(void **state)
{
	static const struct gk_span names[] = { { (const uint8_t *)"a", 1 },
						{ (const uint8_t *)"b c", 3 } };
	static const struct gk_group_config want = {
		.mode = GK_MODE_PAIRWISE,
		.active = false,
		.sign_alg = GK_ALG_ES256,
		.rekey_on_join = false,
		.period_s = 101,
		.coalesce_ms = 102,
		.in_flight = 13,
		.stale_sets = 14,
		.members_max = 105,
		.rekey = { GK_POINT_TO_POINT,
			   GK_CONFIRM_NONE,
			   3,
			   111,
			   { { 0xff, 0x15, [15] = 1 }, 112, 0 },
			   113,
			   114 },
		.presence = { 106, 7, 8, 109, 110, false, 111, 42, 165, true, names, 2 },
	};
	struct gw_conf conf;
	(void)state;
	must_parse("interface = \"i\"; watch = [ \"e\", \"w\" ]; link = { rate_kbps = 115; "
		   "share_percent = 16; }; listen = "
		   "\"[::1]:1\"; state_dir = \"/s\"; "
		   "mark = \"/m\"; control = \"/c\"; log_level = \"debug\"; log = \"syslog\"; "
		   "audience = \"a\"; "
		   "as = { key_file = \"/k\"; public_key_file = \"/p\"; issuer = \"n\"; uri = "
		   "\"u://u\"; }; "
		   "discovery = \"groups\"; paths = { groups = \"g\"; authz_info = \"z\"; }; "
		   "groups = ( { name = \"x\"; }, { name = \"g\"; mode = \"pairwise\"; "
		   "active = false; "
		   "sign_alg = \"ES256\"; "
		   "members_max = 105; rekey = { scheme = \"point-to-point\"; confirm = \"none\"; "
		   "repeat = 3; repeat_ms = 111; address = \"[ff15::1]:112\"; "
		   "beacon_min_s = 113; beacon_max_s = 114; on_join = false; period_s = 101; "
		   "coalesce_ms = 102; in_flight = 13; stale_sets = 14; }; "
		   "presence = { check_interval_s = 106; probes = 7; probe_wait_s = 8; "
		   "grace_s = 109; sleep_max_s = 110; evict = false; evict_rate = 111; "
		   "mass_loss_percent = 42; mass_loss_window_s = 165; sleepy = true; "
		   "sleepers = [ \"a\", \"b c\" ]; }; } );",
		   &conf);
	assert_string_equal(conf.interface, "i");
	assert_int_equal(conf.watch.count, 2);
	assert_string_equal(conf.watch.text[0], "e");
	assert_string_equal(conf.watch.text[1], "w");
	assert_int_equal(conf.rate_kbps, 115);
	assert_int_equal(conf.share_percent, 16);
	assert_string_equal(conf.listen, "[::1]:1");
	assert_string_equal(conf.state_dir, "/s");
	assert_string_equal(conf.mark, "/m");
	assert_string_equal(conf.control, "/c");
	assert_int_equal(conf.log_level, LOG_LEVEL_DEBUG);
	assert_true(conf.log_to_syslog);
	assert_string_equal(conf.audience, "a");
	assert_string_equal(conf.as_key_file, "/k");
	assert_string_equal(conf.as_public_key_file, "/p");
	assert_string_equal(conf.as_issuer, "n");
	assert_string_equal(conf.as_uri, "u://u");
	assert_int_equal(conf.discovery, GK_DISCOVERY_GROUPS);
	assert_string_equal(conf.group_path, "g");
	assert_string_equal(conf.authz_path, "z");
	assert_int_equal(conf.group_count, 2);
	assert_string_equal(conf.groups[0].name, "x");
	assert_string_equal(conf.groups[1].name, "g");
	assert_hex_equal(conf.groups[1].core.name, "67");
	assert_same_settings(&conf.groups[1].core, &want);
	gw_conf_free(&conf);
}

static bool is_same_with(const char *a, const char *b)
{
	static const char format[] = SMALLEST_WITH("presence = { sleepers = %s; };");
	struct gw_conf conf[2];
	char text[2][256];

	snprintf(text[0], sizeof(text[0]), format, a);
	snprintf(text[1], sizeof(text[1]), format, b);
	must_parse(text[0], &conf[0]);
	must_parse(text[1], &conf[1]);
	bool same = gw_conf_same_group(&conf[0].groups[0], &conf[1].groups[0]);
	gw_conf_replace(&conf[0], &conf[1]); // and nothing is freed twice
	gw_conf_free(&conf[0]);
	return same;
}

static void lists_are_the_same_if_all_their_texts_are(void **state)
{
	(void)state;
	assert_true(is_same_with("[ ]", "( )"));
	assert_true(is_same_with("[ \"a\", \"b\" ]", "( \"a\", \"b\" )"));
	assert_false(is_same_with("[ \"a\", \"b\" ]", "[ \"a\" ]"));
	assert_false(is_same_with("[ \"a\", \"b\" ]", "[ \"a\", \"c\" ]"));
	assert_false(is_same_with("[ ]", "[ \"a\" ]"));
}

static void eddsa_is_there_if_the_build_has_it(void **state)
{
	static const char text[] =
		"interface = \"i\"; groups = ( { name = \"g\"; sign_alg = \"EdDSA\"; } );";
	struct gw_conf conf;
	(void)state;
	if (GK_HAVE_ED25519) {
		must_parse(text, &conf);
		assert_int_equal(conf.groups[0].core.sign_alg, GK_ALG_EDDSA);
		gw_conf_free(&conf);
	} else {
		must_fail(text, "must be \"ES256\": wolfSSL was built without Ed25519");
	}
}

/* Keys for one other member come of X25519 there, and a daemon that starts without it would have no
 * such group. */
static void eddsa_has_pairwise_keys_if_the_build_has_x25519(void **state)
{
	static const char *const modes[] = { "group", "pairwise", "both" };
	static const char format[] = "interface = \"i\"; groups = ( { name = \"g\"; sign_alg = "
				     "\"%s\"; mode = \"%s\"; } );";
	struct gw_conf conf;
	char text[160];
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(modes); i++) {
		bool eddsa = i < COUNT(modes);
		const char *mode = modes[i % COUNT(modes)];

		if (eddsa && !GK_HAVE_ED25519)
			continue;
		snprintf(text, sizeof(text), format, eddsa ? "EdDSA" : "ES256", mode);
		if (!eddsa || GK_HAVE_CURVE25519 || strcmp(mode, "group") == 0) {
			must_parse(text, &conf);
			gw_conf_free(&conf);
		} else {
			must_fail(text, ":1: groups[0].mode: must be \"group\" beside EdDSA: "
					"wolfSSL was built without X25519");
		}
	}
}

/* Before and behind the options of a table that stands somewhere in the file. */
struct nest {
	const char *before, *behind;
};

static const struct nest top = { "", "" };
static const struct nest in_link = { "link = { ", " };" };
static const struct nest in_as = { "as = { ", " };" };
static const struct nest in_paths = { "paths = { ", " };" };
static const struct nest in_group = { "groups = ( { ", " } );" };
static const struct nest in_rekey = { "groups = ( { rekey = { ", " }; } );" };
static const struct nest in_presence = { "groups = ( { presence = { ", " }; } );" };

static const struct nest *nest_of(const struct gw_option *option)
{
	static const struct {
		const char *name;
		const struct nest *nest;
	} rows[] = {
		{ "link", &in_link },         { "as", &in_as },
		{ "groups", &in_group },      { "rekey", &in_rekey },
		{ "presence", &in_presence }, { "paths", &in_paths },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		if (strcmp(rows[i].name, option->name) == 0)
			return rows[i].nest;
	}
	fail_msg("where does %s belong?", option->name);
	return NULL;
}

// Values of every other type, for each option of a table and those in it. @return how many options
static size_t refuse_other_types(const struct gw_option *table, const struct nest *nest)
{
	static const struct {
		const char *value;
		int fits; /* the type that it is of; -1: none */
	} values[] = {
		{ "1.5", -1 },         { "\"text\"", GW_TEXT }, { "1", GW_INT },
		{ "true", GW_BOOL },   { "5L", GW_INT },        { "{ }", GW_GROUP },
		{ "[ 1 ]", GW_TEXTS }, { "[ ]", GW_TEXTS }, // of the first the element is refused
		{ "( )", GW_TEXTS },
	};
	size_t count = 0;

	for (const struct gw_option *option = table; option->name; option++, count++) {
		for (size_t i = 0; i < COUNT(values); i++) {
			char text[128], why[64];
			if ((int)option->type == values[i].fits)
				continue;
			snprintf(text, sizeof(text), "%s%s = %s;%s", nest->before, option->name,
				 values[i].value, nest->behind);
			snprintf(why, sizeof(why), "%s: must be ", option->name);
			must_fail(text, why);
		}
		if (option->sub)
			count += refuse_other_types(option->sub, nest_of(option));
	}
	return count;
}

static void every_option_refuses_values_of_other_types(void **state)
{
	(void)state;
	assert_int_equal(refuse_other_types(gw_conf_options, &top), 58);
}

// Every number of a table at its smallest or at its largest, and all that is or is not.
static void append_bounds(char *text, const struct gw_option *table, bool largest)
{
	for (const struct gw_option *option = table; option->name; option++) {
		if (option->type == GW_INT)
			sprintf(text + strlen(text), "%s = %ld; ", option->name,
				largest ? option->max : option->min);
		if (option->type == GW_BOOL)
			sprintf(text + strlen(text), "%s = %s; ", option->name,
				largest ? "true" : "false");
		if (option->type == GW_GROUP) {
			sprintf(text + strlen(text), "%s = { ", option->name);
			append_bounds(text, option->sub, largest);
			strcat(text, "}; ");
		}
	}
}

static void the_library_takes_what_is_allowed_here(void **state)
{
	static const struct gk_now now = { { 1000 }, { 1790000000 } };
	struct test_env t;
	struct gk_env env = test_env(&t, 1);
	(void)state;
	assert_int_equal(gk_global_init(&env), GK_OK);
	for (int largest = 0; largest < 2; largest++) {
		char text[1024] = "interface = \"i\"; groups = ( { name = \"g\"; ";
		struct gk_kdc_config config = {
			.audience = gk_span_str("gatewayd"),
			.as_key = hex_span("000102030405060708090a0b0c0d0e0f"),
			.rekeying_bps = largest ? 1000000000 : 10,
		};
		struct gk_kdc *kdc;
		struct gw_conf conf;
		append_bounds(text, gw_group_options, largest);
		strcat(text, "} );");
		must_parse(text, &conf);
		assert_int_equal(gk_kdc_new(&env, &config, &kdc), GK_OK);
		assert_int_equal(gk_kdc_add_group(kdc, &conf.groups[0].core, now), GK_OK);
		gk_kdc_free(kdc);
		gw_conf_free(&conf);
	}
	gk_global_cleanup();
}

/* What would remove the living, or could never be kept, and the nearest that would not. */
static void policies_that_would_evict_the_living_are_refused(void **state)
{
	static const struct {
		const char *options, *why; // NULL: none
	} rows[] = {
		{ "probes = 1;", "probes: must be at least 2: with 'evict' a single frame" },
		{ "probes = 1; evict = false;", NULL },
		{ "probes = 2;", NULL },
		{ "probes = 2; probe_wait_s = 5; grace_s = 4;",
		  "grace_s: must be at least 5 with these probes" },
		{ "probes = 2; probe_wait_s = 5; grace_s = 4; evict = false;", NULL },
		{ "probes = 2; probe_wait_s = 5; grace_s = 5;", NULL },
		{ "probes = 3; probe_wait_s = 5; grace_s = 0;", NULL },
		{ "probes = 2; probe_wait_s = 1; grace_s = 1; check_interval_s = 2;", NULL },
		{ "check_interval_s = 86401;",
		  "sleep_max_s: must be at least check_interval_s, 86401" },
		{ "check_interval_s = 86400;", NULL },
		{ "check_interval_s = 100; sleep_max_s = 99;",
		  "sleep_max_s: must be at least check_interval_s, 100" },
		{ "grace_s = 586;", "mass_loss_window_s: must be at least probes * probe_wait_s + "
				    "grace_s, 601" },
		{ "grace_s = 585;", NULL },
		{ "grace_s = 586; mass_loss_window_s = 601;", NULL },
		{ "grace_s = 604800; mass_loss_percent = 100;", NULL },
		{ "grace_s = 604800; probes = 20; probe_wait_s = 93; "
		  "mass_loss_window_s = 606660;",
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_conf conf;
		char text[256];
		snprintf(text, sizeof(text),
			 "interface = \"i\"; groups = ( { name = \"g\"; presence = { %s }; } );",
			 rows[i].options);
		if (rows[i].why) {
			must_fail(text, rows[i].why);
			continue;
		}
		must_parse(text, &conf);
		gw_conf_free(&conf);
	}
}

/* 206 bytes of question and answer on the air, twice. */
static void probes_that_cannot_be_answered_in_time_are_refused(void **state)
{
	static const struct {
		int rate_kbps, probe_wait_s;
		const char *why; // NULL: none
	} rows[] = {
		{ 1, 3, "presence.probe_wait_s: must be at least 4: with link.rate_kbps = 1" },
		{ 1, 4, NULL },
		{ 3, 1, "presence.probe_wait_s: must be at least 2: with link.rate_kbps = 3" },
		{ 4, 1, NULL },
		{ 20, 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_conf conf;
		char text[256];
		snprintf(text, sizeof(text),
			 "interface = \"i\"; groups = ( { name = \"g\"; presence = { "
			 "probe_wait_s = %d; }; } ); link = { rate_kbps = %d; };",
			 rows[i].probe_wait_s, rows[i].rate_kbps);
		if (rows[i].why) {
			must_fail(text, rows[i].why);
			continue;
		}
		must_parse(text, &conf);
		gw_conf_free(&conf);
	}
}

static void what_is_printed_parses_back(void **state)
{
	static const char *const texts[] = {
		SMALLEST,
		"interface = \"l\"; groups = ( { name = \"a\"; }, { name = \"b\"; } ); "
		"audience = \"\\\"\\\\\xc3\xa9\"; state_dir = \"/a b\"; log = \"syslog\";",
	};
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct gw_conf conf, again;
		must_parse(texts[i], &conf);
		char *first = printed(&conf);
		must_parse(first, &again);
		char *second = printed(&again);
		assert_string_equal(first, second);
		assert_string_equal(conf.audience, again.audience);
		free(first);
		free(second);
		gw_conf_free(&conf);
		gw_conf_free(&again);
	}
}

static void what_is_refused_changes_nothing(void **state)
{
	struct gw_conf conf, before;
	(void)state;
	memset(&before, 0x5a, sizeof(before));
	conf = before;
	assert_false(parse(SMALLEST "nonsense = 1;", &conf));
	assert_memory_equal(&conf, &before, sizeof(before));
}

static void truncation_is_refused_or_says_what_is_missing(void **state)
{
	static const char whole[] =
		"interface = \"lowpan0\"; /* c */ as = { issuer = \"a\\\"b\"; };"
		" groups = ( { name = \"a\"; rekey = { period_s = 99; }; }, "
		"{ name = \"b\"; } )";
	struct gw_conf conf;
	(void)state;
	must_parse(whole, &conf);
	gw_conf_free(&conf);
	for (size_t len = 0; len < strlen(whole); len++) {
		char text[sizeof(whole)];
		memcpy(text, whole, len);
		text[len] = '\0';
		must_fail(text, "x:1: ");
	}
}

static void comments_and_texts_hold_anything(void **state)
{
	struct gw_conf conf;
	(void)state;
	must_parse("# 99999999999999999999 @include \"x\" (((((((((((((( \" \n"
		   "// 99999999999999999999 @include \"x\" (((((((((((((( \" \n"
		   "/* 99999999999999999999\n@include \"x\" (((((((((((((( \" */"
		   "audience = \"99999999999999999999 @include (((((((((((((( # // /* \\\" '\";"
		   "interface = \"a9999999999999\";" // a name with many digits, in quotes
		   "groups = ( { name = \"99999999999999999999\"; } );",
		   &conf);
	assert_string_equal(conf.audience,
			    "99999999999999999999 @include (((((((((((((( # // /* \" '");
	gw_conf_free(&conf);
}

static void numbers_do_not_wrap(void **state)
{
	static const struct {
		const char *value;
		const char *why;
	} rows[] = {
		{ "2147483647", "period_s: must be 10 to" },
		{ "2147483648", "must be a number from" },
		{ "-2147483648", "period_s: must be 10 to" },
		{ "-2147483649", "must be a number from" },
		{ "4294967306", "must be a number from" }, // 10 modulo 2^32
		{ "4294967306L", "must be a number from" },
		{ "0x7fffffff", "period_s: must be 10 to" },
		{ "0x10000000a", "must be a number from" },
		{ "0X10000000A", "must be a number from" },
		{ "+4294967306", "" }, // newer versions of libconfig take a plus
		{ "18446744073709551626", "must be a number from" }, // 10 modulo 2^64
		{ "99999999999999999999999999", "must be a number from" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[128];
		snprintf(text, sizeof(text), "groups = ( { rekey = { period_s = %s; }; } );",
			 rows[i].value);
		must_fail(text, rows[i].why);
	}
}

static void nesting_has_an_end(void **state)
{
	static char text[60000];
	(void)state;
	must_fail("a = ((((((((1))))))));", "unknown option");
	must_fail("a = (((((((((1)))))))));", "nested too deep");
	must_fail("a = {b = [{c = {d = {e = {f = {g = {h = [1]}}}}}}]};", "nested too deep");
	must_fail("a = (()()()()()()()()()()()());", "syntax error");
	memset(text, '(', sizeof(text) - 1);
	must_fail(text, "nested too deep");
}

static void zero_bytes_are_refused(void **state)
{
	static const char text[] = SMALLEST "\0 nonsense";
	struct gw_conf conf;
	(void)state;
	assert_false(
		gw_conf_parse(gk_span(text, sizeof(text) - 1), "x", &conf, error, sizeof(error)));
	assert_string_equal(error, "x:1: must be text without zero bytes");
	must_fail("\n\naudience = \"a\\x00b\";", "x:3: must be text without zero bytes");
}

static void the_size_of_a_file_has_an_end(void **state)
{
	static char text[65536 + 1];
	struct gw_conf conf;
	(void)state;
	memset(text, '\n', sizeof(text));
	memcpy(text, SMALLEST, strlen(SMALLEST));
	assert_true(gw_conf_parse(gk_span(text, 65535), "x", &conf, error, sizeof(error)));
	gw_conf_free(&conf);
	assert_false(gw_conf_parse(gk_span(text, 65536), "x", &conf, error, sizeof(error)));
	assert_string_equal(error, "x: larger than 65535 bytes");
}

static void lines_are_counted_to_the_end(void **state)
{
	static char text[65536];
	(void)state;
	memset(text, '\n', 65000);
	strcpy(text + 65000, "nonsense = 1;");
	must_fail(text, "x:65001: nonsense: unknown option");
}

static void messages_are_cut_to_the_room_there_is(void **state)
{
	struct gw_conf conf;
	char long_name[2000], small[8];
	(void)state;
	memset(small, '#', sizeof(small));
	assert_false(gw_conf_parse(gk_span_str("a = 1;"), "file", &conf, small, 4));
	assert_string_equal(small, "fil");
	assert_int_equal(small[4], '#');

	memset(long_name, 'n', sizeof(long_name) - 5);
	strcpy(long_name + sizeof(long_name) - 5, "=1;");
	must_fail(long_name, "x:1: nnnn");
	assert_true(strlen(error) < sizeof(error));
}

static void files_that_cannot_be_read_are_named(void **state)
{
	struct gw_conf conf;
	char dir[] = "/tmp/test_conf.XXXXXX", want[256], path[128];
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	assert_false(gw_conf_read((const char *[]){ path, NULL }, &conf, error, sizeof(error)));
	snprintf(want, sizeof(want), "%s: No such file or directory", path);
	assert_string_equal(error, want);
	assert_false(gw_conf_read((const char *[]){ dir, NULL }, &conf, error, sizeof(error)));
	snprintf(want, sizeof(want), "%s: Is a directory", dir);
	assert_string_equal(error, want);

	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(SMALLEST, file);
	fclose(file);
	assert_true(gw_conf_read((const char *[]){ path, NULL }, &conf, error, sizeof(error)));
	gw_conf_free(&conf);
	unlink(path);
	rmdir(dir);
}

/*
 * Several files
 */

static char first_path[64], second_path[64];
static const char *const both_paths[] = { first_path, second_path, NULL };

static void write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static int make_files(void **state)
{
	static char dir[] = "/tmp/test_conf.XXXXXX";

	*state = dir;
	if (!mkdtemp(dir))
		return -1;
	snprintf(first_path, sizeof(first_path), "%s/first", dir);
	snprintf(second_path, sizeof(second_path), "%s/second", dir);
	return 0;
}

static int remove_files(void **state)
{
	char *dir = *state;

	unlink(first_path);
	unlink(second_path);
	rmdir(dir);
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return 0;
}

static bool read_both(const char *first, const char *second, struct gw_conf *conf)
{
	write_text(first_path, first);
	write_text(second_path, second);
	return gw_conf_read(both_paths, conf, error, sizeof(error));
}

static void an_option_of_a_later_file_replaces_that_of_an_earlier_one(void **state)
{
	struct gw_conf conf;
	(void)state;
	if (!read_both("interface = \"a\"; audience = \"b\"; watch = [ \"x\", \"y\" ];\n"
		       "link = { rate_kbps = 20; share_percent = 7; };\n"
		       "groups = ( { name = \"one\"; }, { name = \"two\"; } );",
		       "interface = \"c\"; watch = [ \"z\" ]; log_level = \"warn\";\n"
		       "link = { rate_kbps = 40; }; groups = ( { name = \"three\"; } );",
		       &conf))
		fail_msg("%s", error);
	assert_string_equal(conf.interface, "c");
	assert_string_equal(conf.audience, "b");
	assert_int_equal(conf.log_level, LOG_LEVEL_WARN);
	assert_int_equal(conf.watch.count, 1);
	assert_string_equal(conf.watch.text[0], "z");
	// Braces and lists are replaced as a whole.
	assert_int_equal(conf.rate_kbps, 40);
	assert_int_equal(conf.share_percent, 25);
	assert_int_equal(conf.group_count, 1);
	assert_string_equal(conf.groups[0].name, "three");
	gw_conf_free(&conf);
}

static void what_is_required_may_be_in_any_file(void **state)
{
	struct gw_conf conf;
	(void)state;
	assert_true(read_both("groups = ( { name = \"g\"; } );", "interface = \"i\";", &conf));
	gw_conf_free(&conf);
	assert_true(read_both("", SMALLEST, &conf));
	gw_conf_free(&conf);
	assert_false(read_both("groups = ( { name = \"g\"; } );", "audience = \"a\";", &conf));
	assert_non_null(strstr(error, "/first:1: interface: is missing"));
}

static void a_message_names_the_file_that_counts(void **state)
{
	static const struct {
		const char *first, *second, *want;
	} rows[] = {
		{ "\nport = 1;", SMALLEST, "/first:2: port: unknown option" },
		{ SMALLEST, "\n\nport = 1;", "/second:3: port: unknown option" },
		{ SMALLEST, "\nlog_level = 1;", "/second:2: log_level: must be" },
		{ "\nlog_level = 1;", SMALLEST, "/first:2: log_level: must be" },
		{ "interface = \"i\"\ngroups = 1", "audience", "/second:" }, // no syntax
		// Checks between options of different files, in the one that they are about.
		{ "groups = ( { name = \"g\"; } );\nwatch = [ \"i\" ];", "interface = \"i\";",
		  "/first:2: watch[0]: must be another" },
		{ SMALLEST, "\nmark = \"/etc/gatewayd/state/m\";", "/second:2: mark: must be" },
		{ SMALLEST, "groups = ( { name = \"a\"; },\n{ name = \"a\"; } );",
		  "/second:2: groups[1].name: must be unique" },
	};
	struct gw_conf conf;
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_false(read_both(rows[i].first, rows[i].second, &conf));
		if (!strstr(error, rows[i].want))
			fail_msg("row %zu: got %s\nwant %s", i, error, rows[i].want);
	}
	unlink(second_path);
	assert_false(gw_conf_read(both_paths, &conf, error, sizeof(error)));
	assert_non_null(strstr(error, "/second: No such file"));
}

static void what_is_replaced_need_not_be_valid(void **state)
{
	struct gw_conf conf;
	(void)state;
	assert_true(read_both("interface = 7;", SMALLEST, &conf));
	assert_string_equal(conf.interface, "lowpan0");
	gw_conf_free(&conf);
}

static void what_is_refused_later_is_found_in_the_file_that_counts(void **state)
{
	char names[256], want[256];
	(void)state;
	write_text(first_path, "audience = \"a\";\nlisten = \"b\";");
	write_text(second_path, "\n\naudience = \"c\";");
	gw_conf_refuse(both_paths, "audience", "no", error, sizeof(error));
	assert_non_null(strstr(error, "/second:3: audience: no"));
	gw_conf_refuse(both_paths, "listen", "no", error, sizeof(error));
	assert_non_null(strstr(error, "/first:2: listen: no"));
	gw_conf_refuse(both_paths, "mark", "no", error, sizeof(error));
	assert_non_null(strstr(error, "/first: mark: no"));

	gw_conf_name(both_paths, names, sizeof(names));
	snprintf(want, sizeof(want), "%s, %s", first_path, second_path);
	assert_string_equal(names, want);
	gw_conf_name(both_paths, names, 8); // with the end of the text in bounds
	assert_int_equal(strlen(names), 7);
}

/*
 * Two configurations
 */

static const char *fixed_between(const char *now, const char *wanted)
{
	struct gw_conf a, b;
	const char *option;

	must_parse(now, &a);
	must_parse(wanted, &b);
	option = gw_conf_fixed(&a, &b);
	gw_conf_free(&a);
	gw_conf_free(&b);
	return option;
}

static void what_needs_a_restart_is_named(void **state)
{
	static const char base[] = "groups = ( { name = \"a\"; } ); ";
	static const struct {
		const char *now, *wanted;
		const char *option; // NULL: it can change
	} rows[] = {
		{ "interface = \"i\";", "interface = \"i\";", NULL },
		{ "interface = \"i\";", "interface = \"j\";", "interface" },
		{ "state_dir = \"/a\"; mark = \"/m\";", "state_dir = \"/b\"; mark = \"/m\";",
		  "state_dir" },
		{ "mark = \"/m\";", "mark = \"/n\";", "mark" },
		{ "mark = \"/m\";", "", "mark" },
		{ "", "mark = \"/var/lib/gatewayd/etc-gatewayd-state.mark\";", NULL },
		{ "audience = \"a\";", "audience = \"b\";", "audience" },
		{ "as = { key_file = \"/a\"; };", "as = { key_file = \"/b\"; };", "as.key_file" },
		{ "", "as = { public_key_file = \"/b\"; };", "as.public_key_file" },
		{ "as = { public_key_file = \"/b\"; };", "", "as.public_key_file" },
		{ "as = { issuer = \"a\"; };", "as = { issuer = \"b\"; };", "as.issuer" },
		{ "as = { issuer = \"a\"; };", "as = { issuer = \"a\"; };", NULL },
		{ "", "as = { uri = \"u://u\"; };", "as.uri" },
		{ "", "paths = { groups = \"a\"; };", "paths.groups" },
		{ "", "paths = { authz_info = \"a\"; };", "paths.authz_info" },
		{ "", "paths = { groups = \"ace-group\"; };", NULL },
		{ "", "discovery = \"groups\";", NULL },
		{ "",
		  "listen = \"[::1]:7\"; control = \"/c\"; log = \"syslog\"; "
		  "log_level = \"debug\"; link = { rate_kbps = 20; };",
		  NULL },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char now[256], wanted[256];
		const char *interface = i < 2 ? "" : "interface = \"i\"; ";
		snprintf(now, sizeof(now), "%s%s%s", base, interface, rows[i].now);
		snprintf(wanted, sizeof(wanted), "%s%s%s", base, interface, rows[i].wanted);
		const char *option = fixed_between(now, wanted);
		if (rows[i].option)
			assert_string_equal(option ? option : "none", rows[i].option);
		else
			assert_null(option);
	}
}

// Each option of a group, at another value, makes another group.
static void groups_differ_in_any_option(void **state)
{
	static const char *const options[] = {
		"active = false;",
		"mode = \"pairwise\";",
		"members_max = 1;",
		"rekey = { scheme = \"point-to-point\"; };",
		"rekey = { address = \"[ff02::1]:7\"; };",
		"rekey = { confirm = \"all\"; };",
		"rekey = { stale_sets = 4; };",
		"presence = { evict = false; };",
		"presence = { grace_s = 61; };",
	};
	struct gw_conf plain, again;
	(void)state;
	must_parse(SMALLEST, &plain);
	must_parse(SMALLEST, &again);
	assert_true(gw_conf_same_group(&plain.groups[0], &again.groups[0]));
	gw_conf_free(&again);
	for (size_t i = 0; i < COUNT(options); i++) {
		struct gw_conf other;
		char text[256];
		snprintf(text, sizeof(text),
			 "interface = \"i\"; groups = ( { name = \"lights\"; %s } );", options[i]);
		must_parse(text, &other);
		if (gw_conf_same_group(&plain.groups[0], &other.groups[0]))
			fail_msg("the same: %s", options[i]);
		gw_conf_free(&other);
	}
	gw_conf_free(&plain);
}

static void groups_are_found_by_their_whole_name(void **state)
{
	struct gw_conf conf;
	(void)state;
	must_parse("interface = \"i\"; groups = ( { name = \"a\"; }, { name = \"ab\"; } );", &conf);
	assert_ptr_equal(gw_conf_find_group(&conf, gk_span_str("ab")), &conf.groups[1]);
	assert_ptr_equal(gw_conf_find_group(&conf, gk_span_str("a")), &conf.groups[0]);
	assert_null(gw_conf_find_group(&conf, gk_span_str("abc")));
	assert_null(gw_conf_find_group(&conf, gk_span_str("")));
	gw_conf_free(&conf);
}

static void texts_that_cannot_change_stay_where_they_are(void **state)
{
	static const struct gw_conf zero = { 0 };
	struct gw_conf now, wanted;
	(void)state;
	must_parse(SMALLEST "as = { issuer = \"n\"; };", &now);
	must_parse(SMALLEST "as = { issuer = \"n\"; }; listen = \"[::1]:7\"; log_level = \"warn\";",
		   &wanted);
	const char *interface = now.interface, *audience = now.audience, *issuer = now.as_issuer;
	const struct gw_group_conf *groups = wanted.groups;
	gw_conf_replace(&now, &wanted);
	assert_ptr_equal(now.interface, interface);
	assert_ptr_equal(now.audience, audience);
	assert_ptr_equal(now.as_issuer, issuer);
	assert_string_equal(now.listen, "[::1]:7");
	assert_int_equal(now.log_level, LOG_LEVEL_WARN);
	assert_ptr_equal(now.groups, groups);
	assert_memory_equal(&wanted, &zero, sizeof(zero));
	gw_conf_free(&now);
}

static void what_is_refused_later_has_its_line_too(void **state)
{
	static const char text[] = "audience = \"a\";\n"
				   "as = {\n issuer = \"i\"; };\n"
				   "groups = (\n { name = \"a\"; },\n {\n name = \"b\";\n"
				   " mode = \"pairwise\"; } );\n";
	static const struct {
		const char *option, *where;
	} rows[] = {
		{ "audience", ":1: audience: no" },
		{ "as.issuer", ":3: as.issuer: no" },
		{ "as.key_file", ":2: as.key_file: no" }, // what is around it
		{ "groups[1].mode", ":8: groups[1].mode: no" },
		{ "groups[0].mode", ":5: groups[0].mode: no" },
		{ "mark", ": mark: no" }, // nowhere
	};
	char path[] = "/tmp/test_conf.XXXXXX";
	int fd = mkstemp(path);
	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char want[256];
		snprintf(want, sizeof(want), "%s%s", path, rows[i].where);
		gw_conf_refuse((const char *[]){ path, NULL }, rows[i].option, "no", error,
			       sizeof(error));
		assert_string_equal(error, want);
	}
	unlink(path);
	gw_conf_refuse((const char *[]){ path, NULL }, "audience", "no", error, sizeof(error));
	assert_non_null(strstr(error, ": audience: no"));
}

static void freeing_empties_and_may_be_done_twice(void **state)
{
	struct gw_conf conf, zero = { 0 };
	(void)state;
	must_parse(SMALLEST, &conf);
	gw_conf_free(&conf);
	assert_memory_equal(&conf, &zero, sizeof(zero));
	gw_conf_free(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_of_a_group_are_those_of_the_library),
		cmocka_unit_test(groups_are_rekeyed_by_the_tree_unless_told_otherwise),
		cmocka_unit_test(words_mean_what_the_library_means_by_them),
		cmocka_unit_test(rekeying_gets_its_share_of_the_link),
		cmocka_unit_test(messages_to_the_group_have_an_address_that_leaves_this_machine),
		cmocka_unit_test(the_control_group_has_a_port_of_its_own),
		cmocka_unit_test(beacons_become_rarer_and_not_more_frequent),
		cmocka_unit_test(defaults_of_the_daemon_are_as_documented),
		cmocka_unit_test(the_key_of_the_as_is_in_the_directory_of_the_state),
		cmocka_unit_test(every_directory_has_a_mark_of_its_own),
		cmocka_unit_test(the_mark_has_a_name_that_files_can_have),
		cmocka_unit_test(the_mark_is_not_where_the_state_is),
		cmocka_unit_test(a_file_has_a_name),
		cmocka_unit_test(every_option_reaches_its_field),
		cmocka_unit_test(lists_are_the_same_if_all_their_texts_are),
		cmocka_unit_test(eddsa_is_there_if_the_build_has_it),
		cmocka_unit_test(eddsa_has_pairwise_keys_if_the_build_has_x25519),
		cmocka_unit_test(every_option_refuses_values_of_other_types),
		cmocka_unit_test(the_library_takes_what_is_allowed_here),
		cmocka_unit_test(policies_that_would_evict_the_living_are_refused),
		cmocka_unit_test(probes_that_cannot_be_answered_in_time_are_refused),
		cmocka_unit_test(what_is_printed_parses_back),
		cmocka_unit_test(what_is_refused_changes_nothing),
		cmocka_unit_test(truncation_is_refused_or_says_what_is_missing),
		cmocka_unit_test(comments_and_texts_hold_anything),
		cmocka_unit_test(numbers_do_not_wrap),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(zero_bytes_are_refused),
		cmocka_unit_test(the_size_of_a_file_has_an_end),
		cmocka_unit_test(lines_are_counted_to_the_end),
		cmocka_unit_test(messages_are_cut_to_the_room_there_is),
		cmocka_unit_test(files_that_cannot_be_read_are_named),
		cmocka_unit_test_setup_teardown(
			an_option_of_a_later_file_replaces_that_of_an_earlier_one, make_files,
			remove_files),
		cmocka_unit_test_setup_teardown(what_is_required_may_be_in_any_file, make_files,
						remove_files),
		cmocka_unit_test_setup_teardown(a_message_names_the_file_that_counts, make_files,
						remove_files),
		cmocka_unit_test_setup_teardown(what_is_replaced_need_not_be_valid, make_files,
						remove_files),
		cmocka_unit_test_setup_teardown(
			what_is_refused_later_is_found_in_the_file_that_counts, make_files,
			remove_files),
		cmocka_unit_test(what_needs_a_restart_is_named),
		cmocka_unit_test(groups_differ_in_any_option),
		cmocka_unit_test(groups_are_found_by_their_whole_name),
		cmocka_unit_test(texts_that_cannot_change_stay_where_they_are),
		cmocka_unit_test(what_is_refused_later_has_its_line_too),
		cmocka_unit_test(freeing_empties_and_may_be_done_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
