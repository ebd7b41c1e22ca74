#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A node is cut off: gatewayctl why tells at each stage what is known of it, by what, and what comes
# next, and afterwards why it is gone; the metrics have counted it.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

# Stages that last long enough to be looked at.
presence='check_interval_s = 3; probes = 3; probe_wait_s = 1; grace_s = 4; evict = true;'

# why_says NAME WORDS...: all of these, each in one line.
why_says() {
	ctl why lights "$1" >"$work/why" 2>&1 || return 1
	shift
	for words in "$@"; do
		grep -qF -- "$words" "$work/why" || return 1
	done
}

# why_is NAME STATE [WORD]: the state, and perhaps the reason for it.
why_is() {
	ctl why lights "$1" --json >"$work/why" 2>&1 || return 1
	grep -q "\"state\":\"$2\"" "$work/why" || return 1
	[ -z "${3-}" ] || sed 's/"facts":.*//' "$work/why" | grep -q "\"reason\":\"$3\""
}

# The facts of the answer that was looked at last, one a line.
facts() {
	sed 's/.*"facts":\[//; s/\],"next".*//; s/},{/}\n{/g' "$work/why"
}

# in_order WORD...: these facts are among them, in this order.
in_order() {
	facts | sed -n 's/.*"fact":"\([^"]*\)".*/\1/p' >"$work/facts"
	order_line=0
	for order_word in "$@"; do
		order_next=$(grep -nx -- "$order_word" "$work/facts" | cut -d: -f1 |
			awk -v after="$order_line" '$1 > after { print; exit }')
		[ -n "$order_next" ] || return 1
		order_line=$order_next
	done
}

# None is younger than the next.
is_chain() {
	facts | sed -n 's/.*"ago_s":\([0-9]*\).*/\1/p' | sort -rnc
}

# When it is to be asked or removed lies ahead, and not farther than that.
is_next_within() { # SECONDS
	next_in=$(sed -n 's/.*"in_s":\([0-9]*\)}}$/\1/p' "$work/why")
	[ -n "$next_in" ] && [ "$next_in" -le "$1" ]
}

# Every line is HELP, TYPE or a sample; each sample is of the family above it.
are_metrics() {
	awk '/^# HELP [a-z_]+ ./ { family = $3; next }
		/^# TYPE [a-z_]+ (gauge|counter)$/ && $3 == family { next }
		/^[a-z_]+({[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*})? [0-9]+(\.[0-9]+)?$/ {
			split($1, name, "{")
			if (name[1] == family)
				next
		}
		{ exit 1 }' "$1"
}

metric() { # FILE NAME-AND-LABELS
	awk -v name="$2" '$1 == name { print $2 }' "$1"
}

metric_is() { # FILE NAME-AND-LABELS VALUE
	[ "$(metric "$1" "$2")" = "$3" ]
}

has_grown() { # NAME-AND-LABELS
	[ "$(metric "$work/after.metrics" "$1")" -gt "$(metric "$work/before.metrics" "$1")" ]
}

is_promtool_content() {
	! command -v promtool >/dev/null || promtool check metrics <"$1" >"$work/promtool" 2>&1
}

need_root
# shellcheck disable=SC2034 # for gateway_configure: the kernel is asked, and answers, in its own time
net_admin=true
segment_open 3
gateway_start
nodes_join 1 2 3
ctl metrics >"$work/before.metrics"
check 'metrics are in the format of Prometheus' are_metrics "$work/before.metrics"
check 'promtool agrees, where there is one' is_promtool_content "$work/before.metrics"
check 'three are present' metric_is "$work/before.metrics" \
	'gatewayd_members{group="lights",state="present"}' 3
check 'none was removed' metric_is "$work/before.metrics" gatewayd_members_evicted_total 0

check 'who is there is present' why_is node3 present
check 'and has joined' in_order joined
check 'it is asked when it has been silent' is_next_within 4
check 'in words' why_says node3 'group lights: n3 (node3) present since 20' 'heard of at 20' \
	'heard from [fd00::13]:5683' 'next: it is asked at 20' ' s, if it stays silent'
check 'by node name it is the same one' why_says n3 'n3 (node3) present since'

num=$(group_num lights)
link_down 3
check_soon 15 'cut off, it becomes suspect' why_is node3 suspect kernel-failed
check 'by a chain of facts' in_order silent kernel-asked kernel-failed suspect probed
check 'each later than the one before' is_chain
check 'its answer is waited for' is_next_within 1
check 'in words' why_says node3 'n3 (node3) suspect since 20' \
	'ago: the kernel could not reach its address' 'was silent for ' 'was asked: probe 1' \
	'next: the answer to probe ' ' of 3 is waited for until 20'

check_soon 10 'then absent' why_is node3 absent unanswered
check 'since nothing was answered' in_order kernel-failed suspect probed unanswered absent
check 'its removal has a time' is_next_within 4
check 'in words' why_says node3 'n3 (node3) absent since 20' 'next: it is removed at 20' \
	' s, unless it is heard of'

check_soon 10 'then it is removed' is_no_member 3
check 'which is remembered' why_is node3 removed removed
check 'with all that led to it' in_order suspect probed unanswered absent removed
check 'each later than the one before' is_chain
check 'in words' why_says node3 'n3 (node3) removed since 20' ' s ago: absent' \
	'was removed for its silence' 'next: it may join again with its token'
check 'the others are as before' why_is node1 present
check 'whom nobody knows is refused' not quietly ctl why lights node9

check_soon 10 'the others have a new key' have_newer_key "$num" lights 1 2
ctl metrics >"$work/after.metrics"
check 'the metrics have counted it' metric_is "$work/after.metrics" gatewayd_members_evicted_total 1
check 'two are present' metric_is "$work/after.metrics" \
	'gatewayd_members{group="lights",state="present"}' 2
check 'it was suspected' has_grown gatewayd_members_suspected_total
check 'and absent' has_grown gatewayd_members_absent_total
check 'the kernel was asked' has_grown gatewayd_kernel_probes_total
check 'and the node itself' has_grown gatewayd_probes_total
check 'it did not answer' has_grown gatewayd_probes_unanswered_total
check 'there are new keys' has_grown 'gatewayd_group_num{group="lights"}'
check 'which are one rekeying more' has_grown 'gatewayd_rekeyings_total{group="lights"}'
check 'of some bytes' has_grown 'gatewayd_rekeying_bytes_total{group="lights"}'
check 'the kernel had something to say' has_grown gatewayd_netlink_notices_total
check 'all of it made sense' metric_is "$work/after.metrics" gatewayd_netlink_malformed_total 0
check 'the event is counted' metric_is "$work/after.metrics" \
	'gatewayd_events_total{event="evicted"}' 1
conclude
