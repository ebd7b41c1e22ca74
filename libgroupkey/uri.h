// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * coap URIs with an IPv6 literal (RFC 7252 section 6.1, RFC 3986 section 3.2.2). No names: the
 * library resolves none.
 */
#ifndef GK_URI_H
#define GK_URI_H

#include "buf.h"

/**
 * Read "coap://[fd00::3]:5683/a/b".
 *
 * @param addr  ip and port (5683 if absent); scope 0
 * @param path  "a/b", borrowed; may be empty
 * @return GK_OK; GK_ERR_UNSUPPORTED: another scheme, a name or an IPv4 address, a query, an escape;
 *         GK_ERR_MALFORMED
 */
GK_MUST_CHECK enum gk_err gk_uri_read(struct gk_span uri, struct gk_addr *addr,
				      struct gk_span *path);
/** The same of "coaps://[fd00::3]:5684/a/b", whose default port is 5684. */
GK_MUST_CHECK enum gk_err gk_uri_read_secure(struct gk_span uri, struct gk_addr *addr,
					     struct gk_span *path);
/** Append "coap://[ff03::fd]:5686" (RFC 5952 section 4), without a path. */
void gk_uri_put(struct gk_buf *buf, const struct gk_addr *addr);
/** @return "a" of "a/b", or all of "a" */
struct gk_span gk_path_first(struct gk_span path);
/** Append one segment of a path, with what may not stand in it escaped (RFC 3986 section 2.1). */
void gk_uri_put_segment(struct gk_buf *buf, struct gk_span segment);
/** Read an IPv6 address in text form (RFC 4291 section 2.2, without the dotted form). */
GK_MUST_CHECK enum gk_err gk_ip_read(struct gk_span text, uint8_t ip[static 16]);

#endif
