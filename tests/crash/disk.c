// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A disk with a cache that may write back in any order. A file's content is on the medium once the
 * file was synced, its name once the directory was. A write is made of sectors, a length and a
 * change of names are one thing each; a name in a new directory is worth nothing without that.
 */
#include "tests/crash/crash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX  128
#define NAMES_MAX  256
#define PATH_LEN   96
#define COPIES_MAX 32
#define ROOT       "/flash"
#define SECTOR     512
#define ROOM       (1u << 20) /* free at the beginning */
#define BLOCK      4096

/* Bytes of a file, as they are now or on the medium. */
struct content {
	uint8_t *data;
	size_t len, cap;
};

/* A write, or with at < 0 a new length. */
struct change {
	struct change *next;
	int64_t at;
	size_t len;
	uint8_t data[];
};

struct file {
	bool used, is_dir;
	unsigned mode;
	struct content now, safe;
	struct change *changes, **end;
};

struct name {
	char path[PATH_LEN];
	int now, safe; /* files; -1: nothing of that name */
};

/* 'file' gets the name 'to' (-1: nobody), and what was called 'from' is not called so any more. */
struct renaming {
	struct renaming *next;
	int file;
	char to[PATH_LEN], from[PATH_LEN];
};

static struct file files[FILES_MAX];
static struct name names[NAMES_MAX];
static size_t name_count;
static struct renaming *renamings;
static enum fault fault;
static uint64_t room;

void disk_parent(const char *path, char *parent, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	snprintf(parent, size, "%.*s", (int)len, path);
}

static struct name *name_of(const char *path)
{
	for (size_t i = 0; i < name_count; i++) {
		if (strcmp(names[i].path, path) == 0)
			return &names[i];
	}
	if (name_count == NAMES_MAX || strlen(path) >= PATH_LEN)
		abort();
	struct name *name = &names[name_count++];
	snprintf(name->path, sizeof(name->path), "%s", path);
	name->now = name->safe = -1;
	return name;
}

void disk_begin(void)
{
	files[0] = (struct file){ .used = true, .is_dir = true, .mode = 0755 };
	files[0].end = &files[0].changes;
	name_of(ROOT)->now = name_of(ROOT)->safe = 0;
	room = ROOM;
}

int disk_find(const char *path)
{
	int file = name_of(path)->now;

	return file < 0 ? -ENOENT : file;
}

/* content */

static void resize(struct content *content, size_t len)
{
	if (len > content->cap) {
		content->cap = len + len / 2 + BLOCK;
		content->data = must_alloc(content->data, content->cap);
	}
	if (len > content->len)
		memset(content->data + content->len, 0, len - content->len);
	content->len = len;
}

static void put(struct content *content, size_t at, const uint8_t *bytes, size_t len)
{
	if (at + len > content->len)
		resize(content, at + len);
	if (len)
		memcpy(content->data + at, bytes, len);
}

static uint64_t blocks(uint64_t len)
{
	return (len + BLOCK - 1) / BLOCK * BLOCK;
}

static void add_change(struct file *file, int64_t at, const void *bytes, size_t len)
{
	struct change *change = must_alloc(NULL, sizeof(*change) + (at < 0 ? 0 : len));

	*change = (struct change){ .at = at, .len = len };
	if (at >= 0 && len)
		memcpy(change->data, bytes, len);
	*file->end = change;
	file->end = &change->next;
}

static void drop_changes(struct file *file)
{
	while (file->changes) {
		struct change *change = file->changes;
		file->changes = change->next;
		free(change);
	}
	file->end = &file->changes;
}

/* a write in part */

static void put_sectors(struct content *safe, const struct change *change)
{
	size_t done = 0;

	while (done < change->len) {
		size_t at = (size_t)change->at + done;
		size_t part = SECTOR - at % SECTOR;
		uint64_t luck = chance() % 16;

		if (part > change->len - done)
			part = change->len - done;
		if (luck < 7)
			put(safe, at, change->data + done, part);
		else if (luck < 9) // torn: the beginning is new
			put(safe, at, change->data + done, (size_t)chance() % part);
		else if (luck < 10) // the length is new, the content is not
			put(safe, at + part, NULL, 0);
		done += part;
	}
}

