// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf_table.h"
#include "config.h"
#include "gatewayd/seccomp.h"
#include "gatewayd/segment.h"
#include "io/addr.h"
#include "io/log.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/roots.h"
#include <stdio.h>
#include <string.h>

#define YEAR_S 31536000
#define WEEK_S 604800

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_dots(const char *text)
{
	return strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
}

// As the kernel's dev_valid_name().
static bool fits_interface(const char *text)
{
	return !strpbrk(text, "/: ") && !is_dots(text);
}

// One Uri-Path segment that needs no escaping anywhere, and is no path of its own.
static bool fits_segment(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (!is_letter_or_digit(*c) && !strchr("._-", *c))
			return false;
	}
	return !is_dots(text);
}

// It stands in an error message as a command, and in no shell.
static bool fits_user(const char *text)
{
	return text[0] != '-' && !strpbrk(text, "/: ");
}

static bool fits_path(const char *text)
{
	return text[0] == '/';
}

// Its last name is what files beside it are named for.
static bool fits_file(const char *text)
{
	const char *slash = strrchr(text, '/');

	return fits_path(text) && slash[1] && !is_dots(slash + 1);
}

const void *gw_option_of(const void *base, const struct gw_option *option)
{
	return (const char *)base + option->offset;
}

bool gw_conf_endpoint(const char *text, struct gk_addr *addr)
{
	char copy[IO_ADDR_TEXT];
	size_t zone = strcspn(text, "%");
	size_t rest = zone + strcspn(text + zone, "]");

	if (text[zone] && (!text[rest] || rest == zone + 1))
		return false;
	snprintf(copy, sizeof(copy), "%.*s%s", (int)zone, text, text + (text[zone] ? rest : zone));
	return io_addr_parse(copy, IO_ADDR_COAP_PORT, addr);
}

static bool fits_endpoint(const char *text)
{
	struct gk_addr addr;

	return gw_conf_endpoint(text, &addr) && addr.port != 0;
}

// RFC 4291 section 2.7: scopes 0 and 15 are reserved, and 1 does not leave this machine.
static bool fits_control_group(const char *text)
{
	struct gk_addr addr;

	if (strchr(text, '%') || !io_addr_parse(text, 0, &addr))
		return false;
	unsigned scope = addr.ip[1] & 0x0f;
	return addr.ip[0] == 0xff && scope >= 2 && scope <= 14 && addr.port != 0;
}

// One path below the root of a CoAP server, as libgroupkey has it.
static bool fits_root(const char *text)
{
	return gk_root_check(gk_span_str(text));
}

// A scheme and something behind it, in the characters of a URI (RFC 3986 section 2).
static bool fits_uri(const char *text)
{
	size_t scheme = strcspn(text, ":");

	for (const char *c = text; *c; c++) {
		if (!is_letter_or_digit(*c) && !strchr("-._~:/?#[]@!$&'()*+,;=%", *c))
			return false;
	}
	return scheme > 0 && strncmp(text + scheme, "://", 3) == 0 && text[scheme + 3];
}

#define FILE_RANGE "the absolute path of a file"

static const struct gw_word discoveries[] = {
	{ "none", GK_DISCOVERY_NONE, NULL },
	{ "kdc", GK_DISCOVERY_KDC, NULL },
	{ "groups", GK_DISCOVERY_GROUPS, NULL },
	{ 0 },
};

static const struct gw_word log_levels[] = {
	{ "error", LOG_LEVEL_ERROR, NULL },
	{ "warn", LOG_LEVEL_WARN, NULL },
	{ "info", LOG_LEVEL_INFO, NULL },
	{ "debug", LOG_LEVEL_DEBUG, NULL },
	{ 0 },
};

static const struct gw_word log_sinks[] = {
	{ "stderr", false, NULL },
	{ "syslog", true, NULL },
	{ 0 },
};

static const struct gw_word filters[] = {
	{ "deny", GW_SECCOMP_DENY, NULL },
	{ "kill", GW_SECCOMP_KILL, NULL },
	{ "log", GW_SECCOMP_LOG, NULL },
	{ "off", GW_SECCOMP_OFF, NULL },
	{ 0 },
};

