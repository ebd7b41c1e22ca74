#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Members that others have written talk to ours: aiocoap, with the key that the KDC hands out.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/live/lib.sh"

groups='lights meters'

# meters has both modes.
group_options() { # GROUP
	[ "$1" != meters ] || echo 'mode = "both";'
}

need_root
need_aiocoap
segment_open 4
gateway_start

# talk GROUP OURS THEIRS: what one says is heard by the other, before and after a rekeying.
talk() {
	group=$1 ours=$2 theirs=$3
	node_add "$ours" "$group" requester,responder
	node_add "$theirs" "$group" requester,responder
	node_start "$ours" --sign-protected
	check_soon 10 "$group: ours joins" node_said "$ours" joined
	peer_begin "$theirs" member.py "$work/node$theirs.bundle" "$group" "$(node_ip "$theirs")" \
		ff03::fd 5685
	check_soon 10 "$group: aiocoap joins" node_said "$theirs" joined
	check_soon 10 "$group: both have the newest key" is_settled "$group"
	converse 'at first'
	[ "$group" != meters ] || whisper 'at first' 1

	quietly ctl rekey "$group"
	check_soon 10 "$group: ours is rekeyed" node_said "$ours" rekeyed
	node_tell "$theirs" fetch
	check_soon 10 "$group: aiocoap has the new key" node_said "$theirs" rekeyed
	converse 'with another key'
	[ "$group" != meters ] || whisper 'with another key' 2

	node_tell "$theirs" leave
	check_soon 10 "$group: aiocoap leaves" node_said "$theirs" left '2.02'
	check "$group: ours refused nothing" [ "$(node_count "$ours" error)" -eq 0 ]
}

# Each hears the other, and knows who it is.
converse() { # WHEN
	node_tell "$ours" "say ours $1"
	check_soon 10 "$group: aiocoap hears ours $1" node_said "$theirs" message "ours $1"
	check "$group: and from whom, $1" node_said "$theirs" message "\"from\":\"$(sid "$ours")\""
	node_tell "$theirs" "say theirs $1"
	check_soon 10 "$group: ours hears aiocoap $1" node_said "$ours" message "theirs $1"
	check "$group: and from whom, $1" node_said "$ours" message "\"from\":\"$(sid "$theirs")\""
}

# The same in pairwise mode, with answers.
whisper() { # WHEN RESPONSES
	node_tell "$ours" "tell $(sid "$theirs") [$(node_ip "$theirs")]:5683 psst, ours $1"
	check_soon 10 "$group: aiocoap hears ours alone $1" \
		node_said "$theirs" message "\"mode\":\"pairwise\",\"text\":\"psst, ours $1\""
	check_soon 10 "$group: and its answer is heard $1" \
		node_said "$ours" response "heard psst, ours $1"
	node_tell "$theirs" "tell $(sid "$ours") [$(node_ip "$ours")]:5683 psst, theirs $1"
	check_soon 10 "$group: ours hears aiocoap alone $1" \
		node_said "$ours" message "psst, theirs $1"
	check_soon 10 "$group: and answers $1" has_responses "$2"
}

has_responses() { # COUNT
	[ "$(node_lines "$theirs" response | grep -c '"code":"2.04"')" -eq "$1" ]
}

sid() { # NODE
	value "$(member "$1" "$group")" sender_id
}

talk lights 1 2
talk meters 3 4
conclude
