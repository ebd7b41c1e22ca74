#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The segment of tests/netns/lib.sh, with peers on it that others have written: aiocoap is one of
# Debian 12's own Python, from its backports (.ci/run).
#
#	. "$GK_TOP/tests/live/lib.sh"
#	need_root
#	need_aiocoap
#	segment_open 1

# shellcheck disable=SC2154 # from there
. "$GK_TOP/tests/netns/lib.sh"

live=$GK_TOP/tests/live
python=/usr/bin/python3

# Nobody is asked whether they are still there: these do not answer.
# shellcheck disable=SC2034 # for gateway_configure
presence='check_interval_s = 86400; evict = false;'

need_aiocoap() {
	if ! "$python" -c 'import aiocoap, cbor2, cryptography' 2>/dev/null; then
		echo '1..0 # SKIP needs python3-aiocoap, -cbor2 and -cryptography of /usr/bin/python3'
		exit 0
	fi
}

# peer_begin NODE SCRIPT [ARGUMENTS...]: run it there as any node: its lines are in nodeN.out, and
# node_tell gives it some.
peer_begin() {
	peer_node=$1 peer_script=$2
	shift 2
	: >>"$work/node$peer_node.out"
	[ -p "$work/node$peer_node.in" ] || mkfifo "$work/node$peer_node.in" || exit 1
	peer_space=$(node_space "$peer_node")
	ip netns exec "$peer_space" "$python" -B "$live/$peer_script" "$@" >>"$work/node$peer_node.out" \
		2>>"$work/node$peer_node.log" <>"$work/node$peer_node.in" &
	eval "node_pid_$peer_node=$!"
	pids="$pids $!"
}
