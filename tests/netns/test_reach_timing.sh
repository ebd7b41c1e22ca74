#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# How long the kernel takes over a neighbour is a setting of the interface. What is promised of the
# time from the loss of a node to the new key follows it, and so does the gateway.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/reach.sh"

promises() { # WORDS: the terms of a sum
	in_gateway "$gatewayd" -n -v -c "$work/gatewayd.conf" | grep -qF -- "$1"
}

takes() { # WORDS
	grep -qF -- "the kernel takes up to $1" "$work/gatewayd.log"
}

need_root
segment_open 1
policy 2 2 1 1
gateway_configure
check 'the interface that is there counts' promises 'that of lowpan0 now'
check 'which takes three seconds by default' promises 'check_interval_s 2 + kernel 3'
solicit_every 500
check 'half the time between solicitations is half the time' \
	promises 'check_interval_s 2 + kernel 1.'
gateway_start
check_soon 5 'the gateway knows it' takes 1
ip -n "$net-gw" link set lowpan0 down
solicit_every 2000
interface_up "$net-gw" fd00::1
check_soon 5 'and that it is another one when the link comes up again' takes 6
conclude
