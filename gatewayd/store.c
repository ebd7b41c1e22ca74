// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/store.h"
#include "gatewayd/store_db.h"
#include "gatewayd/store_vfs.h"
#include "io/loop.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gw_store {
	struct gw_store_db store, mark; /* the mark is not open while it is to be replaced */
	char *mark_path;
	struct gw_store_meta meta;      /* of the last commit, or what the first one goes on from */
	struct gw_store_meta mark_meta; /* in the mark's file */
	struct gw_store_time time;      /* for the next commit, */
	struct gw_store_time committed; /* and of the last one */
	enum gw_store_found found;
	bool lasting_from_mark; /* until the first commit: the store's are none, or old */
	bool mark_behind;       /* it is to be written anew from the store */
	bool mark_in_the_way;   /* one that is not ours, or damaged, has its name */
	uint64_t written_before;
};

/* Both files while they are opened. */
struct opening {
	struct gw_store *store;
	struct gw_store_report store_report, mark_report;
	struct gw_store_seen store_seen, mark_seen;
	int store_err, mark_err; /* why it is GW_STORE_DAMAGED, */
	char store_text[GW_STORE_ERROR], mark_text[GW_STORE_ERROR]; /* in words */
	struct gw_store_verdict verdict;
};

/*
 * Commits
 */

/* What is written: the same to both files, or to the mark what is its own. */
struct batch {
	struct gw_store *store;
	const struct gk_record *records;
	size_t count;
	struct gw_store_meta meta;
};

static int write_store(struct gw_store_db *db, const void *ctx)
{
	const struct batch *batch = ctx;
	int err = 0;

	// Written again after a failure: the batch is what it was.
	if (batch->store->lasting_from_mark)
		err = gw_store_db_copy_lasting(db, &batch->store->mark);
	for (size_t i = 0; !err && i < batch->count; i++)
		err = gw_store_db_put(db, &batch->records[i]);
	return err ? err : gw_store_db_put_meta(db, &batch->meta);
}

static int write_mark(struct gw_store_db *db, const void *ctx)
{
	const struct batch *batch = ctx;
	int err = 0;

	if (batch->store->mark_behind)
		err = gw_store_db_copy_lasting(db, &batch->store->store);
	for (size_t i = 0; !err && i < batch->count; i++) {
		if (batch->records[i].table >= GK_TABLE_LASTING)
			err = gw_store_db_put(db, &batch->records[i]);
	}
	return err ? err : gw_store_db_put_meta(db, &batch->meta);
}

static int write_meta(struct gw_store_db *db, const void *ctx)
{
	return gw_store_db_put_meta(db, ctx);
}

// What is in the way goes first: until the new mark is there, the store is refused.
static int replace_mark(struct gw_store *store, const struct batch *batch)
{
	char error[GW_STORE_ERROR];
	struct gw_store_report report = { store->mark_path, error, sizeof(error) };
	struct gw_store_meta meta;
	bool has_meta;
	int err = 0;

	if (store->mark_in_the_way)
		err = gw_store_file_move_away(&report);
	if (err)
		return err;
	store->mark_in_the_way = false;
	err = gw_store_db_create(&gw_store_kind_mark, &report, report.path, write_mark, batch);
	if (!err)
		err = gw_store_db_open(&store->mark, &gw_store_kind_mark, &report, &meta,
				       &has_meta);
	return err;
}

static int move_mark(struct gw_store *store, const struct batch *batch)
{
	int err = store->mark.db ? gw_store_db_write(&store->mark, write_mark, batch)
				 : replace_mark(store, batch);

	// Where that failed, the store has what the mark has not.
	store->mark_behind = err != 0;
	if (!err)
		store->mark_meta = batch->meta;
	return err;
}

/*
 * Only the mark has the newest time: it is the file with the small pages, and the one that stays
 * where a backup of the other is restored. One that is to be replaced gets it then.
 */
static int commit_time(struct gw_store *store)
{
	struct gw_store_meta meta = store->mark_meta;

	if (!store->mark.db || (meta.time.utc_s == store->time.utc_s &&
				meta.time.synchronised == store->time.synchronised))
		return 0;
	meta.time = store->time;
	int err = gw_store_db_write(&store->mark, write_meta, &meta);
	if (err)
		return err;
	store->mark_meta = meta;
	store->committed = store->time;
	return 0;
}