static void lose(struct file *file, enum loss loss)
{
	for (struct change *change = file->changes; change; change = change->next) {
		if (loss == LOSS_ALL)
			continue;
		if (change->at < 0 && (loss == LOSS_NONE || chance() % 2))
			resize(&file->safe, change->len);
		else if (change->at >= 0 && loss == LOSS_NONE)
			put(&file->safe, (size_t)change->at, change->data, change->len);
		else if (change->at >= 0)
			put_sectors(&file->safe, change);
	}
	drop_changes(file);
	file->now.len = 0;
	put(&file->now, 0, file->safe.data, file->safe.len);
}

/* names */

static void apply(const struct renaming *renaming)
{
	if (renaming->from[0])
		name_of(renaming->from)->safe = -1;
	if (renaming->to[0])
		name_of(renaming->to)->safe = renaming->file;
}

static bool is_in(const struct renaming *renaming, const char *dir)
{
	char parent[PATH_LEN];

	disk_parent(renaming->to[0] ? renaming->to : renaming->from, parent, sizeof(parent));
	return !dir || strcmp(parent, dir) == 0;
}

/* Those of one directory, or all. */
static void apply_renamings(const char *dir, enum loss loss)
{
	for (struct renaming **at = &renamings; *at;) {
		struct renaming *renaming = *at;

		if (!is_in(renaming, dir)) {
			at = &renaming->next;
			continue;
		}
		if (loss == LOSS_NONE || (loss == LOSS_SOME && chance() % 2))
			apply(renaming);
		*at = renaming->next;
		free(renaming);
	}
}

static void change_names(int file, const char *to, const char *from)
{
	struct renaming *renaming = must_alloc(NULL, sizeof(*renaming));
	struct renaming **end = &renamings;

	tell("disk: '%s' is '%s' now", from, to);
	*renaming = (struct renaming){ .file = file };
	snprintf(renaming->to, sizeof(renaming->to), "%s", to);
	snprintf(renaming->from, sizeof(renaming->from), "%s", from);
	while (*end)
		end = &(*end)->next;
	*end = renaming;
	if (from[0])
		name_of(from)->now = -1;
	if (to[0])
		name_of(to)->now = file;
	point(POINT_RENAME);
}

/* What has no name any more, and nobody has open: all is closed after a power cut. */
static void collect(void)
{
	bool named[FILES_MAX] = { false };

	for (size_t i = 0; i < name_count; i++) {
		if (names[i].now >= 0)
			named[names[i].now] = true;
	}
	for (int i = 0; i < FILES_MAX; i++) {
		if (!files[i].used || named[i])
			continue;
		free(files[i].now.data);
		free(files[i].safe.data);
		files[i] = (struct file){ 0 };
	}
}

/* A name goes with the directory that it is in. */
static void drop_orphans(void)
{
	char parent[PATH_LEN];

	for (size_t i = 0; i < name_count; i++) {
		if (strcmp(names[i].path, ROOT) == 0)
			continue;
		disk_parent(names[i].path, parent, sizeof(parent));
		if (names[i].now >= 0 && name_of(parent)->now < 0)
			names[i].now = names[i].safe = -1;
	}
}

bool disk_pending(void)
{
	bool pending = renamings != NULL;

	for (int i = 0; i < FILES_MAX; i++)
		pending |= files[i].used && files[i].changes;
	return pending;
}

void disk_cut(enum loss loss)
{
	disk_fault(FAULT_NONE);
	apply_renamings(NULL, loss);
	for (int i = 0; i < FILES_MAX; i++) {
		if (files[i].used)
			lose(&files[i], loss);
	}
	for (size_t i = 0; i < name_count; i++)
		names[i].now = names[i].safe;
	drop_orphans();
	collect();
}

/* faults */

void disk_fault(enum fault wanted)
{
	fault = wanted;
	room = wanted == FAULT_FULL ? 0 : ROOM;
}

