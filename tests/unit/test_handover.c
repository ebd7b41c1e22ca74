// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * What root gives to the user of the daemon, and what it keeps, in a directory of its own where the
 * user has been before. Needs root.
 */
#include "gatewayd/handover.h"
#include "gatewayd/privilege.h"
#include "io/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Somebody who needs not exist, and another one. */
#define USER  12345
#define OTHER 23456

static char top[32];
static char state_dir[96], mark[96], control[96], error[GW_PRIVILEGE_ERROR];
static struct gw_conf conf;
static const struct gw_owner owner = { "somebody", USER, USER + 1 };

/* In 'top'; the room of the one before the last is used again. */
static const char *in_top(const char *name)
{
	static char rooms[4][128];
	static size_t next;
	char *path = rooms[next++ % 4];

	snprintf(path, sizeof(rooms[0]), "%s/%s", top, name);
	return path;
}

static void make_dir(const char *name, uid_t uid, mode_t mode)
{
	const char *path = in_top(name);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
	assert_int_equal(chown(path, uid, uid), 0);
}

static void make_file(const char *name, uid_t uid)
{
	const char *path = in_top(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchown(fd, uid, uid), 0);
	close(fd);
}

static void make_link(const char *to, const char *name, uid_t uid)
{
	assert_int_equal(symlink(to, in_top(name)), 0);
	assert_int_equal(lchown(in_top(name), uid, uid), 0);
}

/* Of the name itself, as everywhere here. */
static uid_t owner_of(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(in_top(name), &st), 0);
	return st.st_uid;
}

static const char *in_marks(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "marks/%s", name);
	return path;
}

static bool hand_over(void)
{
	error[0] = '\0';
	return gw_handover(&conf, &owner, error, sizeof(error));
}

static void must_hand_over(void)
{
	if (!hand_over())
		fail_msg("%s", error);
}

static void must_refuse(const char *start, const char *why)
{
	assert_false(hand_over());
	if (strncmp(error, start, strlen(start)) != 0 || !strstr(error, why))
		fail_msg("'%s', not '%s... %s'", error, start, why);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(top, "/tmp/test_handover.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(state_dir, sizeof(state_dir), "%s/state", top);
	snprintf(mark, sizeof(mark), "%s/marks/a.mark", top);
	snprintf(control, sizeof(control), "%s/run/socket", top);
	conf = (struct gw_conf){
		.state_dir = state_dir, .mark = mark, .control = control, .user = NULL
	};
	return 0;
}

static int tear_down(void **state)
{
	char line[64];

	(void)state;
	snprintf(line, sizeof(line), "rm -rf %s", top);
	return system(line);
}

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("SKIP: needs root\n");
	skip();
}

static void what_is_missing_is_made_for_the_user_alone(void **state)
{
	static const char *const dirs[] = { "state", "marks", "run" };
	struct stat st;

	(void)state;
	need_root();
	must_hand_over();
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(stat(in_top(dirs[i]), &st), 0);
		assert_int_equal(st.st_uid, USER);
		assert_int_equal(st.st_gid, USER + 1);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
}

