#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# For the feed's CI: test.sh PACKAGE VERSION, where the package is installed, or the same in
# PKG_NAME and PKG_VERSION.

version=${2:-$PKG_VERSION}

case ${1:-$PKG_NAME} in
gatewayd)
	gatewayd --version | grep -F "gatewayd $version " && gatewayd -n &&
		gatewayctl --version | grep -F "$version"
	;;
*)
	echo "not a package of this folder: ${1:-$PKG_NAME}" >&2
	exit 1
	;;
esac
