// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "io/bundle.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/roots.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_MIN 16 /* no token of any kind is shorter */
#define PSK_MIN   16
#define MS_MIN    16 /* RFC 9203 section 4.1: of the strength of the algorithms */

/*
 * Reading: a name, and what reads its value.
 */

typedef void read_fn(struct io_json_reader *reader, struct io_bundle *bundle);

static void read_members(struct io_json_reader *reader, struct io_bundle *bundle,
			 const char *const *names, read_fn *const *reads, uint32_t optional)
{
	uint32_t seen = 0;
	size_t count = 0;

	while (names[count])
		count++;
	io_json_read_object(reader);
	while (io_json_read_more(reader)) {
		size_t i = io_json_read_name(reader, names, &seen);
		if (i < count)
			reads[i](reader, bundle);
	}
	if ((seen | optional) != (UINT32_C(1) << count) - 1)
		io_json_read_refuse(reader, "a member of the object that ends here is missing");
}

static void read_osc_id(struct io_json_reader *reader, struct io_bundle *bundle)
{
	bundle->osc_id_len = io_json_read_hex(reader, bundle->osc_id, 1, sizeof(bundle->osc_id));
}

static void read_ms(struct io_json_reader *reader, struct io_bundle *bundle)
{
	bundle->ms_len = io_json_read_hex(reader, bundle->ms, MS_MIN, sizeof(bundle->ms));
}

static void read_salt(struct io_json_reader *reader, struct io_bundle *bundle)
{
	bundle->salt_len = io_json_read_hex(reader, bundle->salt, 0, sizeof(bundle->salt));
}

static void read_osc(struct io_json_reader *reader, struct io_bundle *bundle)
{
	static const char *const names[] = { "id", "ms", "salt", NULL };
	static read_fn *const reads[] = { read_osc_id, read_ms, read_salt };

	read_members(reader, bundle, names, reads, 1 << 2);
}

static void read_dtls_address(struct io_json_reader *reader, struct io_bundle *bundle)
{
	io_json_read_text(reader, bundle->dtls, sizeof(bundle->dtls));
}

static void read_identity(struct io_json_reader *reader, struct io_bundle *bundle)
{
	bundle->identity_len =
		io_json_read_hex(reader, bundle->identity, 1, sizeof(bundle->identity));
}

static void read_psk(struct io_json_reader *reader, struct io_bundle *bundle)
{
	bundle->psk_len = io_json_read_hex(reader, bundle->psk, PSK_MIN, sizeof(bundle->psk));
}

static void read_kdc_key(struct io_json_reader *reader, struct io_bundle *bundle)
{
	bundle->kdc_key_len = io_json_read_hex(reader, bundle->kdc_key, sizeof(bundle->kdc_key),
					       sizeof(bundle->kdc_key));
}

/* A pre-shared key, or the KDC's public one. */
static void read_dtls(struct io_json_reader *reader, struct io_bundle *bundle)
{
	static const char *const names[] = { "kdc", "identity", "psk", "kdc_key", NULL };
	static read_fn *const reads[] = { read_dtls_address, read_identity, read_psk,
					  read_kdc_key };
	bool has_psk, has_key;

	read_members(reader, bundle, names, reads, 1 << 1 | 1 << 2 | 1 << 3);
	has_psk = bundle->psk_len && bundle->identity_len;
	has_key = bundle->kdc_key_len && !bundle->psk_len && !bundle->identity_len;
	if (has_psk ? bundle->kdc_key_len > 0 : !has_key)
		io_json_read_refuse(reader, "must have identity and psk, or kdc_key alone");
}

static void read_name(struct io_json_reader *reader, struct io_bundle *bundle)
{
	io_json_read_text(reader, bundle->name, sizeof(bundle->name));
}

static void read_kdc(struct io_json_reader *reader, struct io_bundle *bundle)
{
	io_json_read_text(reader, bundle->kdc, sizeof(bundle->kdc));
}

static void read_token(struct io_json_reader *reader, struct io_bundle *bundle)
{
	bundle->token_len =
		io_json_read_hex(reader, bundle->token, TOKEN_MIN, sizeof(bundle->token));
}

/*
 * Groups and roles come in either order; whichever is first sets the count, and the other has to
 * have as many.
 */
