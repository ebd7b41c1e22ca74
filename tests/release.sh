#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# tests/release.sh DIRECTORY NAME: builds that release of a library (tests/releases.txt) in
# DIRECTORY/NAME, static, once. Its archive is fetched, unless it is there as
# DIRECTORY/archives/NAME.tar.gz; it has to have its checksum in either case.

set -eu
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/.."
[ $# -eq 2 ] || {
	echo "usage: $0 DIRECTORY NAME" >&2
	exit 2
}
mkdir -p "$1/archives"
dir=$(cd "$1" && pwd)
name=$2
prefix=$dir/$name
archive=$dir/archives/$name.tar.gz

die() {
	printf 'release: %s\n' "$*" >&2
	exit 1
}

fetch() { # ADDRESS
	[ ! -f "$archive" ] || return 0
	curl -fsSL --connect-timeout 20 --max-time 300 -o "$archive.new" "$1" ||
		die "cannot be fetched here: $1"
	mv "$archive.new" "$archive"
}

by_configure() { # OPTIONS...
	[ -x configure ] || sh ./autogen.sh
	./configure --prefix="$prefix" --libdir="$prefix/lib" --disable-shared --enable-static \
		--with-pic CFLAGS=-O2 "$@"
	"${MAKE:-make}" install
}

by_cmake() { # OPTIONS...
	cmake -S . -B build -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
		-DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
		-DCMAKE_BUILD_TYPE=Release -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=OFF "$@"
	cmake --build build
	cmake --install build
}

build() { # ADDRESS SHA256 BY OPTIONS...
	fetch "$1"
	printf '%s  %s\n' "$2" "$archive" | sha256sum -c ||
		die "$archive is another: remove it to have it fetched again"
	by=$3
	shift 3
	rm -rf "${prefix:?}"
	mkdir -p "$prefix/source"
	tar -xf "$archive" -C "$prefix/source" --strip-components=1
	cd "$prefix/source"
	"by_$by" "$@"
	rm -rf "$prefix/source"
	: >"$prefix/done"
}

[ ! -f "$prefix/done" ] || exit 0
# shellcheck disable=SC2046 # the columns
set -- $(awk -v name="$name" '$1 == name { $1 = ""; print }' tests/releases.txt)
[ $# -ge 3 ] || die "no release $name in tests/releases.txt"
build "$@"
