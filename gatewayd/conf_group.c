// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf_check.h"
#include "gatewayd/conf_presence.h"
#include "io/addr.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/cred.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_name_unique(const struct gw_report *report, const config_setting_t *setting,
			   const struct gw_conf *conf, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (strcmp(conf->groups[i].name, conf->groups[j].name) == 0)
			return gw_refuse(report, config_setting_get_member(setting, "name"), NULL,
					 "must be unique; groups[%zu] has the same", j);
	}
	return true;
}

// Of an option of the group's 'sub', at the place that is nearest to it in the file.
static bool refuse_in(const struct gw_report *report, const config_setting_t *group,
		      const char *sub, const char *name, const char *why)
{
	const config_setting_t *around = config_setting_get_member(group, sub);
	const config_setting_t *option = around ? config_setting_get_member(around, name) : NULL;
	char key[64];

	snprintf(key, sizeof(key), "%s.%s", sub, name);
	if (option)
		return gw_refuse(report, option, NULL, "%s", why);
	return gw_refuse(report, around ? around : group, around ? name : key, "%s", why);
}

static bool refuse_rekey(const struct gw_report *report, const config_setting_t *group,
			 const char *name, const char *why)
{
	return refuse_in(report, group, "rekey", name, why);
}

static bool is_presence_possible(const struct gw_report *report, const config_setting_t *setting,
				 const struct gw_conf *conf,
				 const struct gk_presence_config *presence)
{
	char why[GW_PRESENCE_WHY];
	const char *option;

	return gw_presence_fits(presence, conf->rate_kbps, &option, why) ||
	       refuse_in(report, setting, "presence", option, why);
}

static bool is_beacon_possible(const struct gw_report *report, const config_setting_t *setting,
			       const struct gk_rekey_config *rekey)
{
	if (rekey->beacon_max_s >= rekey->beacon_min_s)
		return true;
	return refuse_rekey(report, setting, "beacon_max_s", "must be at least beacon_min_s");
}

// Confirmations come to the port of the control group by unicast, as requests to ours do.
static bool is_port_free(const struct gw_report *report, const config_setting_t *setting,
			 const struct gw_conf *conf, const struct gk_rekey_config *rekey)
{
	uint16_t port = rekey->control_group.port;

	if (rekey->scheme == GK_TREE && port == gw_conf_port(conf->listen))
		return refuse_rekey(report, setting, "address",
				    "must have another port than 'listen'");
	if (rekey->scheme == GK_TREE && port == gw_conf_port(conf->listen_dtls))
		return refuse_rekey(report, setting, "address",
				    "must have another port than 'listen_dtls'");
	return true;
}

/* In all modes but 'group' members agree on keys: beside EdDSA with X25519. */
static bool is_mode_there(const struct gw_report *report, const config_setting_t *setting,
			  const struct gw_group_conf *group)
{
	if (group->mode == GK_MODE_GROUP || gk_dh_curve(group->core.sign_alg))
		return true;
	return gw_refuse(report, config_setting_get_member(setting, "mode"), NULL,
			 "must be \"group\" beside EdDSA: wolfSSL was built without X25519");
}

/* X.509 takes a wolfSSL that has it, and there are no certificates of X25519 keys. */
static bool is_format_there(const struct gw_report *report, const config_setting_t *setting,
			    const struct gw_group_conf *group)
{
	const config_setting_t *at = config_setting_get_member(setting, "cred_fmt");
	int alg = group->core.sign_alg;
	int crv = group->mode == GK_MODE_PAIRWISE ? gk_dh_curve(alg) : gk_sign_curve(alg);

	if (gk_cred_slot(group->core.cred_fmt) == GK_CRED_FORMATS)
		return gw_refuse(report, at, NULL, "wolfSSL was built without X.509");
	if (crv && !gk_cred_has_curve(group->core.cred_fmt, crv))
		return gw_refuse(
			report, at, NULL,
			"X25519 keys, which this mode takes beside EdDSA, have no certificates");
	return true;
}

static bool is_vouched_for(const struct gw_report *report, const config_setting_t *setting,
			   const struct gw_group_conf *group)
{
	bool needed = gk_cred_has_issuer(group->core.cred_fmt);

	if (needed == (group->cred_issuers_file != NULL))
		return true;
	if (needed)
		return gw_refuse(report, setting, "cred_issuers_file",
				 "is missing; must be an absolute path: of credentials of this "
				 "'cred_fmt' somebody has to be known who issues them");
	return gw_refuse(report, config_setting_get_member(setting, "cred_issuers_file"), NULL,
			 "must not be there: nobody issues credentials of this 'cred_fmt'");
}

// The texts stay where they are.
static bool name_sleepers(const struct gw_report *report, struct gw_group_conf *group)
{
	const struct gw_texts *texts = &group->sleepers;
	struct gk_presence_config *presence = &group->core.presence;

	if (texts->count == 0)
		return true;
	group->sleeper_names = calloc(texts->count, sizeof(group->sleeper_names[0]));
	if (!group->sleeper_names)
		return gw_refuse_file(report, "out of memory");
	for (size_t i = 0; i < texts->count; i++)
		group->sleeper_names[i] = gk_span_str(texts->text[i]);
	presence->sleepers = group->sleeper_names;
	presence->sleeper_count = texts->count;
	return true;
}

bool gw_conf_complete_group(const struct gw_report *report, const config_setting_t *setting,
			    struct gw_conf *conf, size_t i)
{
	struct gw_group_conf *group = &conf->groups[i];
	struct gk_rekey_config *rekey = &group->core.rekey;

	group->core.name = gk_span_str(group->name);
	group->core.mode = (enum gk_mode)group->mode;
	rekey->scheme = (enum gk_scheme)group->scheme;
	rekey->confirm = (enum gk_confirm)group->confirm;
	// The table has found that both can be parsed.
	(void)io_addr_parse(group->address, 0, &rekey->control_group);
	return is_name_unique(report, setting, conf, i) && is_mode_there(report, setting, group) &&
	       is_format_there(report, setting, group) && is_vouched_for(report, setting, group) &&
	       is_beacon_possible(report, setting, rekey) &&
	       is_presence_possible(report, setting, conf, &group->core.presence) &&
	       is_port_free(report, setting, conf, rekey) && name_sleepers(report, group);
}
