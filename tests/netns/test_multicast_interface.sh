#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A gateway has more links than that of its nodes: messages to a group leave by the configured
# interface alone, even if multicast goes by another one.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

presence='check_interval_s = 600;'
rekey='coalesce_ms = 100; confirm = "all"; repeat = 2; repeat_ms = 200;
	beacon_min_s = 1; beacon_max_s = 1;'

# The node's port is on the other link from now on.
move_node() { # NODE
	ip -n "$net-gw" link set "port$1" master lan0
	ip -n "$net-n$1" address add "fd01::$1/64" dev lowpan0 nodad
}

multicast_interface() {
	ip -n "$net-gw" -6 route get "$(echo "$control_address" | sed 's/^\[//; s/\].*//')" |
		sed -n 's/.* dev \([a-z0-9]*\).*/\1/p'
}

# What listens there as members do.
control_listen() { # NAME NODE
	ip netns exec "$net-n$2" "$mcast" listen lowpan0 "$control_address" >"$work/$1" 2>&1 &
	pids="$pids $!"
	wait_for 5 grep -q listening "$work/$1" || give_up "no listener: $(cat "$work/$1")"
}

has_heard() { # NAME
	grep -q '^\[' "$work/$1"
}

has_not_heard() { # NAME
	! has_heard "$1"
}

need_root
segment_open 4
ip -n "$net-gw" link add lan0 type bridge mcast_snooping 0 forward_delay 0
ip -n "$net-gw" address add fd01::1/64 dev lan0 nodad
ip -n "$net-gw" link set lan0 up
move_node 4
ip -n "$net-gw" -6 route add multicast ff00::/8 dev lan0 table local metric 1
check 'multicast goes by the other link' [ "$(multicast_interface)" = lan0 ]
gateway_start
wire_watch nodes gw lowpan0
wire_watch lan gw lan0
control_listen here 3
control_listen there 4
nodes_join 1 2

num=$(($(group_num lights) + 1))
deaf n2 udp dport 5686
check 'the group gets a new key' quietly ctl rekey lights
check_soon 5 'a member has it by multicast' got_num "$num" multicast 1
check_soon 10 'another by unicast' got_num "$num" unicast 2
check_soon 5 'nobody is waited for' is_settled lights
check_soon 5 'beacons follow' wire_has nodes 'kind == "beacon"' 1
check 'all of it went to the link of the nodes' wire_has nodes "$(rekeyings "$num")"
check 'who listens there has heard it' has_heard here
check 'to the other link went nothing' wire_has_no lan 'way == "out"'
check 'who listens there has heard nothing' has_not_heard there

# The link is one on which something can be heard.
in_gateway "$mcast" send lan0 "$control_address" 00
check_soon 5 'although it could have' has_heard there
conclude