static const struct gw_word modes[] = {
	{ "group", GK_MODE_GROUP, NULL },
	{ "pairwise", GK_MODE_PAIRWISE, NULL },
	{ "both", GK_MODE_BOTH, NULL },
	{ 0 },
};

static const struct gw_word sign_algs[] = {
	{ "ES256", GK_ALG_ES256, NULL },
	{ "EdDSA", GK_ALG_EDDSA, GK_HAVE_ED25519 ? NULL : "wolfSSL was built without Ed25519" },
	{ 0 },
};

#define REFERENCE "only refers to a credential; members need the whole of it"
#define C509      "this version reads no C509 certificates"

static const struct gw_word cred_fmts[] = {
	{ "ccs", GK_HEADER_KCCS, NULL },
	{ "cwt", GK_HEADER_KCWT, NULL },
	{ "x5chain", GK_HEADER_X5CHAIN, NULL },
	{ "x5bag", GK_HEADER_X5BAG, NULL },
	{ "x5t", -1, REFERENCE },
	{ "x5u", -1, REFERENCE },
	{ "c5t", -1, REFERENCE },
	{ "c5u", -1, REFERENCE },
	{ "c5c", -1, C509 },
	{ "c5b", -1, C509 },
	{ 0 },
};

static const struct gw_word schemes[] = {
	{ "tree", GK_TREE, NULL },
	{ "point-to-point", GK_POINT_TO_POINT, NULL },
	{ 0 },
};

static const struct gw_word confirms[] = {
	{ "auto", GK_CONFIRM_AUTO, NULL },
	{ "all", GK_CONFIRM_ALL, NULL },
	{ "implicit", GK_CONFIRM_IMPLICIT, NULL },
	{ "none", GK_CONFIRM_NONE, NULL },
	{ 0 },
};

#define AT(member) offsetof(struct gw_group_conf, member)

static const struct gw_option rekey_options[] = {
	{ "scheme", GW_WORD, AT(scheme), .words = schemes, .number = GK_TREE },
	{ "address", GW_TEXT, AT(address), 1, IO_ADDR_TEXT - 1,
	  "an IPv6 multicast address of scope 2 to 14 and a port, as in \"[ff03::fd]:5686\"",
	  .fits = fits_control_group, .text = "[ff03::fd]:5686" },
	{ "confirm", GW_WORD, AT(confirm), .words = confirms, .number = GK_CONFIRM_AUTO },
	{ "repeat", GW_INT, AT(core.rekey.repeat), 1, 10, "times",
	  "each takes as much of the air as the first", .number = 2 },
	{ "repeat_ms", GW_INT, AT(core.rekey.repeat_ms), 100, 60000, "milliseconds",
	  "a burst of noise should be over, and who missed the first message waits",
	  .number = 1000 },
	{ "beacon_min_s", GW_INT, AT(core.rekey.beacon_min_s), 0, 3600, "seconds",
	  "0 is no beacon, and a rare one comes late", .number = 0 },
	{ "beacon_max_s", GW_INT, AT(core.rekey.beacon_max_s), 1, WEEK_S, "seconds",
	  "who sleeps through a rekeying waits for so long", .number = 3600 },
	{ "on_join", GW_BOOL, AT(core.rekey_on_join), .number = true },
	{ "period_s", GW_INT, AT(core.period_s), 10, YEAR_S, "seconds",
	  "a round of deliveries must fit in", .number = 86400 },
	{ "coalesce_ms", GW_INT, AT(core.coalesce_ms), 0, 60000, "milliseconds",
	  "who has left can read for so long", .number = 500 },
	{ "in_flight", GW_INT, AT(core.in_flight), 1, 64, "messages",
	  "the CoAP library slows down with each session it holds", .number = 8 },
	{ "stale_sets", GW_INT, AT(core.stale_sets), 2, 16, "sets",
	  "the protocol needs more than one", .number = 3 },
	{ 0 },
};

