#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What can be said of the service and the packages without installing them; see install.sh.

: "${GK_TOP:?}" "${GK_BUILD:?}"

. "$GK_TOP/tests/lib/check.sh"

# Of 10; the last line is 'Overall exposure level for gatewayd.service: 1.3 OK'.
exposure_max=2.0

is_hardened() {
	systemd-analyze security --no-pager --offline=true "$GK_TOP/etc/systemd/gatewayd.service" |
		sed -n 's/.*Overall exposure level.*: *\([0-9.]*\) .*/\1/p' >"$work/exposure"
	echo "# exposure level $(cat "$work/exposure"), at most $exposure_max" >&3
	awk -v max=$exposure_max '{ found = 1; high = $1 > max } END { exit !found || high }' \
		"$work/exposure"
}

# The configuration of the service, as gatewayd understands it.
has_option() { # LINE
	sed -f "$GK_TOP/etc/systemd/conf.sed" "$GK_TOP/etc/gatewayd.conf" >"$work/gatewayd.conf"
	${EMULATOR-} "$GK_BUILD/gatewayd" -n -v -c "$work/gatewayd.conf" | grep -xF "$1"
}

# Nothing else is different.
has_same_rest() {
	for conf in "$work/gatewayd.conf" "$GK_TOP/etc/gatewayd.conf"; do
		${EMULATOR-} "$GK_BUILD/gatewayd" -n -v -c "$conf" | grep -vE '^(state_dir|mark|log) = ' |
			sed 's|/etc/gatewayd/state/|/var/lib/gatewayd/|'
	done >"$work/both"
	[ $(($(sort "$work/both" | uniq -u | wc -l))) -eq 0 ]
}

versions_agree() {
	version=$(sed -n 's/^version=//p' "$GK_TOP/configure")
	sed -n '1s/^gatewayd (\(.*\)).*/\1/p' "$GK_TOP/debian/changelog" | grep -xF "$version"
}

exec 3>&1
if ! command -v systemd-analyze >/dev/null; then
	skip 'the service can do little' 'no systemd-analyze'
elif ! [ -d /run/systemd ] && ! [ -w /run ]; then
	skip 'the service can do little' 'systemd-analyze needs /run/systemd'
else
	check 'the service can do little' is_hardened
fi
check 'state is where the service may write' has_option 'state_dir = "/var/lib/gatewayd";'
check 'the mark is elsewhere' has_option 'mark = "/var/lib/gatewayd-mark/gatewayd.mark";'
check 'so is the socket' has_option 'control = "/run/gatewayd/gatewayd.sock";'
check 'the journal knows priorities' has_option 'log = "syslog";'
check 'all else is as in gatewayd.conf' has_same_rest
check 'the packages have the version of configure' versions_agree
conclude
