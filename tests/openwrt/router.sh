#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A router to play on: the package's files in etc/openwrt under the ash of BusyBox, with the daemon's
# own check of its configuration, and rc.common of this folder in the place of procd. No root, no
# OpenWrt.
#
#	. "$GK_TOP/tests/openwrt/router.sh"
#	rule "what is to be so"
#	start
#	has "$ROOT/instance" "user gatewayd"
#	finish
#
# GATEWAYD  the program [$GK_BUILD/gatewayd]
# EMULATOR  a command that runs it, if it was built for another machine

# What stands in single quotes is expanded by scripts that are written here.
# shellcheck disable=SC2016

set -u
LC_ALL=C
export LC_ALL

: "${GK_TOP:?}" "${GK_BUILD:?}"

here=$GK_TOP/tests/openwrt
package=$GK_TOP/etc/openwrt
gatewayd=${GATEWAYD:-$GK_BUILD/gatewayd}

busybox=$(command -v busybox) || {
	echo "1..0 # SKIP needs BusyBox"
	exit 0
}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

mkdir "$tmp/bin"
"$busybox" --install -s "$tmp/bin"

count=0
failed=0
name=
bad=
skipped=

# A test's first line; what follows reports what is wrong by 'wrong'.
rule() { # NAME
	close_rule
	name=$1
	bad=
	skipped=
	make_root
}

close_rule() {
	[ -n "$name" ] || return 0
	count=$((count + 1))
	if [ -n "$bad" ]; then
		failed=$((failed + 1))
		echo "not ok $count - $name"
	else
		echo "ok $count - $name$skipped"
	fi
	name=
}

wrong() {
	bad=1
	echo "# $*" | sed '2,$s/^/# /'
}

# What is left of a rule; what was found wrong before stays wrong.
skip() { # WHY
	skipped=" # SKIP $1"
}

same() { # WHAT GOT WANT
	[ "$2" = "$3" ] || wrong "$1: got
$2
want
$3"
}

has() { # FILE TEXT
	grep -qF -e "$2" "$1" || wrong "no '$2' in ${1#"$ROOT"}: $(cat "$1")"
}

lacks() { # FILE TEXT
	! grep -qF -e "$2" "$1" || wrong "'$2' in ${1#"$ROOT"}: $(cat "$1")"
}

finish() {
	close_rule
	echo "1..$count"
	exit "$failed"
}

#
# A router
#

# Every path of ours below ROOT.
move() {
	sed -E "s#(^|[ =\"'(<>|*/^])/(etc|usr|var|run|sbin|lib)/#\1$ROOT/\2/#g; s#\^/\*usr#^$ROOT/usr#"
}

make_root() {
	rm -rf "$tmp/root"
	ROOT=$tmp/root
	export ROOT
	mkdir -p "$ROOT/bin" "$ROOT/etc/config" "$ROOT/etc/gatewayd" "$ROOT/etc/init.d" "$ROOT/usr/sbin" \
		"$ROOT/sbin" "$ROOT/lib/functions" "$ROOT/usr/lib"
	# What only root may do, and what belongs to the system; all else is in $tmp/bin.
	put bin/chown 'echo "$*" >>"$ROOT/owners"'
	put bin/logger 'for text; do :; done; echo "$text" >>"$ROOT/log"'
	put usr/sbin/gatewayd "PATH='$PATH' exec ${EMULATOR-} '$gatewayd' \"\$@\""
	put sbin/ujail :
	: >"$ROOT/lib/functions/network.sh"
	: >"$ROOT/log"
	: >"$ROOT/events"
	: >"$ROOT/owners"
	echo 'lowpan lowpan0' >"$ROOT/netifd"
	printf '%s\n' "config interface 'lowpan'" "option device 'lowpan0'" >"$ROOT/etc/config/network"
	printf '%s\n' "config zone 'cfg1'" "option name 'lan'" "list network 'lan'" \
		"config zone 'cfg2'" "option name 'mesh'" "list network 'thread'" "list network 'lowpan'" \
		"config zone 'cfg3'" "option name 'wan'" "list network 'wan'" "list network 'wan6'" \
		>"$ROOT/etc/config/firewall"
	# Defaults with a path are written out, to be moved.
	sed -f "$package/files/conf.sed" "$GK_TOP/etc/gatewayd.conf" |
		sed 's/^#\(state_dir\|control\) = /\1 = /' | move >"$ROOT/etc/gatewayd/gatewayd.conf"
	# A comment is no option, and UCI does not keep it.
	grep -v '^#' "$package/files/gatewayd.config" | move >"$ROOT/etc/config/gatewayd"
	move <"$package/files/gatewayd.init" >"$ROOT/etc/init.d/gatewayd"
}

put() { # PATH TEXT: a script
	printf '#!/bin/sh\n%s\n' "$2" >"$ROOT/$1"
	chmod +x "$ROOT/$1"
}

ash() { # SCRIPT ARGUMENTS...
	PATH=$ROOT/bin:$ROOT/usr/sbin:$tmp/bin LSAN_OPTIONS=detect_leaks=0 "$busybox" ash "$@"
}

service() { # ACTION
	: >"$ROOT/events"
	: >"$ROOT/log"
	ash "$here/rc.common" "$ROOT/etc/init.d/gatewayd" "$@" >"$tmp/out" 2>&1
}

uci() { # OPTION VALUE
	sed -i "/option $1 /d" "$ROOT/etc/config/gatewayd"
	echo "	option $1 '$2'" >>"$ROOT/etc/config/gatewayd"
}

happens() { # EVENTS: what the last call made procd do, besides telling the firewall
	same "what happens" "$(grep -v '^changed: firewall$\|^validation' "$ROOT/events")" "$1"
	[ -z "$bad" ] || [ ! -s "$tmp/out" ] || wrong "$(cat "$tmp/out")"
}

# The instance without hashes, and without ROOT.
instance() {
	grep -v '^[0-9a-f]\{64\} ' "$ROOT/instance" | sed "s#$ROOT##g"
}

start() {
	uci enabled 1
	service start
	happens started
}
