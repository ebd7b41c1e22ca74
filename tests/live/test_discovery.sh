#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Others find the KDC: coap-client of libcoap asks what there is, one address or all of the segment.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/live/lib.sh"

groups='lights meters'
options='discovery = "groups";'

# ask WORDS...: what coap-client says, errors too; links each in a line.
ask() {
	in_node 1 coap-client-notls -B 8 "$@" 2>&1 | sed 's/,</\n</g'
}

says() { # WORDS...: is there a line with each of them?
	for words in "$@"; do
		grep -qF -- "$words" "$work/answer.log" || return 1
	done
}

says_no() { # WORDS
	! says "$1"
}

is_empty() { # FILE
	[ ! -s "$1" ]
}

need_root
command -v coap-client-notls >/dev/null || {
	echo '1..0 # SKIP needs coap-client-notls: package libcoap3-bin'
	exit 0
}
segment_open 1
gateway_start
node_add 1 lights requester,responder

# libcoap writes the address into Uri-Host, with the interface behind it.
for address in '[fd00::1]' '[ff02::fd%lowpan0]' '[ff03::fd]'; do
	ask -N "coap://$address/.well-known/core" >"$work/answer.log"
	check "$address: the groups are found" says '</ace-group>' 'if="ace.groups"'
	check "$address: and each of them" says '</ace-group/lights>' '</ace-group/meters>' \
		'if="ace.group"' 'rt="core.osc.gm"'
	check "$address: and where tokens go" says '</authz-info>' 'rt="ace.ai"'
done
ask 'coap://[fd00::1]/.well-known/core?rt=ace.ai' >"$work/answer.log"
check 'a query chooses' says '</authz-info>'
check 'and leaves out the rest' says_no '</ace-group'
ask -N 'coap://[ff03::fd]/.well-known/core?rt=nothing' >"$work/answer.log"
check 'multicast that fits nothing is not answered' is_empty "$work/answer.log"
ask -N 'coap://[ff03::fd]/ace-group/lights' >"$work/answer.log"
check 'nor multicast to what needs an association' is_empty "$work/answer.log"
ask -N 'coap://[ff03::fd]/nothing' >"$work/answer.log"
check 'nor to what there is not' is_empty "$work/answer.log"

# What needs an association is refused.
ask 'coap://[fd00::1]/ace-group/lights' >"$work/answer.log"
check 'who has no association is told so' says '4.01'
ask -m get 'coap://[fd00::1]/authz-info' >"$work/answer.log"
check 'tokens are not to be had' says '4.05'
conclude
