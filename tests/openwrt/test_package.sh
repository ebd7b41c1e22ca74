#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What the package installs, its scripts, and the ubus object.

# What stands in single quotes is expanded by scripts that are written here.
# shellcheck disable=SC2016

. "$GK_TOP/tests/openwrt/router.sh"

#
# The package
#

# What the build makes of it: one $ for two.
postinst() { # ENVIRONMENT...
	sed -n '/^define Package\/gatewayd\/postinst$/,/^endef$/p' "$package/Makefile" | sed '1d; $d; s/\$\$/$/g' |
		move >"$tmp/postinst"
	: >"$ROOT/events"
	(
		for each in "$@"; do
			export "${each?}"
		done
		ash "$tmp/postinst"
	) || wrong "status $?"
}

fake_service() { # is it RUNNING?
	put etc/init.d/gatewayd "[ \"\$1\" != running ] || exit $1; echo \"\$1\" >>\"\$ROOT/events\""
}

rule "an upgrade restarts what runs"
fake_service 0
postinst PKG_UPGRADE=1
happens restart

rule "an upgrade starts nothing that does not run"
fake_service 1
postinst PKG_UPGRADE=1
happens ""

rule "a first installation restarts nothing"
fake_service 0
postinst PKG_UPGRADE=
happens ""

rule "an image that is being made is left alone"
fake_service 0
postinst PKG_UPGRADE=1 IPKG_INSTROOT=/image
happens ""

rule "the shipped configuration is good, its mark in no backup, its state in all of them"
sed -f "$package/files/conf.sed" "$GK_TOP/etc/gatewayd.conf" >"$tmp/conf"
${EMULATOR-} "$gatewayd" -n -v -c "$tmp/conf" >"$tmp/shipped" 2>&1 || wrong "$(cat "$tmp/shipped")"
has "$tmp/shipped" 'mark = "/usr/lib/gatewayd/mark/state.mark";'
has "$tmp/shipped" 'state_dir = "/etc/gatewayd/state";'
has "$tmp/shipped" 'control = "/run/gatewayd/gatewayd.sock";'
has "$tmp/shipped" 'log = "syslog";'
has "$tmp/shipped" 'user = "gatewayd";'

rule "what the shipped configuration says of a path is what it is, not what has to be done"
grep -B 2 '^mark = ' "$tmp/conf" >"$tmp/words"
same words "$(cat "$tmp/words")" '# File that tells a restored backup of state_dir from what was left there. It must survive a restart,
# and must not be in the same backup: sysupgrade keeps nothing of this directory.
mark = "/usr/lib/gatewayd/mark/state.mark";'

rule "the version is that of the sources, and what the package installs is there"
same version "$(sed -n 's/^PKG_VERSION:=//p' "$package/Makefile")" \
	"$(sed -n 's/^version=//p' "$GK_TOP/configure")"
sed -n 's#.* \./files/\([a-z.-]*\).*#\1#p' "$package/Makefile" >"$tmp/files"
while read -r file; do
	[ -f "$package/files/$file" ] || wrong "no $file"
done <"$tmp/files"
for file in "$package"/files/*; do
	has "$package/Makefile" "./files/${file##*/}"
done

block() { # NAME: what is between its lines in the Makefile
	sed -n "\\|^define $1\$|,/^endef\$/p" "$package/Makefile" | sed '1d; $d' >"$tmp/block"
	[ -s "$tmp/block" ] || wrong "no $1"
}

rule "the Makefile has two spaces before metadata, tabs before recipes, nothing before other lines"
tab=$(printf '\t')
for each in '' /description; do
	block "Package/gatewayd$each"
	! grep -nv '^  \(  \)\?[^[:space:]]' "$tmp/block" || wrong "$each: not two spaces"
done
block Package/gatewayd/install
! grep -nv "^${tab}[^ $tab]" "$tmp/block" || wrong "install: not a tab"
for each in conffiles postinst; do
	block "Package/gatewayd/$each"
	! grep -n '^[[:space:]]' "$tmp/block" || wrong "$each: blanks"
done

