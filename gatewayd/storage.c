// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/daemon.h"
#include "gatewayd/show.h"
#include "io/log.h"
#include "io/secret.h"
#include "libgroupkey/buf.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#define AS_KEY_LEN     16
#define PUBLIC_KEY_MAX 512
#define KEPT_KEYS_MAX  100
#define CLOCK_LOOK_MS  60000 /* while it is not the machine's calendar that is believed */
#define TIME_LOOK_MS   INT64_C(3600000)
#define TIME_LOST_S    90000 /* by a power cut at most; more than a day, which a rotation has */

// More rekeyings than a group can have had that nobody knows of: with one a minute, two years. A
// minute more for each since the release, so that one backup adopted twice gives two nums.
#define NUM_JUMP     1048576
#define NUM_JUMP_MAX INT64_C(268435456)

static char *path_in_state_dir(const struct gw_conf *conf, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", conf->state_dir, name) < 0)
		fatal("daemon", "out of memory");
	return path;
}

/*
 * Time
 */

static int ask_kernel(struct timex *timex)
{
	*timex = (struct timex){ .modes = 0 }; // look, and change nothing
	return adjtimex(timex);
}

static bool is_synchronised(void)
{
	struct timex timex;
	int state = ask_kernel(&timex);

	return state >= 0 && state != TIME_ERROR && !(timex.status & STA_UNSYNC);
}

/* A jail may not let us look, as it lets nobody set the clock. */
static void warn_of_silence(void)
{
	struct timex timex;

	if (ask_kernel(&timex) < 0)
		log_warn("clock",
			 "taken for one that is not synchronised, as the kernel cannot be asked");
}

static struct gw_clock_reading read_clocks(const struct gw_daemon *daemon)
{
	struct gk_now now = io_loop_now(daemon->loop);

	return (struct gw_clock_reading){ now.mono, now.utc, is_synchronised() };
}

struct gk_now gw_now(const struct gw_daemon *daemon)
{
	struct gk_now now = io_loop_now(daemon->loop);

	now.utc = gw_clock_utc(&daemon->clock, now.mono);
	return now;
}

static void tell_time(const struct gw_daemon *daemon)
{
	static const char *const why[] = {
		[GW_CLOCK_MACHINE] = "by the machine's calendar",
		[GW_CLOCK_ESTIMATED] =
			("estimated from the highest one known, since the machine's calendar is "
			 "wrong; no tokens are issued until it is right"),
		[GW_CLOCK_HELD] = "by elapsed time, since the machine's calendar has jumped",
	};
	char text[GW_TIME_TEXT];

	gw_show_time(gw_now(daemon).utc, text);
	if (daemon->clock.source == GW_CLOCK_MACHINE)
		log_info("clock", "it is %s %s", text, why[daemon->clock.source]);
	else
		log_warnx("clock", "it is %s, %s", text, why[daemon->clock.source]);
}

static void start_clock(struct gw_daemon *daemon, bool trust)
{
	const struct gw_clock_reading reading = read_clocks(daemon);

	warn_of_silence();
	gw_clock_init(&daemon->clock, &reading, gw_store_time(daemon->store).utc_s, trust);
	if (daemon->clock.source != GW_CLOCK_MACHINE)
		tell_time(daemon);
}

static void look_at_clock(struct gw_daemon *daemon)
{
	const struct gw_clock_reading reading = read_clocks(daemon);
	enum gw_clock_source source = daemon->clock.source;
	bool corrected = gw_clock_read(&daemon->clock, &reading);

	if (corrected || source != daemon->clock.source)
		tell_time(daemon);
	if (corrected)
		gw_serve_check(gk_kdc_clock(daemon->kdc, gw_now(daemon)));
}

/*
 * Room
 */

