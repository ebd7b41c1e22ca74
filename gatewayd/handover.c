// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/handover.h"
#include "io/dir.h"
#include "io/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 16

/* One directory. */
struct handover {
	const struct gw_conf *conf;
	const struct gw_owner *owner;
	const char *option;
	char dir[PATH_MAX];         /* links on the way give way to what they say */
	char foreign[NAME_MAX + 1]; /* something in it that is not ours; "": nothing is */
	size_t ours;
	char *error;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct handover *handover,
							 const char *format, ...)
{
	char text[PATH_MAX + 512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(handover->error, handover->size, "%s: %s", handover->option, text);
	return false;
}

static bool refuse_errno(const struct handover *handover, const char *what)
{
	return refuse(handover, "%s: %s: %s", handover->dir, what, strerror(errno));
}

/*
 * The way to it
 */

enum way {
	OF_ROOT,  /* to the end */
	OF_USER,  /* of root, and the end is the user's */
	MISSING,  /* of root, and the end is not there */
	LINK,     /* of root, to a symbolic link of root's */
	UNCERTAIN /* somebody else can decide what is found there */
};

/* Whoever may write to a directory can rename() what is in it, so that one that others may write to
 * does not count as root's, unless it is sticky, as /tmp: there they can rename what is theirs. */
static bool is_of_root(const struct stat *st)
{
	return st->st_uid == 0 &&
	       (!S_ISDIR(st->st_mode) || !(st->st_mode & 022) || (st->st_mode & S_ISVTX));
}

static enum way look_at(const char *path, bool last, uid_t user)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return last && errno == ENOENT ? MISSING : UNCERTAIN;
	if (is_of_root(&st))
		return S_ISLNK(st.st_mode) ? LINK : OF_ROOT;
	return last && st.st_uid == user && S_ISDIR(st.st_mode) ? OF_USER : UNCERTAIN;
}

/* As far as each directory on the way is root's: nobody else can replace a name in it after lstat()
 * has looked. @param end  gets where the path ends that was looked at last */
static enum way walk_to_link(const struct handover *handover, size_t *end)
{
	char path[PATH_MAX];
	enum way way = look_at("/", false, handover->owner->uid);

	for (size_t at = 1; way == OF_ROOT && handover->dir[at]; at++) {
		at += strcspn(handover->dir + at, "/");
		memcpy(path, handover->dir, at);
		path[at] = '\0';
		*end = at;
		bool last = handover->dir[at + strspn(handover->dir + at, "/")] == '\0';
		way = look_at(path, last, handover->owner->uid);
		if (last)
			break;
	}
	return way;
}

/* The link's target takes its place in the path, to be walked from the start: directories on that
 * way may be somebody else's. */
static bool follow(struct handover *handover, size_t end)
{
	char target[PATH_MAX], rest[PATH_MAX];
	char *name, *dir = handover->dir;
	ssize_t len;

	strcpy(rest, dir + end);
	dir[end] = '\0';
	len = readlink(dir, target, sizeof(target));
	name = strrchr(dir, '/') + 1;
	if (len <= 0 || (size_t)(name - dir) + (size_t)len + strlen(rest) >= sizeof(handover->dir))
		return false;
	if (target[0] == '/')
		name = dir;
	memcpy(name, target, (size_t)len);
	strcpy(name + len, rest);
	return true;
}

static enum way walk(struct handover *handover)
{
	size_t end = 0;

	for (unsigned links = 0; links < LINKS_MAX; links++) {
		enum way way = walk_to_link(handover, &end);
		if (way != LINK)
			return way;
		if (!follow(handover, end))
			break;
	}
	return UNCERTAIN;
}

/*
 * What is in it
 */

static const char *base_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : NULL;
}

/* Also what is made beside it: a journal, one that is new, one that was moved away. */
static bool is_named_for(const char *name, const char *file)
{
	static const char *const beside[] = {
		"-journal", "-wal", "-shm", ".new", ".old", ".fresh"
	};
	size_t len = file ? strlen(file) : 0;

	if (len == 0 || strncmp(name, file, len) != 0)
		return false;
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		if (strncmp(name + len, beside[i], strlen(beside[i])) == 0)
			return true;
	}
	return name[len] == '\0';
}

static bool is_ours(const struct gw_conf *conf, const char *name)
{
	const char *const ours[] = {
		"gatewayd.db",
		"as.key",
		"reserve",
		base_of(conf->mark),
		base_of(conf->control),
		base_of(conf->as_key_file),
		base_of(conf->as_public_key_file),
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (is_named_for(name, ours[i]))
			return true;
	}
	return false;
}

/* lost+found is there if the directory is a file system of its own. */
static bool is_nobodys(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
}

static void count_name(struct handover *handover, int dir, const char *name)
{
	(void)dir;
	if (is_ours(handover->conf, name))
		handover->ours++;
	else
		snprintf(handover->foreign, sizeof(handover->foreign), "%s", name);
}

/* O_PATH: what fstat() looks at is what fchownat() gives, and nothing is opened, as a FIFO would
 * be. With a second hard link it stays: the other name may be in /etc. */