static const struct gw_option presence_options[] = {
	{ "check_interval_s", GW_INT, AT(core.presence.check_interval_s), 1, WEEK_S, "seconds",
	  "a lost node can read for so long", .number = 300 },
	{ "probes", GW_INT, AT(core.presence.probes), 1, 20, "probes",
	  "nobody is removed on the kernel's word alone", .number = 3 },
	// RFC 7252 section 4.8.2: MAX_TRANSMIT_WAIT.
	{ "probe_wait_s", GW_INT, AT(core.presence.probe_wait_s), 1, 93, "seconds",
	  "CoAP itself gives up after 93", .number = 5 },
	{ "grace_s", GW_INT, AT(core.presence.grace_s), 0, WEEK_S, "seconds",
	  "a lost node can read for so long", .number = 60 },
	{ "sleep_max_s", GW_INT, AT(core.presence.sleep_max_s), 1, YEAR_S, "seconds",
	  "a lost node can read for so long", .number = 86400 },
	{ "evict", GW_BOOL, AT(core.presence.evict), .number = true },
	{ "evict_rate", GW_INT, AT(core.presence.evict_rate), 1, 60000, "members a minute",
	  "each is told, and the others are rekeyed", .number = 60 },
	{ "mass_loss_percent", GW_INT, AT(core.presence.mass_loss_percent), 1, 100, "percent",
	  "it is a share of the members", .number = 50 },
	{ "mass_loss_window_s", GW_INT, AT(core.presence.mass_loss_window_s), 1, 2 * WEEK_S,
	  "seconds", "what is lost one by one is not lost at once", .number = 600 },
	{ "sleepy", GW_BOOL, AT(core.presence.sleepy), .number = false },
	{ "sleepers", GW_TEXTS, AT(sleepers), 1, 32, "the name of a client, 1 to 32 bytes",
	  .most = GK_SLEEPERS_MAX },
	{ 0 },
};

const struct gw_option gw_group_options[] = {
	{ "name", GW_TEXT, AT(name), 1, 64,
	  "1 to 64 letters, digits, '.', '_' and '-', but not '.' or '..'", .fits = fits_segment,
	  .required = true },
	{ "active", GW_BOOL, AT(core.active), .number = true },
	{ "mode", GW_WORD, AT(mode), .words = modes, .number = GK_MODE_GROUP },
	{ "sign_alg", GW_WORD, AT(core.sign_alg), .words = sign_algs, .number = GK_ALG_ES256 },
	{ "cred_fmt", GW_WORD, AT(core.cred_fmt), .words = cred_fmts, .number = GK_HEADER_KCCS },
	{ "cred_issuers_file", GW_TEXT, AT(cred_issuers_file), 1, 4095, FILE_RANGE,
	  .fits = fits_file },
	{ "members_max", GW_INT, AT(core.members_max), 1, 60000, "members",
	  "each takes 1.5 KiB of memory", .number = 10000 },
	{ "rekey", GW_GROUP, .sub = rekey_options },
	{ "presence", GW_GROUP, .sub = presence_options },
	{ 0 },
};

#undef AT
#define AT(member) offsetof(struct gw_conf, member)

static const struct gw_option link_options[] = {
	{ "rate_kbps", GW_INT, AT(rate_kbps), 1, 1000000, "kbit/s",
	  "the slowest link on the way to a node counts", .number = 250 },
	{ "share_percent", GW_INT, AT(share_percent), 1, 100, "percent",
	  "what is left is for the nodes", .number = 25 },
	{ 0 },
};

static const struct gw_option as_options[] = {
	// Its default depends on state_dir: see complete().
	{ "key_file", GW_TEXT, AT(as_key_file), 1, 4095, FILE_RANGE, .fits = fits_file,
	  .fixed = "as.key_file" },
	{ "public_key_file", GW_TEXT, AT(as_public_key_file), 1, 4095, FILE_RANGE,
	  .fits = fits_file, .fixed = "as.public_key_file" },
	{ "issuer", GW_TEXT, AT(as_issuer), 1, GK_AUDIENCE_MAX,
	  "1 to 64 bytes of UTF-8 without control characters", .fixed = "as.issuer" },
	{ "uri", GW_TEXT, AT(as_uri), 1, GK_AS_URI_MAX,
	  "an absolute URI of at most 255 bytes, as in \"coaps://as.example.com/token\"",
	  .fits = fits_uri, .fixed = "as.uri" },
	{ 0 },
};