static void set_count(struct io_json_reader *reader, struct io_bundle *bundle, size_t count)
{
	if (count == 0)
		io_json_read_refuse(reader, "must have at least one element");
	else if (bundle->group_count > 0 && bundle->group_count != count)
		io_json_read_refuse(reader, "must be as many roles as groups");
	bundle->group_count = count;
}

static void read_groups(struct io_json_reader *reader, struct io_bundle *bundle)
{
	size_t count = 0;

	io_json_read_array(reader);
	while (io_json_read_more(reader)) {
		if (count == IO_BUNDLE_GROUPS_MAX) {
			io_json_read_refuse(reader, "too many groups");
			return;
		}
		io_json_read_text(reader, bundle->groups[count], sizeof(bundle->groups[count]));
		for (size_t i = 0; !reader->error && i < count; i++) {
			if (strcmp(bundle->groups[i], bundle->groups[count]) == 0)
				io_json_read_refuse(reader, "a group that was here before");
		}
		count++;
	}
	set_count(reader, bundle, count);
}

static void read_roles(struct io_json_reader *reader, struct io_bundle *bundle)
{
	size_t count = 0;

	io_json_read_array(reader);
	while (io_json_read_more(reader)) {
		if (count == IO_BUNDLE_GROUPS_MAX) {
			io_json_read_refuse(reader, "too many roles");
			return;
		}
		uint32_t roles = (uint32_t)io_json_read_int(reader, 0, UINT32_MAX);
		if (!roles || roles & ~(uint32_t)GK_ROLE_ALL)
			io_json_read_refuse(reader, "must be a sum of 2, 4, 8 and 16");
		bundle->roles[count++] = roles;
	}
	set_count(reader, bundle, count);
}

static void read_exp(struct io_json_reader *reader, struct io_bundle *bundle)
{
	bundle->exp = io_json_read_int(reader, 0, INT64_MAX);
}

static void read_path(struct io_json_reader *reader, char *path)
{
	io_json_read_text(reader, path, GK_ROOT_MAX + 1);
	if (!reader->error && !gk_root_check(gk_span_str(path)))
		io_json_read_refuse(reader, "must be a path as in \"ace-group\"");
}

static void read_group_path(struct io_json_reader *reader, struct io_bundle *bundle)
{
	read_path(reader, bundle->group_path);
}

static void read_authz_path(struct io_json_reader *reader, struct io_bundle *bundle)
{
	read_path(reader, bundle->authz_path);
}

static void read_sleepy(struct io_json_reader *reader, struct io_bundle *bundle)
{
	bundle->sleepy = io_json_read_bool(reader);
}

bool io_bundle_parse(struct gk_span text, struct io_bundle *bundle, char *error, size_t size)
{
	static const char *const names[] = {
		"name", "kdc",        "token",      "osc",  "groups", "roles",
		"exp",  "group_path", "authz_path", "dtls", "sleepy", NULL,
	};
	static read_fn *const reads[] = {
		read_name, read_kdc,        read_token,      read_osc,  read_groups, read_roles,
		read_exp,  read_group_path, read_authz_path, read_dtls, read_sleepy,
	};
	static const uint32_t optional = 1 << 3 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10;
	struct io_json_reader reader;
	struct io_bundle found = { 0 };

	io_json_read(&reader, text);
	read_members(&reader, &found, names, reads, optional);
	if ((found.osc_id_len > 0) == (found.dtls[0] != '\0'))
		io_json_read_refuse(&reader, "must have either osc or dtls");
	bool ok = io_json_read_finish(&reader, error, size);
	if (ok)
		*bundle = found;
	explicit_bzero(&found, sizeof(found));
	return ok;
}

/*
 * Files
 */

static bool fail(const char *path, const char *why, char *error, size_t size)
{
	snprintf(error, size, "%s: %s", path, why);
	return false;
}

static bool fail_errno(const char *path, char *error, size_t size)
{
	return fail(path, strerror(errno), error, size);
}