static void give_file(struct handover *handover, int dir, const char *name)
{
	const struct gw_owner *owner = handover->owner;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || !is_ours(handover->conf, name) || fstat(fd, &st) != 0 ||
	    st.st_uid == owner->uid || S_ISSOCK(st.st_mode))
		goto out;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != 0)
		log_warnx("daemon", "%s/%s: not a file of root's alone; it stays as it is",
			  handover->dir, name);
	else if (fchownat(fd, "", owner->uid, owner->gid, AT_EMPTY_PATH) != 0)
		log_warn("daemon", "%s/%s: cannot be given to %s", handover->dir, name,
			 owner->name);
out:
	if (fd >= 0)
		close(fd);
}

static bool for_each(struct handover *handover, int dir,
		     void (*act)(struct handover *handover, int dir, const char *name))
{
	// Its own place in the directory, and its own descriptor to close.
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *names = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!names) {
		if (fd >= 0)
			close(fd);
		return refuse_errno(handover, "cannot be read");
	}
	while ((entry = readdir(names))) {
		if (!is_nobodys(entry->d_name))
			act(handover, dir, entry->d_name);
	}
	closedir(names);
	return true;
}

/*
 * The directory
 */

/* Nobody else's directory shall become the user's for a slip of the pen, as /root, /run or /etc. */
static bool may_be_given(struct handover *handover, int dir, const struct stat *st)
{
	const char *dir_name = handover->dir, *user = handover->owner->name;

	if (!for_each(handover, dir, count_name))
		return false;
	if (handover->foreign[0])
		return refuse(handover,
			      "%s is root's, and has more in it than what is gatewayd's (%s): "
			      "name a directory that has not, or 'chown %s %s'",
			      dir_name, handover->foreign, user, dir_name);
	if (handover->ours == 0 && (st->st_mode & 077))
		return refuse(handover,
			      "%s is root's, and open to others: name a directory that is for "
			      "gatewayd alone, or 'chown %s %s'",
			      dir_name, user, dir_name);
	return true;
}

/* The directory is the last to go: what is interrupted is done again by the next start. */
static bool give(struct handover *handover, int dir)
{
	const struct gw_owner *owner = handover->owner;
	struct stat st;

	if (fstat(dir, &st) != 0)
		return refuse_errno(handover, "cannot be looked at");
	if (st.st_uid != 0 && st.st_uid != owner->uid)
		return true; // it is refused by whoever needs it
	if (st.st_uid == 0 && !may_be_given(handover, dir, &st))
		return false;
	if (!for_each(handover, dir, give_file))
		return false;
	if (st.st_uid == 0 && fchown(dir, owner->uid, owner->gid) != 0)
		return refuse_errno(handover, "cannot be given to the user");
	return true;
}

/* The one above, for the name that was made in it. */
static int sync_parent(const struct handover *handover)
{
	char parent[PATH_MAX + sizeof("/..")];

	snprintf(parent, sizeof(parent), "%s/..", handover->dir);
	return io_dir_sync(parent);
}

static bool prepare(struct handover *handover)
{
	enum way way = walk(handover);
	int dir;
	bool ok;

	if (way == UNCERTAIN)
		return true;
	if (way == MISSING && (mkdir(handover->dir, 0700) != 0 || sync_parent(handover) != 0))
		return refuse_errno(handover, "cannot be made");
	if (handover->owner->uid == 0)
		return true;
	dir = open(handover->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return refuse_errno(handover, "cannot be opened");
	ok = give(handover, dir);
	close(dir);
	return ok;
}

/*
 * All of them
 */

/* @param act  what is done with each of the three */
static bool with_each(struct handover *handover, bool (*act)(struct handover *handover))
{
	const struct gw_conf *conf = handover->conf;
	const struct {
		const char *option, *file;
	} rows[] = { { "mark", conf->mark }, { "control", conf->control } };

	handover->option = "state_dir";
	snprintf(handover->dir, sizeof(handover->dir), "%s", conf->state_dir);
	if (!act(handover))
		return false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		handover->option = rows[i].option;
		handover->foreign[0] = '\0';
		handover->ours = 0;
		if (!io_dir_of(rows[i].file, handover->dir, sizeof(handover->dir)))
			return refuse(handover, "longer than a path can be");
		if (!act(handover))
			return false;
	}
	return true;
}

bool gw_handover(const struct gw_conf *conf, const struct gw_owner *owner, char *error, size_t size)
{
	struct handover handover = { .conf = conf, .owner = owner, .error = error, .size = size };

	return with_each(&handover, prepare);
}

/* ENOENT is fine: as the user we make what is missing, if we can. */
static bool check(struct handover *handover)
{
	if (access(handover->dir, R_OK | W_OK | X_OK) == 0 || errno == ENOENT)
		return true;
	return refuse(handover,
		      "%s: %s cannot write there: %s; it must be %s's, and each directory above "
		      "let it through",
		      handover->dir, handover->owner->name, strerror(errno), handover->owner->name);
}

bool gw_handover_check(const struct gw_conf *conf, const char *user, char *error, size_t size)
{
	const struct gw_owner owner = { .name = user };
	struct handover handover = { .conf = conf, .owner = &owner, .error = error, .size = size };

	return with_each(&handover, check);
}
