#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# reachmon says what the kernel says: JSON lines of a fixed form, verdicts on neighbours that are there
# and that are not, an interface that is renamed, deleted and made again, what is below an interface;
# and what it records reads back as the same events.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

need_root

reachmon=$GK_BUILD/reachmon
here=$net-gw
there=$net-n1

# A bridge without ports stands for the radio, with a macvlan on it here and another one there, which
# hear each other. They stay up when the bridge goes down, as lowpan0 does when wpan0 does.
spaces_open() {
	space_open "$here"
	space_open "$there"
	ip -n "$here" link add wpan0 type bridge && ip -n "$here" link set wpan0 up || exit 1
	ip -n "$here" link add link wpan0 name node0 type macvlan mode bridge &&
		ip -n "$here" link set node0 netns "$there" &&
		ip -n "$there" address add fd00::2/64 dev node0 nodad &&
		ip -n "$there" link set node0 up || exit 1
	lowpan_make
}

lowpan_make() {
	ip -n "$here" link add link wpan0 name lowpan0 type macvlan mode bridge &&
		ip netns exec "$here" sh -c \
			'echo 200 >/proc/sys/net/ipv6/neigh/lowpan0/retrans_time_ms' &&
		ip -n "$here" address add fd00::1/64 dev lowpan0 nodad &&
		ip -n "$here" link set lowpan0 up || exit 1
}

# monitor NAME ARGUMENTS...: write what it says into the file NAME.out.
monitor() {
	monitor_name=$1
	shift
	: >"$work/$monitor_name.out"
	ip netns exec "$here" "$reachmon" "$@" >"$work/$monitor_name.out" \
		2>"$work/$monitor_name.log" &
	eval "monitor_pid_$monitor_name=$!"
	pids="$pids $!"
}

monitor_ends() { # NAME [SIGNAL]
	eval "ends_pid=\$monitor_pid_$1"
	# shellcheck disable=SC2154 # by eval
	[ -z "${2-}" ] || kill -s "$2" "$ends_pid"
	wait "$ends_pid"
	ends_status=$?
	forget_pid "$ends_pid"
	return "$ends_status"
}

# said NAME WORDS: is there such a line?
said() {
	grep -qF -- "$2" "$work/$1.out"
}

# Is there one by now that was not there at the last mark?
says() { # NAME WORDS
	tail -n "+$(($(cat "$work/$1.mark") + 1))" "$work/$1.out" | grep -qF -- "$2"
}

mark() { # NAME
	wc -l <"$work/$1.out" >"$work/$1.mark"
}

# Every line is one of these, whole, and nothing else.
is_well_formed() { # NAME
	begin='^[{]"time":"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z","ms":[0-9]+,"kind":'
	link='"ifindex":[0-9]+,"interface":"[a-z0-9]+"'
	truth='(true|false)'
	ip='"[0-9a-f:]+"'
	! grep -Ev "$begin(\"link\",$link,\"present\":$truth,\"up\":$truth,\"lower_up\":$truth\
|\"(address|proxy)\",$link,\"present\":$truth,\"ip\":$ip\
|\"route\",$link,\"present\":$truth,\"ip\":$ip,\"gateway\":($ip|null)(,\"metric\":[1-9][0-9]*)?\
|\"neighbour\",$link,\"ip\":$ip,\"state\":\"(unknown|reachable|stale|failed)\"\
|\"lost\",\"times\":[0-9]+|\"(behind|current)\",\"comparisons\":[0-9]+)[}]\$" "$work/$1.out"
}

# What a monitor said, without times; in any order, since of two monitors one may have had more to
# read at once.
events() { # NAME
	sed 's/"time":"[^"]*",//; s/"ms":[0-9]*,//' "$work/$1.out" | sort
}

# replays NAME AS: the trace in the file NAME.out holds the events of AS.out.
replays() {
	"$reachmon" --replay "$work/$1.out" >"$work/replayed.out" || return 1
	[ "$(events replayed)" = "$(events "$2")" ]
}