int gw_store_commit(struct gw_store *store, const struct gk_record *records, size_t count)
{
	struct batch batch = { store, records, count, store->meta };

	if (count == 0)
		return commit_time(store);
	// What failed may be in the file, and a backup of that: the next batch, which may hold
	// more, has another number.
	batch.meta.count = ++store->meta.count;
	batch.meta.time = store->time;
	int err = gw_store_db_write(&store->store, write_store, &batch);
	if (!err)
		err = move_mark(store, &batch);
	if (err)
		return err;
	store->meta = batch.meta;
	store->committed = batch.meta.time;
	store->lasting_from_mark = false;
	return 0;
}

/*
 * What is there
 */

// @return 0; or what is no matter of which store this is, so that no wish can help
static int see(const struct gw_store_report *report, const struct gw_store_kind *kind,
	       struct gw_store_db *db, struct gw_store_seen *seen, int *damage)
{
	bool there, has_meta = false;
	int err = gw_store_file_look(report, &there);

	seen->sight = GW_STORE_ABSENT;
	if (!err && !there)
		return 0;
	if (!err)
		err = gw_store_db_open(db, kind, report, &seen->meta, &has_meta);
	seen->sight = has_meta ? GW_STORE_READABLE : GW_STORE_UNCOUNTED;
	if (err)
		seen->sight = err == -ENOENT ? GW_STORE_GONE : GW_STORE_DAMAGED;
	*damage = err == -ENOENT ? -EUCLEAN : err;
	return *damage == -EUCLEAN || err == -EPROTO ? 0 : err;
}

static int see_both(struct opening *opening)
{
	struct gw_store *store = opening->store;
	int err;

	opening->store_report.error[0] = '\0';
	err = gw_store_file_take_fresh(&opening->store_report);
	if (!err)
		err = see(&opening->store_report, &gw_store_kind_store, &store->store,
			  &opening->store_seen, &opening->store_err);
	if (err)
		return err;
	snprintf(opening->store_text, GW_STORE_ERROR, "%s", opening->store_report.error);
	err = see(&opening->mark_report, &gw_store_kind_mark, &store->mark, &opening->mark_seen,
		  &opening->mark_err);
	if (!err && opening->mark_seen.sight == GW_STORE_UNCOUNTED)
		gw_store_fail(&opening->mark_report, 0, "damaged: it has no count");
	snprintf(opening->mark_text, GW_STORE_ERROR, "%s", opening->mark_report.error);
	return err;
}

/* What is said of a store that is refused, behind the name of a file. */
static const struct {
	int err;
	bool of_mark;
	const char *text; /* NULL: opening the file has said it */
} refusals[] = {
	[GW_STORE_MARK_MISSING] = { -ESTALE, true,
				    "missing, and only it knows how old the store is" },
	[GW_STORE_MARK_DAMAGED] = { -ESTALE, true, NULL },
	[GW_STORE_MARK_FOREIGN] = { -ESTALE, false, "not the store that the mark belongs to" },
	[GW_STORE_STORE_DAMAGED] = { -EUCLEAN, false, NULL },
	[GW_STORE_SENSELESS] = { -EUCLEAN, false,
				 "damaged: what it says of itself cannot be beside this mark" },
};

/* @param err  why the file is refused that is named first */
static void say_ways_out(const struct opening *opening, const struct gw_store_report *report,
			 int err)
{
	const char *ways = opening->verdict.adoptable ? GW_STORE_WAYS_OUT : GW_STORE_WAY_OUT;

	if (err == -EPROTO)
		gw_store_say_more(report, "; install that version again, or%s", ways + 1);
	else
		gw_store_say_more(report, "%s", ways);
}

