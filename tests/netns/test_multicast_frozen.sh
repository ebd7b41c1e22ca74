#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A member that is frozen through three rekeyings is tried in vain and parked, delays nobody, and
# catches up when it moves again.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

# It is silent for long, and yet not gone.
presence='check_interval_s = 600; evict = false;'
rekey='coalesce_ms = 100; confirm = "all"; repeat = 2; repeat_ms = 200; in_flight = 1;'

node_signal() { # NODE SIGNAL
	eval "signal_pid=\$node_pid_$1"
	# shellcheck disable=SC2154 # by eval
	kill -s "$2" "$signal_pid"
}

three_confirmed() {
	[ "$(rekeying_value lights confirmed)" -eq 3 ]
}

need_root
segment_open 4
gateway_start
wire_watch gw gw
nodes_join 1 2 3 4

num=$(group_num lights)
node_signal 2 STOP
for time in first second third; do
	num=$((num + 1))
	wire_mark gw
	check "the $time new key" quietly ctl rekey lights
	check_soon 3 'the others have it' all_have_num $num 1 3 4
	check 'by multicast' got_num $num multicast 1 3 4
	check_soon 3 'the gateway knows' three_confirmed
	check_soon 10 'node 2 is told by unicast' has_delivery 2 unicast
	check 'alone' wire_has_no gw "$(unicasts_but_to 2)"
done
say 1 'where is node 2'
check_soon 10 'the others read each other' all_have_read 'where is node 2' 3 4

# Four tries, each with more patience: 4 + 4 + 8 + 8 + 16 + 16 + 32 s.
check_soon 100 'node 2 is parked' has_delivery 2 parked
check 'nobody is waited for' is_settled lights
check 'three confirmed, one by unicast, one parked' \
	[ "$(ledger lights)" = '4 3 1 1' ]
check 'it is a member' is_member 2

node_signal 2 CONT
check_soon 10 'it catches up when it moves again' node_has_num 2 "$num"
check_soon 10 'the gateway knows' has_delivery 2 confirmed
check 'it did not have to join again' [ "$(node_count 2 joined)" -eq 1 ]
check_soon 10 'all agree' views_agree lights 1 2 3 4
say 2 'here'
check_soon 10 'they read each other' all_have_read here 1 3 4
conclude