#define ROOT_RANGE                                                                                 \
	"1 to 4 segments of letters, digits, '.', '_', '~' and '-', with '/' between them, at "    \
	"most 24 bytes"

static const struct gw_option path_options[] = {
	{ "groups", GW_TEXT, AT(group_path), 1, GK_ROOT_MAX, ROOT_RANGE, .fits = fits_root,
	  .text = "ace-group", .fixed = "paths.groups" },
	{ "authz_info", GW_TEXT, AT(authz_path), 1, GK_ROOT_MAX, ROOT_RANGE, .fits = fits_root,
	  .text = "authz-info", .fixed = "paths.authz_info" },
	{ 0 },
};

#define INTERFACE "the name of a network interface, 1 to 15 bytes"

const struct gw_option gw_conf_options[] = {
	{ "interface", GW_TEXT, AT(interface), 1, 15, INTERFACE, .fits = fits_interface,
	  .required = true, .fixed = "interface" },
	{ "watch", GW_TEXTS, AT(watch), 1, 15, INTERFACE, .fits = fits_interface,
	  .most = GW_SEGMENT_WATCH_MAX },
	{ "link", GW_GROUP, .sub = link_options },
	{ "listen", GW_TEXT, AT(listen), 1, IO_ADDR_TEXT - 1,
	  "an IPv6 address and a port that is not 0, as in \"[::]:5683\"", .fits = fits_endpoint,
	  .text = "[::]:5683" },
	{ "listen_dtls", GW_TEXT, AT(listen_dtls), 1, IO_ADDR_TEXT - 1,
	  "an IPv6 address and a port that is not 0, as in \"[::]:5684\"", .fits = fits_endpoint,
	  .fixed = "listen_dtls" },
	{ "state_dir", GW_TEXT, AT(state_dir), 1, 4000, "an absolute path", .fits = fits_path,
	  .text = "/etc/gatewayd/state", .fixed = "state_dir" },
	// Its default depends on state_dir: see complete().
	{ "mark", GW_TEXT, AT(mark), 1, 4095, FILE_RANGE, .fits = fits_file, .fixed = "mark" },
	// unix(7): sun_path has 108 bytes.
	{ "control", GW_TEXT, AT(control), 1, 107, FILE_RANGE " of at most 107 bytes",
	  .fits = fits_file, .text = "/run/gatewayd/gatewayd.sock" },
	// getpwnam(3); Linux itself takes up to 32.
	{ "user", GW_TEXT, AT(user), 1, 32, "the name of a user, 1 to 32 bytes", .fits = fits_user,
	  .text = "gatewayd", .fixed = "user" },
	{ "net_admin", GW_BOOL, AT(net_admin), .number = false, .fixed = "net_admin" },
	{ "seccomp", GW_WORD, AT(seccomp), .words = filters, .number = GW_SECCOMP_DENY,
	  .fixed = "seccomp" },
	{ "log_level", GW_WORD, AT(log_level), .words = log_levels, .number = LOG_LEVEL_INFO },
	{ "log", GW_WORD, AT(log_to_syslog), .words = log_sinks, .number = false },
	{ "audience", GW_TEXT, AT(audience), 1, 64,
	  "1 to 64 bytes of UTF-8 without control characters", .text = "gatewayd",
	  .fixed = "audience" },
	{ "as", GW_GROUP, .sub = as_options },
	{ "discovery", GW_WORD, AT(discovery), .words = discoveries, .number = GK_DISCOVERY_KDC },
	{ "paths", GW_GROUP, .sub = path_options },
	{ "groups", GW_LIST, AT(groups), .sub = gw_group_options, .required = true },
	{ 0 },
};

#undef AT
