#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Nodes behind routers: who moves behind another one, with its route or with its address too, stays.
# When a router dies all behind it are suspected; who finds another way stays, and the others go in one
# rekeying.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/hops.sh"

near='1 2 3 4 5'
far='6 7 8 9'
new_ip=fd00::99

# The old one is withdrawn and the new one comes, at once.
moves_at_once() { # NODE LETTER
	ip -n "$net-gw" -batch - <<-END || exit 1
		route del $(node_ip "$1")/128
		route add $(node_ip "$1")/128 via fe80::$2 dev lowpan0
	END
	ip -n "$net-n$1" route replace default via "fe80::$2" dev lowpan0
}

# Says nothing of it: it is found by multicast.
gets_new_address() { # NODE LETTER
	leads_to "$1" "$2" $new_ip
	ip -n "$net-gw" route del "$(node_ip "$1")/128"
	ip -n "$net-n$1" address add $new_ip/128 dev lowpan0 nodad
	ip -n "$net-n$1" address del "$(node_ip "$1")/128" dev lowpan0
	ip -n "$net-n$1" route replace default via "fe80::$2" dev lowpan0
}

has_new_address() { # NODE
	[ "$(value "$(member "$1")" address)" = "[$new_ip]:5683" ]
}

was_asked() { # ADDRESS
	wire_has on_wire "way == \"out\" && to ~ /^.$1]/ && code ~ /^0/"
}

two_are_out() { # NODE NODE OTHER...
	are_no_members "$1" "$2" || return 1
	shift
	is_out "$@"
}

the_router_is_blamed() {
	events suspect | grep -q 'the router before it does not answer'
}

need_root
# The grace is long enough to be asked again in it, by another way.
segment_open 5
# The kernel gives the router up before a question to a node behind it is over.
solicit_every 250
policy 2 2 1 4
far_open
router_open a
router_open b
for node in $far; do
	far_node_open "$node"
	behind "$node" a
done
gateway_start
wire_watch on_wire gw
# shellcheck disable=SC2086 # lists
nodes_join $near $far
events_follow
note_key

begin
behind 6 b
moves_at_once 7 b
gets_new_address 8 b
# shellcheck disable=SC2086 # lists
check 'who moves behind another router stays' keeps "$bound_ms" are_members $near $far
check 'there is no new key' has_same_key
check 'those are not even suspected that have their address' never_suspected 6 7 9
# shellcheck disable=SC2086 # a list
check 'nor is anybody else' never_suspected $near
check 'who has another one says something' is_checked 8
check 'and is known by that' has_new_address 8
wire_mark on_wire
check_soon 10 'and asked there' was_asked $new_ip
behind 6 a
behind 7 a

events_mark
note_key
begin
link_down a
# 8 is behind the other one.
check_within $((check_ms + verdict_ms + ours_ms)) 'when its router dies all behind it are suspected' \
	have_event suspect 6 7 9
check 'on the word of the kernel about the router' the_router_is_blamed
behind 9 b
check_within "$bound_ms" 'those who find no other way are out, and the others have a new key' \
	two_are_out 6 7 1 2 3 4 5 8
check 'in one rekeying' has_next_key 1
check 'who finds one is a member' are_members 9
check_soon 5 'and present' has_state 9 present
# shellcheck disable=SC2086 # a list
check 'nobody else was suspected' never_suspected $near 8
conclude