# exits STATUS ARGUMENTS...
exits() {
	exits_status=$1
	shift
	ip netns exec "$here" "$reachmon" "$@" >"$work/exits.out" 2>"$work/exits.log" </dev/null
	[ $? -eq "$exits_status" ]
}

full_disk() {
	! "$reachmon" --replay "$work/good" >/dev/full 2>"$work/full.log" &&
		grep -q 'No space left' "$work/full.log"
}

wrong_line_is_named() {
	printf '+0 link 7 up lowpan0\n\n+5 link 7 sideways lowpan0\n' >"$work/wrong"
	exits 1 --replay "$work/wrong" && grep -q "wrong:3: " "$work/exits.log" &&
		grep -q '"up":true' "$work/exits.out"
}

spaces_open
ip -n "$here" neighbour add fd00::8 dev lowpan0 lladdr 02:00:00:00:00:08 nud stale
monitor mon -i lowpan0
monitor trace -i lowpan0 --trace
check_soon 5 'it begins with what is there' said mon '"kind":"link"'
check 'a link' said mon '"interface":"lowpan0","present":true,"up":true,"lower_up":true}'
check_soon 1 'an address of ours' said mon '"present":true,"ip":"fd00::1"}'
check_soon 1 'a neighbour' said mon '"ip":"fd00::8","state":"stale"}'
check_soon 5 'and so does a trace' said trace ' stale fd00::8'
check 'at its beginning' said trace '+0 link '
check 'nothing else is watched' not said mon '"interface":"wpan0"'

monitor dead -p fd00::9%lowpan0 -n 3
monitor alive -p fd00::2%lowpan0
check_soon 5 'who is there is found' said alive '"ip":"fd00::2","state":"reachable"}'
check 'by all who watch' wait_for 5 said mon '"ip":"fd00::2","state":"reachable"}'
check_soon 5 'who is not is missed' said dead '"ip":"fd00::9","state":"failed"}'
check 'without -i all is watched' said dead '"interface":"wpan0"'
check 'it ends after the time that was given' monitor_ends dead
monitor both -i wpan0 -p fd00::a%lowpan0 -n 3
check_soon 5 'the interface of a probe is watched, too' said both '"ip":"fd00::a","state":"failed"}'
check 'with those that were named' said both '"interface":"wpan0"'
check 'and no others' not said both '"interface":"lo"'
check 'it ends, too' monitor_ends both
check 'it ends when told to' monitor_ends alive TERM

ip -n "$here" route add fd01::7/128 via fd00::2 dev lowpan0
ip -n "$here" route add fd01::8/128 dev lowpan0
check_soon 5 'a host route' said mon '"present":true,"ip":"fd01::7","gateway":"fd00::2"}'
check_soon 5 'one to a host on the link' said mon '"present":true,"ip":"fd01::8","gateway":null}'
ip -n "$here" route add fd01::9/128 via fd00::2 dev lowpan0 metric 5
check_soon 5 'and one that is not like all others' said mon '"gateway":"fd00::2","metric":5}'
ip -n "$here" neighbour add proxy fd02::5 dev lowpan0
check_soon 5 'a proxied entry comes' said mon '"kind":"proxy"'
check_soon 5 'in the trace too' said trace 'added fd02::5'
ip -n "$here" neighbour del proxy fd02::5 dev lowpan0
check_soon 5 'and goes' said mon '"present":false,"ip":"fd02::5"}'
check_soon 5 'in the trace too' said trace 'gone fd02::5'

ip -n "$here" link set wpan0 down
check_soon 5 'the link below goes down' said mon '"up":true,"lower_up":false}'
check_soon 5 'in the trace too' said trace 'lower-down lowpan0'
mark mon
mark trace
ip -n "$here" link set wpan0 up
check_soon 5 'and up again' says mon '"up":true,"lower_up":true}'
check_soon 5 'in the trace too' says trace 'up lowpan0'

check 'it ends when interrupted' monitor_ends mon INT
check 'so does a recorder' monitor_ends trace TERM
check 'all lines are well-formed' is_well_formed mon
check 'those of all interfaces too' is_well_formed dead
check 'a recorded trace replays to the same events' replays trace mon

