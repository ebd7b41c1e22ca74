#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The DTLS profile of ACE (RFC 9202) with a client of somebody else's: libcoap's coap-client posts a
# token in the open, makes a session with the key of it, and is served there; and what must not get
# in does not.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

LC_ALL=C
export LC_ALL
client=coap-client-gnutls
# coap-client sends the host of a URI as server name, and GnuTLS takes no address for one.
kdc=kdc.example

member_of() { # BUNDLE NAME: a member of its JSON that is text
	sed -n "s/.*\"$2\":\"\\([^\"]*\\)\".*/\\1/p" "$work/$1.bundle"
}

hex() { # < BYTES
	od -An -v -tx1 | tr -d ' \n'
}

bytes() { # HEX
	perl -e 'print pack "H*", shift' "$1"
}

# Keys and identities go on a command line, which has no place for some bytes.
is_plain() { # HEX
	for byte in $(printf '%s' "$1" | sed 's/../& /g'); do
		case $byte in
		00 | 0a) return 1 ;;
		esac
	done
}

# A client that can be played: others are left alone.
provision() { # NAME ARGUMENTS...
	name=$1
	shift
	for _ in 1 2 3 4 5 6 7 8 9; do
		ctl client add "$name" --profile dtls-psk "$@" -o "$work/$name.bundle" || return 1
		is_plain "$(member_of "$name" psk)$(member_of "$name" identity)" && return 0
		rm "$work/$name.bundle"
	done
	return 1
}

ask() { # ARGUMENTS...: the payload of the answer in hex, or the code of an error
	: >"$work/answer"
	# 'ip netns exec' gives each process mounts of its own; "$0" is the inner shell's.
	# shellcheck disable=SC2016
	ip netns exec "$net-n1" sh -c 'mount --bind "$0" /etc/hosts && exec timeout 10 "$@"' \
		"$work/hosts" "$client" -B 4 -o "$work/answer" "$@" >"$work/answer.code" 2>&1 </dev/null
	if grep -q '^[45]\.[0-9][0-9]' "$work/answer.code"; then
		sed -n 's/^\([45]\.[0-9][0-9]\).*/\1/p' "$work/answer.code"
	else
		hex <"$work/answer"
	fi
}

subscribe() { # NAME SECONDS URI: what comes in a session meanwhile is in $work/notified
	# shellcheck disable=SC2016
	ip netns exec "$net-n1" sh -c 'mount --bind "$0" /etc/hosts && exec timeout 60 "$@"' \
		"$work/hosts" "$client" -s "$2" -B "$2" -o "$work/notified" \
		-u "$(bytes "$(member_of "$1" identity)")" -k "$(bytes "$(member_of "$1" psk)")" \
		"$3" >"$work/subscribe.log" 2>&1 </dev/null &
	subscriber=$!
	pids="$pids $subscriber"
}

post() { # NAME: its token, in the open
	bytes "$(member_of "$1" token)" >"$work/$1.token"
	ask -m post -t 61 -f "$work/$1.token" "coap://$kdc/authz-info"
}

session() { # NAME ARGUMENTS... PATH: with the key of its bundle
	as=$1
	shift
	ask -u "$(bytes "$(member_of "$as" identity)")" -k "$(bytes "$(member_of "$as" psk)")" "$@"
}

is() { # WANTED GOT
	[ "$1" = "$2" ] || {
		echo "# $2, not $1"
		return 1
	}
}

starts_with() { # WANTED GOT
	case $2 in
	"$1"*) ;;
	*)
		echo "# $2, not $1..."
		return 1
		;;
	esac
}

has_no_key() { # NAME: its handshake gets nowhere
	[ -z "$(session "$1" "coaps://$kdc/ace-group/lights/num")" ]
}

need_root
command -v "$client" >/dev/null || skip "needs $client (Debian: libcoap3-bin)"
command -v perl >/dev/null || skip 'needs perl'
config=$GK_BUILD/config.h
[ -e "$config" ] || config=$GK_TOP/build/config.h
! grep -q 'GK_WITHOUT_DTLS' "$config" || skip 'built without DTLS'

segment_open 1
echo "fd00::1 $kdc" >"$work/hosts"
log_level=debug
options='listen_dtls = "[::]:5684";'
gateway_start
check 'it says what it offers' is_logged 'DTLS at [::]:5684, with pre-shared keys'

provision watcher --group lights --roles monitor
check 'the bundle has no OSCORE material' not grep -q '"osc"' "$work/watcher.bundle"
check 'without its token posted a key opens nothing' has_no_key watcher
check 'a token in plain form is answered with a challenge' starts_with a1182e48 "$(post watcher)"
check 'the key opens a session; in it, a resource for members' \
	is 4.03 "$(session watcher "coaps://$kdc/ace-group/lights/num")"
check 'a group is looked up by its Gid' \
	is 40 "$(bytes a1008144ffffffff >"$work/gids" &&
		session watcher -m fetch -t 261 -f "$work/gids" "coaps://$kdc/ace-group")"