/* A start that is interrupted leaves the directory to root; the next one goes on. */
static void what_an_earlier_start_as_root_left_goes_on(void **state)
{
	static const char *const files[] = {
		"state/gatewayd.db",       "state/gatewayd.db-journal",
		"state/gatewayd.db.old.1", "state/as.key",
		"state/reserve",           "marks/a.mark",
		"marks/a.mark.new",
	};

	(void)state;
	need_root();
	make_dir("state", 0, 0700);
	make_dir("state/lost+found", 0, 0700);
	make_dir("marks", 0, 0755);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		make_file(files[i], i == 1 ? USER : 0);
	must_hand_over();
	assert_int_equal(owner_of("state"), USER);
	assert_int_equal(owner_of("marks"), USER);
	assert_int_equal(owner_of("state/lost+found"), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		assert_int_equal(owner_of(files[i]), USER);
}

static void what_root_put_back_is_given_too(void **state)
{
	(void)state;
	need_root();
	make_dir("state", USER, 0700);
	make_file("state/gatewayd.db", 0);
	make_file("state/as.key", OTHER);
	make_file("state/notes", 0);
	must_hand_over();
	assert_int_equal(owner_of("state/gatewayd.db"), USER);
	assert_int_equal(owner_of("state/as.key"), OTHER);
	assert_int_equal(owner_of("state/notes"), 0);
}

static void directories_for_more_than_us_stay_root_s(void **state)
{
	(void)state;
	need_root();
	make_dir("state", 0, 0700);
	make_file("state/gatewayd.db", 0);
	make_file("state/shadow", 0);
	must_refuse("state_dir: ", "(shadow)");
	assert_int_equal(owner_of("state"), 0);
	assert_int_equal(owner_of("state/gatewayd.db"), 0);
	unlink(in_top("state/shadow"));

	make_dir("run", 0, 0755);
	must_refuse("control: ", "open to others");
	assert_int_equal(owner_of("run"), 0);
	make_file("run/utmp", 0);
	must_refuse("control: ", "(utmp)");
	assert_int_equal(owner_of("run/utmp"), 0);
}

/* What begins with the same letters is somebody else's, as gshadow beside g. */
static void names_are_ours_as_a_whole(void **state)
{
	static const char *const names[] = { "gatewayd", "g", "" };
	static const char *const others[] = { "gatewayd.conf", "gatewayd-keys", "gshadow" };

	(void)state;
	need_root();
	make_dir("marks", 0, 0700);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		make_file(in_marks(others[i]), 0);
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			snprintf(mark, sizeof(mark), "%s/marks/%s", top, names[j]);
			must_refuse("mark: ", others[i]);
			assert_int_equal(owner_of("marks"), 0);
			assert_int_equal(owner_of(in_marks(others[i])), 0);
		}
		unlink(in_top(in_marks(others[i])));
	}
}

static void links_of_the_user_lead_nowhere(void **state)
{
	(void)state;
	need_root();
	make_file("secret", 0);
	make_file("another", 0);
	make_dir("secrets", 0, 0700);
	make_file("secrets/a.mark", 0);
	make_dir("state", USER, 0700);
	make_link("../secret", "state/as.key", USER);
	make_link(in_top("secret"), "state/gatewayd.db", USER);
	assert_int_equal(link(in_top("another"), in_top("state/reserve")), 0);
	assert_int_equal(mkfifo(in_top("state/as.key.old"), 0600), 0);
	must_hand_over();
	assert_int_equal(owner_of("secret"), 0);
	assert_int_equal(owner_of("another"), 0);
	assert_int_equal(owner_of("state/as.key.old"), 0);
	assert_int_equal(owner_of("secrets"), 0);
}

/* In a sticky directory each can put a name that is not there yet. */
static void names_that_the_user_put_on_the_way_lead_nowhere(void **state)
{
	(void)state;
	need_root();
	make_dir("secrets", 0, 0700);
	make_file("secrets/gatewayd.db", 0);
	make_dir("open", 0, 01777);
	make_link("../secrets", "open/state", USER);
	snprintf(state_dir, sizeof(state_dir), "%s/open/state", top);
	must_hand_over();
	assert_int_equal(owner_of("secrets"), 0);
	assert_int_equal(owner_of("secrets/gatewayd.db"), 0);

	make_dir("theirs", USER, 0755);
	make_link("..", "theirs/up", USER);
	snprintf(state_dir, sizeof(state_dir), "%s/theirs/up/secrets", top);
	must_hand_over();
	assert_int_equal(owner_of("secrets"), 0);
	snprintf(state_dir, sizeof(state_dir), "%s/theirs/up/made", top);
	must_hand_over();
	assert_int_equal(access(in_top("made"), F_OK), -1);

	make_dir("writable", 0, 0777);
	make_dir("writable/state", 0, 0700);
	snprintf(state_dir, sizeof(state_dir), "%s/writable/state", top);
	must_hand_over();
	assert_int_equal(owner_of("writable/state"), 0);
}

