#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Who is on the link can have the gateway's kernel take him for any node, and can tell it that nothing
# arrives. It does not get anybody removed who is there, since a member is asked by multicast last; nor
# does it keep anybody who has gone.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"

attacker=4

# lie TOOL-ARGUMENTS...: twenty times a second, until it is told to end. Sets lie_pid.
lie() {
	lies=$((lies + 1))
	ip netns exec "$net-n$attacker" "$nd" "$@" >"$work/lie$lies" 2>&1 &
	lie_pid=$!
	pids="$pids $lie_pid"
}
lies=0
lies_max=2000
every_ms=50

say_undelivered() { # NODE
	lie unreachable lowpan0 '[fd00::1]:5683' "[$(node_ip "$1")]:5683" $lies_max $every_ms
}

lie_ends() { # PID
	kill "$1"
	wait "$1" 2>/dev/null
	forget_pid "$1"
}

# Kept up by advertisements, and by answers to those who ask.
divert() { # NODE
	lie claim lowpan0 "$(node_ip "$1")" fd00::1 $lies_max $every_ms
	claim_pid=$lie_pid
	lie answer lowpan0 "$(node_ip "$1")" $lies_max
	answer_pid=$lie_pid
}

is_diverted() { # NODE
	neighbour_is "$1" "$(link_layer "$attacker")"
}

are_diverted_members() { # NODE OTHER...
	is_diverted "$1" && are_members "$@"
}

# What the gateway sent to that node, and the attacker got.
got_by_attacker() { # NODE
	echo "way == \"in\" && to ~ /^.$(node_ip "$1")]/"
}

probes_to_all() {
	echo 'way == "out" && to ~ /^.ff/ && kind == "-"'
}

need_root
segment_open 4
policy 2 2 1 1
gateway_start
nodes_join 1 2 3
events_follow
wire_watch at_attacker n$attacker
wire_watch at_gateway gw
note_key

# Node 2 says nothing by itself. Its messages to the gateway would arrive: answers do.
begin
divert 2
check_within 2000 'the address of a node is diverted' is_diverted 2
check 'which stays so for longer than a removal takes, and nobody is removed' \
	keeps $((2 * bound_ms)) are_diverted_members 2 1 3
check 'probes for it went to the attacker' wire_has at_attacker "$(got_by_attacker 2)"
check 'and, last, by multicast' wire_has at_gateway "$(probes_to_all)"
check 'nobody else was suspected' never_suspected 1 3

# And that nothing arrives, in addition; and where all would arrive.
events_mark
begin
say_undelivered 2
undelivered_pid=$lie_pid
say_undelivered 3
check 'nor is it with forged unreachables, nor is another' \
	keeps "$bound_ms" are_diverted_members 2 1 3
lie_ends $undelivered_pid
lie_ends $lie_pid
check 'whom nobody suspected' never_suspected 1 3
check 'there is no new key' has_same_key
lie_ends $claim_pid
lie_ends $answer_pid
check_soon 10 'without them all are present' all_have_state present 1 2 3

# They have no say in who stays, either. (What the kernel had of node 2 was forged.)
events_mark
begin
say_undelivered 3
divert 3
link_down 3
check_within "$bound_ms" 'who has gone is out, whatever is forged, and the others have a new key' \
	is_out 3 1 2
check 'and nobody else' are_members 1 2
conclude
