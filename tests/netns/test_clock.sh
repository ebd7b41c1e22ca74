#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The gateway starts with its clock in 1970, or in years to come, and the clock jumps by a year and
# back while it runs: nobody is dropped for that, tokens end when their time has gone by and not
# before, and when NTP comes the time is right. The clock is a faked one (tests/preload/clock.c).
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

year=31536000

# set_clock SECONDS synchronised|unsynchronised: so far ahead of the right time is the machine's.
set_clock() {
	echo "$1 $2" >"$work/clock.new"
	mv "$work/clock.new" "$work/clock"
}

to_1970() {
	echo $((100 - $(date +%s)))
}

status_value() { # NAME
	value "$(ctl status --json)" "$1"
}

clock_is() { # WORD
	[ "$(status_value clock)" = "$1" ]
}

# Its idea of what time it is, less what time it is.
offset_s() {
	echo $(($(date -u -d "$(ctl status --json | sed 's/.*"time":"\([^"]*\)".*/\1/')" +%s) - $(date +%s)))
}

# The time that the gateway goes on from is what it last wrote down, which may be some seconds old.
is_right_within() { # SECONDS
	off=$(offset_s)
	[ "${off#-}" -le "$1" ] || {
		echo "# off by $off s"
		return 1
	}
}

# All are members as before, and nothing has happened to them.
nobody_is_dropped() { # NODE...
	check "the key is the same" [ "$(group_num lights)" -eq "$num" ]
	check_soon 5 'members are members' views_agree lights "$@"
	check 'and get answers' is_checked 1
	for dropped in "$@"; do
		check "node $dropped never was out" [ "$(node_count "$dropped" joined)" -eq 1 ]
	done
}

restart() {
	gateway_end "$1"
	gateway_start
}

need_root
presence='check_interval_s = 600; evict = true;'
preloads=clock
export GK_CLOCK="$work/clock"
set_clock 0 synchronised
segment_open 5
gateway_start
check 'the machine has the right time' clock_is machine
nodes_join 1 2
node_add 3 lights requester,responder --expires 8s
node_start 3
check_soon 10 'a node with a token that ends soon joins' node_said 3 joined
node_add 4 lights requester,responder
node_add 5 lights requester,responder --expires 2s
check_soon 10 'all have the newest key' is_settled lights
num=$(group_num lights)

set_clock "$(to_1970)" unsynchronised
restart KILL
check 'a start in 1970 is seen through' clock_is estimated
check 'it goes on from the time that was' is_right_within 20
nobody_is_dropped 1 2 3
check 'no token is issued' not node_add 6 lights requester
node_start 4
check_soon 10 'one that was is as good as ever' node_said 4 joined
check 'one that ends soon has not ended' is_member 3
check_soon 20 'another one ends when its time has gone by' is_no_member 3
check_soon 5 'and the group has a new key' num_is_above $((num + 1))
node_start 5
check_soon 5 'a token that has ended is not accepted' \
	node_said 5 error 'the KDC refuses the token'
check_soon 10 'all agree' views_agree lights 1 2 3 4
num=$(group_num lights)

set_clock 0 synchronised
check_soon 10 'NTP sets the clock, and it is believed' clock_is machine
check 'now the time is right' is_right_within 2
nobody_is_dropped 1 2 4
check 'tokens are issued again' node_add 6 lights requester

for word in synchronised unsynchronised; do
	for jump in $year -$year; do
		set_clock "$jump" "$word"
		check_soon 10 "a jump by $jump s, $word, is not followed" clock_is held
		check 'the time is right all the same' is_right_within 2
		nobody_is_dropped 1 2 4
		set_clock 0 "$word"
		check_soon 10 'it jumps back, and is believed' clock_is machine
		check 'the time is right' is_right_within 2
	done
done
nobody_is_dropped 1 2 4

set_clock $((6 * year)) unsynchronised
restart TERM
check 'a start six years ahead is seen through' clock_is estimated
check 'it goes on from the time that was' is_right_within 5
nobody_is_dropped 1 2 4
set_clock 0 unsynchronised
check_soon 10 'the right time is believed at once' clock_is machine
nobody_is_dropped 1 2 4
say 1 'what time is it'
check_soon 10 'members talk as before' all_have_read 'what time is it' 2 4
conclude