static bool check_mode(const char *path, int fd, char *error, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail_errno(path, error, size);
	if (!S_ISREG(st.st_mode))
		return fail(path, "not a file", error, size);
	if (st.st_mode & 077) {
		snprintf(error, size,
			 "%s: holds keys, and others may read or write it (mode %04o): chmod 600",
			 path, (unsigned)(st.st_mode & 07777));
		return false;
	}
	return true;
}

// Read all of a file that has at most 'cap' bytes. @return its length, -1: see error
static ssize_t read_all(const char *path, int fd, uint8_t *out, size_t cap, char *error,
			size_t size)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, out + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fail_errno(path, error, size);
			return -1;
		}
		if (n == 0)
			return (ssize_t)len;
		len += (size_t)n;
	}
	fail(path, "too long for a bundle", error, size);
	return -1;
}

bool io_bundle_read(const char *path, struct io_bundle *bundle, char *error, size_t size)
{
	uint8_t text[IO_BUNDLE_FILE_MAX + 1];
	char why[IO_BUNDLE_ERROR];
	ssize_t len = -1;
	bool ok = false;

	// O_NONBLOCK: a pipe in the place of the file is not waited for.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail_errno(path, error, size);
	if (check_mode(path, fd, error, size))
		len = read_all(path, fd, text, sizeof(text), error, size);
	close(fd);
	if (len >= 0) {
		ok = io_bundle_parse(gk_span(text, (size_t)len), bundle, why, sizeof(why));
		if (!ok)
			snprintf(error, size, "%s:%s", path, why);
	}
	explicit_bzero(text, sizeof(text));
	return ok;
}

static void put_osc(struct io_json *json, const struct io_bundle *bundle)
{
	io_json_object(json, "osc");
	io_json_hex(json, "id", gk_span(bundle->osc_id, bundle->osc_id_len));
	io_json_hex(json, "ms", gk_span(bundle->ms, bundle->ms_len));
	io_json_hex(json, "salt", gk_span(bundle->salt, bundle->salt_len));
	io_json_end(json);
}

static void put_dtls(struct io_json *json, const struct io_bundle *bundle)
{
	io_json_object(json, "dtls");
	io_json_text(json, "kdc", bundle->dtls);
	if (bundle->psk_len) {
		io_json_hex(json, "identity", gk_span(bundle->identity, bundle->identity_len));
		io_json_hex(json, "psk", gk_span(bundle->psk, bundle->psk_len));
	} else {
		io_json_hex(json, "kdc_key", gk_span(bundle->kdc_key, bundle->kdc_key_len));
	}
	io_json_end(json);
}

void io_bundle_put(struct io_json *json, const char *key, const struct io_bundle *bundle)
{
	io_json_object(json, key);
	io_json_text(json, "name", bundle->name);
	io_json_text(json, "kdc", bundle->kdc);
	io_json_hex(json, "token", gk_span(bundle->token, bundle->token_len));
	if (bundle->dtls[0])
		put_dtls(json, bundle);
	else
		put_osc(json, bundle);
	io_json_array(json, "groups");
	for (size_t i = 0; i < bundle->group_count; i++)
		io_json_text(json, NULL, bundle->groups[i]);
	io_json_end(json);
	io_json_array(json, "roles");
	for (size_t i = 0; i < bundle->group_count; i++)
		io_json_int(json, NULL, bundle->roles[i]);
	io_json_end(json);
	io_json_int(json, "exp", bundle->exp);
	if (bundle->group_path[0])
		io_json_text(json, "group_path", bundle->group_path);
	if (bundle->authz_path[0])
		io_json_text(json, "authz_path", bundle->authz_path);
	if (bundle->sleepy)
		io_json_bool(json, "sleepy", true);
	io_json_end(json);
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

int io_bundle_create(const char *path, char *error, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		fail_errno(path, error, size);
	return fd;
}

bool io_bundle_write(int fd, const char *path, const struct io_bundle *bundle, char *error,
		     size_t size)
{
	struct io_json json;

	io_json_init(&json);
	io_bundle_put(&json, NULL, bundle);
	const char *text = io_json_finish(&json);
	bool ok = text && write_all(fd, text, json.len) && write_all(fd, "\n", 1) && !fsync(fd);
	if (!text)
		fail(path, "out of memory", error, size);
	else if (!ok)
		fail_errno(path, error, size);
	io_json_free(&json);
	return ok;
}
