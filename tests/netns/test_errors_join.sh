#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What a Join Request must be, and who may send it (RFC 9594 section 4.3.1, its profile 6.1 and 6.2).
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/client.sh"

groups='lights meters closed'

group_options() { # GROUP
	[ "$1" != closed ] || echo 'active = false;'
}

need_root
segment_open 1
gateway_start
node_add 1 lights requester,responder --group closed --roles requester
node_add 2 lights monitor
node_add 3 meters requester

# The default answer: {29: [["lights", -7, [2], [2, 1], 14]]}, with a challenge or not (P 6.2).
default='4.00 261 a[12]181d8185666c69676874732681028202010e*'

before=$(state)
session 1 <<-END
	plain post ace-group/lights 261 a0 | 4.01 | a join without an association
	token                              | 2.01 * | a token
	post ace-group/lights              | $default | an empty join asks for the algorithms
	post ace-group/lights 261 a0       | $default | a map with nothing in it
	join lights map=wrong              | $default | an array
	join lights map=odd                | $default | a map that is cut short
	join lights scope=absent           | $default | no scope
	join lights scope=empty            | $default | an empty scope
	join lights scope=mistyped         | $default | a scope that is a number
	join lights scope=odd              | $default | a scope in the textual form
	join lights name=meters            | $default | another group in scope than in the path
	join lights cnonce=absent          | $default | no cnonce
	join lights cnonce=mistyped        | $default | a cnonce that is a number
	join lights roles=10               | $default | monitor and requester
	join lights roles=12               | $default | monitor and responder
	join lights roles=14               | $default | monitor and both
	join lights roles=16               | $default | a verifier
	join lights roles=18               | $default | a verifier and requester
	join lights roles=1                | $default | the bit of admin entries
	join lights roles=34               | $default | a role that there is not
	join lights roles=8                | 4.03 | a role that the token does not grant
	join lights cred=absent            | $default | no credential
	join lights cred=empty             | $default | an empty credential of who is not in
	join lights verify=absent          | $default | no evidence
	join lights verify=mistyped        | $default | evidence that is a number
	join lights verify=empty           | $bad_proof | empty evidence of who has proved nothing
	join lights verify=wrong           | $bad_proof | wrong evidence
	join lights cred=wrong             | $bad_cred | a key on another curve
	join lights cred=odd               | $bad_cred | a private key in the credential
	join lights cred=mistyped          | $bad_cred | a credential that is no CCS
	join closed                        | $inactive | a group that is not active
	join closed scope=absent           | $inactive | whatever it is asked
	join meters                        | 4.03 | a group that the token does not name
	join nowhere                       | 4.03 | and one that there is not
	post ace-group/meters              | 4.03 | nor is a stranger told its algorithms
	post ace-group/nowhere             | 4.03 | and neither those of none
	post ace-group/lights/more         | 4.04 | a path below it
	put ace-group/lights 261 a0        | 4.05 | PUT
	delete ace-group/lights            | 4.05 | DELETE
	forged post ace-group/lights 261 a0 | !4.00 | a request that was changed
END
check 'all this changes nothing' is_unchanged "$before"

session 1 <<-END
	token                            | 2.01 * | a token
	join lights                      | 2.01 261 aa0701* | a join
	again                            | !4.01 | the same once more
	join lights cred=empty verify=absent | 2.04 261 aa0701* | a member may leave its credential out
	join lights cred=wrong verify=absent | $default | but not give another without evidence
	join lights cred=empty           | $default | nor evidence without a credential
	join lights verify=empty         | $bad_proof | nor empty evidence
	delete @                         | 2.02 | it leaves
	join lights cred=empty verify=absent | $default | and has none any more
END
session 2 <<-END
	token                            | 2.01 * | a monitor's token
	join lights cred=absent verify=absent | 2.01 261 aa0701* | a monitor needs no credential
	join lights cred=mistyped verify=mistyped | 2.04 * | and any is ignored
END
conclude
