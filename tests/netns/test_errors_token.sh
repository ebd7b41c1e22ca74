#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What a token must be, and how it must be posted (RFC 9200 section 5.10.1, RFC 9203 section 4).
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/client.sh"

groups='lights meters'

has_expired() { # SECONDS since 1970
	[ "$(date +%s)" -ge "$1" ]
}

# With its last byte, which is of the tag, changed.
flip() { # HEX
	flip_last=$((0x${1#"${1%??}"} ^ 1))
	printf '%s%02x' "${1%??}" "$flip_last"
}

need_root
segment_open 1
gateway_start
node_add 1 lights requester,responder
node_add 2 lights requester --expires 1s

token=$(bytes "$(bundle_value 1 token)")
flipped=$(bytes "$(flip "$(bundle_value 1 token)")")
n1=1828480102030405060708
id1=182b420707

before=$(state)
session 1 <<-END
	token 19 a301$token$n1$id1  | 2.01 19 a3182a48*182c4*182e48* | a token brings nonces, ids and a challenge
	token 19 a401$token$n1${id1}182df6 | 2.01 19 a4*182d81856*2681028202010e* | sign_info if it is asked for
	token 19 a401$token$n1${id1}182ff6 | 2.01 19 a3* | ecdh_info not in a group without pairwise mode
	token 19 a301$flipped$n1$id1 | 4.01 | a token that was changed
	token 19 a30143a10102$n1$id1 | 4.00 | a token that is none
	token 19 a20101$n1          | 4.00 | a token of another type
	token 19 a2$n1$id1          | 4.00 | no token
	token 19 a201$token$id1     | 4.00 | no nonce1
	token 19 a201$token$n1      | 4.00 | no identifier
	token 19 a301$token$n1${id1}00 | 4.00 | something after the map
	token 19 a301$token$n1      | 4.00 | a map that ends too soon
	token 19 8301$token$n1      | 4.00 | an array
	token 19                    | 4.00 | nothing
	plain get authz-info        | 4.05 | GET
	plain put authz-info 19 a0  | 4.05 | PUT
	plain delete authz-info     | 4.05 | DELETE
	plain post authz-info/more 19 a0 | 4.0[14] | a path below it
END
check 'all this changes nothing' is_unchanged "$before"

expires=$(sed -n 's/.*"exp":\([0-9]*\).*/\1/p' "$work/node2.bundle")
check_soon 5 'a second goes by' has_expired "$expires"
session 2 <<-END
	token | 4.01 | a token that has expired
END

gateway_end TERM
options='audience = "somebody else";'
gateway_start
session 1 <<-END
	token | 4.03 | a token for another audience
END

# {1: "coaps://as.example.com/token", 5: "gatewayd"} (RFC 9200 section 5.3)
hints='19 a201781c636f6170733a2f2f61732e6578616d706c652e636f6d2f746f6b656e05686761746577617964'
gateway_end TERM
options='as = { uri = "coaps://as.example.com/token"; };'
gateway_start
session 1 <<-END
	plain get ace-group/lights  | 4.01 $hints | who has no token is told where there are some
	plain get ace-group/nowhere | 4.01 $hints | and the same for a group that there is not
	plain get nothing           | 4.04 | but not for what needs none
	token                       | 2.01 * | a token
	get ace-group/meters        | 4.03 $hints | which is not for this group
	get ace-group/nowhere       | 4.03 $hints | nor for one that there is not
	post ace-group/nowhere      | 4.03 $hints | nor to join there
	join lights roles=8         | 4.03 $hints | nor for this role
	get ace-group/lights/num    | $no_member | a member is missing something else
END
conclude