static int refuse(const struct opening *opening)
{
	enum gw_store_refusal refusal = opening->verdict.refusal;
	bool of_mark = refusals[refusal].of_mark;
	const struct gw_store_report *report =
		of_mark ? &opening->mark_report : &opening->store_report;
	const char *seen = of_mark ? opening->mark_text : opening->store_text;
	int seen_err = of_mark ? opening->mark_err : opening->store_err;
	int err = refusals[refusal].err;

	if (refusals[refusal].text)
		gw_store_fail(report, err, "%s", refusals[refusal].text);
	else
		snprintf(report->error, report->size, "%s", seen);
	if (refusal == GW_STORE_STORE_DAMAGED)
		err = seen_err;
	if (refusal == GW_STORE_MARK_MISSING && gw_store_file_in_memory(report))
		gw_store_say_more(report, "; it was in memory, which no restart leaves: set the "
					  "option 'mark' to a path on the flash");
	say_ways_out(opening, report, refusals[refusal].text ? 0 : seen_err);
	return err;
}

/*
 * What is done about it
 */

// Random bytes tell lineages and branches of stores apart.
static int draw(const struct opening *opening, uint8_t *out, size_t len)
{
	struct gk_env env = io_env();

	if (env.random(env.ctx, out, len))
		return 0;
	return gw_store_fail(&opening->store_report, -EIO, "no random numbers");
}

static int draw_lineage(const struct opening *opening, struct gw_store_meta *meta)
{
	int err = draw(opening, meta->lineage, sizeof(meta->lineage));

	return err ? err : draw(opening, meta->branch, sizeof(meta->branch));
}

static int reopen(const struct gw_store_report *report, const struct gw_store_kind *kind,
		  struct gw_store_db *db)
{
	struct gw_store_meta meta;
	bool has_meta;

	return gw_store_db_open(db, kind, report, &meta, &has_meta);
}

static int make_store(struct opening *opening, const struct gw_store_meta *meta)
{
	const struct gw_store_report *report = &opening->store_report;
	int err = gw_store_db_create(&gw_store_kind_store, report, report->path, write_meta, meta);

	return err ? err : reopen(report, &gw_store_kind_store, &opening->store->store);
}

static int make_mark(struct opening *opening, const struct gw_store_meta *meta)
{
	const struct gw_store_report *report = &opening->mark_report;
	int err = gw_store_db_create(&gw_store_kind_mark, report, report->path, write_meta, meta);

	opening->store->mark_meta = *meta;
	return err ? err : reopen(report, &gw_store_kind_mark, &opening->store->mark);
}

/* A store that has no meta record, or no file, gets one; the rest of it stays as it is. */
static int give_meta(struct opening *opening, const struct gw_store_meta *meta)
{
	opening->store->meta = *meta;
	if (opening->store_seen.sight == GW_STORE_UNCOUNTED)
		return gw_store_db_migrate(&opening->store->store, &opening->store_report, meta);
	return make_store(opening, meta);
}

/*
 * The mark comes first, with a count of 0: it says that this was begun. A store beside it that
 * has a count, and one that had none and is given it, is ahead of the mark then.
 */
static int begin_counting(struct opening *opening)
{
	struct gw_store *store = opening->store;
	struct gw_store_meta meta = store->mark_meta;
	int err = 0;

	if (!store->mark.db) {
		meta = (struct gw_store_meta){ .count = 0 };
		err = draw_lineage(opening, &meta);
		if (!err)
			err = make_mark(opening, &meta);
	}
	meta.count = 1;
	return err ? err : give_meta(opening, &meta);
}

static int catch_up(struct opening *opening)
{
	struct gw_store *store = opening->store;
	struct batch batch = { store, NULL, 0, store->meta };

	store->mark_behind = true;
	int err = gw_store_db_write(&store->mark, write_mark, &batch);
	if (err)
		return gw_store_fail(&opening->mark_report, err, "%s", strerror(-err));
	store->mark_behind = false;
	store->mark_meta = store->meta;
	return 0;
}

static int go_on(struct opening *opening)
{
	struct gw_store *store = opening->store;
	int err = 0;

	if (opening->store_seen.sight != GW_STORE_READABLE)
		err = begin_counting(opening);
	if (!err && opening->verdict.mark_behind)
		err = catch_up(opening);
	store->time = store->mark_meta.time;
	return err;
}

/* Goes on above the mark, and from its lasting records, as a branch of its own: a store that was
 * ahead of the mark may turn up, and does not compare. */
