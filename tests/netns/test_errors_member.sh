#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What members may ask, and what becomes of who asks wrongly, or is none (RFC 9594 section 4, its
# profile 8 and 9).
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/client.sh"

groups='lights meters closed'
closed=

group_options() { # GROUP
	[ "$1" != closed ] || echo "$closed"
}

need_root
segment_open 1
gateway_start
node_add 1 lights requester,responder
node_add 2 lights requester
node_add 3 meters requester
node_add 4 lights monitor
node_add 5 closed requester

before=$(state)
session 1 <<-END
	plain get ace-group/lights             | 4.01 | without an association the group
	plain get ace-group/lights/num         | 4.01 | without an association its version
	plain fetch ace-group 261 a10081420001 | 4.01 | without an association names of groups
	plain get ace-group/nowhere            | 4.01 | without an association a group that there is not
	token                                  | 2.01 * | a token
	get ace-group/lights                   | $no_member | who is no member: the group
	get ace-group/lights/active            | $no_member | who is no member: active
	get ace-group/lights/creds             | 4.03* | who is no member: creds
	fetch ace-group/lights/creds 261 a10483f5810280 | 4.03* | who is no member: some creds
	get ace-group/lights/kdc-cred          | $no_member | who is no member: kdc-cred
	fetch ace-group/lights/kdc-cred 261 a106480102030405060708 | $verifiers_only | who is no verifier: kdc-cred
	get ace-group/lights/verif-data        | $verifiers_only | who is no verifier: verif-data
	get ace-group/lights/policies          | $no_member | who is no member: policies
	get ace-group/lights/num               | $no_member | who is no member: num
	fetch ace-group/lights/stale-sids 60 00 | $no_member | who is no member: stale-sids
	get ace-group/lights/nodes/n1          | $no_member | who is no member: a node
	post ace-group/lights/nodes/n1         | $no_member | who is no member: a Sender ID
	delete ace-group/lights/nodes/n1       | $no_member | who is no member: leaving
	post ace-group/lights/nodes/n1/cred 261 a0 | $no_member | who is no member: a credential
	get ace-group/meters                   | 4.03 | a group that the token does not name
	get ace-group/nowhere                  | 4.03 | and one that there is not
	get ace-group/meters/num               | 4.03 | a resource of a group that the token does not name
	get ace-group/nowhere/num              | 4.03 | and of one that there is not
	delete ace-group/meters/nodes/n1       | 4.03 | a node there
	delete ace-group/nowhere/nodes/n1      | 4.03 | and nowhere
	get ace-group                          | 4.05 | names by GET
	fetch ace-group 261                    | 4.00 | no Gids
	fetch ace-group 261 a0                 | 4.00 | a map without Gids
	fetch ace-group 261 a10080             | 4.00 | an empty list of Gids
	fetch ace-group 261 a10041aa           | 4.00 | Gids that are no list
	fetch ace-group 261 a1008101           | 4.00 | a Gid that is a number
	fetch ace-group 261 a1008141aa         | 2.05 261 40 | a Gid of no group
	get nothing                            | 4.04 | no resource
END
check 'all this changes nothing' is_unchanged "$before"

session 2 <<-END
	token                                  | 2.01 * | another client
	join lights                            | 2.01 * | is a member
	delete @                               | 2.02 | leaves
	join lights                            | 2.01 * | and is one again, with another key
	get ace-group/lights                   | 2.05 261 a6* | and gets the group
	put ace-group/lights/num               | 4.05 | a method that there is not
	delete ace-group/lights/creds          | 4.05 | another one
	get ace-group/lights/nothing           | 4.04 | a resource that there is not
	fetch ace-group/lights/creds 261       | 4.00 | no filter
	fetch ace-group/lights/creds 261 a0    | 4.00 | a map without a filter
	fetch ace-group/lights/creds 261 a104f6 | 4.00 | a filter that is null
	fetch ace-group/lights/creds 261 a10483f58080 | 4.00 | a filter that asks for nothing
	fetch ace-group/lights/creds 261 a10483018102f5 | 4.00 | a filter of other types
	fetch ace-group/lights/creds 261 a10483f5810880 | 2.05 261 40 | a filter that nobody fits
	fetch ace-group/lights/creds 261 a10483f58041ff | 4.00 | ids that are no list
	fetch ace-group/lights/creds 261 a10483f5808141ff | 2.05 261 40 | an id of nobody
	fetch ace-group/lights/stale-sids 60 00 | 2.05 60 814100 | what is stale since an older version
	fetch ace-group/lights/stale-sids 60 01 | 4.00 | what is stale since now
	fetch ace-group/lights/stale-sids 60 1a0000ffff | 4.00 | what is stale since a later version
	fetch ace-group/lights/stale-sids 60 20 | 4.00 | a version below zero
	fetch ace-group/lights/stale-sids 60 6130 | 4.00 | a version in letters
	fetch ace-group/lights/stale-sids 60    | 4.00 | no version
	fetch ace-group/lights/kdc-cred 261 a106480102030405060708 | $verifiers_only | a member is no verifier
	get ace-group/lights/verif-data        | $verifiers_only | a member gets no data for them
	get ace-group/lights/nodes/n99         | 4.03 | the node of nobody
	get ace-group/lights/nodes/n1x         | 4.03 | a name that is longer
	delete ace-group/lights/nodes/n99      | 4.03 | nor can it be removed
	post ace-group/lights/nodes/n99/cred 261 a0 | 4.03 | nor changed
	put @                                  | 4.05 | PUT was POST's name in drafts
	post @/cred 261                        | 4.00 | no credential
	post @/cred 261 a0                     | 4.00 | a map without one
	cred cnonce=absent                     | 4.00 | a credential without cnonce
	cred verify=absent                     | 4.00 | a credential without evidence
	cred cred=absent                       | 4.00 | evidence without a credential
	cred cred=wrong                        | $bad_cred | a credential on another curve
	cred cred=odd                          | $bad_cred | a credential with a private key
	cred verify=wrong                      | $bad_proof | wrong evidence
	cred verify=empty                      | $bad_proof | empty evidence
	cred                                   | 2.04 | a right one
	get @/cred                             | 4.05 | GET of a credential
	delete @                               | 2.02 | it leaves
	delete @                               | $no_member | and has nothing to leave any more
END
session 4 <<-END
	token                                  | 2.01 * | a monitor
	join lights cred=absent verify=absent  | 2.01 * | is a member too
	get @                                  | 2.05 261 a6* | and has a node
	post @                                 | $other_roles | but no Sender ID to renew
	post @/cred 261 a0                     | $other_roles | and no credential to replace
	fetch ace-group/lights/stale-sids 60 00 | 2.05* | what is stale it is told
END

# The group closes: who is in stays in, and gets nothing new.
session 5 <<-END
	token                                  | 2.01 * | a client of another group
	join closed                            | 2.01 * | is a member
	get ace-group/closed/active            | 2.05 60 f5 | of an active group
END
closed='active = false;'
gateway_configure
quietly ctl reload
node=$(value "$(members closed)" node)
session 5 <<-END
	token                                  | 2.01 * | when it is closed
	get ace-group/closed/active            | 2.05 60 f4 | it says so
	get ace-group/closed/num               | 2.05 60 00 | and its members read on
	post ace-group/closed/nodes/$node      | $inactive | but get no Sender ID
	post ace-group/closed/nodes/$node/cred 261 a0 | $inactive | and cannot change their credential
	join closed                            | $inactive | nor join again
	delete ace-group/closed/nodes/$node    | 2.02 | but leave
END
conclude
