#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# One group of members that take new keys by multicast and of others that do not: each gets them in
# its own way, whoever joins and leaves.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

presence='check_interval_s = 600;'
rekey='coalesce_ms = 100; confirm = "all"; repeat = 1;'

# rekeyed NAME: by one multicast and to nobody but node 4 alone.
rekeyed() {
	check_soon 10 "$1: nobody is waited for" is_settled lights
	check "$1: one message to the group" wire_says gw "$(multicasts)" 1
	check "$1: one to node 4" wire_says gw "$(unicasts_to 4)" 1
	check "$1: and to nobody else" wire_has_no gw "$(unicasts_but_to 4)"
	check "$1: who confirms is in the tree" \
		wire_has_no gw "$(confirmations) && from ~ /^.($(node_ip 4)|$(node_ip 5))]/"
}

in_tree() { # NODE...
	for asked in "$@"; do
		value "$(node_status "$asked")" in_tree
	done | tr '\n' ' '
}

counts() {
	echo "$(value "$(group_line lights)" members) $(value "$(group_line lights)" in_tree)"
}

need_root
segment_open 5
gateway_start
wire_watch gw gw
for node in $nodes; do
	node_add "$node" lights requester,responder
	case $node in
	4 | 5) node_start "$node" --point-to-point ;;
	*) node_start "$node" ;;
	esac
	check_soon 10 "node $node joins" node_said "$node" joined
done
check_soon 10 'all have the newest key' is_settled lights
check 'nodes 4 and 5 announce nothing, and are not in the tree' \
	[ "$(in_tree 1 2 3 4 5)" = 'true true true false false ' ]
check 'the gateway says so too' [ "$(counts)" = '5 3' ]
check_soon 10 'all agree' views_agree lights 1 2 3 4 5
say 4 'one group'
check_soon 10 'they read each other' all_have_read 'one group' 1 2 3 5

num=$(group_num lights)
wire_mark gw
node_tell 5 leave
check_soon 5 'who is not in the tree leaves' node_said 5 left
check_soon 5 'three get the new key by multicast' got_num $((num + 1)) multicast 1 2 3
check_soon 5 'node 4 by unicast' got_num $((num + 1)) unicast 4
rekeyed 'without node 5'

wire_mark gw
node_tell 3 leave
check_soon 5 'who is in the tree leaves' node_said 3 left
check_soon 5 'two get the new key by multicast' got_num $((num + 2)) multicast 1 2
check_soon 5 'node 4 by unicast' got_num $((num + 2)) unicast 4
rekeyed 'without node 3'

wire_mark gw
node_end 3 TERM
node_start 3
check_soon 10 'who left joins again, in the tree' node_reports 3 joined 1
check_soon 5 'two get the new key by multicast' got_num $((num + 3)) multicast 1 2
check_soon 5 'node 4 by unicast' got_num $((num + 3)) unicast 4
rekeyed 'with node 3'

wire_mark gw
node_end 5 TERM
node_start 5 --point-to-point
check_soon 10 'the other one too, not in the tree' node_reports 5 joined 1
check_soon 5 'three get the new key by multicast' got_num $((num + 4)) multicast 1 2 3
check_soon 5 'node 4 by unicast' got_num $((num + 4)) unicast 4
rekeyed 'with node 5'
check_soon 10 'all agree' views_agree lights 1 2 3 4 5
say 3 'one group still'
check_soon 10 'they read each other' all_have_read 'one group still' 1 2 4 5
conclude