monitor again -i lowpan0
check_soon 5 'another one begins' said again '"up":true'
mark again
ip -n "$here" link set lowpan0 down
ip -n "$here" link set lowpan0 name other0
check_soon 5 'an interface that is renamed is gone' says again '"interface":"lowpan0","present":false'
mark again
ip -n "$here" neighbour add fd00::a dev other0 lladdr 02:00:00:00:00:0a nud permanent
ip -n "$here" link set other0 name lowpan0
ip -n "$here" link set lowpan0 up
check_soon 5 'and there when it has its name again' says again '"up":true,"lower_up":true}'
mark again
ip -n "$here" link delete lowpan0
check_soon 5 'one that is deleted is gone' says again '"interface":"lowpan0","present":false'
mark again
lowpan_make
check_soon 5 'and there when it is made again' says again '"up":true,"lower_up":true}'
check_soon 5 'with its address' says again '"present":true,"ip":"fd00::1"}'
ip -n "$here" neighbour add fd00::c dev lowpan0 lladdr 02:00:00:00:00:0c nud stale
check_soon 5 'neighbours are heard of' says again '"ip":"fd00::c","state":"stale"}'


# More notices than are kept for one who does not read, and what is left in the end.
flood() {
	for round in $(seq 30); do
		[ $((round % 2)) -eq 0 ] && nud=stale || nud=reachable
		for number in $(seq 300); do
			printf 'neighbour replace fd00::f:%x dev lowpan0 lladdr 02:00:00:00:00:01 nud %s\n' \
				"$number" "$nud"
		done
	done
	printf 'neighbour delete fd00::f:1 dev lowpan0\n'
}

# last_said NAME IP: the newest line about it.
last_said() {
	grep -F "\"ip\":\"$2\"" "$work/$1.out" | tail -n 1
}

is_unknown() { # NAME IP
	[ "$(value "$(last_said "$@")" state)" = unknown ]
}

# shellcheck disable=SC2154 # by eval
kill -s STOP "$monitor_pid_again"
mark again
flood | ip -n "$here" -batch -
kill -s CONT "$monitor_pid_again"
check_soon 10 'lost notices are said to be lost' says again '"kind":"lost","times":'
check_soon 5 'and made up for' says again '"ip":"fd00::f:12c","state":"stale"}'
check_soon 5 'one that is gone is gone' is_unknown again fd00::f:1
check 'it is told to end' monitor_ends again TERM
check 'all these lines are well-formed' is_well_formed again

# More entries than are kept track of.
for number in $(seq 16500); do
	printf 'route add fd03::%x/128 dev lowpan0\n' "$number"
done | ip -n "$here" -batch -
monitor crowd -i lowpan0 -n 2
check_soon 5 'a full table is said to be full' said crowd '"kind":"full","untracked":'
check 'and is no reason to end' monitor_ends crowd
ip -n "$here" link set lowpan0 down

printf '# comment\n+0 link 7 up lowpan0\n+5 neighbour 7 failed fd00::3\n' >"$work/good"
check 'a trace is shown' exits 0 --replay "$work/good"
check 'with the names of links' \
	grep -qF '{"ms":5,"kind":"neighbour","ifindex":7,"interface":"lowpan0","ip":"fd00::3","state":"failed"}' \
	"$work/exits.out"
check 'a wrong line is named' wrong_line_is_named
check 'a file that is not there is an error' exits 1 --replay "$work/nowhere"
check 'output that cannot be written is an error' full_disk
check 'an interface that is not there cannot be probed' exits 1 -p fd00::2%nowhere0
check 'neither can a multicast address' exits 1 -p ff02::1%lowpan0
for wrong in '-x' '-p fd00::2' '-p 192.0.2.1%lowpan0' '-n 0' '-n 5s' '-i 0123456789abcdef' 'lowpan0' \
	'--replay x -t'; do
	# shellcheck disable=SC2086 # words of their own
	check "options are wrong: $wrong" exits 2 $wrong
done
check 'help is given' exits 0 --help
check 'the version too' exits 0 --version
conclude
