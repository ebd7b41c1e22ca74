#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A node that knows nothing finds the gateway, at paths that nobody would guess, by asking all CoAP
# nodes of the segment (RFC 7252 section 8, RFC 6690); and does so again when the gateway's interface
# was replaced. The nodes that were provisioned know the paths from their bundles.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

client=$(command -v coap-client-notls || command -v coap-client) || client=
[ -n "$client" ] || {
	echo '1..0 # SKIP no coap-client (package libcoap3-bin)'
	exit 0
}

# Wait for answers for 6 s: nodes take up to 5 until they answer.
discover() { # ADDRESS QUERY
	in_node 2 timeout 20 "$client" -N -B 6 -m get "coap://[$1]/.well-known/core$2" \
		>"$work/found" 2>/dev/null
}

finds() { # ADDRESS QUERY LINKS
	discover "$1" "$2"
	[ "$(tr -d '\n' <"$work/found")" = "$3" ]
}

replace_interface() {
	ip -n "$net-gw" link delete lowpan0
	ip -n "$net-gw" link add lowpan0 type bridge mcast_snooping 0 forward_delay 0
	interface_up "$net-gw" fd00::1
	for node in 1 2; do
		ip -n "$net-gw" link set "port$node" master lowpan0
	done
}

is_up_again() {
	[ "$(grep -c 'lowpan0 is up' "$work/gatewayd.log")" -ge 2 ]
}

tokens='</kdc/t>;rt="ace.ai"'
collection='</kdc/g>;if="ace.groups";osc'
lights='</kdc/g/lights>;if="ace.group";rt="core.osc.gm";osc'

need_root
segment_open 2
options="$options paths = { groups = \"kdc/g\"; authz_info = \"kdc/t\"; }; discovery = \"groups\";"
gateway_start
for node in 1 2; do
	node_add "$node" lights requester,responder
	node_start "$node"
done
check 'a bundle tells the paths' grep -q '"group_path":"kdc/g","authz_path":"kdc/t"' \
	"$work/node1.bundle"
for node in 1 2; do
	check_soon 10 "node $node joins" node_said "$node" joined
done
check 'one address is asked' finds fd00::1 '' "$tokens,$collection,$lights"
check 'the mesh is asked' finds ff03::fd '' "$tokens,$collection,$lights"
check 'the site is asked for group members' finds ff05::fd '?rt=core.osc.gm' "$lights"
check 'nobody answers that there is nothing' finds ff03::fd '?rt=temperature' ''
replace_interface
check_soon 10 'the gateway sees its interface again' is_up_again
check 'it is heard on the new one' finds ff03::fd '?if=ace.groups' "$collection"
conclude
