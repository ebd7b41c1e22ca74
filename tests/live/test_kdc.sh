#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The KDC serves a client that others have written: aiocoap.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/live/lib.sh"

need_root
need_aiocoap
segment_open 1
gateway_start
node_add 1 lights requester,responder
peer_begin 1 kdc.py "$work/node1.bundle" lights "$gatewayctl" "$control" "$(node_ip 1)"
# shellcheck disable=SC2154 # by eval
client=$node_pid_1

# It says when the daemon is to begin anew.
asks_or_ended() {
	grep -q '^restart' "$work/node1.out" || has_ended "$client"
}

wait_for 30 asks_or_ended
has_ended "$client" && give_up 'it does not get that far'
gateway_end TERM
gateway_start
node_tell 1 'it is'
check_soon 10 'it comes to its end' has_ended "$client"
check 'without an error' wait "$client"
forget_pid "$client"

grep -E '^(ok|bad) ' "$work/node1.out" >"$work/results"
while read -r verdict what; do
	check "$what" [ "$verdict" = ok ]
done <"$work/results"
conclude
