#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Nodes that are several hops away: a second link, and routers between it and the gateway's. What a
# routing daemon would do is done by hand: the gateway has a host route for each such node, through the
# router that it is behind, and the node a default route. Multicast of the realm goes through, as it
# does in a mesh.
#
#	segment_open 2
#	far_open
#	router_open a
#	far_node_open 3
#	behind 3 a

. "$GK_TOP/tests/netns/reach.sh"

far_open() {
	space_open "$net-far"
	ip -n "$net-far" link add far0 type bridge mcast_snooping 0 forward_delay 0 || exit 1
	ip -n "$net-far" link set far0 up
}

# far_port SPACE NAME INTERFACE: an interface on the far link.
far_port() {
	ip -n "$net-far" link add "port$2" type veth peer name "$3" netns "$1" &&
		ip -n "$net-far" link set "port$2" master far0 up || exit 1
}

# Router a is fe80::a on both links.
router_open() { # LETTER
	router_space=$net-r$1
	space_open "$router_space"
	ip -n "$net-gw" link add "port$1" type veth peer name lowpan0 netns "$router_space" &&
		ip -n "$net-gw" link set "port$1" master lowpan0 up || exit 1
	far_port "$router_space" "$1" far0
	for router_end in lowpan0 far0; do
		ip -n "$router_space" address add "fe80::$1/64" dev "$router_end" nodad &&
			ip -n "$router_space" link set "$router_end" up || exit 1
	done
	ip -n "$router_space" route add fd00::1/128 dev lowpan0 &&
		ip -n "$router_space" route add fd00::/64 dev far0 || exit 1
	ip netns exec "$router_space" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding' || exit 1
	ip netns exec "$router_space" nft '
		add table netdev mesh
		add chain netdev mesh in { type filter hook ingress device lowpan0 priority 0; }
		add rule netdev mesh in ip6 daddr ff03::/16 dup to far0' ||
		give_up 'no nftables: ./configure --install-deps'
}

# With an address of its own only: all others are behind the router.
far_node_open() { # NODE
	space_open "$net-n$1"
	far_port "$net-n$1" "$1" lowpan0
	ip -n "$net-n$1" address add "$(node_ip "$1")/128" dev lowpan0 nodad &&
		ip -n "$net-n$1" link set lowpan0 up || exit 1
}

# behind NODE LETTER [ADDRESS]: by this router from now on, for both sides.
behind() {
	leads_to "$@"
	ip -n "$net-n$1" route replace default via "fe80::$2" dev lowpan0 || exit 1
}

# The gateway's side.
leads_to() { # NODE LETTER [ADDRESS]
	ip -n "$net-gw" route replace "${3:-$(node_ip "$1")}/128" via "fe80::$2" dev lowpan0 || exit 1
}
