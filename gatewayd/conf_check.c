// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf_check.h"
#include "gatewayd/conf_values.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/roots.h"
#include <stdio.h>

uint16_t gw_conf_port(const char *endpoint)
{
	struct gk_addr addr = { 0 };

	// The table has found that it can be parsed.
	if (endpoint)
		(void)gw_conf_endpoint(endpoint, &addr);
	return addr.port;
}

// Not a matter of one row: a path that is given may be below the default of the other.
static bool check_paths(const struct gw_report *report, const struct gw_files *files,
			const struct gw_conf *conf)
{
	if (gk_roots_fit(gk_span_str(conf->group_path), gk_span_str(conf->authz_path)))
		return true;
	return gw_refuse(report, gw_files_find(files, "paths"), NULL,
			 "'groups' and 'authz_info' must not be at or below each other, or "
			 "\".well-known\"");
}

static bool check_dtls(const struct gw_report *report, const struct gw_files *files,
		       const struct gw_conf *conf)
{
	if (!conf->listen_dtls || gw_conf_port(conf->listen) != gw_conf_port(conf->listen_dtls))
		return true;
	return gw_refuse(report, gw_files_find(files, "listen_dtls"), NULL,
			 "must have another port than 'listen'");
}

static bool check_watch(const struct gw_report *report, const struct gw_files *files,
			const struct gw_conf *conf)
{
	size_t at = gw_values_find(&conf->watch, conf->interface);

	if (at == conf->watch.count)
		return true;
	return gw_refuse(report,
			 config_setting_get_elem(gw_files_find(files, "watch"), (unsigned)at), NULL,
			 "must be another than 'interface', which is watched anyway");
}

bool gw_conf_complete(const struct gw_report *report, const struct gw_files *files,
		      struct gw_conf *conf)
{
	const config_setting_t *groups = gw_files_find(files, "groups");

	conf->rekeying_bps = conf->rate_kbps * 1000 / 100 * conf->share_percent;
	if (!conf->as_key_file && asprintf(&conf->as_key_file, "%s/as.key", conf->state_dir) < 0) {
		conf->as_key_file = NULL;
		return gw_refuse_file(report, "out of memory");
	}
	if (!gw_conf_check_mark(report, files, conf) || !check_paths(report, files, conf) ||
	    !check_dtls(report, files, conf) || !check_watch(report, files, conf))
		return false;
	for (size_t i = 0; i < conf->group_count; i++) {
		if (!gw_conf_complete_group(report, config_setting_get_elem(groups, (unsigned)i),
					    conf, i))
			return false;
	}
	return true;
}
