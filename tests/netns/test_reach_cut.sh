#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A node that is cut off is removed, and the others have a new key, within what the policy says and the
# kernel's own time; nobody else is suspected. Who takes over its address does not keep it alive.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"

# Node 5 is no member. It answers for an address as well as anyone, and says so.
take_over() { # NODE
	ip -n "$net-n5" address add "$(node_ip "$1")/64" dev lowpan0 nodad
	quietly in_node 5 "$nd" claim lowpan0 "$(node_ip "$1")" fd00::1 1 1
}

is_taken_over() { # NODE
	neighbour_is "$1" "$(link_layer 5)" && neighbour_is "$1" REACHABLE
}

is_out_though_reachable() { # NODE OTHER...
	if is_taken_over "$1"; then
		reachable=yes
	fi
	is_out "$@"
}

need_root
# Long enough to find out whether the kernel's word counts as a sign of life.
policy 4 2 1 1
segment_open 5
gateway_start
nodes_join 1 2 3 4
events_follow
note_key
check 'node 3 has just said something' is_checked 3
begin
link_down 3
check_within "$bound_ms" 'who is cut off is out, and the others have a new key' is_out 3 1 2 4
check 'it was suspected before' has_event suspect 3
check 'nobody else was' never_suspected 1 2 4
check 'there is one new key' has_next_key 1

note_key
events_mark
reachable=no
check 'node 4 has just said something' is_checked 4
begin
link_down 4
take_over 4
check_within "$bound_ms" 'who is gone is out, whoever has its address' \
	is_out_though_reachable 4 1 2
check 'which the kernel did reach' [ "$reachable" = yes ]
check 'nobody else was suspected' never_suspected 1 2
check 'there is one new key' has_next_key 1
conclude
