// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "groupkey.h"

static const char *const sentences[] = {
	[GK_OK] = "success",
	[GK_ERR_NO_MEMORY] = "out of memory",
	[GK_ERR_ENTROPY] = "no random bytes to be had",
	[GK_ERR_NO_SPACE] = "the output buffer or a table is full",
	[GK_ERR_SEQUENCE] = "no sequence number left",
	[GK_ERR_MALFORMED] = "not well-formed",
	[GK_ERR_TYPE] = "a value has the wrong type",
	[GK_ERR_MISSING] = "a required field is absent",
	[GK_ERR_DUPLICATE] = "a map has a key twice",
	[GK_ERR_DEPTH] = "nested too deep",
	[GK_ERR_RANGE] = "a number or length is out of range",
	[GK_ERR_CRYPTO] = "decryption or verification failed",
	[GK_ERR_REPLAY] = "replayed, or too old to tell",
	[GK_ERR_UNKNOWN] = "no such context, group, member or key",
	[GK_ERR_UNSUPPORTED] = "not supported by this build, or by this group",
	[GK_ERR_EXPIRED] = "expired, or not yet valid",
	[GK_ERR_FORBIDDEN] = "not allowed to this peer",
	[GK_ERR_CREDENTIAL] = "the credential does not fit the group",
	[GK_ERR_STATE] = "not possible in this state",
};

const char *gk_strerror(enum gk_err err)
{
	// The enum has gaps, and a caller may hold any number: an unsigned index covers both ends.
	size_t i = (size_t)err;
	if (i >= sizeof(sentences) / sizeof(sentences[0]) || !sentences[i])
		return "unknown error";
	return sentences[i];
}
