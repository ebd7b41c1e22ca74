// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A whole daemon with its store and its mark on a machine whose clocks and file systems are moved
 * by hand: docs/state.md sections 4 to 7, as far as the daemon carries them out.
 */
#include "gatewayd/daemon.h"
#include "io/log.h"
#include "libgroupkey/buf.h"
#include "libgroupkey/kdc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HANGS_S 60
#define HOUR    INT64_C(3600)
#define DAY     (24 * HOUR)
#define YEAR    (365 * DAY)
#define TODAY   (GW_CLOCK_RELEASE_S + 100 * DAY)
#define JUMP    1048576 /* of num, where nobody knows how far it was */

static char dir[] = "/tmp/test_storage.XXXXXX";
static char db[64], mark[64], as_key[64], reserve[64], log_path[64];
static struct gw_daemon gw;
static bool runs;
static int standard_error;

/*
 * The machine
 */

static struct {
	int64_t mono_ms, utc_s;
	bool synchronised;
	bool read_only;
	bool in_memory;      /* what the mark is on */
	int64_t deadline_ms; /* what the daemon waited for last; it has come at once */
} machine;

int clock_gettime(clockid_t id, struct timespec *at)
{
	int64_t ms = id == CLOCK_REALTIME ? machine.utc_s * 1000 : machine.mono_ms;

	*at = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
	return 0;
}

int adjtimex(struct timex *timex)
{
	assert_int_equal(timex->modes, 0); // we only ever look
	timex->status = machine.synchronised ? 0 : STA_UNSYNC;
	return machine.synchronised ? TIME_OK : TIME_ERROR;
}

/* The system call whose times are those of struct itimerspec. musl has another name for the one
 * with 32 bits, which it does not make. */
#ifndef SYS_timerfd_settime
#define SYS_timerfd_settime SYS_timerfd_settime64
#endif
#ifdef SYS_timerfd_settime64
#define SET_TIMER (sizeof(time_t) > sizeof(long) ? SYS_timerfd_settime64 : SYS_timerfd_settime)
#else
#define SET_TIMER SYS_timerfd_settime
#endif

int timerfd_settime(int fd, int flags, const struct itimerspec *at, struct itimerspec *old)
{
	static const struct itimerspec past = { .it_value = { .tv_nsec = 1 } };

	if (!(flags & TFD_TIMER_ABSTIME)) // libcoap's
		return (int)syscall(SET_TIMER, fd, flags, at, old);
	machine.deadline_ms = at->it_value.tv_sec * 1000 + at->it_value.tv_nsec / 1000000;
	return (int)syscall(SET_TIMER, fd, flags, &past, old);
}

static int look_at_real(const char *path, struct statfs *fs)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fstatfs(fd, fs);

	if (fd >= 0)
		close(fd);
	return rc;
}

int statvfs(const char *path, struct statvfs *fs)
{
	struct statfs real;

	if (look_at_real(path, &real) != 0)
		return -1;
	*fs = (struct statvfs){ .f_frsize = (unsigned long)real.f_bsize,
				.f_blocks = real.f_blocks,
				.f_bfree = real.f_bfree,
				.f_bavail = real.f_bavail,
				.f_flag = machine.read_only ? ST_RDONLY : 0 };
	return 0;
}

int statfs(const char *path, struct statfs *fs)
{
	int rc = look_at_real(path, fs);

	if (rc == 0)
		fs->f_type = machine.in_memory ? TMPFS_MAGIC : EXT4_SUPER_MAGIC;
	return rc;
}

/* Time passes, and the daemon has a turn. */
static void pass(int64_t s)
{
	machine.mono_ms += s * 1000;
	machine.utc_s += s;
	assert_int_equal(io_loop_turn(gw.loop, (struct gk_mono){ 0 }), 0);
	gw_serve_expire(&gw);
	gw_serve_settle(&gw);
}

/*
 * The daemon
 */

struct how {
	const char *groups; /* NULL: two */
	const char *more;   /* of the configuration */
	enum gw_store_wish wish;
};

static void start_as(const struct how *how)
{
	static const char *const paths[] = { "conf", NULL };
	const struct gw_start start = { .conf_paths = paths, .wish = how->wish };
	char text[1024], error[GW_CONF_ERROR];
	struct gw_conf conf;

	snprintf(text, sizeof(text),
		 "interface = \"lo\"; state_dir = \"%s/state\"; mark = \"%s\"; "
		 "control = \"%s/socket\"; groups = ( %s ); %s",
		 dir, mark, dir, how->groups ? how->groups : "{ name = \"a\"; }, { name = \"b\"; }",
		 how->more ? how->more : "");
	if (!gw_conf_parse(gk_span_str(text), "conf", &conf, error, sizeof(error)))
		fail_msg("%s", error);
	// Any port: other tests and daemons have theirs.
	free(conf.listen);
	conf.listen = strdup("[::1]:0");
	gw_daemon_start(&gw, &conf, &start);
	runs = true;
}

