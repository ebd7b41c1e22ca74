#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A link that comes and goes costs nobody its place: a node's, and the gateway's own. Sixty times a
# second down and two up, played four times as fast, with the policy and the kernel as fast, and some
# at their real pace under that policy.
#
#	FULL=1  all at their real pace (four minutes: make reach-long)
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"

if [ "${FULL:-0}" = 1 ]; then
	pace=1
else
	pace=4
fi
times=60
own_times=20
events_max=130

# flap PACE TIMES DOWN UP: calls DOWN and UP, with the pauses between them.
flap() {
	down_s=$(awk "BEGIN { print 1 / $1 }")
	up_s=$(awk "BEGIN { print 2 / $1 }")
	for _ in $(seq "$2"); do
		"$3"
		sleep "$down_s"
		"$4"
		sleep "$up_s"
	done
}

node_down() {
	link_down 3
}

node_up() {
	link_up 3
}

# As somebody does who manages the network: addresses go with the link.
own_down() {
	ip -n "$net-gw" link set lowpan0 down
}

own_up() {
	interface_up "$net-gw" fd00::1
}

# after NAME: what a link that comes and goes may have done.
nothing_happened() {
	check "$1: nobody is removed" are_members 1 2 3
	check "$1: there is no new key" has_same_key
	check "$1: nobody else is suspected" never_suspected 1 2
	events_seen=$(events_count)
	echo "# $events_seen events, $(events_count suspect) suspicions"
	check "$1: there are few events" [ "$events_seen" -le "$events_max" ]
	check_soon 10 "$1: all are present" all_have_state present 1 2 3
	check "$1: and agree" views_agree lights 1 2 3
}

need_root
segment_open 3
# It gives up in less time than the link is down.
solicit_every $((300 / pace))
policy $((4 / pace)) 3 $((4 / pace)) $((4 / pace))
gateway_start
nodes_join 1 2 3
events_follow
note_key
flap $pace $times node_down node_up
nothing_happened 'a link of a node'
events_mark
[ $pace -eq 1 ] || flap 1 3 node_down node_up
flap $pace $own_times own_down own_up
nothing_happened 'our own link'
conclude
