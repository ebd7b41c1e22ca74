#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Where nobody is to be evicted, who is gone is shown and told, and stays; and is asked again. A token
# that has expired ends a membership all the same, of a node that answers as well.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"

lifetime_s=20
second_ms=1000

# What is sent to it and what it answers is under its own key.
was_asked_and_answered() { # NODE
	ip_now=$(node_ip "$1")
	wire_has on_wire "way == \"out\" && to ~ /^.$ip_now]/ && code ~ /^0.0[1-9]/" &&
		wire_has on_wire "way == \"in\" && from ~ /^.$ip_now]/ && code ~ /^2.0[1-9]/"
}

is_alarmed() { # NODE
	has_event alarm "$1"
}

need_root
segment_open 4
policy 2 2 1 1 'evict = false;'
gateway_start
wire_watch on_wire gw
node_add 1 lights requester,responder --expires ${lifetime_s}s
node_added_ms=$(now_ms)
node_start 1
check_soon 10 'node 1 joins' node_said 1 joined
nodes_join 2 3 4
events_follow
note_key
begin
link_down 3
check_within "$bound_ms" 'who is gone is shown as absent' has_state 3 absent
check_within "$bound_ms" 'and told' is_alarmed 3
check 'it stays' keeps $((bound_ms + check_ms + grace_ms)) are_members 3
check 'it is told once' [ "$(events_count alarm 3)" -eq 1 ]
check 'nobody else was suspected' never_suspected 1 2 4

# Meanwhile the other was asked, and has answered, until the end of its token.
wire_mark on_wire
begun_ms=$node_added_ms
check 'who answers is a member while its token is good' \
	keeps $((lifetime_s * 1000 - second_ms)) are_members 1
check 'it was asked, and answered' was_asked_and_answered 1
check_within $((lifetime_s * 1000 + second_ms + ours_ms)) \
	'when its token expires it is out, and the others have a new key' is_out 1 2 4
check 'nobody suspected it' never_suspected 1
begin
link_up 3
check_within $((2 * check_ms + round_ms + ours_ms)) 'who is back is present' has_state 3 present
conclude