static void start(enum gw_store_wish wish)
{
	const struct how how = { .wish = wish };

	start_as(&how);
}

static void stop(void)
{
	gw_daemon_stop(&gw);
	runs = false;
}

/* What was said since the start of the test, static. */
static const char *said(void)
{
	static char text[65536];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static int count_said(const char *words)
{
	int count = 0;

	for (const char *at = said(); (at = strstr(at, words)); at++)
		count++;
	return count;
}

#define assert_said(words)                                                                         \
	do {                                                                                       \
		if (!strstr(said(), words))                                                        \
			fail_msg("no '%s' in: %s", words, said());                                 \
	} while (0)

/* Start in a process of its own. @return its status at the end */
static int start_apart(const struct how *how)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		start_as(how);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int64_t num_of(const char *name)
{
	struct gk_group_info info;
	size_t at = 0;

	while (gk_kdc_group_next(gw.kdc, &at, &info)) {
		if (gk_span_equal(info.name, gk_span_str(name)))
			return info.num;
	}
	fail_msg("no group %s", name);
	return -1;
}

static enum gk_err rekey(void)
{
	enum gk_err err = gk_kdc_rekey(gw.kdc, gk_span_str("a"), gw_now(&gw));

	gw_serve_settle(&gw);
	return err;
}

/* Someone is given the material: what nobody has needs no rotation. */
static void use_material(void)
{
	for (struct gk_group *group = gw.kdc->groups; group; group = group->next)
		group->used = true;
}

/*
 * Files
 */

static void copy(const char *from, const char *to)
{
	static char bytes[1 << 20];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t len = read(in, bytes, sizeof(bytes));

	assert_true(len > 0 && len < (ssize_t)sizeof(bytes));
	assert_int_equal(write(out, bytes, (size_t)len), len);
	close(in);
	close(out);
}

/* @return the text of a small file, static in two places */
static const char *text_of(const char *path)
{
	static char texts[2][128];
	static int next;
	char *text = texts[next++ % 2];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(texts[0]) - 1);

	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return ftw->level == 0 ? 0 : remove(path);
}

/* Every test has a machine of its own. */
static int set_up(void **state)
{
	int fd;

	(void)state;
	machine.mono_ms = 20000;
	machine.utc_s = TODAY;
	machine.synchronised = true;
	machine.read_only = false;
	machine.in_memory = false;
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	dup2(fd, STDERR_FILENO);
	close(fd);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (runs)
		stop();
	dup2(standard_error, STDERR_FILENO);
	return 0;
}

/*
 * Which store is it?
 */

static void a_first_start_makes_what_is_missing_and_says_so(void **state)
{
	struct stat st;

	(void)state;
	start(GW_STORE_AS_IS);
	assert_said("store: ");
	assert_said("gatewayd.db: new, nobody is known yet");
	assert_int_equal(count_said("STORE IS"), 0);
	assert_int_equal(gw.storage, GK_STORAGE_GOOD);
	const char *const paths[] = { db, mark, as_key, reserve };
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(stat(paths[i], &st), 0);
		assert_int_equal(st.st_mode, S_IFREG | 0600);
	}
	stop();
	start(GW_STORE_AS_IS);
	assert_int_equal(count_said("is known yet"), 1);
	stop();
}

static void a_backup_is_disowned_aloud_and_once(void **state)
{
	char backup[64];
	int64_t num;

	(void)state;
	snprintf(backup, sizeof(backup), "%s/backup", dir);
	start(GW_STORE_AS_IS);
	stop();
	copy(db, backup);
	start(GW_STORE_AS_IS);
	assert_int_equal(rekey(), GK_OK);
	num = num_of("a");
	stop();
	assert_int_equal(count_said("STORE IS"), 0);

	copy(backup, db);
	start(GW_STORE_AS_IS);
	assert_said("gatewayd.db: STORE IS OLD: it was restored from a backup");
	assert_said("all memberships and associations are void");
	assert_int_equal(count_said("clients come back with their tokens"), 1);
	assert_int_equal(count_said("was made anew"), 0);
	assert_true(num_of("a") > num && num_of("b") > num);
	assert_true(num_of("a") < JUMP);
	num = num_of("a");
	stop();

	start(GW_STORE_AS_IS);
	assert_int_equal(count_said("STORE IS"), 1);
	assert_int_equal(num_of("a"), num);
	stop();
}

