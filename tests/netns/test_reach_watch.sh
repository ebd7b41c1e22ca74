#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A member that is reached by another interface, through a router there: the kernel is asked for the
# router, and what it finds counts as on our own interface. The loss of the other one is no loss of
# ours.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"

link_local() { # SPACE
	ip -n "$1" -o address show dev back0 scope link | sed -n 's/.*inet6 \([^/]*\).*/\1/p'
}

has_link_local() {
	[ -n "$(link_local "$1")" ]
}

# The way there goes with the interface, and a routing daemon would bring it back.
gateway_route() {
	ip -n "$net-gw" route replace "$(node_ip 3)/128" via "$(link_local "$net-n3")" dev back0
}

# Node 3 has its address not on the segment's link any more, but behind the other one.
move_to_backbone() {
	ip -n "$net-gw" link add back0 type veth peer name back0 netns "$net-n3"
	for end in "$net-gw" "$net-n3"; do
		ip -n "$end" link set back0 up
	done
	for end in "$net-gw" "$net-n3"; do
		wait_for 5 has_link_local "$end" || give_up 'no link-local address'
	done
	ip -n "$net-n3" address del "$(node_ip 3)/64" dev lowpan0
	ip -n "$net-n3" address add "$(node_ip 3)/128" dev lo
	ip -n "$net-n3" route add fd00::1 via "$(link_local "$net-gw")" dev back0 src "$(node_ip 3)"
	gateway_route
}

# Whatever comes to it there gets lost, the questions of neighbour discovery among it.
silence_router() {
	ip netns exec "$net-n3" nft '
		add table ip6 silence
		add chain ip6 silence input { type filter hook input priority 0; }
		add rule ip6 silence input iifname "back0" drop' ||
		give_up 'no nftables: ./configure --install-deps'
}

kernel_says() { # STATE
	grep -qF "link: neighbour $back $1 $router" "$work/gatewayd.log"
}

is_blind() {
	! ctl status --json | grep -q '"blind":""'
}

need_root
segment_open 3
move_to_backbone
back=$(ip -n "$net-gw" -o link show dev back0 | cut -d: -f1)
router=$(link_local "$net-n3")
# A router is asked at most once in the time that the kernel takes, and given up before the member is.
policy 4 2 1 3
# shellcheck disable=SC2034 # for lib.sh
options='watch = [ "back0" ];'
gateway_start
nodes_join 1 2 3
events_follow
note_key

begin
check_within $((2 * check_ms + verdict_ms)) 'the kernel is asked for the router there' \
	kernel_says reachable
check 'the member is not suspected meanwhile' never_suspected 1 2 3

ip -n "$net-gw" link set back0 down
check 'without that interface the gateway sees' not is_blind
ip -n "$net-gw" link set back0 up
wait_for 5 has_link_local "$net-gw" || give_up 'no link-local address'
gateway_route
begin
check 'nobody is removed for it' keeps "$bound_ms" are_members 1 2 3
check 'and there is no new key' has_same_key

events_mark
begin
silence_router
check_within "$bound_ms" 'who was behind a router that fell silent is out' is_out 3 1 2
check 'the kernel has told of the router' kernel_says failed
check 'nobody else was suspected' never_suspected 1 2
conclude
