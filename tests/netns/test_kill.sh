#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# gatewayd is killed between a departure and the end of its rekeying, and started again: who was let
# go stays out, and the others end with one common new key, without joining again.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

all_have_newest() { # NODE...
	newest=$(group_num lights)
	all_have_num "$newest" "$@"
}

has_joined_once() { # NODE...
	for joiner in "$@"; do
		[ "$(node_count "$joiner" joined)" -eq 1 ] || return 1
	done
}

need_root
presence='check_interval_s = 60; evict = true;'
rekey='coalesce_ms = 4000;'
segment_open 5
gateway_start
for node in 1 2 3 4 5; do
	node_add "$node" lights requester,responder
	node_start "$node"
	check_soon 10 "node $node joins" node_said "$node" joined
done
check_soon 10 'all agree' views_agree lights 1 2 3 4 5

# Killed after the leave was confirmed, before the rekeying has begun.
num=$(group_num lights)
node_tell 3 leave
check_soon 3 'node 3 is let go' node_said 3 left
check 'its rekeying waits for others that leave' [ "$(group_num lights)" -eq "$num" ]
gateway_end KILL
rekey='coalesce_ms = 100;'
gateway_start
check 'node 3 is still out' is_no_member 3
check_soon 10 'there is a new key' num_is_above "$num"
check_soon 10 'the others have it' all_have_newest 1 2 4 5
check_soon 10 'all agree' views_agree lights 1 2 3 4 5
check 'none had to join again' has_joined_once 1 2 4 5

# Killed while the new key is on its way: node 2 cannot be reached, and so has not got it yet.
num=$(group_num lights)
link_down 2
node_tell 4 leave
check_soon 10 'node 4 is let go' node_said 4 left
check_soon 10 'some have the new key' all_have_num $((num + 1)) 1 5
check 'node 2 has not' node_has_num 2 "$num"
gateway_end KILL
gateway_start
check 'node 4 is still out' is_no_member 4
link_up 2
check_soon 30 'the others end with one common key' all_have_newest 1 2 5
check 'which is a new one' num_is_above "$num"
check_soon 10 'all agree' views_agree lights 1 2 3 4 5
check 'none had to join again' has_joined_once 1 2 5

say 5 'still here'
check_soon 10 'the rest reads what is said' all_have_read 'still here' 1 2
check 'those who left do not' none_has_read 'still here' 3 4

# Killed when nothing is going on: nobody notices.
num=$(group_num lights)
gateway_end KILL
gateway_start
say 1 'as before'
check_soon 10 'members talk as before' all_have_read 'as before' 2 5
check 'the key is the same' [ "$(group_num lights)" -eq "$num" ]
node_end 3 TERM
node_start 3
check_soon 10 'who left may come back' node_reports 3 joined 1
check_soon 10 'all agree' views_agree lights 1 2 3 4 5
conclude