static void tell_level(const struct gw_daemon *daemon)
{
	static const char *const worse[] = {
		[GK_STORAGE_SCARCE] = "full; new clients and members get 5.03 until there is room",
		[GK_STORAGE_NONE] =
			"full, or read-only; what has to be written gets 5.03 or is put "
			"off until it can be",
	};
	const char *dir = daemon->conf.state_dir;

	if (daemon->storage == GK_STORAGE_GOOD)
		log_info("store", "%s: there is room again, going on", dir);
	else
		log_warnx("store", "%s: %s", dir, worse[daemon->storage]);
}

static void look_at_room(struct gw_daemon *daemon)
{
	struct gk_now now = gw_now(daemon);
	enum gk_storage before = daemon->storage;
	enum gk_storage storage = gw_reserve_look(&daemon->reserve, now.mono);

	if (storage == before)
		return;
	daemon->storage = storage;
	tell_level(daemon);
	gw_outbox_hold(&daemon->outbox, daemon->storage == GK_STORAGE_NONE);
	gw_serve_check(gk_kdc_storage(daemon->kdc, daemon->storage, now));
	if (before == GK_STORAGE_NONE)
		gw_daemon_add_groups(daemon);
}

/* Only after all else was committed: what settles an old store must not be the time alone. */
static bool may_write_time(const struct gw_daemon *daemon)
{
	return gw_serve_ready(daemon) && daemon->storage != GK_STORAGE_NONE &&
	       gw_store_time(daemon->store).utc_s != daemon->clock.highest_s;
}

static void write_time(struct gw_daemon *daemon)
{
	int err = may_write_time(daemon) ? gw_storage_commit(daemon, NULL, 0) : 0;

	if (err)
		log_warnx("store", "the time was not written: %s", strerror(-err));
}

/* Where nothing else is committed for long, the highest time would be that of long ago. */
static void keep_time(struct gw_daemon *daemon)
{
	struct gk_mono now = gw_now(daemon).mono;

	if (now.ms < daemon->keep_time_ms || daemon->storage != GK_STORAGE_GOOD)
		return;
	daemon->keep_time_ms = now.ms + TIME_LOOK_MS;
	if (daemon->clock.highest_s - gw_store_time(daemon->store).utc_s >= TIME_LOST_S)
		write_time(daemon);
}

void gw_storage_look(struct gw_daemon *daemon)
{
	if (!gw_serve_ready(daemon))
		return;
	look_at_clock(daemon);
	look_at_room(daemon);
	keep_time(daemon);
}

struct gk_mono gw_storage_next_expiry(const struct gw_daemon *daemon)
{
	struct gk_mono next = { GK_NEVER };

	if (!gw_serve_ready(daemon))
		return next;
	if (daemon->clock.source != GW_CLOCK_MACHINE)
		next.ms = gw_now(daemon).mono.ms + CLOCK_LOOK_MS;
	if (daemon->storage != GK_STORAGE_GOOD && daemon->reserve.look_ms < next.ms)
		next.ms = daemon->reserve.look_ms;
	if (daemon->storage == GK_STORAGE_GOOD && daemon->keep_time_ms < next.ms)
		next.ms = daemon->keep_time_ms;
	return next;
}

static void set_time(struct gw_daemon *daemon)
{
	const struct gw_store_time time = { daemon->clock.highest_s, daemon->clock.synchronised };

	gw_store_set_time(daemon->store, time);
}

int gw_storage_commit(struct gw_daemon *daemon, const struct gk_record *records, size_t count)
{
	int err;

	set_time(daemon);
	err = gw_store_commit(daemon->store, records, count);
	if (err && gw_reserve_give_up(&daemon->reserve, err)) {
		log_warnx("store", "%s: full; what was reserved is used", daemon->conf.state_dir);
		err = gw_store_commit(daemon->store, records, count);
	}
	if (err == -ESTALE)
		fatal("store",
		      "%s/gatewayd.db, or its mark %s: changed by someone else while in use; a "
		      "restart takes it for what it is",
		      daemon->conf.state_dir, daemon->conf.mark);
	return err;
}

/*
 * Which store is it?
 */

#define ALL_VOID     "all memberships and associations are void, and groups go on with new keys"
#define NOBODY_KNOWN "no member is remembered, and groups go on with new keys"

