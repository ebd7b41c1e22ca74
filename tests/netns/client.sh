#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Clients that do not keep to the rules, and what they must be answered: each line of a session is
# a command of tests/tools/kdcclient.c, the answer it must have (a pattern of sh), and what for.
#
#	session 1 <<-END
#		token                    | 2.01 19 *        | a token
#		get ace-group/lights/num | $error_no_member | who is not in
#	END

. "$GK_TOP/tests/netns/lib.sh"

kdcclient=$GK_BUILD/tests/tools/kdcclient

# Who answers is asked nothing in return: these do not listen.
# shellcheck disable=SC2034 # for gateway_configure
presence='check_interval_s = 86400; evict = false;'

# RFC 9594 section 4.1.2: five bytes each.
error() { # ID
	printf '257 a100a100%02x\n' "$1"
}

# shellcheck disable=SC2034 # for who reads this file
{
	no_member="4.03 $(error 0)"
	other_roles="4.00 $(error 1)"
	bad_cred="4.00 $(error 2)"
	bad_proof="4.00 $(error 3)"
	verifiers_only="4.03 $(error 8)"
	inactive="5.03 $(error 9)"
}

# session NODE <LINES: all by one client, in its own process, as the client of this node.
session() {
	session_node=$1
	session_lines=$work/session
	sed 's/^[	 ]*//; s/ *| */|/g' >"$session_lines"
	set --
	while IFS='|' read -r command _; do
		set -- "$@" "$command"
	done <"$session_lines"
	in_node 1 "$kdcclient" "$work/node$session_node.bundle" "$@" >"$work/.answers" 2>&1
	exec 3<"$work/.answers"
	while IFS='|' read -r command want what; do
		read -r answer <&3 || answer='no answer at all'
		check_answer "$answer" "$want" "$what"
	done <"$session_lines"
	exec 3<&-
	rm -f "$work/.answers"
}

# What a right answer holds may be a key: only another is shown.
check_answer() { # ANSWER PATTERN WHAT
	if fits "$1" "$2"; then
		check "$3" true
	else
		echo "# wanted: $2"
		echo "# answer: $1"
		check "$3" false
	fi
}

fits() { # ANSWER PATTERN
	# shellcheck disable=SC2254 # a pattern
	case $1 in
	$2) ;;
	*) false ;;
	esac
}

# What must not change: groups with their numbers, members with theirs. They are asked now and then
# whether they are there, and answer.
state() {
	ctl groups --json
	for state_group in $groups; do
		members "$state_group" | sed -E 's/,"(last_seen_s|since_s|reason|last_sign)":[^,}]*//g'
	done
}

is_unchanged() { # STATE
	[ "$(state)" = "$1" ]
}

bundle_value() { # NODE NAME
	sed -n "s/.*\"$2\":\"\\([0-9a-f]*\\)\".*/\\1/p" "$work/node$1.bundle"
}

# A CBOR byte string.
bytes() { # HEX
	bytes_len=$((${#1} / 2))
	if [ "$bytes_len" -lt 24 ]; then
		printf '%02x%s' $((0x40 + bytes_len)) "$1"
	elif [ "$bytes_len" -lt 256 ]; then
		printf '58%02x%s' "$bytes_len" "$1"
	else
		printf '59%04x%s' "$bytes_len" "$1"
	fi
}