static void a_store_that_is_gone_begins_above_what_was(void **state)
{
	char key[128];
	int64_t num;

	(void)state;
	start(GW_STORE_AS_IS);
	rekey();
	num = num_of("a");
	stop();
	strcpy(key, text_of(as_key));
	unlink(db);
	unlink(as_key); // the whole directory went: there is nothing that this key was good for
	start(GW_STORE_AS_IS);
	assert_said("STORE IS OLD");
	assert_true(num_of("a") > num && num_of("b") > num);
	assert_string_not_equal(text_of(as_key), key);
	assert_said("as.key was made anew: provision all clients again");
	assert_int_equal(count_said("come back with their tokens"), 0);
	stop();
}

static void unlink_with_journal(const char *path)
{
	char journal[80];

	snprintf(journal, sizeof(journal), "%s-journal", path);
	unlink(path);
	unlink(journal);
}

static void a_key_that_is_older_than_a_new_store_is_said(void **state)
{
	(void)state;
	start(GW_STORE_AS_IS);
	assert_int_equal(count_said("as.key: older than the store"), 0);
	stop();
	unlink_with_journal(db);
	unlink_with_journal(mark);
	start(GW_STORE_AS_IS);
	assert_int_equal(count_said("as.key: older than the store"), 1);
	stop();
	start(GW_STORE_AS_IS);
	assert_int_equal(count_said("as.key: older than the store"), 1);
	stop();
}

static void a_key_that_is_missing_beside_a_store_is_not_made_anew(void **state)
{
	static const struct how refused[] = { { .wish = GW_STORE_AS_IS },
					      { .wish = GW_STORE_ADOPT } };

	(void)state;
	start(GW_STORE_AS_IS);
	stop();
	unlink(as_key);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(start_apart(&refused[i]), 1);
		assert_int_equal(count_said("as.key: missing, though the store knows tokens under "
					    "it; put it back, or start once with --fresh"),
				 i + 1);
		assert_false(is_there(as_key));
	}
}

static void begun_anew_for_want_of_a_key_the_mark_stays_in_effect(void **state)
{
	char path[80];
	int64_t num;

	(void)state;
	start(GW_STORE_AS_IS);
	rekey();
	num = num_of("a");
	stop();
	unlink(as_key);
	start(GW_STORE_FRESH);
	assert_said("STORE IS BEGUN ANEW: the one before is beside it");
	assert_said("as.key was made anew: provision all clients again");
	assert_int_equal(count_said("come back with their tokens"), 0);
	assert_true(num_of("a") > num && num_of("a") < JUMP);
	snprintf(path, sizeof(path), "%s.old", db);
	assert_true(is_there(path) && is_there(as_key));
	num = num_of("a");
	stop();
	start(GW_STORE_AS_IS);
	assert_int_equal(count_said("STORE IS"), 1);
	assert_int_equal(num_of("a"), num);
	stop();
}

static void a_mark_in_memory_is_said_at_every_start(void **state)
{
	(void)state;
	start(GW_STORE_AS_IS);
	stop();
	assert_int_equal(count_said("on a file system in memory"), 0);
	machine.in_memory = true;
	for (int i = 1; i <= 2; i++) {
		start(GW_STORE_AS_IS);
		assert_int_equal(count_said("marks/mark: on a file system in memory"), i);
		assert_int_equal(count_said("set the option 'mark'"), i);
		stop();
	}
}

static void a_state_dir_that_others_may_look_into_is_said(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/state", dir);
	start(GW_STORE_AS_IS);
	stop();
	assert_int_equal(count_said("chmod 700"), 0);
	chmod(path, 0751);
	start(GW_STORE_AS_IS);
	stop();
	assert_said("state: others may look into this directory, though not into its files: "
		    "chmod 700");
}

