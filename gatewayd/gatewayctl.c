// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * gatewayctl: asks a running gatewayd. It hands the words of a call over and prints the answer; all
 * but -s and -o is the daemon's. See gatewayctl(8).
 */
#include "config.h"
#include "gatewayd/usage.h"
#include "io/bundle.h"
#include "io/secret.h"
#include "io/std.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_S 30

struct options {
	const char *socket;
	const char *file; /* of -o */
	bool help, version, follow;
	const char *words[GW_WORDS_MAX];
	size_t count;
};

static int fail(int status, const char *object, const char *why)
{
	fprintf(stderr, "gatewayctl: %s: %s\n", object, why);
	return status;
}

/*
 * Command line
 */

static bool take_word(struct options *options, const char *word)
{
	if (options->count == GW_WORDS_MAX)
		return false;
	if (strcmp(word, "--follow") == 0)
		options->follow = true;
	options->words[options->count++] = word;
	return true;
}

/* @return how many words it is: 0: none of ours */
static int take_option(struct options *options, const char *word, const char *value)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return options->help = true;
	if (strcmp(word, "--version") == 0)
		return options->version = true;
	if (value && strcmp(word, "-s") == 0) {
		options->socket = value;
		return 2;
	}
	if (value && strcmp(word, "-o") == 0) {
		options->file = value;
		return 2;
	}
	return 0;
}

static bool read_options(int argc, char **argv, struct options *options)
{
	*options = (struct options){ .socket = "/run/gatewayd/gatewayd.sock" };
	for (int i = 1; i < argc;) {
		bool pair = gw_usage_takes_value(argv[i]) && i + 1 < argc;
		int taken = pair ? 0 : take_option(options, argv[i], argv[i + 1]);
		if (taken == 0 && !take_word(options, argv[i]))
			return false;
		// A value is never an option, whatever it looks like.
		if (pair && !take_word(options, argv[i + 1]))
			return false;
		i += pair ? 2 : taken ? taken : 1;
	}
	return true;
}

/* The daemon knows best, but a wrong word needs no daemon. */
static bool is_call(const struct options *options)
{
	const char *words[GW_WORDS_MAX];
	size_t count = 0, used;
	enum gw_call_id id;

	for (size_t i = 0; i < options->count; i++) {
		if (strcmp(options->words[i], "--json") != 0)
			words[count++] = options->words[i];
	}
	id = gw_usage_find(words, count, &used);
	return id != GW_CALLS && (!options->file || id == GW_CALL_CLIENT_ADD);
}

/*
 * The daemon
 */

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ANSWER_S };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return false;
		bytes += sent;
		len -= (size_t)sent;
	}
	return true;
}

static bool send_request(int fd, const struct options *options)
{
	for (size_t i = 0; i < options->count; i++) {
		const char *word = options->words[i];
		bool last = i + 1 == options->count;
		if (!send_all(fd, word, strlen(word) + !last))
			return false;
	}
	return shutdown(fd, SHUT_WR) == 0;
}

static bool read_status(FILE *in, int *status)
{
	int digit = fgetc(in), newline = fgetc(in);

	*status = digit - '0';
	return newline == '\n' && *status >= GW_DONE && *status <= GW_NO_DAEMON;
}

static bool copy(FILE *in, FILE *out)
{
	char piece[4096];
	bool ok = true;

	// Line by line, since events come when they come; of a longer one, what fits.
	while (ok && fgets(piece, sizeof(piece), in))
		ok = fputs(piece, out) >= 0 && fflush(out) == 0;
	explicit_bzero(piece, sizeof(piece)); // it may have been a bundle
	return ok && !ferror(in);
}

/* @param file  the descriptor of options->file */
static int save_bundle(FILE *in, const struct options *options, int file)
{
	uint8_t text[IO_BUNDLE_FILE_MAX];
	char error[IO_BUNDLE_ERROR];
	struct io_bundle bundle;
	size_t len = fread(text, 1, sizeof(text), in);
	int status = GW_DONE;

	if (!io_bundle_parse(gk_span(text, len), &bundle, error, sizeof(error)))
		status = fail(GW_REFUSED, "the daemon's answer is no bundle", error);
	else if (!io_bundle_write(file, options->file, &bundle, error, sizeof(error)))
		status = fail(GW_REFUSED, "the bundle is not written", error);
	if (status)
		fail(status, "client add",
		     "the token was issued all the same; end it with client revoke");
	explicit_bzero(text, sizeof(text));
	explicit_bzero(&bundle, sizeof(bundle));
	return status;
}

static int print_answer(const struct options *options, FILE *in, int file)
{
	struct timeval none = { 0 };
	int status;

	if (!read_status(in, &status))
		return fail(GW_NO_DAEMON, options->socket, "no answer");
	if (status == GW_DONE && options->file)
		return save_bundle(in, options, file);
	if (options->follow)
		setsockopt(fileno(in), SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	if (!copy(in, status == GW_DONE ? stdout : stderr))
		return fail(GW_NO_DAEMON, options->socket, "the answer was cut off");
	return status;
}

/* @param file  for the answer; -1: none, it is printed */
static int ask(const struct options *options, int file)
{
	int fd = connect_to(options->socket);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
	int status;

	if (!in)
		return fail(GW_NO_DAEMON, options->socket, strerror(errno));
	// It may have said why before it had heard all, and have closed.
	(void)!send_request(fd, options);
	status = print_answer(options, in, file);
	fclose(in);
	return status;
}

/* Before a token is issued that would be nowhere, the file for it is there: of mode 0600, which it
 * never was anything else than. */
static int ask_for_file(const struct options *options)
{
	char error[IO_BUNDLE_ERROR];
	int status, file = io_bundle_create(options->file, error, sizeof(error));

	if (file < 0)
		return fail(GW_REFUSED, "nothing is asked for", error);
	status = ask(options, file);
	if (status)
		unlink(options->file);
	close(file);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;

	if (!io_std_open())
		return EXIT_FAILURE;
	if (!read_options(argc, argv, &options) ||
	    (!options.help && !options.version && !is_call(&options))) {
		gw_usage_print(stderr);
		return GW_USAGE;
	}
	if (options.help)
		gw_usage_print(stdout);
	else if (options.version)
		puts("gatewayctl " GK_VERSION);
	else {
		io_secret_guard();
		return options.file ? ask_for_file(&options) : ask(&options, -1);
	}
	return 0;
}