static int take_as_old(struct opening *opening)
{
	struct gw_store *store = opening->store;
	struct gw_store_meta meta = store->mark_meta;
	int err = 0;

	store->lasting_from_mark = true;
	store->time = meta.time;
	// 0: older than a mark that was ever used, whenever it is looked at.
	meta.count = 0;
	if (opening->store_seen.sight != GW_STORE_READABLE)
		err = give_meta(opening, &meta);
	store->meta = store->mark_meta;
	return err ? err : draw(opening, store->meta.branch, sizeof(store->meta.branch));
}

/* A branch of its own: what was made from the same beginning before is old, whatever its count. */
static int adopt(struct opening *opening)
{
	struct gw_store *store = opening->store;
	struct gw_store_meta meta = { .count = 0 };
	int err = 0;

	store->mark_in_the_way = opening->mark_seen.sight != GW_STORE_ABSENT;
	gw_store_db_close(&store->mark);
	if (opening->store_seen.sight == GW_STORE_UNCOUNTED) {
		err = draw_lineage(opening, &meta);
		if (!err)
			err = give_meta(opening, &meta);
	} else {
		err = draw(opening, store->meta.branch, sizeof(store->meta.branch));
	}
	store->mark_behind = true;
	store->time = store->meta.time;
	return err;
}

/* Nothing is known, and the mark of that is a new one, with a count of 0. */
static int go_on_blind(struct opening *opening)
{
	struct gw_store *store = opening->store;
	bool ours = store->mark.db && memcmp(store->mark_meta.lineage, store->meta.lineage,
					     GW_STORE_LINEAGE_LEN) == 0;
	int err = 0;

	if (ours)
		return 0;
	gw_store_db_close(&store->mark);
	if (opening->mark_seen.sight != GW_STORE_ABSENT)
		err = gw_store_file_move_away(&opening->mark_report);
	return err ? err : make_mark(opening, &store->meta);
}

/*
 * The new store is made before the refused one goes. What is found at the next start is this,
 * or again the one that is refused.
 */
static int begin_anew(struct opening *opening)
{
	struct gw_store *store = opening->store;
	const struct gw_store_report *report = &opening->store_report;
	struct gw_store_meta meta = { .count = 0 };
	char fresh[GW_STORE_PATH];
	int err = 0;

	if (opening->verdict.fresh == GW_STORE_BEGUN) {
		meta = store->mark_meta;
		meta.count = 0;
		meta.origin = GW_STORE_ORIGIN_BEGUN;
	} else {
		meta.origin = GW_STORE_ORIGIN_BLIND;
		err = draw_lineage(opening, &meta);
	}
	gw_store_db_close(&store->store);
	gw_store_file_fresh_name(report, fresh);
	if (!err)
		err = gw_store_db_create(&gw_store_kind_store, report, fresh, write_meta, &meta);
	if (!err)
		err = gw_store_file_move_away(report);
	if (!err)
		err = gw_store_file_take_fresh(report);
	store->meta = meta;
	return err ? err : reopen(report, &gw_store_kind_store, &store->store);
}

static int (*const ways[])(struct opening *opening) = {
	[GW_STORE_NEW] = go_on,         [GW_STORE_CURRENT] = go_on,
	[GW_STORE_OLD] = take_as_old,   [GW_STORE_ADOPTED] = adopt,
	[GW_STORE_BEGUN] = take_as_old, [GW_STORE_BEGUN_BLIND] = go_on_blind,
};

/* Only now, since the mark is to have what the store had of bans. */
static int give_up(struct opening *opening)
{
	struct gw_store *store = opening->store;

	store->found = opening->verdict.fresh = GW_STORE_BEGUN;
	opening->store_seen.sight = GW_STORE_READABLE;
	int err = begin_anew(opening);
	return err ? err : take_as_old(opening);
}

