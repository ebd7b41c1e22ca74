#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The way to the nodes changes, and they do not: their link-local addresses outlive the index of the
# interface, and nobody is evicted for a probe that never left.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

has_num() { # NUM
	[ "$(group_num lights)" = "$1" ]
}

gateway_index() {
	ip -n "$net-gw" -o link show dev lowpan0 | cut -d: -f1
}

replace_interface() {
	interface_replace 3
	ip -n "$net-gw" address add fe80::1/64 dev lowpan0 nodad
}

logged_times() { # WORDS
	grep -cF -- "$1" "$work/gatewayd.log"
}

is_logged_since() { # COUNT WORDS
	[ "$(logged_times "$2")" -gt "$1" ]
}

gateway_says() { # WORDS
	ctl status --json | grep -qF -- "$1"
}

# To one node, and to all: nothing leaves.
stop_leaving() {
	ip -n "$net-gw" -6 route add prohibit "$(node_ip 2)/128"
	in_gateway nft '
		add table ip6 mute
		add chain ip6 mute output { type filter hook output priority 0; }
		add rule ip6 mute output ip6 daddr ff03::/16 drop' ||
		give_up 'no nftables: ./configure --install-deps'
}

let_leave() {
	ip -n "$net-gw" -6 route del prohibit "$(node_ip 2)/128"
	in_gateway nft delete table ip6 mute
}

need_root
# Node 3 keeps the link up, and does nothing else.
segment_open 3
ip -n "$net-gw" address add fe80::1/64 dev lowpan0 nodad
gateway_start
for node in 1 2; do
	node_add "$node" lights requester,responder
done
node_start 1 -i lowpan0 -k '[fe80::1%lowpan0]:5683'
node_start 2 -i lowpan0
for node in 1 2; do
	check_soon 10 "node $node joins" node_said "$node" joined
done
check 'node 1 by its link-local address' \
	expr "$(value "$(member 1)" address)" : '\[fe80::[0-9a-f:]*\]:5683'

index=$(gateway_index)
replace_interface
check 'the interface has another index' [ "$(gateway_index)" != "$index" ]
check_soon 5 'the gateway sees it again' is_logged_since 1 'lowpan0 is up'
wire_watch replaced gw
num=$(group_num lights)
ctl rekey lights
check_soon 5 'there is a new key' has_num $((num + 1))
check_soon 10 'node 1 gets it' node_has_num 1 $((num + 1))
check_soon 10 'node 2 gets it' node_has_num 2 $((num + 1))
check 'it was sent by multicast, on the new interface' wire_has replaced "$(rekeyings $((num + 1)))"

# Silent as they are, all that could be counted against them is a probe that is not sent.
unsent=$(logged_times 'not sent')
stop_leaving
for node in 1 2; do
	link_down "$node"
done
check_soon 20 'a probe cannot be sent' is_logged_since "$unsent" 'not sent'
check 'and nobody is evicted for it' stays 8 is_member 2
let_leave
check_soon 40 'once it can be, who is gone is' is_no_member 1
# It is asked again after a pause that has grown meanwhile.
check_soon 40 'nor stays who really is gone' is_no_member 2

# No line that is logged may land in a file that happens to be descriptor 2.
std_leads_nowhere() { # PID
	for fd in 0 1 2; do
		[ "$(stat -L -c %t:%T "/proc/$1/fd/$fd")" = 1:3 ] || return 1 # /dev/null
	done
}

gateway_end TERM
ip netns exec "$net-gw" "$gatewayd" -c "$work/gatewayd.conf" <&- >&- 2>&- &
pids="$pids $!"
gateway_pid=$!
check_soon 5 'it starts without descriptors' gateway_answers
check 'and has some that lead nowhere' std_leads_nowhere "$gateway_pid"

# An address to listen at that is not there yet, as at boot, and that moves.
gateway_end TERM
ip -n "$net-gw" link delete lowpan0
echo 'listen = "[fe80::1%lowpan0]:5683";' >>"$work/gatewayd.conf"
unheard=$(logged_times 'is not there yet')
ip netns exec "$net-gw" "$gatewayd" -c "$work/gatewayd.conf" \
	>>"$work/gatewayd.log" 2>&1 </dev/null &
pids="$pids $!"
check_soon 5 'it starts without its address' is_logged_since "$unheard" 'is not there yet'
check_soon 5 'and says so' gateway_says '"listening":false'
replace_interface
check_soon 5 'it takes the address that comes' gateway_says '"listening":true'
node_add 3 lights requester,responder
node_start 3 -i lowpan0
check_soon 10 'node 3 joins there' node_said 3 joined
replace_interface
check_soon 5 'the gateway sees the interface again' gateway_says '"blind":""'
num=$(group_num lights)
ctl rekey lights
check_soon 15 'node 3 gets a key by the new one' node_has_num 3 $((num + 1))
conclude
