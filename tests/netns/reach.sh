#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Who is gone, and how long it may take until that has consequences: a policy, the bound that follows
# from it, and a clock.
#
#	policy 2 2 1 1                    before the gateway starts
#	segment_open 3
#	gateway_start
#	nodes_join 1 2 3
#	events_follow
#	note_key
#	begin
#	link_down 3
#	check_within "$bound_ms" 'node 3 is out' is_out 3 1 2
#	check 'nobody else was suspected' never_suspected 1 2

. "$GK_TOP/tests/netns/lib.sh"

# With it the kernel looks at once, and how long it takes can be told to the second; what changes
# without is in test_reach_unprivileged.sh.
# shellcheck disable=SC2034 # for gateway_configure
net_admin=true

# shellcheck disable=SC2034 # for who reads this file
nd=$GK_BUILD/tests/tools/nd

# What is ours of a bound: decisions, the time in which departures are gathered, and delivery.
ours_ms=2000
# What the kernel takes to give a neighbour up: three solicitations, a second apart.
solicitations=3
verdict_ms=3000

# policy CHECK_INTERVAL PROBES PROBE_WAIT GRACE [MORE]: in seconds; members are evicted unless MORE is
# said instead. Sets what follows from it:
#
#	round_ms    how long a suspect is asked
#	bound_ms    from the cut to the new key
# shellcheck disable=SC2034 # for who reads this file
policy() {
	presence="check_interval_s = $1; probes = $2; probe_wait_s = $3; grace_s = $4;"
	presence="$presence ${5:-evict = true;}"
	check_ms=$((1000 * $1))
	round_ms=$((1000 * $2 * $3))
	grace_ms=$((1000 * $4))
	bound_ms=$((check_ms + verdict_ms + round_ms + grace_ms + ours_ms))
}

# solicit_every MS: a kernel that is faster. Before the policy; the segment is open already.
solicit_every() {
	ip netns exec "$net-gw" sh -c \
		"echo $1 >/proc/sys/net/ipv6/neigh/lowpan0/retrans_time_ms" || exit 1
	verdict_ms=$((solicitations * $1))
}

#
# Time
#

begin() {
	begun_ms=$(now_ms)
}

elapsed_ms() {
	echo $(($(now_ms) - begun_ms))
}

# until_ms MS CONDITION...: true as soon as the command is; false if it is not so long after 'begin'.
until_ms() {
	until_limit=$1
	shift
	until "$@"; do
		[ "$(elapsed_ms)" -lt "$until_limit" ] || return 1
		sleep 0.05
	done
	[ "$(elapsed_ms)" -le "$until_limit" ]
}

# check_within MS NAME CONDITION...: since 'begin'.
check_within() {
	within_ms=$1 within_name=$2
	shift 2
	check "$within_name" until_ms "$within_ms" "$@"
	echo "# after $(elapsed_ms) ms, of $within_ms"
}

# keeps MS CONDITION...: is it true until so long after 'begin'?
keeps() {
	keeps_limit=$1
	shift
	while [ "$(elapsed_ms)" -lt "$keeps_limit" ]; do
		"$@" || return 1
		sleep 0.1
	done
}

#
# Who is where
#

has_got() { # NODE NUM
	[ -n "$(vias "$1" "$2")" ]
}

# They say so themselves.
have_got() { # NUM NODE...
	got_num=$1
	shift
	of_all "$*" has_got "$got_num"
}

# is_out NODE OTHER...: it is removed, and these others have a key that is newer than 'key_num'.
is_out() {
	is_no_member "$1" || return 1
	shift
	out_num=$(group_num lights)
	[ "$out_num" -gt "$key_num" ] && have_got "$out_num" "$@"
}

# Of what is_out and has_same_key compare with.
note_key() {
	key_num=$(group_num lights)
}

has_same_key() {
	[ "$(group_num lights)" -eq "$key_num" ]
}

has_next_key() { # AFTER
	[ "$(group_num lights)" -eq $((key_num + $1)) ]
}

#
# What the gateway tells
#

# From now on, all of it.
events_follow() {
	: >"$work/events.out"
	"$gatewayctl" -s "$control" events --follow --json >>"$work/events.out" 2>&1 &
	pids="$pids $!"
	wait_for 5 grep -q '"event"' "$work/events.out" || give_up 'no events'
	events_mark
}

events_mark() {
	wc -l <"$work/events.out" >"$work/events.mark"
}

# Since the mark.
events() { # [EVENT [NODE]]
	tail -n +$(($(cat "$work/events.mark") + 1)) "$work/events.out" |
		grep "${1:+\"event\":\"$1\"}" | grep "${2:+\"name\":\"node$2\"}"
}

events_count() { # [EVENT [NODE]]
	events "$@" | wc -l
}

has_event() { # EVENT [NODE]
	[ "$(events_count "$@")" -gt 0 ]
}

have_event() { # EVENT NODE...
	had_event=$1
	shift
	for had in "$@"; do
		has_event "$had_event" "$had" || return 1
	done
}

have_no_event() { # EVENT NODE...
	had_event=$1
	shift
	for had in "$@"; do
		! has_event "$had_event" "$had" || return 1
	done
}

never_suspected() { # NODE...
	have_no_event suspect "$@" && have_no_event absent "$@"
}

#
# The kernel's view
#

# neighbour NODE: what the gateway's kernel has of it.
neighbour() {
	ip -n "$net-gw" neigh show "$(node_ip "$1")" dev lowpan0
}

# neighbour_is NODE WORDS
neighbour_is() {
	neighbour "$1" | grep -qF -- "$2"
}

link_layer() { # NODE
	ip -n "$net-n$1" -o link show lowpan0 | sed -n 's/.*ether \([0-9a-f:]*\).*/\1/p'
}
