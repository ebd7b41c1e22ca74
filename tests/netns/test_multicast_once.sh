#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A departure costs one multicast message, whatever the size of the group, and nothing by unicast.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

# Long enough that nobody but node 20 is asked for a sign of life.
presence='check_interval_s = 5; probes = 2; probe_wait_s = 1; grace_s = 1;'
rekey='coalesce_ms = 200; repeat = 3; repeat_ms = 500;'
nodes=$(seq 20)

# Of datagrams that hold a CoAP message each.
wire_bytes() { # CONDITION
	wire_lines gw "$1" | awk '{ sum += length($10) / 2 } END { print sum }'
}

events() { # NUM VIA
	ctl events --json | grep '"event":"delivered"' | grep "\"num\":$1," |
		grep -c "\"via\":\"$2\""
}

need_root
segment_open 20
gateway_start
wire_watch gw gw
# shellcheck disable=SC2086 # a list
nodes_join $nodes

wire_mark gw
old_num=$(group_num lights)
link_down 20
check_soon 20 'node 20 is gone' is_no_member 20
check_soon 5 'there is a new key' num_is_above "$old_num"
num=$((old_num + 1))
# shellcheck disable=SC2086,SC2046 # lists
check_soon 5 'the nineteen others have it, all by multicast' got_num $num multicast $(others 20)
check_soon 5 'and have confirmed it' is_settled lights

first_ms=$(wire_first gw "$(rekeyings "$num")")
sent=$(wire_count gw "$(multicasts)")
check 'on the wire was one message' wire_says gw "$(multicasts)" 1
check 'it is the new key' [ "$(wire_count gw "$(rekeyings "$num")")" -eq "$sent" ]
check 'sent three times at most' [ "$sent" -le 3 ]
# Questions whether somebody is there have some dozens of bytes.
check 'and none to a single member' wire_has_no gw "$(unicasts_but_to 20) && length(hex) > 300"
check 'nor to who is gone' wire_has_no gw "$(unicasts_to 20) && ms >= $first_ms"
check 'nineteen confirmed on the wire' \
	[ "$(wire_sources gw "$(confirmations)")" -eq 19 ]
check 'it fits one packet' [ "$(wire_bytes "$(rekeyings "$num")")" -le $((1232 * sent)) ]

check 'the gateway says the same: 19 members, 19 confirmed' [ "$(ledger lights)" = '19 19 0 0' ]
check 'as many datagrams as were on the wire' [ "$(rekeying_value lights datagrams)" -eq "$sent" ]
check 'and bytes' [ "$(rekeying_value lights bytes)" -eq "$(wire_bytes "$(rekeyings "$num")")" ]
check 'its events say by multicast nineteen times' [ "$(events "$num" multicast)" -eq 19 ]
# shellcheck disable=SC2086,SC2046 # lists
check_soon 20 'all agree' views_agree lights $(others 20)
say 1 'nineteen of us'
# shellcheck disable=SC2046 # a list
check_soon 10 'they read each other' all_have_read 'nineteen of us' $(others 1 20)
check 'node 20 does not' has_not_read 20 'nineteen of us'
check 'who is cut off has the old key' node_has_num 20 "$old_num"
conclude
