#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The worked examples of docs/rekeying.md are what tests/vectors/rekeying.py computes, no more and no
# less. tests/vectors/test_rekeying_vectors.c holds our own code to the same bytes.

set -u
LC_ALL=C
export LC_ALL

top=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
name=the_examples_of_the_specification_can_be_computed

if ! command -v python3 >/dev/null; then
	echo "ok 1 - $name # SKIP no python3"
	echo 1..1
	exit 0
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

hex_of() { # long words of hexadecimal digits, each once
	grep -oE '[0-9a-f]{16,}' | sort -u
}

python3 "$top/tests/vectors/rekeying.py" >"$tmp/computed" || echo "# the script failed"
hex_of <"$tmp/computed" >"$tmp/a"
sed -n '/^## 14/,/^## 15/p' "$top/docs/rekeying.md" | hex_of >"$tmp/b"
if [ "$(wc -l <"$tmp/a")" -gt 50 ] && diff "$tmp/a" "$tmp/b" >"$tmp/diff"; then
	echo "ok 1 - $name"
else
	sed 's/^/# /' "$tmp/diff"
	echo "not ok 1 - $name"
fi
echo 1..1
