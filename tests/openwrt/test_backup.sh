#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# State that came out of a backup, and how the mark is kept out of it.

# What stands in single quotes is expanded by scripts that are written here.
# shellcheck disable=SC2016

. "$GK_TOP/tests/openwrt/router.sh"

restore() {
	mkdir -p "$ROOT/etc/gatewayd/state"
	: >"$ROOT/etc/gatewayd/state/gatewayd.db"
}

first_boot() {
	put bin/uci 'sed -n "s/.*option ${3##*.} .\(.*\).$/\1/p" "$ROOT/etc/config/gatewayd"'
	move <"$package/files/gatewayd.defaults" >"$tmp/defaults"
	ash "$tmp/defaults" || wrong "status $?"
}

rule "a store that is there on a new overlay is adopted, until there is a mark"
restore
first_boot
start
has "$ROOT/instance" "uci.conf --adopt"
service start
happens nothing # an overlay that lost its power before there was a mark is still new
: >"$ROOT/usr/lib/gatewayd/mark/state.mark"
service restart
lacks "$ROOT/instance" --adopt
rm "$ROOT/usr/lib/gatewayd/mark/state.mark"
service restart
lacks "$ROOT/instance" --adopt

rule "a store whose mark is lost later is not adopted"
first_boot
start
restore
service restart
lacks "$ROOT/instance" --adopt

rule "a store with its mark is not adopted by a package that is installed again"
restore
mkdir -p "$ROOT/usr/lib/gatewayd/mark"
: >"$ROOT/usr/lib/gatewayd/mark/state.mark"
first_boot
first_boot
[ ! -e "$ROOT/usr/lib/gatewayd/adopt" ] || wrong "the flag is there"
start
lacks "$ROOT/instance" --adopt

rule "the owner can say that what is there came out of a backup"
start
: >"$ROOT/usr/lib/gatewayd/mark/state.mark"
service adopt
happens "stopped
started"
has "$ROOT/instance" "uci.conf --adopt"
[ ! -e "$ROOT/usr/lib/gatewayd/mark/state.mark" ] || wrong "the mark is there"

rule "the owner can say so before the first start, too"
uci enabled 1
mkdir -p "$ROOT/usr/lib/gatewayd/mark"
: >"$ROOT/usr/lib/gatewayd/mark/state.mark"
service adopt
happens started
has "$ROOT/instance" "uci.conf --adopt"
[ ! -e "$ROOT/usr/lib/gatewayd/mark/state.mark" ] || wrong "the mark is there"

rule "nothing is adopted, nor stopped, with a configuration that cannot be started with"
start
: >"$ROOT/usr/lib/gatewayd/mark/state.mark"
echo 'colour = "red";' >>"$ROOT/etc/gatewayd/gatewayd.conf"
service adopt
happens ""
has "$ROOT/log" "colour: unknown option"
sed -i '/colour/d' "$ROOT/etc/gatewayd/gatewayd.conf"
uci enabled 0
service adopt
happens ""
has "$ROOT/log" "enabled is 0"
[ -e "$ROOT/usr/lib/gatewayd/mark/state.mark" ] || wrong "the mark is gone"
[ ! -e "$ROOT/usr/lib/gatewayd/adopt" ] || wrong "the flag is there"

move_mark() {
	sed -i "s#^mark = .*#mark = \"$ROOT/mnt/gatewayd/m\";#" "$1"
}

rule "with the mark elsewhere it is that mark which is given up, and which ends the adoption"
move_mark "$ROOT/etc/gatewayd/gatewayd.conf"
mkdir -p "$ROOT/mnt/gatewayd"
start
: >"$ROOT/mnt/gatewayd/m"
service adopt
has "$ROOT/instance" "uci.conf --adopt"
[ ! -e "$ROOT/mnt/gatewayd/m" ] || wrong "the mark is there"
: >"$ROOT/mnt/gatewayd/m"
service restart
lacks "$ROOT/instance" --adopt
rm "$ROOT/mnt/gatewayd/m"
service restart
lacks "$ROOT/instance" --adopt

# It may be on what is mounted later.
rule "with the mark elsewhere nothing is adopted without a question"
restore
move_mark "$ROOT/etc/gatewayd/gatewayd.conf"
first_boot
[ ! -e "$ROOT/usr/lib/gatewayd/adopt" ] || wrong "the flag is there"

rule "nor if another file says so than that of the package"
restore
cp "$ROOT/etc/gatewayd/gatewayd.conf" "$ROOT/etc/gatewayd/other.conf"
move_mark "$ROOT/etc/gatewayd/other.conf"
uci config_file "$ROOT/etc/gatewayd/other.conf"
first_boot
[ ! -e "$ROOT/usr/lib/gatewayd/adopt" ] || wrong "the flag is there"

rule "no backup has the mark, and only a real upgrade stops the service"
printf '%s\n' "$ROOT/etc/gatewayd/state/gatewayd.db" "$ROOT/usr/lib/gatewayd/mark/state.mark" \
	"$ROOT/usr/lib/gatewayd/adopt" "$ROOT/etc/config/gatewayd" >"$tmp/list"
put etc/init.d/gatewayd 'echo "$1" >>"$ROOT/events"'
move <"$package/files/gatewayd.upgrade" >"$tmp/upgrade"
cat >"$tmp/sysupgrade" <<'EOF'
sysupgrade_init_conffiles=first
. "$1"
[ "$sysupgrade_init_conffiles" = "first gatewayd_leave_mark" ] || exit 1
gatewayd_leave_mark "$2"
EOF
for how in CONF_BACKUP=/tmp/x CONF_BACKUP_LIST=1; do
	(
		export "${how?}"
		ash "$tmp/sysupgrade" "$tmp/upgrade" "$tmp/list"
	) || wrong "$how: status $?"
done
happens ""
same list "$(sed "s#$ROOT##" "$tmp/list")" "/etc/gatewayd/state/gatewayd.db
/etc/config/gatewayd"
CONF_BACKUP='' CONF_BACKUP_LIST=0 ash "$tmp/sysupgrade" "$tmp/upgrade" "$tmp/list"
happens stop

rule "whoever is gatewayd cannot have root write through a link"
start
service adopt
[ -f "$ROOT/usr/lib/gatewayd/adopt" ] || wrong "the flag is in a directory of its own"

finish
