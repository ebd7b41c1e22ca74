// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "member/credential.h"

#include "libgroupkey/numbers.h"
#include "tests/lib/certs.h"
#include "tests/lib/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END   "\n-----END CERTIFICATE-----\n"
#define KEY   "3131313131313131313131313131313131313131313131313131313131313131"

static char cred[] = "/tmp/gkmember-cred-XXXXXX", key[] = "/tmp/gkmember-key-XXXXXX";

static int make_files(void **state)
{
	int c = mkstemp(cred), k = mkstemp(key);

	(void)state;
	return c < 0 || k < 0 || write(k, KEY, strlen(KEY)) < 0 || close(c) || close(k);
}

static int remove_files(void **state)
{
	(void)state;
	return unlink(cred) || unlink(key);
}

/* RFC 4648 section 4 */
static void put_base64(FILE *file, struct gk_span bytes)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t len = bytes.len - i < 3 ? bytes.len - i : 3;
		uint32_t bits = 0;
		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < len ? bytes.data[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			putc(j <= len ? digits[bits >> (18 - 6 * j) & 63] : '=', file);
	}
}

static void put_cert(FILE *file, struct gk_span der)
{
	fputs(BEGIN, file);
	put_base64(file, der);
	fputs(END, file);
}

static bool load(struct gkm_credential *credential, char *error, size_t size)
{
	const struct gkm_options options = { .cred_format = GK_HEADER_X5CHAIN,
					     .cred = cred,
					     .cred_key = key,
					     .cred_issuers = cred };

	return gkm_credential_load(&options, credential, error, size);
}

static struct gkm_credential loaded;
static char error[512];

/* A file of these, loaded. */
static bool load_certs(const char *const *certs, size_t count)
{
	FILE *file = fopen(cred, "w");

	assert_non_null(file);
	for (size_t i = 0; i < count; i++)
		put_cert(file, hex_span(certs[i]));
	fclose(file);
	return load(&loaded, error, sizeof(error));
}

static void one_certificate_travels_as_it_is(void **state)
{
	(void)state;
	assert_true(load_certs((const char *[]){ CERT_NODE_0 }, 1));
	assert_hex_equal(loaded.cred.cred, CERT_NODE_0);
	assert_hex_equal(loaded.cred.key, KEY);
	gkm_credential_wipe(&loaded);
}

static void several_travel_as_an_array_in_their_order(void **state)
{
	(void)state;
	assert_true(load_certs((const char *[]){ CERT_NODE_0, CERT_INTER }, 2));
	assert_hex_equal(loaded.cred.cred, "82 590129" CERT_NODE_0 "59013a" CERT_INTER);
	gkm_credential_wipe(&loaded);
	assert_true(load_certs((const char *[]){ CERT_INTER, CERT_BELOW, CERT_NODE_0 }, 3));
	assert_hex_equal(loaded.cred.cred,
			 "83 59013a" CERT_INTER "59013b" CERT_BELOW "590129" CERT_NODE_0);
	gkm_credential_wipe(&loaded);
}

static void those_of_issuers_stay_one_after_another(void **state)
{
	(void)state;
	assert_true(load_certs((const char *[]){ CERT_ROOT, CERT_OTHER_ROOT }, 2));
	assert_hex_equal(loaded.cred.issuers, CERT_ROOT CERT_OTHER_ROOT);
	gkm_credential_wipe(&loaded);
}

/* Of 297 bytes, with three before each and one before all: six are 1801, and seven 2101. */
static void more_than_can_travel_are_refused(void **state)
{
	const char *const certs[] = { CERT_NODE_0, CERT_NODE_0, CERT_NODE_0, CERT_NODE_0,
				      CERT_NODE_0, CERT_NODE_0, CERT_NODE_0 };
	const char *const tiny[] = { "308100", "308100", "308100", "308100", "308100",
				     "308100", "308100", "308100", "308100" };

	(void)state;
	assert_true(load_certs(certs, 6));
	assert_int_equal(loaded.cred.cred.len, 1801);
	gkm_credential_wipe(&loaded);
	assert_false(load_certs(certs, 7));
	assert_non_null(strstr(error, "not more than 2048 bytes"));
	assert_true(load_certs(tiny, 8));
	gkm_credential_wipe(&loaded);
	assert_false(load_certs(tiny, 9));
	assert_non_null(strstr(error, "1 to 8 certificates"));
}

static void what_is_no_certificate_is_refused(void **state)
{
	(void)state;
	assert_false(load_certs((const char *[]){ "00" }, 1));
	assert_false(load_certs((const char *[]){ CERT_NODE_0, "0000" }, 2));
	assert_non_null(strstr(error, cred));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_certificate_travels_as_it_is),
		cmocka_unit_test(several_travel_as_an_array_in_their_order),
		cmocka_unit_test(those_of_issuers_stay_one_after_another),
		cmocka_unit_test(more_than_can_travel_are_refused),
		cmocka_unit_test(what_is_no_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