rule "the feed's test takes the package, and not another version of it"
mkdir -p "$ROOT/usr/bin"
put usr/sbin/gatewayd "[ \"\$1\" = -n ] && set -- -n -c '$tmp/conf'; PATH='$PATH' exec ${EMULATOR-} '$gatewayd' \"\$@\""
put bin/gatewayctl "PATH='$PATH' exec ${EMULATOR-} '${gatewayd%/*}/gatewayctl' \"\$@\""
version=$(sed -n 's/^version=//p' "$GK_TOP/configure")
ash "$package/test.sh" gatewayd "$version" >/dev/null || wrong "status $?"
! ash "$package/test.sh" gatewayd 9.9 >/dev/null || wrong "9.9 is taken"
PKG_NAME=gatewayd
PKG_VERSION=$version
export PKG_NAME PKG_VERSION
ash "$package/test.sh" >/dev/null || wrong "by the environment: status $?"
PKG_VERSION=9.9
! ash "$package/test.sh" >/dev/null || wrong "by the environment 9.9 is taken"
unset PKG_NAME PKG_VERSION
! ash "$package/test.sh" >/dev/null 2>&1 || wrong "a package without a name is taken"

#
# rpcd
#

rpcd() { # ARGUMENTS...
	move <"$package/files/gatewayd.rpcd" >"$tmp/rpcd"
	mkdir -p "$ROOT/usr/share/libubox"
	cp "$here/jshn.sh" "$ROOT/usr/share/libubox"
	ash "$tmp/rpcd" "$@" 2>&1
}

gatewayctl() { # TEXT STATUS: what it answers
	put bin/gatewayctl "echo \"\$*\" >>\"\$ROOT/events\"; echo '$1'; exit $2"
}

rule "ubus: what gatewayctl answers is answered as an object"
gatewayctl '{"version":"1"}' 0
same status "$(rpcd call status </dev/null)" '{"version":"1"}'
gatewayctl '[{"name":"a"}]' 0
same groups "$(rpcd call groups </dev/null)" '{ "groups": [{"name":"a"}] }'
same members "$(echo '{"group":"lights"}' | rpcd call members)" '{ "members": [{"name":"a"}] }'
happens "--json status
--json groups
--json members lights"

rule "ubus: a rekeying needs a name, and no option passes for one"
gatewayctl '{}' 0
same none "$(echo '{}' | rpcd call rekey)" '{ "error": "group: a name is needed" }'
same option "$(echo '{"group":"-o"}' | rpcd call rekey)" '{ "error": "group: a name is needed" }'
happens ""
same rekey "$(echo '{"group":"lights"}' | rpcd call rekey)" '{}'
happens "--json rekey lights"

rule "ubus: why it is refused is an answer too"
gatewayctl 'no such group' 1
same refusal "$(echo '{"group":"x"}' | rpcd call rekey)" '{"error":"no such group"}'

has_python() {
	command -v python3 >/dev/null 2>&1 || {
		skip "needs python3"
		return 1
	}
}

rule "ubus: every method is allowed by exactly one of read and write, and what changes something by write"
same methods "$(rpcd list | grep -o '"[a-z]*": {' | tr -d '":{ ' | sort | xargs)" \
	"groups members rekey status"
if has_python; then
	same acl "$(python3 -c '
import json, sys
acl = json.load(open(sys.argv[1]))["gatewayd"]
print(*sorted(acl["read"]["ubus"]["gatewayd"]), "-", *sorted(acl["write"]["ubus"]["gatewayd"]))
' "$package/files/acl.json" 2>&1)" "groups members status - rekey"
fi

rule "capabilities: none, or the one to probe with; in all five sets"
if has_python; then
	same capabilities "$(cd "$package/files" && python3 -c '
import json
for name in "capabilities.json", "capabilities-probe.json":
    sets = json.load(open(name))
    print(*sorted(sets), *sorted({cap for caps in sets.values() for cap in caps}))
' 2>&1)" "ambient bounding effective inheritable permitted
ambient bounding effective inheritable permitted CAP_NET_ADMIN"
fi
finish
