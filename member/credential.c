// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/pem.h"
#include "io/secret.h"

#define FILE_MAX 65536

static bool read_file(const char *path, struct gk_blob *content, char *error, size_t size)
{
	const char *why = io_file_read(path, FILE_MAX, content);

	if (!why && io_pem_is(gk_span(content->data, content->len)) && !io_pem_decode(content))
		why = "has a certificate that is no text as in RFC 7468";
	if (why)
		snprintf(error, size, "%s: %s", path, why);
	return !why;
}

bool gkm_credential_load(const struct gkm_options *options, struct gkm_credential *credential,
			 char *error, size_t size)
{
	struct gkm_credential *c = credential;

	*c = (struct gkm_credential){ .bytes = { NULL, 0 } };
	if (!read_file(options->cred, &c->bytes, error, size) ||
	    !io_secret_read(options->cred_key, c->key, sizeof(c->key), sizeof(c->key), true, error,
			    size) ||
	    (options->cred_issuers &&
	     !read_file(options->cred_issuers, &c->issuers, error, size))) {
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
