#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# gatewayd is killed after a multicast message and before its confirmations, and started again: it
# repeats the same bytes, nobody is left behind, and no num ever stands for two keys.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

presence='check_interval_s = 600;'
rekey='coalesce_ms = 50; confirm = "all"; repeat = 2; repeat_ms = 1000;'

# The nums of which more than one content was sent, by all gateways there were.
ambiguous() {
	echo 0 >"$work/gw.mark"
	wire_contents gw 'way == "out" && kind == "rekeying"' | cut -d ' ' -f 1 | uniq -d
}

none_confirmed() {
	[ "$(rekeying_value lights confirmed)" -eq 0 ]
}

has_joined_once() { # NODE...
	for joiner in "$@"; do
		[ "$(node_count "$joiner" joined)" -eq 1 ] || return 1
	done
}

has_newest() { # NODE...
	all_have_num "$(group_num lights)" "$@"
}

# Confirmations get to the gateway's machine, where they can be seen, and no further.
close_gateway() {
	deaf gw udp dport 5686
}

need_root
segment_open 4
gateway_start
wire_watch gw gw
nodes_join 1 2 3 4

# Three have it, and the gateway does not know; one has not.
num=$(($(group_num lights) + 1))
close_gateway
deaf n3 udp dport 5686
wire_mark gw
check 'the group gets a new key' quietly ctl rekey lights
check_soon 2 'three members have it' all_have_num "$num" 1 2 4
check_soon 2 'and confirm, which the gateway does not hear' \
	wire_has gw "$(confirmations)" 2
check 'it knows of none' none_confirmed
gateway_end KILL
check 'it is killed before it tells anybody by unicast' wire_has_no gw "$(unicasts)"
check 'node 3 has the old key' node_has_num 3 $((num - 1))
sent=$(wire_contents gw "$(rekeyings "$num")")
hears_again gw
hears_again n3
wire_mark gw
gateway_start
check 'num has not gone back' [ "$(group_num lights)" -eq "$num" ]
check_soon 5 'the message is sent again' wire_has gw "$(rekeyings "$num")"
check_soon 5 'node 3 has it' got_num "$num" multicast 3
check_soon 5 'all confirm' is_settled lights
check 'without anything by unicast' wire_has_no gw "$(unicasts)"
check 'it was the same message' [ "$(wire_contents gw "$(rekeyings "$num")")" = "$sent" ]
check 'and no other' wire_has_no gw "kind == \"rekeying\" && num != $num"
check 'nobody took it twice' got_num "$num" multicast 1 2 4
check_soon 10 'all agree' views_agree lights 1 2 3 4

# Nobody has it, neither by the first copy nor by those of a new gateway, which then uses unicast.
num=$((num + 1))
close_gateway
for node in 1 2 3 4; do
	deaf "n$node" udp dport 5686
done
wire_mark gw
check 'the group gets a new key' quietly ctl rekey lights
check_soon 2 'nobody hears of it' was_deaf n4
gateway_end KILL
gateway_start
check 'num has not gone back' [ "$(group_num lights)" -eq "$num" ]
check_soon 10 'all get it by unicast' got_num "$num" unicast 1 2 3 4
check_soon 5 'nobody is waited for' is_settled lights
check 'the messages to the group were one' wire_says gw "$(rekeyings "$num")" 1
for node in 1 2 3 4; do
	hears_again "n$node"
done
hears_again gw

# At no particular moment: while the key is made, stored, sent, or after it.
for moment in 0 0.002 0.005 0.01 0.02; do
	num=$(group_num lights)
	ctl rekey lights >/dev/null 2>&1 &
	asking=$!
	sleep $moment
	gateway_end KILL
	wait $asking
	gateway_start
	check_soon 15 "killed after $moment s: members have what it has" has_newest 1 2 3 4
	check 'which is not older' [ "$(group_num lights)" -ge "$num" ]
done

# Of all that were sent, before and after.
check_soon 5 'nobody is waited for' is_settled lights
num=$(($(group_num lights) + 1))
check 'the group gets a new key' quietly ctl rekey lights
check_soon 5 'all have it, by multicast' got_num "$num" multicast 1 2 3 4
check_soon 5 'nobody is waited for' is_settled lights
check 'no num stood for two keys' [ "$(ambiguous)" = '' ]
check 'none had to join again' has_joined_once 1 2 3 4
check_soon 10 'all agree' views_agree lights 1 2 3 4
say 3 'still here'
check_soon 10 'they read each other' all_have_read 'still here' 1 2 4
conclude