enum fault disk_fault_now(void)
{
	return fault;
}

uint64_t disk_free_bytes(void)
{
	return room;
}

static int may_change(void)
{
	return fault == FAULT_READ_ONLY ? -EROFS : fault == FAULT_IO ? -EIO : 0;
}

static int take_room(const struct file *file, uint64_t len)
{
	uint64_t had = blocks(file->now.len), wants = blocks(len);

	if (wants > had && wants - had > room)
		return -ENOSPC;
	room += had;
	room -= wants;
	return 0;
}

/* what can be done */

/* For traces. */
static const char *name_now(int file)
{
	for (size_t i = 0; i < name_count; i++) {
		if (names[i].now == file)
			return names[i].path;
	}
	return "(nameless)";
}

int disk_create(const char *path, bool is_dir, unsigned mode)
{
	char parent[PATH_LEN];
	int err = may_change(), i = 0;

	disk_parent(path, parent, sizeof(parent));
	if (!err && disk_find(path) >= 0)
		err = -EEXIST;
	if (!err && disk_find(parent) < 0)
		err = -ENOENT;
	if (!err && fault == FAULT_FULL && room < BLOCK)
		err = -ENOSPC;
	if (err)
		return err;
	while (files[i].used)
		if (++i == FILES_MAX)
			abort();
	files[i] = (struct file){ .used = true, .is_dir = is_dir, .mode = mode };
	files[i].end = &files[i].changes;
	change_names(i, path, "");
	return i;
}

int disk_link(int file, const char *path)
{
	int err = may_change();

	if (!err && disk_find(path) >= 0)
		err = -EEXIST;
	if (!err)
		change_names(file, path, "");
	return err;
}

int disk_unlink(const char *path)
{
	int file = disk_find(path);
	int err = file < 0 ? file : may_change();

	if (err)
		return err;
	room += blocks(files[file].now.len);
	change_names(-1, "", path);
	return 0;
}

int disk_rename(const char *from, const char *to)
{
	int file = disk_find(from);
	int err = file < 0 ? file : may_change();

	if (!err)
		change_names(file, to, from);
	return err;
}

int disk_sync_dir(const char *path)
{
	tell("disk: sync %s", path);
	point(POINT_SYNC);
	if (may_change() == -EIO)
		return -EIO;
	apply_renamings(path, LOSS_NONE);
	return 0;
}

int disk_sync(int file)
{
	tell("disk: sync %s", name_now(file));
	point(POINT_SYNC);
	if (may_change() == -EIO)
		return -EIO;
	drop_changes(&files[file]);
	files[file].safe.len = 0;
	put(&files[file].safe, 0, files[file].now.data, files[file].now.len);
	return 0;
}

int disk_write(int file, int64_t at, const void *bytes, size_t len)
{
	struct file *f = &files[file];
	size_t end = (size_t)at + len;
	int err = may_change();

	if (!err && end > f->now.len)
		err = take_room(f, end);
	if (err)
		return err;
	tell("disk: write %s, %zu bytes at %lld", name_now(file), len, (long long)at);
	add_change(f, at, bytes, len);
	put(&f->now, (size_t)at, bytes, len);
	point(POINT_WRITE);
	return 0;
}

int disk_truncate(int file, int64_t len)
{
	struct file *f = &files[file];
	int err = may_change();

	if (!err)
		err = take_room(f, (uint64_t)len);
	if (err)
		return err;
	tell("disk: %s gets %lld bytes long", name_now(file), (long long)len);
	add_change(f, -1, NULL, (size_t)len);
	resize(&f->now, (size_t)len);
	point(POINT_WRITE);
	return 0;
}

int disk_read(int file, int64_t at, void *bytes, size_t len)
{
	const struct content *now = &files[file].now;
	size_t got = (size_t)at >= now->len ? 0 : now->len - (size_t)at;

	if (got > len)
		got = len;
	if (got)
		memcpy(bytes, now->data + at, got);
	return (int)got;
}

int64_t disk_len(int file)
{
	return (int64_t)files[file].now.len;
}