static void a_store_without_its_mark_is_refused_until_it_is_adopted(void **state)
{
	static const struct how as_is = { .wish = GW_STORE_AS_IS };
	int64_t num;
	char key[128];

	(void)state;
	start(GW_STORE_AS_IS);
	num = num_of("a");
	stop();
	strcpy(key, text_of(as_key));
	unlink(mark);
	assert_int_equal(start_apart(&as_is), 1);
	assert_said("--adopt");
	assert_said("--fresh");
	assert_false(is_there(mark));

	start(GW_STORE_ADOPT);
	assert_said("gatewayd.db: STORE IS ADOPTED");
	assert_int_equal(count_said("clients come back with their tokens"), 1);
	assert_true(num_of("a") > num + JUMP && num_of("a") < num + 2 * JUMP);
	assert_string_equal(text_of(as_key), key);
	num = num_of("a");
	stop();
	start(GW_STORE_AS_IS);
	assert_int_equal(num_of("a"), num);
	assert_int_equal(count_said("STORE IS"), 1);
	stop();
}

/* Who was revoked is not known any more. */
static void begun_blindly_old_tokens_are_void(void **state)
{
	char keys[3][128], path[80];
	int64_t num = -1;

	(void)state;
	for (int i = 0; i < 3; i++) {
		start(i ? GW_STORE_FRESH : GW_STORE_AS_IS);
		assert_int_equal(num_of("a") >= JUMP, i > 0);
		assert_true(num_of("a") > num); // nobody knows of the time before
		num = num_of("a");
		stop();
		machine.utc_s += 60;
		strcpy(keys[i], text_of(as_key));
		unlink(mark);
	}
	assert_int_equal(count_said("STORE IS BEGUN ANEW, and what the mark said"), 2);
	assert_int_equal(count_said("as.key was made anew: provision all clients again"), 2);
	assert_int_equal(count_said("come back with their tokens"), 0);
	snprintf(path, sizeof(path), "%s.old", as_key);
	assert_string_equal(text_of(path), keys[0]);
	snprintf(path, sizeof(path), "%s.old.1", as_key);
	assert_string_equal(text_of(path), keys[1]);
	assert_string_not_equal(keys[1], keys[2]);
	assert_string_not_equal(keys[0], keys[1]);
}

static void a_key_of_an_authorization_server_stays_with_a_warning(void **state)
{
	char more[128], path[64], key[128];
	struct how how = { .more = more };

	(void)state;
	start(GW_STORE_AS_IS);
	stop();
	snprintf(path, sizeof(path), "%s/shared.key", dir);
	copy(as_key, path);
	strcpy(key, text_of(path));
	snprintf(more, sizeof(more), "as = { key_file = \"%s\"; };", path);
	start_as(&how);
	stop();
	unlink(mark);
	how.wish = GW_STORE_FRESH;
	start_as(&how);
	assert_said("shared.key: still in use, so clients whose tokens were revoked get in again");
	assert_string_equal(text_of(path), key);
	stop();
}

static void begun_anew_with_its_mark_the_key_stays(void **state)
{
	static const struct how as_is = { .wish = GW_STORE_AS_IS };
	char key[128];
	int64_t num;
	int fd;

	(void)state;
	start(GW_STORE_AS_IS);
	rekey();
	num = num_of("a");
	stop();
	strcpy(key, text_of(as_key));
	fd = open(db, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "damaged", 7, 0), 7);
	close(fd);
	assert_int_equal(start_apart(&as_is), 1);
	start(GW_STORE_FRESH);
	assert_said("STORE IS BEGUN ANEW: the one before is beside it");
	assert_int_equal(count_said("clients come back with their tokens"), 1);
	assert_int_equal(count_said("was made anew"), 0);
	assert_string_equal(text_of(as_key), key);
	assert_true(num_of("a") > num && num_of("a") < JUMP);
	stop();
}

static void a_store_that_is_not_refused_is_left_alone(void **state)
{
	static const enum gw_store_wish wishes[] = { GW_STORE_ADOPT, GW_STORE_FRESH };
	char key[128];
	int64_t num;

	(void)state;
	start(GW_STORE_AS_IS);
	num = num_of("a");
	stop();
	strcpy(key, text_of(as_key));
	for (size_t i = 0; i < 2; i++) {
		machine.utc_s = TODAY - 50 * DAY; // and the calendar is not taken at its word
		start(wishes[i]);
		assert_int_equal(num_of("a"), num);
		assert_string_equal(text_of(as_key), key);
		assert_int_equal(gw.clock.source, GW_CLOCK_ESTIMATED);
		stop();
	}
	assert_int_equal(count_said("STORE IS"), 0);
}