/* What is to be done about each, and said. A store that is not disowned needs no word. */
static const struct outcome {
	const char *text, *effect;
	bool disown;
	bool unknown; /* nobody knows what nums were used */
} outcomes[] = {
	[GW_STORE_NEW] = { NULL, NULL, false, false },
	[GW_STORE_CURRENT] = { NULL, NULL, false, false },
	[GW_STORE_OLD] = { "STORE IS OLD: it was restored from a backup, or it was lost", ALL_VOID,
			   true, false },
	[GW_STORE_ADOPTED] = { "STORE IS ADOPTED: nobody knows how old it is", ALL_VOID, true,
			       true },
	[GW_STORE_BEGUN] = { "STORE IS BEGUN ANEW: the one before is beside it, and is not used",
			     NOBODY_KNOWN, true, false },
	[GW_STORE_BEGUN_BLIND] = { "STORE IS BEGUN ANEW, and what the mark said of bans and "
				   "revocations is lost",
				   NOBODY_KNOWN, true, true },
};

static int try_to_open(struct gw_daemon *daemon, const struct gw_store_place *place,
		       enum gw_store_wish wish, enum gw_store_found *found, char *error)
{
	int err = gw_store_open(place, wish, &daemon->store, found, error, GW_STORE_ERROR);

	if (err && gw_reserve_give_up(&daemon->reserve, err))
		err = gw_store_open(place, wish, &daemon->store, found, error, GW_STORE_ERROR);
	return err;
}

/* Only the default one is made: a file that someone named is one that an AS shares. */
static bool is_default_key(const struct gw_conf *conf)
{
	char *ours = path_in_state_dir(conf, "as.key");
	bool same = strcmp(conf->as_key_file, ours) == 0;

	free(ours);
	return same;
}

static bool lacks_key(const struct gw_conf *conf)
{
	struct stat st;

	return is_default_key(conf) && lstat(conf->as_key_file, &st) != 0 && errno == ENOENT;
}

/* A new store knows of no revocation, while a key that is older goes on opening tokens. */
static void tell_new(const struct gw_daemon *daemon, const char *path)
{
	const char *key = daemon->conf.as_key_file;

	log_info("store", "%s: new, nobody is known yet", path);
	if (is_default_key(&daemon->conf) && !lacks_key(&daemon->conf))
		log_warnx("store",
			  "%s: older than the store: tokens under it are good, those too that were "
			  "revoked; to begin without them stop, remove it, and provision all "
			  "clients again",
			  key);
}

static enum gw_store_found open_store(struct gw_daemon *daemon, enum gw_store_wish wish)
{
	char *path = path_in_state_dir(&daemon->conf, "gatewayd.db");
	const struct gw_store_place place = { path, daemon->conf.mark };
	char error[GW_STORE_ERROR];
	enum gw_store_found found;

	if (try_to_open(daemon, &place, wish, &found, error))
		fatal("store", "%s", error);
	if (found == GW_STORE_NEW)
		tell_new(daemon, path);
	free(path);
	return found;
}

/* Warnings only: gatewayd can start, but the next restart of the machine may do harm. */
static void check_places(const struct gw_daemon *daemon)
{
	const struct gw_conf *conf = &daemon->conf;
	struct stat st;

	if (gw_store_mark_in_memory(daemon->store))
		log_warnx("store",
			  "%s: on a file system in memory: a restart of the machine takes it away, "
			  "and the store is refused then; set the option 'mark' to a path on the "
			  "flash, outside of %s",
			  conf->mark, conf->state_dir);
	if (stat(conf->state_dir, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077))
		log_warnx("store",
			  "%s: others may look into this directory, though not into its files: "
			  "chmod 700",
			  conf->state_dir);
}

