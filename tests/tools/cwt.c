// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * cwt issuer KEY                  print who signs with KEY: a COSE_Key, as in cred_issuers_file
 * cwt issue KEY ISSUER NAME [EXP] print a CWT: the key of NAME is KEY, signed with ISSUER; good
 * until EXP, in seconds since 1970
 *
 * KEY and ISSUER are files with the private keys, P-256, in hex; what is printed is CBOR.
 */
#include "io/loop.h"
#include "io/secret.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/crypto.h"
#include "libgroupkey/numbers.h"
#include "tests/lib/issue.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gk_key_pair read_key(const char *path)
{
	uint8_t d[32];
	char error[IO_SECRET_ERROR] = "cwt: no key";
	struct gk_key_pair key;

	if (!io_secret_read(path, d, sizeof(d), sizeof(d), false, error, sizeof(error)) ||
	    gk_key_from_private(GK_CRV_P256, gk_span(d, sizeof(d)), &key)) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	return key;
}

static void issue(struct gk_buf *buf, int argc, char **argv)
{
	struct gk_key_pair key = read_key(argv[2]), issuer = read_key(argv[3]);

	issue_put_cwt(buf, &(struct issue_cwt){ .name = argv[4],
						.key = &key.pub,
						.exp = argc == 6 ? strtoll(argv[5], NULL, 10) : 0,
						.issuer = &issuer });
}

int main(int argc, char **argv)
{
	uint8_t bytes[1024];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	struct gk_env env = io_env();

	if (gk_global_init(&env))
		return 1;
	if (argc == 3 && strcmp(argv[1], "issuer") == 0) {
		struct gk_key_pair key = read_key(argv[2]);
		issue_put_issuer(&buf, &key);
	} else if ((argc == 5 || argc == 6) && strcmp(argv[1], "issue") == 0) {
		issue(&buf, argc, argv);
	} else {
		fprintf(stderr, "cwt: see the head of tests/tools/cwt.c\n");
		return 2;
	}
	return fwrite(bytes, 1, buf.len, stdout) == buf.len && fflush(stdout) == 0 ? 0 : 1;
}