static void a_group_that_is_not_in_the_file_is_named(void **state)
{
	static const struct how one = { .groups = "{ name = \"a\"; }" };

	(void)state;
	start(GW_STORE_AS_IS);
	assert_int_equal(count_said("in the store and not in"), 0);
	stop();
	start_as(&one);
	assert_said("conf: group b: in the store and not in conf; it is kept and not served");
	assert_int_equal(count_said("in the store and not in"), 1);
	stop();
}

/*
 * Time
 */

static void the_highest_time_outlives_a_restart(void **state)
{
	(void)state;
	start(GW_STORE_AS_IS);
	pass(3 * HOUR);
	stop();
	machine.utc_s = 5; // the battery is dead
	machine.mono_ms = 5000;
	machine.synchronised = false;
	start(GW_STORE_AS_IS);
	assert_int_equal(gw_now(&gw).utc.s, TODAY + 3 * HOUR);
	assert_said("clock: it is 2027-03-01T03:00:00Z, estimated from the highest one known");
	pass(HOUR);
	assert_int_equal(gw_now(&gw).utc.s, TODAY + 4 * HOUR);
	assert_int_equal(gw_now(&gw).mono.ms, machine.mono_ms);
	stop();
	start(GW_STORE_AS_IS);
	assert_int_equal(gw_now(&gw).utc.s, TODAY + 4 * HOUR);
	stop();
}

