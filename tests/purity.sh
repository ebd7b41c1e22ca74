#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# libgroupkey is sans-IO: it calls nothing but CBOR, cryptography and memory, and owns no mutable
# state. Proved on the objects of a build without hardening or sanitizers, which would add calls.
#
# tests/purity.sh [ARCHIVE]
#
# In single quotes are awk's variables.
# shellcheck disable=SC2016

set -eu
LC_ALL=C
export LC_ALL

archive=${1:-${GK_BUILD:-build}/plain/libgroupkey.a}

# The one permitted global: wolfSSL initialised, and its callback device registered.
allowed_global='gk_global'

# libcbor's encoders and streaming decoder, not its object tree; wolfSSL; what a compiler may call
# on its own; and what assert() calls, for the errors that only a programmer can make.
allowed_calls='cbor_encode_.*|cbor_stream_decode|cbor_empty_callbacks|cbor_null_.*_callback
wc_.*|wolfCrypt_.*|wolfSSL_.*
memcpy|memmove|memset|memcmp|bcmp|strlen
__(u?div|u?mod|u?divmod|mul|ashl|ashr|lshr|clz|ctz|popcount|bswap)[a-z]*[0-9]+|_GLOBAL_OFFSET_TABLE_
__assert_fail'
pattern="^($(printf '%s' "$allowed_calls" | tr '\n' '|'))\$"

symbols=$(mktemp)
trap 'rm -f "$symbols"' EXIT
"${NM:-nm}" --format=sysv "$archive" >"$symbols"

# Columns of nm: name|value|class|type|size|line|section.
table() { # AWK CONDITION: names of the symbols that meet it
	awk -F '|' 'NF >= 7 { gsub(/ /, "") } NF >= 7 && '"$1"' { print $1 }' "$symbols" | sort -u
}

verdict() { # NUMBER NAME OFFENDERS
	if [ -z "$3" ]; then
		echo "ok $1 - $2"
	else
		echo "not ok $1 - $2"
		printf '%s\n' "$3" | sed 's/^/# /'
		failures=1
	fi
}

failures=0
echo 1..3

defined=$(table '$7 != "*UND*" && $3 ~ /^[A-Zu-w]$/')
[ -n "$defined" ] && offenders='' || offenders="no symbol in $archive"
verdict 1 the_core_is_there "$offenders"

offenders=$(table '$7 == "*UND*"' | grep -vxF "$defined" | grep -vE "$pattern" || true)
verdict 2 the_core_calls_nothing_but_cbor_crypto_and_memory "$offenders"

# Constant tables with pointers are in .data.rel.ro, which is written once, by the loader.
offenders=$(table '$3 !~ /^[UuNnrRtTwW]$/ && $7 !~ /^\.data\.rel\.ro/ || $7 ~ /^\.t?bss|^\.t?data$/' |
	grep -vxF "$allowed_global" || true)
verdict 3 the_core_owns_no_mutable_global "$offenders"

exit "$failures"
