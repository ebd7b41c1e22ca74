#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Who is there, and gets nothing that the gateway sends to its address, stays a member: the last
# question of each round comes by multicast. Who does not get that either goes.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

log_lines() {
	wc -l <"$work/gatewayd.log"
}

is_logged_since() { # LINES WORDS
	tail -n "+$(($1 + 1))" "$work/gatewayd.log" | grep -qF -- "$2"
}

# Nobody takes a question to another for an attack.
refuse_nothing() { # NODE...
	for decent in "$@"; do
		[ "$(value "$(node_status "$decent")" refused)" -eq 0 ] || return 1
	done
}

need_root
segment_open 3
gateway_start
for node in 1 2 3; do
	node_add "$node" lights requester,responder
done
node_start 1
node_start 2 --point-to-point
node_start 3
for node in 1 2 3; do
	check_soon 10 "node $node joins" node_said "$node" joined
done
check_soon 10 'all agree' views_agree lights 1 2 3
num=$(group_num lights)

# One in the tree, and one that is told point-to-point. What others ask them about is not UDP.
for node in 1 2; do
	deaf "n$node" "ip6 daddr $(node_ip "$node")"
done
for node in 1 2; do
	check_soon 30 "node $node is suspect" is_logged_at_least 2 "(node$node) suspect"
	check_soon 30 "node $node is heard of" is_logged_at_least 2 "(node$node) heard of again"
done
check 'the tree is asked at its control group' \
	is_logged_at_least 2 "$control_address: a silent member is asked by multicast"
check 'the other by all nodes of the link' \
	is_logged_at_least 2 '[ff02::1]:5683: a silent member is asked by multicast'
check 'what is sent to node 1 gets lost' was_deaf n1
check 'what is sent to node 2 gets lost' was_deaf n2
check 'all are members' are_members 1 2 3
check 'the key is the same' [ "$(group_num lights)" -eq "$num" ]
check 'nobody has refused anything' refuse_nothing 1 2 3
check 'and nobody was absent' not is_logged_at_least 1 absent

# Who can have what is sent to a node come to himself can do the same with what the node sends.
deaf gw "ip6 saddr { $(node_ip 1), $(node_ip 2) } ip6 daddr != ff00::/8"
mark=$(log_lines)
for node in 1 2; do
	check_soon 30 "node $node is suspect" is_logged_since "$mark" "(node$node) suspect"
	check_soon 30 "node $node is heard of" is_logged_since "$mark" "(node$node) heard of again"
done
check 'what they send to its address gets lost' was_deaf gw
check 'all are members' are_members 1 2 3
hears_again gw

# No multicast either.
num=$(group_num lights)
for node in 1 2; do
	hears_again "n$node"
	deaf "n$node" "meta pkttype { host, broadcast, multicast }"
done
check_soon 30 'node 1 goes' is_no_member 1
check_soon 30 'node 2 goes' is_no_member 2
check 'node 3 does not' is_member 3
check_soon 10 'it has a new key' have_newer_key "$num" lights 3
conclude
