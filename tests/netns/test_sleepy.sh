#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Members that are asleep, frozen or without a link or both, through more new keys than the gateway
# keeps stale Sender IDs of: no rekeying waits for them, nobody suspects them, and when they wake they
# have the newest by themselves. Who sleeps for longer than is allowed is given up within the bound.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"
. "$GK_TOP/tests/netns/story.sh"

rekey='coalesce_ms = 100; confirm = "all"; repeat = 2; repeat_ms = 200; stale_sets = 2;
	beacon_min_s = 1; beacon_max_s = 4;'
sleep_max_s=30
# The leisure of five confirmations at the least that it is, the second copy, and our own.
settled_ms=1500
both=requester,responder

node_signal() { # NODE SIGNAL
	eval "signal_pid=\$node_pid_$1"
	# shellcheck disable=SC2154 # by eval
	kill -s "$2" "$signal_pid"
}

fall_asleep() {
	node_signal 3 STOP
	link_down 4
	node_signal 5 STOP
	link_down 5
}

are_sleepy() { # WORD NODE...
	sleepy_word=$1
	shift
	for sleeper in "$@"; do
		[ "$(value "$(member "$sleeper")" sleepy)" = "$sleepy_word" ] || return 1
	done
}

took_at_most() { # MS
	[ "$(rekeying_value lights duration_ms)" -le "$1" ]
}

are_parked() { # NODE...
	for parked in "$@"; do
		has_delivery "$parked" parked || return 1
	done
}

# It says something, and is shown as present then, though not for long.
is_awake() { # NODE
	is_checked "$1" && has_state "$1" present
}

join_as() { # NODE [ARGUMENTS...]
	join_node=$1
	shift
	node_start "$join_node" "$@"
	check_soon 10 "node $join_node joins" node_said "$join_node" joined
}

need_root
segment_open 5
policy 2 2 1 1 "evict = true; sleep_max_s = $sleep_max_s; sleepers = [ \"nobody\", \"node5\" ];"
gateway_start
wire_watch gw gw
for node in 1 2 3 5; do
	node_add $node lights $both
done
check 'what a node is provisioned with can say that it sleeps' node_add 4 lights $both --sleepy
join_as 1
join_as 2
join_as 3 --sleepy
join_as 4
join_as 5
check 'a token, a member and the configuration say who sleeps' are_sleepy true 3 4 5
check 'and nobody else does' are_sleepy false 1 2
check_soon 10 'all have the newest key' all_have_num "$(group_num lights)" 1 2 3 4 5
events_follow

num=$(group_num lights)
fall_asleep
begin
for time in first second third fourth; do
	num=$((num + 1))
	check "the $time new key" quietly ctl rekey lights
	check_soon 3 'the others have it' all_have_num $num 1 2
	check_soon 3 'and nobody is waited for' is_settled lights
	check 'it did not take long' took_at_most $settled_ms
	check_soon 10 'who sleeps is parked' are_parked 3 4 5
done
check_soon 10 'who sleeps is shown to' all_have_state asleep 3 4 5
check 'it stays' keeps $((sleep_max_s * 1000 - 10000)) are_members 3 4 5
check 'nobody was suspected' never_suspected 1 2 3 4 5
for node in 3 4 5; do
	check "node $node was asked nothing, and told nothing by itself" \
		wire_has_no gw "$(unicasts_to $node)"
done

node_signal 3 CONT
check_soon 5 'who was frozen asks by itself when it moves again' node_said 3 checked
check_soon 5 'and has the newest key' node_has_num 3 "$num"
check_soon 5 'the gateway knows' has_delivery 3 confirmed
link_up 4
check_soon 10 'who had no link has it soon' node_has_num 4 "$num"
check_soon 5 'the gateway knows' has_delivery 4 confirmed
check_soon 10 'they are awake' is_awake 3
check_soon 10 'both of them' is_awake 4
say 3 'good morning'
check_soon 10 'the others read them' all_have_read 'good morning' 1 2 4
check 'nobody had to join again' have_joined 1 1 2 3 4

# The last one does not wake in time.
note_key
check_within $((sleep_max_s * 1000 + verdict_ms + round_ms + grace_ms + ours_ms)) \
	'who sleeps for too long is out' is_out 5 1 2 3 4
check 'but not before' [ "$(elapsed_ms)" -ge $((sleep_max_s * 1000)) ]
check 'nobody else was suspected' never_suspected 1 2 3 4
link_up 5
node_signal 5 CONT
check_soon 30 'when it wakes it joins again' have_joined 2 5
check_soon 10 'all agree' views_agree lights 1 2 3 4 5
conclude
