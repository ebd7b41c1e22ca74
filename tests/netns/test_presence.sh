#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What the kernel says of a neighbour raises suspicion and evicts nobody.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

link_local() { # NODE
	ip -n "$net-n$1" -o address show dev lowpan0 scope link |
		sed -n 's/.*inet6 \([^/]*\).*/\1/p'
}

has_link_local() {
	[ -n "$(link_local "$1")" ]
}

# A node that is reached through a host route and does not answer for its address on the link.
behind_route() { # NODE
	ip -n "$net-n$1" address del "$(node_ip "$1")/64" dev lowpan0
	ip -n "$net-n$1" address add "$(node_ip "$1")/128" dev lo
	ip -n "$net-n$1" route add fd00::/64 dev lowpan0 src "$(node_ip "$1")"
	wait_for 5 has_link_local "$1" || give_up 'no link-local address'
	ip -n "$net-gw" route add "$(node_ip "$1")/128" via "$(link_local "$1")" dev lowpan0
}

need_root
# shellcheck disable=SC2034 # for gateway_configure: the router is asked at once
net_admin=true
segment_open 3
behind_route 2
gateway_start
for node in 1 2 3; do
	node_add "$node" lights requester,responder
	node_start "$node" -i lowpan0
	check_soon 10 "node $node joins" node_said "$node" joined
done
check_soon 10 'all agree' views_agree lights 1 2 3
num=$(group_num lights)

# Twice around. The router that node 2 is behind, itself under another address, is there, which says
# nothing of the node: it is asked in silence, and what the kernel thinks of its own address is not.
check_soon 20 'the kernel is asked for the router of node 2' \
	is_logged_at_least 2 "neighbour 2 reachable $(link_local 2)"
check 'not for node 2' not is_logged 'failed fd00::12'
check 'which answers, and is not suspected' not is_logged 'n2 (node2) suspect'
check 'it is a member' is_member 2
check 'the key is the same' [ "$(group_num lights)" -eq "$num" ]

# Longer than it takes to be evicted: 2 s, 3 s for the kernel, 2 probes of 1 s, 1 s of grace.
for node in 1 2 3; do
	link_down "$node"
done
check_soon 5 'a gateway without a link knows that it is blind' is_logged 'lowpan0 is down'
check 'and evicts nobody' stays 11 are_members 1 2 3
for node in 1 2 3; do
	link_up "$node"
done
check_soon 5 'it sees again' is_logged_at_least 2 'lowpan0 is up'
check 'the key is the same' [ "$(group_num lights)" -eq "$num" ]
check_soon 10 'all agree' views_agree lights 1 2 3

# And it does evict, once it sees again.
link_down 3
check_soon 20 'who does not answer at all is evicted' is_no_member 3
check 'and nobody else' are_members 1 2
check_soon 10 'the others have a new key' have_newer_key "$num" lights 1 2
conclude
