#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The kernel tells more than can be read: fifty thousand changes of neighbours at once. What got lost is
# found by comparison, who leaves meanwhile is out in time, and what the daemon takes has a bound.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"

# What the daemon may grow by, in kB: a table of what is known and one of what is compared with it,
# 16,384 entries each, and what the kernel's notices wait in while they are read.
growth_max=8192

# changes COUNT ADDRESSES: of so many neighbours that nobody asks for, which the kernel does not
# collect.
changes() {
	awk -v count="$1" -v addresses="$2" 'BEGIN {
		for (i = 0; i < count; i++)
			printf "neigh replace fd00::5:%x lladdr 02:00:00:%02x:%02x:%02x dev lowpan0 " \
				"nud stale extern_learn\n", i % addresses, i / 65536, i / 256 % 256, i % 256
	}'
}

flood() { # FILE
	in_gateway ip -batch "$work/$1"
}

memory_kb() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$gateway_pid/status"
}

comparisons() {
	ctl metrics | sed -n 's/^gatewayd_netlink_comparisons_total //p'
}

lost_notices() {
	ctl metrics | sed -n 's/^gatewayd_netlink_lost_total //p'
}

# Not even counted in what was before.
has_grown_little() {
	[ $(($(memory_kb) - memory_alone)) -le "$growth_max" ]
}

was_found_by_the_kernel() { # NODE
	ctl why lights "node$1" | grep -qF 'the kernel could not reach its address'
}

is_asked_by_the_kernel() { # NODE
	neighbour_is "$1" PROBE || neighbour_is "$1" INCOMPLETE
}

need_root
log_level=info
policy 2 2 1 1
segment_open 5
gateway_start
nodes_join 1 2 3 4 5
events_follow
changes 50000 10000 >"$work/.same"
changes 50000 50000 >"$work/.new"
memory_alone=$(memory_kb)
compared=$(comparisons)
lost=$(lost_notices)

# All is lost: the daemon reads nothing until the kernel has said that it found nobody.
note_key
check 'node 3 has just said something' is_checked 3
begin
link_down 3
check_soon 10 'the kernel asks for one that was cut off' is_asked_by_the_kernel 3
kill -s STOP "$gateway_pid"
check 'while fifty thousand neighbours change' flood .same
check_soon 10 'it says that nobody is there' neighbour_is 3 FAILED
kill -s CONT "$gateway_pid"
check_within "$bound_ms" 'who was cut off is out, and the others have a new key' is_out 3 1 2 4 5
check 'on the word of the kernel' was_found_by_the_kernel 3
check 'notices were lost' [ "$(lost_notices)" -gt "$lost" ]
check 'and made up for by comparison' [ "$(comparisons)" -gt "$compared" ]
check 'nobody else was suspected' never_suspected 1 2 4 5

# As it comes, and with more neighbours than the daemon keeps in mind.
events_mark
note_key
check 'node 4 has just said something' is_checked 4
begin
link_down 4
check 'fifty thousand new neighbours appear' flood .new
check_within "$bound_ms" 'who was cut off meanwhile is out, and the others have a new key' \
	is_out 4 1 2 5
check 'nobody else was suspected' never_suspected 1 2 5
echo "# $memory_alone kB before, $(memory_kb) kB now; $(comparisons) comparisons"
check 'the daemon has grown little' has_grown_little
conclude
