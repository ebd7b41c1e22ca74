#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The main job from end to end, played on the segment of lib.sh: five nodes join, talk, one is lost,
# the rest gets a new key by one multicast message, it comes back, another one leaves, and a node
# that does not hear multicast learns of it all the same. tests/demo/run.sh tells it to a person,
# tests/netns/test_story.sh to tests/run. Those two say how:
#
#	chapter TITLE    what comes now
#	paragraph        what has just happened can be told

: "${work:?lib.sh comes before}"
nodes='1 2 3 4 5'

# others NODE...: all but these.
others() {
	for other in $nodes; do
		case " $* " in
		*" $other "*) ;;
		*) printf '%s ' "$other" ;;
		esac
	done
}

say() { # NODE TEXT
	printf '%s node%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)" "$1" "$2" >>"$work/said"
	node_tell "$1" "say $2"
}

has_read() { # NODE TEXT
	node_said "$1" message "\"text\":\"$2\""
}

has_not_read() {
	! has_read "$@"
}

all_have_read() { # TEXT NODE...
	read_text=$1
	shift
	of_all "$*" has_read "$read_text"
}

none_has_read() { # TEXT NODE...
	read_text=$1
	shift
	of_all "$*" has_not_read "$read_text"
}

all_have_num() { # NUM NODE...
	all_num=$1
	shift
	of_all "$*" node_has_num "$all_num"
}

has_refused() { # NODE MORE-THAN
	refused=$(value "$(node_status "$1")" refused)
	[ "${refused:-0}" -gt "$2" ]
}

num_is_above() { # NUM
	[ "$(group_num lights)" -gt "$1" ]
}

has_ledger() { # NUMBERS
	[ "$(ledger lights)" = "$1" ]
}

story_joins() {
	chapter 'Five nodes join'
	for node in $nodes; do
		node_add "$node" lights requester,responder
		node_start "$node"
		check_soon 10 "node $node joins" node_said "$node" joined
		node_said "$node" joined || give_up 'no story without all five'
		check_soon 10 'all have the newest key' is_settled lights
		paragraph
	done
	# shellcheck disable=SC2086 # a list
	check_soon 10 'all five and the gateway agree on who holds what' views_agree lights $nodes
	paragraph
}

story_talk() {
	chapter 'Node 1 says something'
	say 1 'good morning'
	# shellcheck disable=SC2046 # a list
	check_soon 10 'the other four read it' all_have_read 'good morning' $(others 1)
	paragraph
}

# After this the group's old key is with node 3 alone.
story_cut() {
	chapter 'Node 3 is cut off'
	mcast_listen on_link gw
	mcast_listen at_node3 n3
	wire_mark on_wire
	old_num=$(group_num lights)
	link_down 3
	check_soon 20 'node 3 is removed' is_no_member 3
	check_soon 10 'the kernel found its neighbour gone' is_logged 'failed fd00::13'
	check 'it was asked under its own key, in vain' \
		is_logged 'absent: authenticated probes unanswered'
	check_soon 10 'the group has a new key' num_is_above "$old_num"
	new_num=$(group_num lights)
	# shellcheck disable=SC2046 # a list
	check_soon 10 'the other four have it' all_have_num "$new_num" $(others 3)
	# shellcheck disable=SC2046 # a list
	check 'by multicast' got_num "$new_num" multicast $(others 3)
	check_soon 10 'and have confirmed it' is_settled lights
	check 'it took one message' wire_says on_wire "$(rekeyings "$new_num")" 1
	check 'to the group alone' [ "$(ledger lights)" = '4 4 0 0' ]
	# shellcheck disable=SC2046 # a list
	check_soon 10 'they and the gateway agree' views_agree lights $(others 3)
	check 'node 3 has the old one' node_has_num 3 "$old_num"
	paragraph
}

story_secret() {
	chapter 'Node 1 speaks to those who are left'
	heard_before=$(grep -c '^\[' "$work/on_link")
	say 1 'node 3 is gone'
	check_soon 10 'the remaining three read it' all_have_read 'node 3 is gone' 2 4 5
	check_soon 10 'it was on the air once' mcast_heard on_link $((heard_before + 1))
	said_now=$(mcast_bytes on_link)
	paragraph

	chapter 'Node 3 is shown what is said now'
	refused_before=$(value "$(node_status 3)" refused)
	mcast_show n3 "$said_now"
	check_soon 10 'it got those bytes, and refuses them' has_refused 3 "$refused_before"
	check 'it has not read them' has_not_read 3 'node 3 is gone'
	paragraph
}

refuse_all() { # COUNTS...: of refused ones before, for nodes 1 2 4 5
	for refuser in 1 2 4 5; do
		has_refused "$refuser" "$1" || return 1
		shift
	done
}

refused_counts() { # NODE...
	for refuser in "$@"; do
		value "$(node_status "$refuser")" refused
	done
}

story_intruder() {
	chapter 'Node 3 says something under the old key, and it gets to the others'
	heard_before=$(grep -c '^\[' "$work/at_node3")
	say 3 'let me in'
	check_soon 10 'it has said it' mcast_heard at_node3 $((heard_before + 1))
	counts=$(refused_counts 1 2 4 5)
	mcast_show gw "$(mcast_bytes at_node3)"
	# shellcheck disable=SC2086 # a list
	check_soon 10 'the others refuse it' refuse_all $counts
	check 'none has read it' none_has_read 'let me in' 1 2 4 5
	paragraph
}

story_return() {
	chapter 'The link of node 3 returns'
	joins=$(node_count 3 joined)
	link_up 3
	check_soon 45 'it joins again with the same token' node_reports 3 joined "$joins"
	# shellcheck disable=SC2086 # a list
	check_soon 10 'all five and the gateway agree' views_agree lights $nodes
	paragraph
	say 1 'welcome back'
	# shellcheck disable=SC2046 # a list
	check_soon 10 'it and the others read what is said' all_have_read 'welcome back' $(others 1)
	paragraph
}

story_leave() {
	chapter 'Node 2 does not hear multicast any more, and node 5 leaves'
	check_soon 10 'nobody is waited for' is_settled lights
	wire_mark on_wire
	old_num=$(group_num lights)
	deaf n2 udp dport 5686
	node_tell 5 leave
	check_soon 10 'node 5 may leave' node_said 5 left
	check_soon 10 'the group has a new key' num_is_above "$old_num"
	check 'node 5 is no member' is_no_member 5
	new_num=$(group_num lights)
	check_soon 2 'three of the rest have it' all_have_num "$new_num" 1 3 4
	check 'by one multicast message' wire_says on_wire "$(rekeyings "$new_num")" 1
	check 'which each of them got' got_num "$new_num" multicast 1 3 4
	check 'and node 2 did not' was_deaf n2
	check_soon 10 'node 2 has it' node_has_num 2 "$new_num"
	check 'by unicast' got_num "$new_num" unicast 2
	check_soon 2 'which no other needed' has_ledger '4 3 1 0'
	# shellcheck disable=SC2086 # a list
	check_soon 10 'all five and the gateway agree' views_agree lights $nodes
	paragraph
	say 4 'good night'
	check_soon 10 'the rest reads what is said' all_have_read 'good night' 1 2 3
	check 'node 5 does not' has_not_read 5 'good night'
	paragraph
}

story() {
	segment_open 5
	gateway_start
	wire_watch on_wire gw
	story_joins
	story_talk
	story_cut
	story_secret
	story_intruder
	story_return
	story_leave
}