static void tell_outcome(const struct gw_daemon *daemon, const struct outcome *outcome,
			 bool new_key)
{
	log_warnx("store", "%s/gatewayd.db: %s; %s%s", daemon->conf.state_dir, outcome->text,
		  outcome->effect, new_key ? "" : "; clients come back with their tokens");
	if (new_key)
		log_warnx("store", "%s was made anew: provision all clients again",
			  daemon->conf.as_key_file);
}

static uint32_t jump_over(const struct gw_daemon *daemon)
{
	int64_t jump = NUM_JUMP + (gw_now(daemon).utc.s - GW_CLOCK_RELEASE_S) / 60;

	return (uint32_t)(jump < NUM_JUMP_MAX ? jump : NUM_JUMP_MAX);
}

static void disown(struct gw_daemon *daemon, const struct outcome *outcome, bool new_key)
{
	enum gk_err err;

	if (!outcome->disown)
		return;
	tell_outcome(daemon, outcome, new_key);
	err = gk_kdc_disown(daemon->kdc, outcome->unknown ? jump_over(daemon) : 0, gw_now(daemon));
	if (err)
		fatal("store", "%s/gatewayd.db: cannot be disowned: %s", daemon->conf.state_dir,
		      gk_strerror(err));
}

/*
 * The key that tokens are under
 */

static int take_first(void *ctx, const struct gk_record *record)
{
	enum gk_table *first = ctx;

	*first = record->table;
	return 1;
}

/* Without a token there is nothing that a missing key could have been good for. */
static bool holds_nothing(const struct gw_daemon *daemon)
{
	enum gk_table first = GK_TABLE_LASTING;
	int err = gw_store_load(daemon->store, take_first, &first);

	return err >= 0 && first >= GK_TABLE_LASTING;
}

/*
 * With another key no token that is out there would be taken any more, for no visible reason: so a
 * store whose key is missing is refused too.
 */
static enum gw_store_found open_store_with_key(struct gw_daemon *daemon, enum gw_store_wish wish)
{
	enum gw_store_found found = open_store(daemon, wish);

	if (!lacks_key(&daemon->conf) || holds_nothing(daemon))
		return found;
	if (wish != GW_STORE_FRESH)
		fatal("conf",
		      "%s: missing, though the store knows tokens under it; put it back, or start "
		      "once with --fresh to move %s/gatewayd.db away and begin anew, with a new "
		      "key and no member remembered, and provision all clients again",
		      daemon->conf.as_key_file, daemon->conf.state_dir);
	gw_store_close(daemon->store);
	return open_store(daemon, GW_STORE_ANEW);
}

static void read_as_key(const struct gw_daemon *daemon, uint8_t key[static AS_KEY_LEN])
{
	const char *path = daemon->conf.as_key_file;
	char error[IO_SECRET_ERROR];

	if (is_default_key(&daemon->conf) &&
	    !io_secret_make(path, AS_KEY_LEN, error, sizeof(error)))
		fatal("conf", "%s", error);
	if (!io_secret_read(path, key, AS_KEY_LEN, AS_KEY_LEN, true, error, sizeof(error)))
		fatal("conf", "as.key_file: %s", error);
}

/* A key that was moved away before stays too. @return false: errno says why */
static bool move_away(const char *path)
{
	bool moved = false;

	errno = EEXIST;
	for (int i = 0; !moved && errno == EEXIST && i < KEPT_KEYS_MAX; i++) {
		char *old;
		if ((i == 0 ? asprintf(&old, "%s.old", path)
			    : asprintf(&old, "%s.old.%d", path, i)) < 0)
			fatal("daemon", "out of memory");
		moved = link(path, old) == 0;
		free(old);
	}
	return moved ? unlink(path) == 0 : errno == ENOENT;
}

/* Whose tokens were revoked is not known any more. */
static void void_tokens(const struct gw_daemon *daemon)
{
	const char *path = daemon->conf.as_key_file;

	if (!is_default_key(&daemon->conf))
		log_warnx(
			"store",
			"%s: still in use, so clients whose tokens were revoked get in again; let "
			"the authorization server change it",
			path);
	else if (!move_away(path))
		fatal("store", "%s: cannot be moved away: %s", path, strerror(errno));
}

