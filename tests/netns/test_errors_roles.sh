#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Who may check signatures and is no member, who is a member and may not, groups that sign nothing,
# and a group that is full (RFC 9594's profile for Group OSCORE, sections 6.2, 8.1, 8.3 and 8.5).
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/client.sh"

groups='lights pairs single'

group_options() { # GROUP
	case $1 in
	pairs) echo 'mode = "pairwise";' ;;
	single) echo 'members_max = 1;' ;;
	esac
}

no_signatures="4.00 $(error 7)"
full="5.03 $(error 4)"

need_root
segment_open 1
gateway_start
node_add 1 lights verifier --group pairs --roles verifier
node_add 2 lights requester,verifier
node_add 3 single requester
node_add 4 single requester

before=$(state)
session 1 <<-END
	token                                  | 2.01 * | a verifier's token
	get ace-group/lights/verif-data        | 2.05 261 a7* | it gets what it takes to check signatures
	get ace-group/lights/creds             | 2.05 261 40 | and credentials, of which there are none
	fetch ace-group/lights/kdc-cred 261 a106480102030405060708 | 2.05 261 a3* | and the KDC's
	fetch ace-group/lights/kdc-cred 261 a0 | 4.00 | not without a nonce
	fetch ace-group/lights/kdc-cred 261 a10601 | 4.00 | nor with one that is a number
	get ace-group/lights/kdc-cred          | 4.03* | nor as a member does
	get ace-group/lights                   | 4.03* | not the group
	get ace-group/lights/num               | 4.03* | not its version
	get ace-group/lights/policies          | 4.03* | not its policies
	post ace-group/lights/nodes/n1         | 4.03* | no Sender ID
	join lights roles=16                   | 4.03 | as a verifier it does not join
	join lights roles=2                    | 4.03 | nor as what it is not
	get ace-group/pairs/verif-data         | $no_signatures | a group that signs nothing has none
	fetch ace-group/pairs/kdc-cred 261 a106480102030405060708 | $no_signatures | nor evidence by signature
END
check 'all this changes nothing' is_unchanged "$before"

session 2 <<-END
	token                                  | 2.01 * | who may be both
	get ace-group/lights/verif-data        | 2.05 261 a7* | is a verifier while it is no member
	join lights roles=2                    | 2.01 * | and joins
	get ace-group/lights/verif-data        | $verifiers_only | a member is no verifier
	fetch ace-group/lights/kdc-cred 261 a106480102030405060708 | $verifiers_only | in nothing
	get ace-group/lights/kdc-cred          | 2.05 261 a3* | but has this as a member
	delete @                               | 2.02 | it leaves
	get ace-group/lights/verif-data        | 2.05 261 a7* | and is a verifier again
END

session 3 <<-END
	token                                  | 2.01 * | the first client of a group for one
	join single                            | 2.01 * | is in
END
session 4 <<-END
	token                                  | 2.01 * | the second one
	join single                            | $full | is not
END
session 3 <<-END
	token                                  | 2.01 * | the first
	join single                            | 2.04 * | comes back to its place
	delete @                               | 2.02 | and leaves it
END
session 4 <<-END
	token                                  | 2.01 * | for the second
	join single                            | 2.01 * | which is in now
END
conclude
