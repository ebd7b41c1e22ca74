// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * How wolfSSL was built, for all that include other headers of it; after our own, as Debian's
 * options.h sets _FORTIFY_SOURCE, which must not reach libc's.
 *
 * options.h leaves out one thing that wolfSSL found when it was built, and that decides how large
 * its numbers are, and so its keys: whether the compiler has integers of 128 bits. Without it we
 * would give it keys that are too small where it computes in words of 64 bits, in C.
 */
#ifndef GK_CRYPTO_WOLFSSL_H
#define GK_CRYPTO_WOLFSSL_H

#if defined(__SIZEOF_INT128__) && !defined(HAVE___UINT128_T)
#define HAVE___UINT128_T 1
#endif

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/settings.h>

#endif