bool disk_is_dir(int file)
{
	return files[file].is_dir;
}

unsigned disk_mode(int file)
{
	return files[file].mode;
}

/* what happens to it while nobody looks */

static struct copy {
	char path[PATH_LEN];
	uint8_t *data;
	size_t len;
	unsigned mode;
} copies[BACKUPS][COPIES_MAX];

void disk_settle(void)
{
	disk_cut(LOSS_NONE);
}

static bool is_in_dir(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static void copy_file(struct copy *copy, const struct name *name)
{
	const struct file *file = &files[name->now];

	memcpy(copy->path, name->path, sizeof(copy->path));
	copy->len = file->now.len;
	copy->mode = file->mode;
	copy->data = must_alloc(copy->data, copy->len);
	if (copy->len)
		memcpy(copy->data, file->now.data, copy->len);
}

void disk_back_up(int slot, const char *dir)
{
	size_t count = 0;

	for (size_t i = 0; i < COPIES_MAX; i++)
		copies[slot][i].path[0] = '\0';
	for (size_t i = 0; i < name_count; i++) {
		if (names[i].now < 0 || files[names[i].now].is_dir ||
		    !is_in_dir(names[i].path, dir))
			continue;
		if (count == COPIES_MAX)
			abort();
		copy_file(&copies[slot][count++], &names[i]);
	}
}

static bool is_copy_of(const struct copy *copy)
{
	int file = disk_find(copy->path);

	return file >= 0 && files[file].now.len == copy->len &&
	       memcmp(files[file].now.data, copy->data, copy->len) == 0;
}

/* In no directory that would have to be made. */
static void put_file(const char *path, const void *bytes, size_t len, unsigned mode)
{
	int i = 0;

	while (files[i].used)
		if (++i == FILES_MAX)
			abort();
	files[i] = (struct file){ .used = true, .mode = mode };
	files[i].end = &files[i].changes;
	put(&files[i].now, 0, bytes, len);
	put(&files[i].safe, 0, bytes, len);
	name_of(path)->now = name_of(path)->safe = i;
}

void disk_put(const char *path, const void *bytes, size_t len)
{
	char parent[PATH_LEN];

	disk_parent(path, parent, sizeof(parent));
	if (disk_find(parent) < 0) {
		put_file(parent, NULL, 0, 0700);
		files[disk_find(parent)].is_dir = true;
	}
	put_file(path, bytes, len, 0600);
	collect();
}

void disk_lose(const char *path)
{
	for (size_t i = 0; i < name_count; i++) {
		if (strcmp(names[i].path, path) == 0 || is_in_dir(names[i].path, path))
			names[i].now = names[i].safe = -1;
	}
	collect();
}

bool disk_put_back(int slot, const char *dir, const char *path)
{
	const struct copy *copy = copies[slot];

	for (size_t i = 0; i < COPIES_MAX; i++) {
		if (strcmp(copy[i].path, path) == 0 && is_copy_of(&copy[i]))
			return false;
	}
	for (size_t i = 0; i < name_count; i++) {
		if (is_in_dir(names[i].path, dir))
			names[i].now = names[i].safe = -1;
	}
	collect();
	for (size_t i = 0; i < COPIES_MAX && copy[i].path[0]; i++)
		put_file(copy[i].path, copy[i].data, copy[i].len, copy[i].mode);
	return true;
}

static void overwrite(struct content *content, size_t at, size_t len)
{
	memset(content->data + at, 0xa5, at + len > content->len ? content->len - at : len);
}

void disk_damage(const char *path, unsigned how)
{
	struct file *file = &files[disk_find(path)];
	size_t len = file->now.len;

	if (how % 4 == 0)
		resize(&file->now, 0);
	else if (how % 4 == 1)
		resize(&file->now, len / 2);
	else if (how % 4 == 2) // what it begins with
		overwrite(&file->now, 0, SECTOR);
	else
		overwrite(&file->now, SECTOR, len - SECTOR);
	file->safe.len = 0;
	put(&file->safe, 0, file->now.data, file->now.len);
}
