#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# While the gateway's own interface is down nobody is removed, however long that takes, and nothing is
# forgotten: once it is up, those are that really left. Nor does it matter that an interface of the
# same name comes in its place.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"

gateway_index() {
	ip -n "$net-gw" -o link show dev lowpan0 | cut -d: -f1
}

gateway_is_blind() {
	ctl status --json | grep -q '"blind":"[^"]'
}

gateway_sees() {
	ctl status --json | grep -q '"blind":""'
}

all_are_out() { # NODE NODE OTHER...
	are_no_members "$1" "$2" || return 1
	shift
	is_out "$@"
}

# Those who went at different times may do so in one rekeying or in two.
key_rests() {
	note_key
	stays 1 has_same_key
}

need_root
segment_open 6
policy 2 2 1 3
gateway_start
nodes_join 1 2 3 4 5
events_follow
note_key

# One is suspect already, one goes while nobody can see it.
link_down 3
check_soon 10 'one is suspect' has_event suspect 3
ip -n "$net-gw" link set lowpan0 down
begin
check_within 2000 'the gateway is blind' gateway_is_blind
link_down 4
check 'nobody is removed in twice the grace' keeps $((2 * grace_ms)) are_members 1 2 3 4 5
check 'and there is no new key' has_same_key
events_mark
begin
interface_up "$net-gw" fd00::1
check_within 2000 'it sees again' gateway_sees
check_within "$bound_ms" 'those are out that left, and the others have a new key' all_are_out 3 4 1 2 5
check 'nobody else was suspected' never_suspected 1 2 5

check_soon 10 'the key rests' key_rests
index=$(gateway_index)
events_mark
begin
interface_replace 6
check 'the interface has another index' [ "$(gateway_index)" != "$index" ]
check_within 2000 'the gateway sees again' gateway_sees
check 'nobody is removed' keeps "$bound_ms" are_members 1 2 5
check 'nor suspected' never_suspected 1 2 5
check 'there is no new key' has_same_key
check 'node 5 has just said something' is_checked 5
begin
link_down 5
check_within "$bound_ms" 'who leaves then is out, and the others have a new key' is_out 5 1 2
check 'nobody else was suspected' never_suspected 1 2
conclude
