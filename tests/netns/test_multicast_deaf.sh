#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Who does not hear a multicast message gets the same by unicast, within confirm_wait of
# docs/rekeying.md section 12.3, and delays nobody.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

presence='check_interval_s = 60; evict = true;'
rekey='coalesce_ms = 200; confirm = "all"; repeat = 2; repeat_ms = 1000;'

# The leisure that a message says, in ms.
leisure_ms() { # NUM
	wire_lines gw "$(rekeyings "$1")" | sed 1q | cut -d ' ' -f 9
}

four_confirmed() {
	[ "$(rekeying_value lights confirmed)" -eq 4 ]
}

need_root
segment_open 5
gateway_start
wire_watch gw gw
nodes_join 1 2 3 4 5

deaf n2 udp dport 5686
wire_mark gw
num=$(($(group_num lights) + 1))
check 'the group gets a new key' quietly ctl rekey lights
check_soon 2 'the others have it' all_have_num "$num" 1 3 4 5
check 'by multicast' got_num "$num" multicast 1 3 4 5
check 'node 2 lost it' was_deaf n2
check 'and has the old key' node_has_num 2 $((num - 1))
check 'nor does the gateway know better yet' has_delivery 2 multicast
check_soon 10 'node 2 gets it' node_has_num 2 "$num"
check 'by unicast' got_num "$num" unicast 2
check_soon 2 'the gateway knows' has_delivery 2 confirmed
check 'nobody is waited for' is_settled lights

# A second is for a machine that does other things too, and some ms for how it rounds.
wait_ms=$(($(leisure_ms "$num") + 2000))
copied_ms=$(wire_last gw "$(rekeyings "$num")")
told_ms=$(wire_first gw "$(unicasts_to 2)")
check 'on the wire was one message to the group' \
	wire_says gw "$(rekeyings "$num")" 1
check 'twice, since one member did not confirm' [ "$(wire_count gw "$(rekeyings "$num")")" -eq 2 ]
check 'soon after each other' \
	[ $((copied_ms - $(wire_first gw "$(rekeyings "$num")"))) -le $((1000 * 3 / 2 + 1000)) ]
check 'four confirmed' [ "$(wire_sources gw "$(confirmations)")" -eq 4 ]
check 'long before' [ "$(wire_last gw "$(confirmations)")" -lt $((told_ms - 1000)) ]
check 'node 2 was waited for' [ $((told_ms - copied_ms)) -ge $((wait_ms - 20)) ]
check 'and no longer than that' [ $((told_ms - copied_ms)) -le $((wait_ms + 1000)) ]
check 'it got one message' wire_says gw "$(unicasts_to 2)" 1
check 'and nobody else any' wire_has_no gw "$(unicasts_but_to 2)"
check 'the gateway says so: four confirmed, one by unicast' \
	[ "$(ledger lights)" = '5 4 1 0' ]

# Rekeyings in short order do not put it off.
wire_mark gw
for time in $(seq 20); do
	quietly ctl rekey lights
	wait_for 3 four_confirmed || echo "# not all confirmed: $time"
	wire_has gw "$(unicasts_to 2)" && break
done
check 'it is told although rekeyings come in a row' wire_has gw "$(unicasts_to 2)"
check_soon 10 'until nobody is waited for' is_settled lights
check 'it has the newest' node_has_num 2 "$(group_num lights)"
num=$(group_num lights)

# What it got has its keys in the tree with it.
hears_again n2
check 'the group gets a new key' quietly ctl rekey lights
check_soon 5 'node 2 has it, like all, by multicast' got_num $((num + 1)) multicast 1 2 3 4 5
check_soon 5 'all have confirmed' is_settled lights
check_soon 10 'all agree' views_agree lights 1 2 3 4 5
say 2 'I hear you'
check_soon 10 'they read each other' all_have_read 'I hear you' 1 3 4 5
conclude
