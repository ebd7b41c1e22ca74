// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** Certificates as text (RFC 7468). */
#ifndef IO_PEM_H
#define IO_PEM_H

#include "libgroupkey/mem.h"

/** @return true if there is a certificate in it as text */
bool io_pem_is(struct gk_span text);
/**
 * Put the certificates in a text in its place, in DER, one after another; what is around them is
 * passed over.
 * @return false: one of them is not as it has to be; then the text is of no use any more
 */
GK_MUST_CHECK bool io_pem_decode(struct gk_blob *text);

#endif