/* kill -9: what was known at the last commit. */
static void a_commit_takes_the_time_along(void **state)
{
	pid_t child;

	(void)state;
	start(GW_STORE_AS_IS);
	stop();
	child = fork();
	if (child == 0) {
		start(GW_STORE_AS_IS);
		pass(DAY);
		_exit(rekey() == GK_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	machine.utc_s = 5;
	start(GW_STORE_AS_IS);
	assert_int_equal(gw_now(&gw).utc.s, TODAY + DAY);
	stop();
}

static const struct how quiet = {
	.groups = "{ name = \"a\"; rekey = { period_s = 8640000; }; }",
};

/* Tokens that ended meanwhile would be good again. */
static void of_a_long_quiet_time_a_power_cut_takes_little(void **state)
{
	pid_t child;
	int status;

	(void)state;
	child = fork();
	if (child == 0) {
		start_as(&quiet);
		for (int hour = 0; hour < 50 * 24; hour++) {
			// nothing else may be due for long, and the turn has to come by itself
			if (gw_storage_next_expiry(&gw).ms > machine.mono_ms + HOUR * 1000)
				_exit(1);
			pass(HOUR);
			if (gw_now(&gw).utc.s - gw_store_time(gw.store).utc_s > 26 * HOUR)
				_exit(3);
		}
		_exit(gw_store_written(gw.store) < 60 * 4096 ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	machine.utc_s = 5;
	machine.synchronised = false;
	start_as(&quiet);
	assert_in_range(gw_now(&gw).utc.s, TODAY + 50 * DAY - 26 * HOUR, TODAY + 50 * DAY);
	stop();
}

/* What is left is for what must be written. */
static void without_room_the_time_alone_is_not_written(void **state)
{
	uint64_t written;

	(void)state;
	start_as(&quiet);
	pass(60);
	written = gw_store_written(gw.store);
	gw.reserve.level = GK_STORAGE_SCARCE;
	gw.reserve.look_ms = INT64_MAX;
	pass(3 * DAY);
	assert_int_equal(gw.storage, GK_STORAGE_SCARCE);
	assert_int_equal(gw_store_written(gw.store), written);
	gw.reserve.level = GK_STORAGE_GOOD;
	pass(1);
	assert_true(gw_store_written(gw.store) > written);
	stop();
}

static void when_time_is_corrected_rotations_are_looked_at_again(void **state)
{
	int64_t num;

	(void)state;
	start(GW_STORE_AS_IS);
	use_material();
	rekey();
	use_material();
	num = num_of("a");
	stop();
	machine.utc_s = 5;
	machine.synchronised = false;
	start(GW_STORE_AS_IS);
	pass(60);
	assert_int_equal(num_of("a"), num);
	use_material();
	assert_int_equal(gw_storage_next_expiry(&gw).ms, machine.mono_ms + 60000);

	machine.utc_s = TODAY + 2 * DAY; // NTP: the material is older than rekey.period_s
	machine.synchronised = true;
	pass(1);
	assert_int_equal(gw.clock.source, GW_CLOCK_MACHINE);
	assert_said("clock: it is 2027-03-03T00:00:01Z by the machine's calendar");
	assert_in_range(gw_storage_next_expiry(&gw).ms, machine.mono_ms + 60001,
			machine.mono_ms + HOUR * 1000); // for the time alone
	pass(1);
	assert_int_equal(num_of("a"), num + 1);
	stop();
}

static void a_jump_and_a_jump_back_change_nothing_and_are_said_once(void **state)
{
	int64_t num;

	(void)state;
	start(GW_STORE_AS_IS);
	use_material();
	num = num_of("a");
	machine.utc_s += YEAR;
	machine.synchronised = false;
	for (int i = 0; i < 60; i++)
		pass(60);
	assert_int_equal(gw_now(&gw).utc.s, TODAY + HOUR);
	assert_int_equal(count_said("clock: it is "), 1);
	assert_said("by elapsed time, since the machine's calendar has jumped");
	machine.utc_s -= YEAR;
	pass(60);
	assert_int_equal(gw_now(&gw).utc.s, machine.utc_s);
	assert_int_equal(count_said("clock: it is "), 2);
	assert_int_equal(num_of("a"), num);
	stop();
}

static void what_the_kernel_says_of_its_clock_counts(void **state)
{
	(void)state;
	start(GW_STORE_AS_IS);
	machine.utc_s -= 2 * HOUR;
	machine.synchronised = false;
	for (int i = 0; i < 120; i++)
		pass(60);
	assert_int_equal(gw_now(&gw).utc.s, TODAY + 2 * HOUR);
	machine.synchronised = true;
	for (int i = 0; i < 61; i++)
		pass(60);
	assert_int_equal(gw_now(&gw).utc.s, machine.utc_s);
	assert_true(machine.utc_s < TODAY + 2 * HOUR);
	stop();
}

static void a_small_step_is_followed_and_said(void **state)
{
	(void)state;
	start(GW_STORE_AS_IS);
	pass(1);
	assert_int_equal(count_said("clock: it is "), 0);
	machine.utc_s += HOUR / 2;
	pass(1);
	assert_int_equal(gw_now(&gw).utc.s, TODAY + HOUR / 2 + 2);
	pass(1);
	assert_int_equal(count_said("clock: it is 2027-03-01T00:30:02Z by the machine's"), 1);
	assert_int_equal(count_said("clock: it is "), 1);
	stop();
}

static void adopting_believes_the_clock(void **state)
{
	(void)state;
	start(GW_STORE_AS_IS);
	pass(YEAR);
	stop();
	unlink(mark);
	machine.utc_s = TODAY;
	machine.synchronised = false;
	start(GW_STORE_ADOPT);
	assert_int_equal(gw.clock.source, GW_CLOCK_MACHINE);
	assert_int_equal(gw_now(&gw).utc.s, TODAY);
	stop();
	start(GW_STORE_AS_IS);
	assert_int_equal(gw.clock.source, GW_CLOCK_MACHINE);
	stop();
}

/*
 * Room
 */

static void a_quiet_day_writes_nothing(void **state)
{
	uint64_t written;

	(void)state;
	start(GW_STORE_AS_IS);
	pass(60);
	written = gw_store_written(gw.store);
	assert_true(written > 0);
	for (int minute = 0; minute < 23 * 60; minute++)
		pass(60);
	assert_int_equal(gw_store_written(gw.store), written);
	stop();
}

static void a_read_only_store_is_left_alone_and_said_once(void **state)
{
	uint64_t written;
	int64_t num;

	(void)state;
	start(GW_STORE_AS_IS);
	num = num_of("a");
	machine.read_only = true;
	pass(1);
	assert_int_equal(gw.storage, GK_STORAGE_NONE);
	assert_true(gw.outbox.held);
	written = gw_store_written(gw.store);
	assert_int_equal(rekey(), GK_ERR_NO_SPACE);
	gw_daemon_turn(&gw);
	assert_int_equal(machine.deadline_ms, machine.mono_ms + 1000);
	for (int i = 0; i < 100; i++)
		pass(1);
	assert_true(gw_serve_ready(&gw));
	assert_int_equal(gw_store_written(gw.store), written);
	assert_int_equal(count_said("full, or read-only; what has to be written"), 1);

	machine.read_only = false;
	pass(1);
	assert_int_equal(gw.storage, GK_STORAGE_GOOD);
	assert_false(gw.outbox.held);
	assert_int_equal(count_said("there is room again"), 1);
	assert_int_equal(rekey(), GK_OK);
	assert_int_equal(num_of("a"), num + 1);
	stop();
}

static void a_new_group_waits_until_it_can_be_stored(void **state)
{
	static const struct how three = {
		.groups = "{ name = \"a\"; }, { name = \"b\"; }, { name = \"c\"; }",
	};

	(void)state;
	start(GW_STORE_AS_IS);
	stop();
	machine.read_only = true;
	start_as(&three);
	assert_int_equal(num_of("a"), 0); // those that are there are served
	assert_said("group c: new, and not served until it can be stored");
	machine.read_only = false;
	pass(1);
	assert_int_equal(num_of("c"), 0);
	stop();
}

static void at_the_end_nothing_is_tried_on_a_read_only_store(void **state)
{
	(void)state;
	start(GW_STORE_AS_IS);
	stop();
	start(GW_STORE_AS_IS);
	machine.read_only = true;
	pass(HOUR);
	stop();
	machine.read_only = false;
	machine.utc_s = 5;
	start(GW_STORE_AS_IS);
	assert_int_equal(gw_now(&gw).utc.s, TODAY);
	stop();
}

static void an_end_at_which_no_time_has_passed_writes_nothing(void **state)
{
	static char before[1 << 16], after[1 << 16];
	const char *const paths[] = { db, mark };

	(void)state;
	start(GW_STORE_AS_IS);
	stop();
	for (size_t i = 0; i < 2; i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		ssize_t len = read(fd, before, sizeof(before));
		start(GW_STORE_AS_IS);
		stop();
		assert_int_equal(pread(fd, after, sizeof(after), 0), len);
		assert_memory_equal(before, after, (size_t)len);
		close(fd);
	}
}

static void write_until_full(const char *path)
{
	static const uint8_t bytes[1024];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	while (write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
	close(fd);
}

/* Leaves and rekeyings are written into the room of the reserve. */
static void a_full_store_takes_what_must_be_written(void **state)
{
	char filler[64];
	int64_t num;

	(void)state;
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("test", dir, "tmpfs", 0, "size=1m,mode=700") != 0)
		skip();
	set_up(NULL);
	snprintf(filler, sizeof(filler), "%s/filler", dir);
	start(GW_STORE_AS_IS);
	rekey();
	assert_true(is_there(reserve));
	num = num_of("a");
	write_until_full(filler);
	pass(1);
	assert_int_equal(gw.storage, GK_STORAGE_SCARCE);
	assert_true(is_there(reserve));

	assert_int_equal(rekey(), GK_OK);
	assert_true(gw_serve_ready(&gw));
	assert_int_equal(num_of("a"), num + 1);
	assert_false(is_there(reserve));
	pass(1);
	assert_int_equal(rekey(), GK_OK);
	unlink(filler);
	pass(1);
	assert_int_equal(gw.storage, GK_STORAGE_GOOD);
	assert_true(is_there(reserve));
	stop();
	start(GW_STORE_AS_IS);
	assert_int_equal(num_of("a"), num + 2);
	stop();
	umount2(dir, MNT_DETACH);
}

/*
 * The end, and SIGHUP
 */

static int waiting, committed;

static bool take_one(void *ctx, struct gk_event *event)
{
	static const uint8_t bytes[] = { 1 };

	(void)ctx;
	*event = (struct gk_event){ .kind = GK_EVENT_STORE };
	event->record = (struct gk_record){ GK_TABLE_MEMBER, gk_span(bytes, 1), gk_span(bytes, 1),
					    .may_wait = true };
	return waiting-- > 0;
}

static int count_commit(void *ctx, const struct gk_record *records, size_t count)
{
	(void)ctx, (void)records;
	committed += (int)count;
	return 0;
}

static void what_may_wait_is_waited_for_and_written_at_the_end(void **state)
{
	static const struct gw_outlets outlets = { take_one, count_commit, NULL };

	(void)state;
	start(GW_STORE_AS_IS);
	waiting = 1;
	committed = 0;
	gw.outbox.outlets = &outlets;
	pass(1);
	assert_int_equal(committed, 0);
	gw_daemon_turn(&gw);
	assert_int_equal(machine.deadline_ms, machine.mono_ms + GW_OUTBOX_WAIT_MS);
	stop();
	assert_int_equal(committed, 1);
}

static void the_file_is_read_whether_the_store_can_be_written_or_not(void **state)
{
	static const int errors[] = { 0, -EIO };

	(void)state;
	start(GW_STORE_AS_IS);
	for (int i = 0; i < 2; i++) {
		gw.outbox.error = errors[i];
		raise(SIGHUP);
		assert_int_equal(io_loop_turn(gw.loop, (struct gk_mono){ 0 }), 0);
		// there is none of that name, and all goes on
		assert_int_equal(count_said("conf: conf: No such file"), i + 1);
		assert_false(gw.stopping);
	}
	gw.outbox.error = 0;
	stop();
}

/* The KDC is ahead of its store then, and left alone. */
static void while_the_store_refuses_the_kdc_is_told_nothing(void **state)
{
	(void)state;
	start(GW_STORE_AS_IS);
	gw.outbox.error = -EIO;
	gw.outbox.retry_ms = INT64_MAX;
	machine.read_only = true;
	machine.utc_s += YEAR;
	pass(60);
	assert_int_equal(gw.storage, GK_STORAGE_GOOD);
	assert_int_equal(gw.clock.source, GW_CLOCK_MACHINE);
	assert_int_equal(gw_storage_next_expiry(&gw).ms, GK_NEVER);
	gw.outbox.error = 0;
	pass(60);
	assert_int_equal(gw.storage, GK_STORAGE_NONE);
	assert_int_equal(gw.clock.source, GW_CLOCK_HELD);
	gw.outbox.error = -EIO;
	assert_int_equal(gw_storage_next_expiry(&gw).ms, GK_NEVER);
	stop();
}

/* Else an old store could be settled by the time alone, and its keys used. */
static void while_the_store_refuses_the_time_is_not_written_either(void **state)
{
	(void)state;
	start(GW_STORE_AS_IS);
	stop();
	start(GW_STORE_AS_IS);
	pass(HOUR);
	gw.outbox.error = -EIO;
	gw.outbox.retry_ms = INT64_MAX;
	stop();
	machine.utc_s = 5;
	start(GW_STORE_AS_IS);
	assert_int_equal(gw_now(&gw).utc.s, TODAY);
	stop();
}

static int make_dir(void **state)
{
	(void)state;
	alarm(HANGS_S);
	log_open("test", LOG_LEVEL_INFO, false);
	standard_error = dup(STDERR_FILENO);
	if (!mkdtemp(dir))
		return -1;
	snprintf(db, sizeof(db), "%s/state/gatewayd.db", dir);
	snprintf(as_key, sizeof(as_key), "%s/state/as.key", dir);
	snprintf(reserve, sizeof(reserve), "%s/state/reserve", dir);
	snprintf(mark, sizeof(mark), "%s/marks/mark", dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_first_start_makes_what_is_missing_and_says_so),
		TEST(a_backup_is_disowned_aloud_and_once),
		TEST(a_store_that_is_gone_begins_above_what_was),
		TEST(a_key_that_is_older_than_a_new_store_is_said),
		TEST(a_key_that_is_missing_beside_a_store_is_not_made_anew),
		TEST(begun_anew_for_want_of_a_key_the_mark_stays_in_effect),
		TEST(a_mark_in_memory_is_said_at_every_start),
		TEST(a_state_dir_that_others_may_look_into_is_said),
		TEST(a_store_without_its_mark_is_refused_until_it_is_adopted),
		TEST(begun_blindly_old_tokens_are_void),
		TEST(a_key_of_an_authorization_server_stays_with_a_warning),
		TEST(begun_anew_with_its_mark_the_key_stays),
		TEST(a_store_that_is_not_refused_is_left_alone),
		TEST(a_group_that_is_not_in_the_file_is_named),
		TEST(the_highest_time_outlives_a_restart),
		TEST(a_commit_takes_the_time_along),
		TEST(of_a_long_quiet_time_a_power_cut_takes_little),
		TEST(without_room_the_time_alone_is_not_written),
		TEST(when_time_is_corrected_rotations_are_looked_at_again),
		TEST(a_jump_and_a_jump_back_change_nothing_and_are_said_once),
		TEST(what_the_kernel_says_of_its_clock_counts),
		TEST(a_small_step_is_followed_and_said),
		TEST(adopting_believes_the_clock),
		TEST(a_quiet_day_writes_nothing),
		TEST(a_read_only_store_is_left_alone_and_said_once),
		TEST(a_new_group_waits_until_it_can_be_stored),
		TEST(at_the_end_nothing_is_tried_on_a_read_only_store),
		TEST(an_end_at_which_no_time_has_passed_writes_nothing),
		TEST(a_full_store_takes_what_must_be_written),
		TEST(what_may_wait_is_waited_for_and_written_at_the_end),
		TEST(the_file_is_read_whether_the_store_can_be_written_or_not),
		TEST(while_the_store_refuses_the_kdc_is_told_nothing),
		TEST(while_the_store_refuses_the_time_is_not_written_either),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