static size_t read_public_key(const struct gw_conf *conf, uint8_t key[static PUBLIC_KEY_MAX])
{
	char error[IO_SECRET_ERROR];
	size_t len;

	if (!conf->as_public_key_file)
		return 0;
	len = io_secret_read(conf->as_public_key_file, key, 1, PUBLIC_KEY_MAX, false, error,
			     sizeof(error));
	if (len == 0)
		fatal("conf", "as.public_key_file: %s", error);
	return len;
}

/*
 * The KDC: from configuration, keys and store
 */

static void make_kdc(struct gw_daemon *daemon)
{
	const struct gw_conf *conf = &daemon->conf;
	uint8_t key[AS_KEY_LEN], public_key[PUBLIC_KEY_MAX];
	struct gk_env env = io_env();
	struct gk_kdc_config config = {
		.audience = gk_span_str(conf->audience),
		.as_key = gk_span(key, sizeof(key)),
		.issuer = conf->as_issuer ? gk_span_str(conf->as_issuer) : gk_span(NULL, 0),
		.as_uri = conf->as_uri ? gk_span_str(conf->as_uri) : gk_span(NULL, 0),
		.group_path = gk_span_str(conf->group_path),
		.authz_path = gk_span_str(conf->authz_path),
		.discovery = (enum gk_discovery)conf->discovery,
		.rekeying_bps = conf->rekeying_bps,
	};
	enum gk_err err = gk_global_init(&env);

	if (err)
		fatal("kdc", "wolfSSL does not start: %s", gk_strerror(err));
	read_as_key(daemon, key);
	config.as_public_key = gk_span(public_key, read_public_key(conf, public_key));
	err = gk_kdc_new(&env, &config, &daemon->kdc);
	if (err)
		fatal("kdc", "the AS's key cannot be used: %s", gk_strerror(err));
	explicit_bzero(key, sizeof(key));
}

static int restore_record(void *ctx, const struct gk_record *record)
{
	struct gw_daemon *daemon = ctx;
	enum gk_err err = gk_kdc_restore(daemon->kdc, record, gw_now(daemon));

	if (err)
		log_warnx("store", "a record of table %d: %s", (int)record->table,
			  gk_strerror(err));
	return err == GK_ERR_NO_MEMORY ? -ENOMEM : err ? -EUCLEAN : 0;
}

static void restore(struct gw_daemon *daemon)
{
	int err = gw_store_load(daemon->store, restore_record, daemon);

	if (err == -EUCLEAN)
		fatal("store",
		      "%s/gatewayd.db: damaged; put back a backup of it, which will be taken for "
		      "what it is, or move it away to begin anew, with no member remembered",
		      daemon->conf.state_dir);
	if (err)
		fatal("store", "%s/gatewayd.db: %s", daemon->conf.state_dir, strerror(-err));
}

static void wake(void *daemon)
{
	gw_storage_look(daemon);
}

void gw_storage_open(struct gw_daemon *daemon, enum gw_store_wish wish)
{
	enum gw_store_found found;
	bool new_key;

	if (gw_reserve_open(&daemon->reserve, daemon->conf.state_dir, daemon->conf.mark))
		fatal("daemon", "out of memory");
	found = open_store_with_key(daemon, wish);
	check_places(daemon);
	start_clock(daemon, found == GW_STORE_ADOPTED);
	if (found == GW_STORE_BEGUN_BLIND)
		void_tokens(daemon);
	new_key = lacks_key(&daemon->conf);
	make_kdc(daemon);
	restore(daemon);
	disown(daemon, &outcomes[found], new_key);
	look_at_room(daemon);
	io_loop_on_wake(daemon->loop, wake, daemon);
}

void gw_storage_close(struct gw_daemon *daemon)
{
	write_time(daemon);
	io_loop_on_wake(daemon->loop, NULL, NULL);
	gw_store_close(daemon->store);
	gw_reserve_close(&daemon->reserve);
}