# {3: << ["lights", 8] >>, 6: cnonce}: who only listens needs no credential
bytes a2034982666c6967687473080648c0ffeec0ffee0102 >"$work/join"
joined=$(session watcher -m post -t 261 -f "$work/join" "coaps://$kdc/ace-group/lights")
check 'and gets the keys of the group' starts_with a "$joined"
check 'it is a member' [ -n "$(ctl members lights --json | grep watcher)" ]
check 'in another session of the same key it is one as well' \
	is 00 "$(session watcher "coaps://$kdc/ace-group/lights/num")"
ctl rekey lights
check 'it asks for the newest version' is 01 "$(session watcher "coaps://$kdc/ace-group/lights/num")"

num=$(group_num lights)
rm -f "$work/notified"
subscribe watcher 30 "coaps://$kdc/ace-group/lights"
observes() {
	ctl members lights --json | grep watcher | grep -q '"observes":true'
}
check_soon 5 'in a session it observes the group' observes
answered=$(wc -c <"$work/notified")
ctl rekey lights
was_notified() {
	[ "$(wc -c <"$work/notified")" -gt "$((answered + 30))" ]
}
check_soon 5 'and is notified of the new key' was_notified
has_acknowledged() {
	ctl members lights --json | grep watcher | grep -q '"delivery":"observe"'
}
check_soon 5 'which it acknowledges' has_acknowledged
check 'the group is at the next version' is "$((num + 1))" "$(group_num lights)"
session watcher "coaps://$kdc/ace-group/lights/num" >"$work/num" # ends the older session
ctl rekey lights
is_unobserved() {
	ctl members lights --json | grep watcher | grep -q '"observes":false'
}
check_soon 5 'when the session is over, so is the observation' is_unobserved
kill "$subscriber"
check 'in the open it is nobody' is 4.01 "$(ask "coap://$kdc/ace-group/lights/num")"

check 'a wrong key opens nothing' is '' "$(ask -u "$(bytes "$(member_of watcher identity)")" \
	-k 'another sixteen.' "coaps://$kdc/ace-group/lights/num")"
check 'nor does a kid that nobody has' is '' "$(ask -u "$(bytes a108a101a20104024801020304050607ff)" \
	-k 'sixteen bytes...' "coaps://$kdc/ace-group/lights/num")"
check 'which is said' is_logged 'a handshake with a pre-shared key is refused'
check 'a token in psk_identity is refused' is '' "$(ask -u "$(bytes d08343a1010aa1054d0102030405)" \
	-k 'sixteen bytes...' "coaps://$kdc/ace-group/lights/num")"
check 'which is said too' is_logged 'a handshake with a token in psk_identity is refused'

provision brief --group lights --roles monitor --expires 6s
check 'a brief token is taken' starts_with a1182e48 "$(post brief)"
check 'it is good for a while' is 4.03 "$(session brief "coaps://$kdc/ace-group/lights/num")"
check_soon 20 'and then its key opens nothing' has_no_key brief
check 'and it is not taken again' is 4.01 "$(post brief)"

num=$(group_num lights)
ctl client revoke watcher
check 'a revoked key opens nothing' has_no_key watcher
check 'and its token is not taken' is 4.01 "$(post watcher)"
has_new_key() {
	[ "$(group_num lights)" -gt "$num" ]
}
check_soon 5 'the group has a new key' has_new_key

if is_logged 'raw public keys (' && command -v openssl >/dev/null; then
	openssl ecparam -name prime256v1 -genkey -noout -out "$work/raw.pem" 2>/dev/null
	spki=$(openssl ec -in "$work/raw.pem" -pubout -outform DER 2>/dev/null | hex)
	ctl client add raw --group lights --roles monitor --profile dtls-rpk --public-key "$spki" \
		-o "$work/raw.bundle"
	check 'before its token is posted a raw public key opens nothing' \
		is '' "$(ask -M "$work/raw.pem" "coaps://$kdc/ace-group/lights/num")"
	check 'a token for a raw public key is taken' starts_with a1182e48 "$(post raw)"
	check 'the raw public key opens a session' \
		is 4.03 "$(ask -M "$work/raw.pem" "coaps://$kdc/ace-group/lights/num")"
	rm "$work/raw.pem" # which is no output
fi
conclude
