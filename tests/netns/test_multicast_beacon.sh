#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Who was out of reach of everything learns from the next beacon that it has missed a key; without
# beacons, from what others say under it.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

groups='lights meters'
presence='check_interval_s = 600;'
both=requester,responder

# Between two beacons are 3 s at most (RFC 6206: the end of one interval and half of the next).
group_rekey() {
	echo 'coalesce_ms = 100; confirm = "none"; repeat = 1;'
	[ "$1" = meters ] || echo 'beacon_min_s = 1; beacon_max_s = 2;'
}

num_in() { # NODE GROUP
	value "$(node_status "$1" "$2")" num
}

all_have_num_in() { # GROUP NUM NODE...
	in_group=$1 in_num=$2
	shift 2
	for holder in "$@"; do
		[ "$(num_in "$holder" "$in_group")" = "$in_num" ] || return 1
	done
}

# Of node 2.
recovered_in() { # GROUP NUM
	node_lines 2 recovered "$1" | grep "\"num\":$2," | grep -q '"via":"pull"'
}

knows_of() { # GROUP
	[ "$(delivery 2 "$1")" = confirmed ]
}

need_root
segment_open 3
gateway_start
wire_watch gw gw
wire_watch n2 n2
for node in 1 2 3; do
	node_add "$node" lights $both --group meters --roles $both
	node_start "$node"
	check_soon 10 "node $node joins a group" node_said "$node" joined '"group":"lights"'
	check_soon 10 "node $node joins another" node_said "$node" joined '"group":"meters"'
done
check_soon 10 'all have the newest key' all_have_num_in lights 3 1 2 3
check_soon 10 'in the other group too' all_have_num_in meters 3 1 2 3

deaf n2
wire_mark gw
wire_mark n2
check 'a group gets a new key' quietly ctl rekey lights
check 'the other as well' quietly ctl rekey meters
check_soon 5 'the others have it' all_have_num_in lights 4 1 3
check_soon 5 'in the other group too' all_have_num_in meters 4 1 3
check_soon 5 'beacons tell of it' wire_has gw 'way == "out" && kind == "beacon" && num == 4' 1
check 'node 2 does not hear them' was_deaf n2
check 'and has the old key' all_have_num_in lights 3 2
wire_mark n2
hears_again n2
check_soon 3 'it hears the next one' wire_has n2 'kind == "beacon" && num == 4'
check_soon 3 'and asks' recovered_in lights 4
check 'not before' [ "$(wire_first n2 'way == "out"')" -ge "$(wire_first n2 'kind == "beacon"')" ]
check 'nobody told it by unicast' wire_has_no gw "$(unicasts)"
check_soon 2 'the gateway knows' knows_of lights
check 'of the other group, which has no beacons, it has heard nothing' all_have_num_in meters 3 2
check 'nor anybody else' wire_has_no gw 'kind == "beacon" && num != 4'

node_tell 1 'say -g meters hello'
check_soon 15 'until it hears what it cannot read' recovered_in meters 4
check_soon 2 'the gateway knows' knows_of meters
node_tell 1 'say -g meters again'
check_soon 5 'then it reads' has_read 2 again
conclude
