#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# gatewayd is killed a hundred times in a row, at random moments, while twenty members ask it
# something every second. None of them joins again, there is no new key, and none waits for an
# answer for more than 10 s.
#
# KILLS     how often [100]
# SEED      of the moments; the number of this process, if it is not given
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

: "${KILLS:=100}" "${SEED:=$$}"
nodes=$(seq 20)
longest_ms=10000

# Every second, each of them. As a process of its own, so that nothing here holds it up.
ask_always() {
	# Or an end at a bad moment would leave its cleaning up to this process.
	trap - EXIT INT TERM HUP
	while :; do
		for asker in $nodes; do
			node_tell "$asker" check
		done
		sleep 1
	done
}

# How long gatewayd lives each time, in seconds: sometimes not long enough to answer.
moments() {
	awk -v seed="$SEED" -v count="$KILLS" 'BEGIN {
		srand(seed)
		for (i = 0; i < count; i++)
			printf "%.3f\n", rand() < 0.1 ? 0.05 * rand() : 0.4 + 0.8 * rand()
	}'
}

# The longest time between two answers of those that a node got, in ms, with the beginning and the
# end of the asking as one too.
longest_wait() { # NODE FROM TO, in ms of the clock that the lines have
	node_lines "$1" checked | awk -v last="$2" -v to="$3" '
	function wait(ms) {
		# where midnight is between them
		if (ms < last - 43200000)
			last -= 86400000
		if (ms - last > longest)
			longest = ms - last
		last = ms
	}
	{
		split(substr($0, index($0, "T") + 1), part, /[:Z]/)
		wait(1000 * (3600 * part[1] + 60 * part[2] + part[3]))
	}
	END {
		wait(to)
		printf "%d\n", longest
	}'
}

# Of this day, as in the lines.
time_ms() {
	date -u +'%H %M %S %3N' | awk '{ print 1000 * (3600 * $1 + 60 * $2 + $3) + $4 }'
}

none_waited_long() { # FROM TO
	slowest=0
	for waiter in $nodes; do
		waited=$(longest_wait "$waiter" "$1" "$2")
		[ "$waited" -le "$slowest" ] || slowest=$waited
	done
	echo "# the longest time without an answer: $slowest ms"
	[ "$slowest" -le "$longest_ms" ]
}

have_no_new_key() {
	for holder in $nodes; do
		[ "$(node_count "$holder" rekeyed) $(node_count "$holder" recovered)" = \
			"$(cat "$work/keys.$holder")" ] || return 1
	done
}

all_answered_again() { # each has been answered after those that it had
	for answered in $nodes; do
		node_reports "$answered" checked "$(cat "$work/checked.$answered")" || return 1
	done
}

need_root
presence='check_interval_s = 600; evict = true;'
# Members that are heard confirm; so nothing is sent that a death could cut off.
rekey='coalesce_ms = 200;'
segment_open 20
gateway_start
for node in $nodes; do
	node_add "$node" lights requester,responder
	node_start "$node"
	wait_for 10 node_said "$node" joined || give_up "node $node does not join"
done
check_soon 20 'twenty members join' is_settled lights
num=$(group_num lights)
for node in $nodes; do
	check_name="node $node has the newest key"
	wait_for 10 node_has_num "$node" "$num" || give_up "$check_name"
	echo "$(node_count "$node" rekeyed) $(node_count "$node" recovered)" >"$work/keys.$node"
done

echo "# SEED=$SEED KILLS=$KILLS"
ask_always &
pids="$pids $!"
from=$(time_ms)
for moment in $(moments); do
	sleep "$moment"
	gateway_kill
	gateway_begin
done
wait_for 5 gateway_answers || give_up 'gatewayd does not start'
for node in $nodes; do
	node_count "$node" checked >"$work/checked.$node"
done
check_soon 10 'all are answered at the end' all_answered_again
to=$(time_ms)
check "none waits for more than $longest_ms ms" none_waited_long "$from" "$to"
# shellcheck disable=SC2086 # a list
check 'none has joined again' have_joined 1 $nodes
check 'the key is the same' [ "$(group_num lights)" -eq "$num" ]
check 'and none was given another' have_no_new_key
# shellcheck disable=SC2086 # a list
check_soon 10 'all agree' views_agree lights $nodes
say 7 'as before'
# shellcheck disable=SC2046 # a list
check_soon 10 'and talk as before' all_have_read 'as before' $(seq 1 6) $(seq 8 20)
conclude
