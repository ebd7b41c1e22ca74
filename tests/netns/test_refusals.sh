#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Who is in a group does not notice those who are refused, nor one who is let in and replays that.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/client.sh"

groups='lights meters'

need_root
segment_open 2
gateway_start
node_add 1 lights requester,responder
node_add 3 lights requester,responder
node_add 4 meters requester
node_start 1
check_soon 10 'an honest client joins' node_said 1 joined

before=$(state)
session 4 <<-END
	token                        | 2.01 * | a token for another group
	join lights                  | 4.03 | does not let in
END
session 3 <<-END
	token                        | 2.01 * | a token
	join lights roles=8          | 4.03 | does not for more roles than it grants
	join lights verify=wrong     | $bad_proof | nor without possession of the key
	join lights map=odd          | 4.00 261 * | nor with half a request
	forged post ace-group/lights 261 a0 | !4.00 | nor with a forged one
	plain post ace-group/lights 261 a0 | 4.01 | nor with an unprotected one
END
check 'they change nothing' is_unchanged "$before"

# This one is first accepted, and rekeys the group; its second coming does not.
num=$(group_num lights)
session 3 <<-END
	token                        | 2.01 * | a token once more
	join lights                  | 2.01 261 * | a join
	again                        | !4.01 | is told apart from the one that it repeats
END
check 'and only that one counted' [ "$(group_num lights)" -eq $((num + 1)) ]
check 'it is in once' [ "$(members lights | grep -c '"name":"node3"')" -eq 1 ]

# No gkmember runs as node 3, to compare.
quietly ctl evict lights node3
check_soon 10 'the honest client is where it should be' views_agree lights 1
check 'and has seen no error' [ "$(node_count 1 error)" -eq 0 ]
conclude
