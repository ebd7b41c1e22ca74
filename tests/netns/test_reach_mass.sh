#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Forty of sixty nodes vanish at once: that is us, as far as we know. The group is blind, which is told,
# and nobody is removed, until they are back, or the operator says that they are gone: then in one
# rekeying.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/hops.sh"

near=$(seq 20)
far=$(seq 21 60)

# The far link is one port of the gateway's.
far_attach() {
	ip -n "$net-gw" link add portfar type veth peer name up0 netns "$net-far" &&
		ip -n "$net-gw" link set portfar master lowpan0 up &&
		ip -n "$net-far" link set up0 master far0 up || exit 1
}

all_joined() {
	for one in $near $far; do
		node_said "$one" joined || return 1
	done
}

members_count() {
	members lights | grep -c '"name"'
}

has_members() { # COUNT
	[ "$(members_count)" -eq "$1" ]
}

is_blind() {
	group_line lights | grep -q '"blind":"[^"]'
}

sees() {
	group_line lights | grep -q '"blind":""'
}

is_as_before() {
	has_members 60 && has_same_key
}

near_have_next_key() {
	has_members 20 || return 1
	# shellcheck disable=SC2086 # a list
	have_got $((key_num + 1)) $near
}

need_root
log_level=info
policy 6 2 1 2
segment_open 20
far_open
far_attach
for node in $far; do
	space_open "$net-n$node"
	far_port "$net-n$node" "$node" lowpan0
	interface_up "$net-n$node" "$(node_ip "$node")"
done
gateway_start
for node in $near $far; do
	quietly node_add "$node" lights requester,responder
	node_start "$node"
done
check_soon 40 'sixty nodes join' all_joined
check_soon 10 'all have the newest key' is_settled lights
events_follow
note_key

begin
link_down far
check_within "$bound_ms" 'forty vanish, and the group is blind' is_blind
check 'which is told' has_event blind
check 'nobody is removed' is_as_before
begin
link_up far
check_within "$bound_ms" 'they are back, and it sees again' sees
check 'which is told' has_event sees
# shellcheck disable=SC2086 # a list
check_within "$bound_ms" 'all are present' all_have_state present $near $far
check 'nobody was removed' is_as_before

events_mark
begin
link_down far
check_within "$bound_ms" 'they vanish again, and the group is blind' is_blind
check 'nobody is removed in twice the time' keeps $((2 * bound_ms)) is_as_before
check 'that it is blind is told once' [ "$(events_count blind)" -eq 1 ]
# shellcheck disable=SC2086 # a list
check 'those who are there were never suspected' never_suspected $near
begin
check 'the operator confirms' quietly ctl confirm lights
check_within "$ours_ms" 'all forty are out, and the others have a new key' near_have_next_key
check 'in one rekeying' has_next_key 1
check 'the group sees' sees
check 'and it stays at that' keeps $((check_ms + ours_ms)) has_members 20
check 'with one key' has_next_key 1
conclude
