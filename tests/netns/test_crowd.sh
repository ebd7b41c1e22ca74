#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Fifty clients at once, and every second one means harm (tests/tools/hostile.c): the others notice
# nothing of it. They join, get new keys in time, hear each other and stay; and what the daemon takes
# has a bound.
#
#	SEED      what the hostile do
#	PAUSE_MS  how long each of them rests between two acts
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

: "${SEED:=20261122}" "${PAUSE_MS:=20}"

groups='lights meters'
honest=$(seq 25)
hostile=$(seq 26 50)
hostile_pids=
# What the daemon may grow by, in kB: from when it is alone, by all that is bounded in it (1024 posts
# of tokens that nobody has used yet, 2 MiB of transfers, what SQLite keeps); and when that is full.
growth_max=16384
creep_max=2048

# Of each honest one, a line with this event.
all_said() { # EVENT [WORDS]
	for one in $honest; do
		node_said "$one" "$@" || return 1
	done
}

all_have_num() { # NUM
	[ "$(members lights | grep -c "\"num\":$1,")" -eq 25 ]
}

none_said() { # EVENT
	for one in $honest; do
		if node_said "$one" "$1"; then
			echo "# node $one: $(node_last "$one" "$1")"
			return 1
		fi
	done
}

# Of somebody whose join a member has missed, by joining at the same time itself, the first word is
# lost, hostile clients or not: it makes the member ask for the credential.
is_heard() { # SPEAKER LISTENER
	node_tell "$1" "say from $1"
	wait_for 2 node_said "$2" message "from $1"
}

none_saw_an_error() {
	for one in $honest; do
		if node_lines "$one" error | grep -v '"unknown sender"'; then
			echo "# node $one"
			return 1
		fi
	done
}

# A new key for all, while the others do what they do.
rekey_in_time() { # SECONDS NAME
	next=$(($(group_num lights) + 1))
	quietly ctl rekey lights
	check_soon "$1" "$2" all_have_num "$next"
}

memory_kb() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$gateway_pid/status"
}

has_grown_little() { # FROM MAX
	[ $(($(memory_kb) - $1)) -le "$2" ]
}

# The daemon and not what is around it.
is_daemon() { # PID
	[ "$(cat "/proc/$1/comm")" = "${gatewayd##*/}" ]
}

all_have_ended() {
	for ender in $hostile_pids; do
		has_ended "$ender" || return 1
	done
}

need_root
log_level=info
presence='check_interval_s = 10; probes = 2; probe_wait_s = 3; grace_s = 5; evict = true;'
segment_open 50
gateway_start
check 'the daemon runs' is_daemon "$gateway_pid"
memory_alone=$(memory_kb)
for node in $hostile; do
	quietly node_add "$node" meters requester
	space=$(node_space "$node")
	ip netns exec "$space" "$GK_BUILD/tests/tools/hostile" "$work/node$node.bundle" meters \
		$((SEED + node)) "$PAUSE_MS" >"$work/hostile$node.out" 2>&1 &
	hostile_pids="$hostile_pids $!"
	pids="$pids $!"
done
echo "# SEED=$SEED PAUSE_MS=$PAUSE_MS"

for node in $honest; do
	quietly node_add "$node" lights requester,responder
	node_start "$node"
done
check_soon 30 'twenty-five join' all_said joined
check_soon 10 'and have the newest key' is_settled lights
rekey_in_time 10 'a new key is there soon'
check_soon 20 'and talk' is_heard 1 25
check_soon 20 'and hear' is_heard 25 1
memory_full=$(memory_kb)
check 'none is given up while time goes by' stays 12 not node_said 1 evicted
rekey_in_time 10 'the next key is, too'
echo "# memory: $memory_alone kB alone, $memory_full kB with all, $(memory_kb) kB now"
check "the daemon has grown by $growth_max kB at most" has_grown_little "$memory_alone" "$growth_max"
check 'and does not go on' has_grown_little "$memory_full" "$creep_max"

for pid in $hostile_pids; do
	kill "$pid"
done
check_soon 5 'the hostile end' all_have_ended
cat "$work"/hostile*.out | awk '{ acts += $2 } END { print "# acts: " acts }'
# shellcheck disable=SC2086 # a list
check 'each honest one has joined once' have_joined 1 $honest
check 'none was thrown out' none_said evicted
check 'none has seen an error' none_saw_an_error
# shellcheck disable=SC2086 # a list
check_soon 20 'all agree with the gateway' views_agree lights $honest
conclude
