#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Without CAP_NET_ADMIN, which is the default, nobody may write neighbour states: members are looked for
# all the same, by a datagram and by protected exchanges; it takes some seconds longer, and is said.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"

# What the kernel waits for a sign that an old entry is good, before it asks.
delay_ms=5000

# Bit 12 of what it may.
has_no_net_admin() {
	[ $((0x$(sed -n 's/^CapEff:\t//p' "/proc/$gateway_pid/status") >> 12 & 1)) -eq 0 ]
}

need_root
segment_open 3
verdict_ms=$((verdict_ms + delay_ms))
policy 2 2 1 1
net_admin=false
gateway_start
check 'the gateway may not write neighbour states' has_no_net_admin
check 'it knows from the start that it takes longer' is_logged 'without CAP_NET_ADMIN'
nodes_join 1 2 3
events_follow
note_key
check 'node 3 has just said something' is_checked 3
begin
link_down 3
check_within "$bound_ms" 'who is cut off is out, and the others have a new key' is_out 3 1 2
check 'nobody else was suspected' never_suspected 1 2
conclude