static int follow(struct opening *opening, enum gw_store_wish wish)
{
	struct gw_store *store = opening->store;
	const struct gw_store_verdict *verdict = &opening->verdict;
	int err = 0;

	store->meta = opening->store_seen.meta;
	store->mark_meta = opening->mark_seen.meta;
	store->found = verdict->found;
	if (verdict->refusal && wish == GW_STORE_ADOPT && verdict->adoptable) {
		store->found = GW_STORE_ADOPTED;
	} else if (verdict->refusal && wish >= GW_STORE_FRESH) {
		store->found = verdict->fresh;
		opening->store_seen.sight = GW_STORE_READABLE;
		err = begin_anew(opening);
	} else if (verdict->refusal) {
		return refuse(opening);
	}
	if (!err)
		err = ways[store->found](opening);
	if (!err && wish == GW_STORE_ANEW && store->found <= GW_STORE_OLD)
		err = give_up(opening);
	// What is committed from now on is an ordinary store.
	store->meta.origin = GW_STORE_ORDINARY;
	store->committed = store->time;
	return err;
}

static int open_both(struct opening *opening, const struct gw_store_place *place,
		     enum gw_store_wish wish)
{
	int err = 0;

	opening->store->mark_path = strdup(place->mark);
	if (!opening->store->mark_path || !gw_store_vfs())
		return gw_store_fail(&opening->store_report, -ENOMEM, "out of memory");
	opening->store->written_before = gw_store_vfs_written();
	err = see_both(opening);
	if (err)
		return err;
	opening->verdict = gw_store_judge(&opening->store_seen, &opening->mark_seen);
	return follow(opening, wish);
}

// Lock both directories, which may be one.
static int enter(const struct opening *opening, int dirs[static 2])
{
	const struct gw_store_report *store = &opening->store_report, *mark = &opening->mark_report;
	int err = gw_store_file_check_path(store);

	if (!err)
		err = gw_store_file_check_path(mark);
	if (!err && strcmp(store->path, mark->path) == 0)
		err = gw_store_fail(mark, -EINVAL,
				    "is the store: the mark needs a place of its own");
	if (!err)
		err = gw_store_dir_enter(store, -1, &dirs[0]);
	if (err)
		return err;
	err = gw_store_dir_enter(mark, dirs[0], &dirs[1]);
	if (err == -ENOENT || err == -EROFS || err == -EACCES)
		gw_store_say_more(mark, "; the option 'mark' can name another place");
	return err;
}

int gw_store_open(const struct gw_store_place *place, enum gw_store_wish wish,
		  struct gw_store **store, enum gw_store_found *found, char *error, size_t size)
{
	struct opening opening = {
		.store = calloc(1, sizeof(**store)),
		.store_report = { place->store, error, size },
		.mark_report = { place->mark, error, size },
	};
	int dirs[2] = { -1, -1 };
	int err = 0;

	if (!opening.store)
		return gw_store_fail(&opening.store_report, -ENOMEM, "out of memory");
	err = enter(&opening, dirs);
	if (!err)
		err = open_both(&opening, place, wish);
	gw_store_dir_leave(dirs[1]);
	gw_store_dir_leave(dirs[0]);
	if (err) {
		gw_store_close(opening.store);
		return err;
	}
	*store = opening.store;
	*found = opening.store->found;
	return 0;
}

void gw_store_close(struct gw_store *store)
{
	if (!store)
		return;
	gw_store_db_close(&store->store);
	gw_store_db_close(&store->mark);
	free(store->mark_path);
	free(store);
}

/*
 * Reading
 */

int gw_store_load(struct gw_store *store, gw_store_record_fn *fn, void *ctx)
{
	struct gw_store_db *lasting = store->lasting_from_mark ? &store->mark : &store->store;
	int err = gw_store_db_load(&store->store, 1, GK_TABLE_LASTING - 1, fn, ctx);

	return err ? err : gw_store_db_load(lasting, GK_TABLE_LASTING, INT_MAX, fn, ctx);
}

struct gw_store_time gw_store_time(const struct gw_store *store)
{
	return store->committed;
}

void gw_store_set_time(struct gw_store *store, struct gw_store_time time)
{
	store->time = time;
}

bool gw_store_mark_in_memory(const struct gw_store *store)
{
	return gw_store_file_in_memory(&(struct gw_store_report){ .path = store->mark_path });
}

uint64_t gw_store_written(const struct gw_store *store)
{
	return gw_store_vfs_written() - store->written_before;
}