/* As /var of OpenWrt is one. */
static void links_of_root_are_followed(void **state)
{
	(void)state;
	need_root();
	make_dir("flash", 0, 0755);
	make_dir("flash/state", 0, 0700);
	make_file("flash/state/gatewayd.db", 0);
	make_link("flash", "var", 0);
	snprintf(state_dir, sizeof(state_dir), "%s/var/state", top);
	must_hand_over();
	assert_int_equal(owner_of("flash/state"), USER);
	assert_int_equal(owner_of("flash/state/gatewayd.db"), USER);

	make_link("var", "again", 0);
	make_link(in_top("again/other/"), "end", 0);
	snprintf(state_dir, sizeof(state_dir), "%s/end", top);
	must_hand_over();
	assert_int_equal(owner_of("end"), 0);
	assert_int_equal(owner_of("flash/other"), USER);
}

static void must_leave_secrets(const char *name)
{
	snprintf(state_dir, sizeof(state_dir), "%s/%s", top, name);
	must_hand_over();
	if (owner_of("secrets") != 0 || owner_of("secrets/gatewayd.db") != 0)
		fail_msg("by way of %s", name);
}

/* Root's link is to be trusted, but what it leads through is not. */
static void links_of_root_through_what_is_the_user_s_lead_nowhere(void **state)
{
	(void)state;
	need_root();
	make_dir("secrets", 0, 0700);
	make_file("secrets/gatewayd.db", 0);
	make_dir("theirs", USER, 0755);
	make_link("..", "theirs/up", USER);
	make_link("../secrets", "theirs/state", USER);
	make_link("theirs/up", "way", 0);
	make_link("theirs/state", "end", 0);
	make_link("end", "end_of_end", 0);
	make_link(in_top("theirs/state"), "absolute", 0);
	make_link("circle", "circle", 0);
	must_leave_secrets("way/secrets");
	must_leave_secrets("end");
	must_leave_secrets("end_of_end");
	must_leave_secrets("absolute");
	must_leave_secrets("circle");
	must_leave_secrets("way/made");
	assert_int_equal(access(in_top("made"), F_OK), -1);
}

static void what_belongs_to_others_is_left_alone(void **state)
{
	(void)state;
	need_root();
	make_dir("state", OTHER, 0700);
	make_file("state/gatewayd.db", 0);
	must_hand_over();
	assert_int_equal(owner_of("state"), OTHER);
	assert_int_equal(owner_of("state/gatewayd.db"), 0);
}

static void root_itself_is_given_nothing(void **state)
{
	const struct gw_owner root = { "root", 0, 0 };

	(void)state;
	need_root();
	make_dir("state", 0, 0755);
	make_file("state/shadow", 0);
	assert_true(gw_handover(&conf, &root, error, sizeof(error)));
	assert_int_equal(owner_of("run"), 0);
}

static void a_user_that_there_is_not_is_said(void **state)
{
	char user[] = "no such user";

	(void)state;
	need_root();
	conf.user = user;
	assert_false(gw_privilege_take_user(&conf, error, sizeof(error)));
	assert_non_null(strstr(error, "useradd --system"));
	assert_int_equal(access(in_top("state"), F_OK), -1);
	assert_int_equal(geteuid(), 0);
}

/* Who has become the user can do what it needs; or is told what is in the way. */
static void a_way_that_is_closed_to_the_user_is_said(void **state)
{
	char user[] = "nobody";
	int status;
	pid_t child;

	(void)state;
	need_root();
	conf.user = user;
	child = fork();
	if (child == 0) {
		// 'top' is of mode 0700.
		if (gw_privilege_take_user(&conf, error, sizeof(error)))
			_exit(1);
		_exit(strncmp(error, "state_dir: ", 11) == 0 && strstr(error, "let it through")
			      ? 0
			      : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		RULE(what_is_missing_is_made_for_the_user_alone),
		RULE(what_an_earlier_start_as_root_left_goes_on),
		RULE(what_root_put_back_is_given_too),
		RULE(directories_for_more_than_us_stay_root_s),
		RULE(names_are_ours_as_a_whole),
		RULE(links_of_the_user_lead_nowhere),
		RULE(names_that_the_user_put_on_the_way_lead_nowhere),
		RULE(links_of_root_are_followed),
		RULE(links_of_root_through_what_is_the_user_s_lead_nowhere),
		RULE(what_belongs_to_others_is_left_alone),
		RULE(root_itself_is_given_nothing),
		RULE(a_user_that_there_is_not_is_said),
		RULE(a_way_that_is_closed_to_the_user_is_said),
	};

	log_open("test", LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
