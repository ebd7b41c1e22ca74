// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/conf_presence.h"
#include "libgroupkey/budget.h"
#include <inttypes.h>
#include <stdarg.h>

/* As libgroupkey books them: a protected GET of the member's control resource, and its answer; what
 * the kernel asks before, and is answered. In bytes, as CoAP messages of that length would be. */
#define EXCHANGE_LEN 64
#define KERNEL_LEN   40

/* On the air, with all that frames add. */
static uint64_t exchange_bytes(void)
{
	return 2 * gk_air_of(EXCHANGE_LEN).bytes;
}

static uint64_t check_bytes(void)
{
	return exchange_bytes() + 2 * gk_air_of(KERNEL_LEN).bytes;
}

/*
 * Do they go together?
 */

struct policy {
	const struct gk_presence_config *presence;
	uint32_t rate_kbps;
	char *why;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct policy *policy,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(policy->why, GW_PRESENCE_WHY, format, args);
	va_end(args);
	return false;
}

static bool asks_twice(const struct policy *policy)
{
	if (!policy->presence->evict || policy->presence->probes >= 2)
		return true;
	return refuse(policy, "must be at least 2: with 'evict' a single frame that gets lost "
			      "would remove a member that is there");
}

/* From its first unanswered probe on others are asked, each for as long as it was. */
static bool leaves_time_for_others(const struct policy *policy)
{
	const struct gk_presence_config *p = policy->presence;
	uint64_t left_s = (uint64_t)(p->probes - 1) * p->probe_wait_s + p->grace_s;
	uint64_t needed_s = 2 * (uint64_t)p->probe_wait_s;

	if (!p->evict || left_s >= needed_s)
		return true;
	return refuse(policy,
		      "must be at least %" PRIu64 " with these probes and 'evict': before a "
		      "member is removed there must be time to ask others whether we hear anybody",
		      p->grace_s + needed_s - left_s);
}

static bool sleeps_longer(const struct policy *policy)
{
	if (policy->presence->sleep_max_s >= policy->presence->check_interval_s)
		return true;
	return refuse(policy,
		      "must be at least check_interval_s, %" PRIu32
		      ": who sleeps is asked less often than who does not",
		      policy->presence->check_interval_s);
}

static uint64_t round_s(const struct gk_presence_config *p)
{
	return (uint64_t)p->probes * p->probe_wait_s;
}

static bool sees_whole_losses(const struct policy *policy)
{
	const struct gk_presence_config *p = policy->presence;

	if (p->mass_loss_percent == 100 || p->mass_loss_window_s >= round_s(p) + p->grace_s)
		return true;
	return refuse(policy,
		      "must be at least probes * probe_wait_s + grace_s, %" PRIu64
		      ": a loss takes so long, and would be forgotten before it is complete",
		      round_s(p) + p->grace_s);
}

/* Half of the time is for the way through a mesh, and for those who wait for the same air. */
static bool answers_can_arrive(const struct policy *policy)
{
	uint64_t bits_ms = exchange_bytes() * 8 / policy->rate_kbps;
	uint64_t needed_s = (2 * bits_ms + 999) / 1000;

	if (policy->presence->probe_wait_s >= needed_s)
		return true;
	return refuse(policy,
		      "must be at least %" PRIu64 ": with link.rate_kbps = %" PRIu32
		      " question and answer alone take %" PRIu64 " ms of the air",
		      needed_s, policy->rate_kbps, bits_ms);
}

bool gw_presence_fits(const struct gk_presence_config *presence, uint32_t rate_kbps,
		      const char **option, char *why)
{
	static const struct {
		const char *option;
		bool (*fits)(const struct policy *policy);
	} rules[] = {
		{ "probes", asks_twice },
		{ "probe_wait_s", answers_can_arrive },
		{ "grace_s", leaves_time_for_others },
		{ "sleep_max_s", sleeps_longer },
		{ "mass_loss_window_s", sees_whole_losses },
	};
	const struct policy policy = { presence, rate_kbps, why };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].fits(&policy))
			continue;
		*option = rules[i].option;
		return false;
	}
	return true;
}

/*
 * How long it takes
 */

/* As seconds: 500 is 0.5. */
static void print_ms(uint64_t ms, FILE *out)
{
	uint64_t rest = ms % 1000;
	int digits = rest % 100 ? (rest % 10 ? 3 : 2) : 1;

	fprintf(out, "%" PRIu64, ms / 1000);
	for (int i = digits; i < 3; i++)
		rest /= 10;
	if (rest)
		fprintf(out, ".%0*" PRIu64, digits, rest);
}

/* One member, of whom something was heard just before. */
static void print_bound(const struct gw_group_conf *group, const char *who, const char *option,
			uint32_t quiet_s, uint32_t verdict_ms, FILE *out)
{
	const struct gk_presence_config *p = &group->core.presence;
	uint64_t sum_s = quiet_s + round_s(p) + p->grace_s;

	fprintf(out, "#   %s: ", who);
	print_ms(sum_s * 1000 + verdict_ms + group->core.coalesce_ms + GW_PRESENCE_OURS_MS, out);
	fprintf(out, " s = %s %" PRIu32 " + kernel ", option, quiet_s);
	print_ms(verdict_ms, out);
	fprintf(out, " + probes %" PRIu32 " * probe_wait_s %" PRIu32 " + grace_s %" PRIu32,
		p->probes, p->probe_wait_s, p->grace_s);
	fputs(" + coalesce ", out);
	print_ms(group->core.coalesce_ms, out);
	fputs(" + ours ", out);
	print_ms(GW_PRESENCE_OURS_MS, out);
	fputc('\n', out);
}

/* What rekeying leaves of the share is not known: this is all of it. */
static void print_load(const struct gw_conf *conf, const struct gk_presence_config *p, FILE *out)
{
	uint32_t interval_s = p->sleepy ? p->sleep_max_s : p->check_interval_s;
	uint64_t in_time = (uint64_t)conf->rekeying_bps / 8 * interval_s / check_bytes();

	fprintf(out,
		"#   from %" PRIu64 " silent members on, checks take longer than %s at this "
		"share of the link\n",
		in_time + 1, p->sleepy ? "sleep_max_s" : "check_interval_s");
}

static void print_group(const struct gw_conf *conf, const struct gw_group_conf *group,
			uint32_t verdict_ms, FILE *out)
{
	const struct gk_presence_config *p = &group->core.presence;

	fprintf(out, "# %s:\n", group->name);
	if (!p->evict)
		fputs("#   nobody is removed for silence (evict = false); else it would be:\n",
		      out);
	if (!p->sleepy)
		print_bound(group, "a member", "check_interval_s", p->check_interval_s, verdict_ms,
			    out);
	print_bound(group, "one that sleeps", "sleep_max_s", p->sleep_max_s, verdict_ms, out);
	fprintf(out, "#   of several lost at once, evict_rate %" PRIu32 " a minute\n",
		p->evict_rate);
	print_load(conf, p, out);
}

void gw_presence_print(const struct gw_conf *conf, uint32_t verdict_ms, const char *source,
		       FILE *out)
{
	fputs("\n# From the cut of a member to the new key of the others, at most, while others "
	      "answer;\n# the kernel's time is ",
	      out);
	fprintf(out, "%s.\n", source);
	for (size_t i = 0; i < conf->group_count; i++)
		print_group(conf, &conf->groups[i], verdict_ms, out);
}
