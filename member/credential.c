// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/pem.h"
#include "io/secret.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/cbor.h"
#include "libgroupkey/cred.h"
#include "libgroupkey/x509.h"

#define FILE_MAX 65536

static size_t count_certs(struct gk_span ders)
{
	size_t count = 0;

	for (size_t len; (len = gk_x509_len(ders)) != 0; count++)
		ders = gk_span_sub(ders, len, SIZE_MAX);
	return ders.len ? 0 : count;
}

/*
 * Certificates that were text, as they travel: one as it is, several as an array (RFC 9360 section
 * 2). What this adds to each is less than what its text had around it.
 */
static const char *pack(struct gk_blob *certs)
{
	struct gk_span rest = gk_span(certs->data, certs->len);
	size_t count = count_certs(rest);
	uint8_t bytes[GK_CRED_WIRE_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

	if (count == 1)
		return NULL;
	gk_put_array(&buf, count);
	for (size_t i = 0; i < count; i++) {
		size_t len = gk_x509_len(rest);
		gk_put_bytes(&buf, gk_span_sub(rest, 0, len));
		rest = gk_span_sub(rest, len, SIZE_MAX);
	}
	if (!count || count > GK_X509_CERTS_MAX || buf.overflow)
		return "must have 1 to 8 certificates, of not more than 2048 bytes in all";
	memcpy(certs->data, bytes, buf.len);
	certs->len = buf.len;
	return NULL;
}

/* 'packed': they are to travel; else one stays after another. */
static bool read_file(const char *path, bool packed, struct gk_blob *content, char *error,
		      size_t size)
{
	const char *why = io_file_read(path, FILE_MAX, content);
	bool is_text = !why && io_pem_is(gk_span(content->data, content->len));

	if (is_text && !io_pem_decode(content))
		why = "has a certificate that is no text as in RFC 7468";
	else if (is_text && packed)
		why = pack(content);
	if (why)
		snprintf(error, size, "%s: %s", path, why);
	return !why;
}

bool gkm_credential_load(const struct gkm_options *options, struct gkm_credential *credential,
			 char *error, size_t size)
{
	struct gkm_credential *c = credential;

	*c = (struct gkm_credential){ .bytes = { NULL, 0 } };
	if (!read_file(options->cred, true, &c->bytes, error, size) ||
	    !io_secret_read(options->cred_key, c->key, sizeof(c->key), sizeof(c->key), true, error,
			    size) ||
	    (options->cred_issuers &&
	     !read_file(options->cred_issuers, false, &c->issuers, error, size))) {
		gkm_credential_wipe(c);
		return false;
	}
	c->cred = (struct gk_member_cred){ .cred_fmt = options->cred_format,
					   .cred = gk_span(c->bytes.data, c->bytes.len),
					   .key = gk_span(c->key, sizeof(c->key)),
					   .issuers = gk_span(c->issuers.data, c->issuers.len) };
	return true;
}

void gkm_credential_wipe(struct gkm_credential *credential)
{
	free(credential->bytes.data);
	free(credential->issuers.data);
	explicit_bzero(credential, sizeof(*credential));
}
