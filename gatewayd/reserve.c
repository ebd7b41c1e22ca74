// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/reserve.h"
#include "io/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LOOK_MS INT64_C(1000)
#define MAKE_MS INT64_C(60000) /* where it fails, bytes may have been written */

int gw_reserve_open(struct gw_reserve *reserve, const char *state_dir, const char *mark_path)
{
	char *copy = strdup(mark_path);

	*reserve = (struct gw_reserve){ .look_ms = INT64_MIN, .make_ms = INT64_MIN };
	if (asprintf(&reserve->path, "%s/reserve", state_dir) < 0)
		reserve->path = NULL;
	reserve->state_dir = strdup(state_dir);
	reserve->mark_dir = copy ? strdup(dirname(copy)) : NULL;
	free(copy);
	if (reserve->path && reserve->state_dir && reserve->mark_dir)
		return 0;
	gw_reserve_close(reserve);
	return -ENOMEM;
}

void gw_reserve_close(struct gw_reserve *reserve)
{
	free(reserve->path);
	free(reserve->state_dir);
	free(reserve->mark_dir);
	*reserve = (struct gw_reserve){ .path = NULL };
}

/*
 * Making it
 */

/*
 * One that was interrupted in the making is too short, and one that came from a backup may be all
 * holes. Some file systems count no blocks; there our own is good enough.
 */
static bool exists(const struct gw_reserve *reserve)
{
	struct stat st;

	return lstat(reserve->path, &st) == 0 && st.st_size >= (off_t)GW_RESERVE_BYTES &&
	       (reserve->made || st.st_blocks * 512 >= (blkcnt_t)GW_RESERVE_BYTES);
}

static bool write_random(int fd)
{
	const struct gk_env env = io_env();
	uint8_t bytes[4096];

	for (size_t at = 0; at < GW_RESERVE_BYTES; at += sizeof(bytes)) {
		if (!env.random(env.ctx, bytes, sizeof(bytes)) ||
		    pwrite(fd, bytes, sizeof(bytes), (off_t)at) != (ssize_t)sizeof(bytes))
			return false;
	}
	return true;
}

/* Not posix_fallocate(): where blocks cannot be set aside it writes zeros. */
static bool fill(int fd)
{
	if (fallocate(fd, 0, 0, GW_RESERVE_BYTES) != 0 &&
	    (errno != EOPNOTSUPP || !write_random(fd)))
		return false;
	return fsync(fd) == 0;
}

static bool make(const struct gw_reserve *reserve)
{
	int fd;
	bool ok;

	unlink(reserve->path);
	fd = open(reserve->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	ok = fill(fd);
	close(fd);
	if (!ok)
		unlink(reserve->path);
	return ok;
}

static bool try_to_make(struct gw_reserve *reserve, struct gk_mono now)
{
	if (now.ms < reserve->make_ms)
		return false;
	reserve->made = make(reserve);
	if (!reserve->made)
		reserve->make_ms = now.ms + MAKE_MS;
	return reserve->made;
}

/*
 * The level
 */

/* @param room  gets what we may write there @return false: nothing at all */
static bool measure(const char *dir, uint64_t *room)
{
	struct statvfs fs;

	if (statvfs(dir, &fs) != 0 || (fs.f_flag & ST_RDONLY))
		return false;
	*room = (uint64_t)(geteuid() == 0 ? fs.f_bfree : fs.f_bavail) * fs.f_frsize;
	if (fs.f_blocks == 0) // it has no size, as ramfs
		*room = UINT64_MAX;
	return true;
}

static bool are_together(const char *a, const char *b)
{
	struct stat st_a, st_b;

	return stat(a, &st_a) == 0 && stat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev;
}

/* The reserve counts as room where it is; elsewhere it helps nobody. */
static enum gk_storage judge_room(const struct gw_reserve *reserve, uint64_t room, bool reserved)
{
	uint64_t slack = reserve->level == GK_STORAGE_GOOD ? 0 : GW_RESERVE_SLACK;

	if (room >= GW_RESERVE_NEED + slack)
		return GK_STORAGE_GOOD;
	return reserved || room >= GW_RESERVE_LEAST ? GK_STORAGE_SCARCE : GK_STORAGE_NONE;
}

static enum gk_storage judge_with_reserve(struct gw_reserve *reserve, uint64_t room,
					  struct gk_mono now)
{
	bool reserved = exists(reserve);
	enum gk_storage level = judge_room(reserve, room, reserved);

	if (level != GK_STORAGE_GOOD || reserved)
		return level;
	if (room >= GW_RESERVE_BYTES &&
	    judge_room(reserve, room - GW_RESERVE_BYTES, false) == GK_STORAGE_GOOD &&
	    try_to_make(reserve, now))
		return GK_STORAGE_GOOD;
	return GK_STORAGE_SCARCE;
}

static enum gk_storage judge(struct gw_reserve *reserve, struct gk_mono now)
{
	uint64_t here_room, there_room;
	enum gk_storage here, there;

	if (!measure(reserve->state_dir, &here_room) || !measure(reserve->mark_dir, &there_room))
		return GK_STORAGE_NONE;
	here = judge_with_reserve(reserve, here_room, now);
	if (are_together(reserve->state_dir, reserve->mark_dir))
		return here;
	there = judge_room(reserve, there_room, false);
	return here > there ? here : there;
}

enum gk_storage gw_reserve_look(struct gw_reserve *reserve, struct gk_mono now)
{
	if (now.ms >= reserve->look_ms) {
		reserve->level = judge(reserve, now);
		reserve->look_ms = now.ms + LOOK_MS;
	}
	return reserve->level;
}

bool gw_reserve_give_up(struct gw_reserve *reserve, int err)
{
	if ((err != -ENOSPC && err != -EDQUOT) || unlink(reserve->path) != 0)
		return false;
	reserve->level = GK_STORAGE_SCARCE;
	return true;
}
