#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# For the feed's CI: test.sh PACKAGE VERSION, where the package is installed.

[ "$1" = gatewayd ] || exit 0
gatewayd --version | grep -F "gatewayd $2 " && gatewayd -n && gatewayctl --version | grep -F "$2"
