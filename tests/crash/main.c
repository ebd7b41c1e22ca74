// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The campaign. A story is played once; where the power may fail, a child process is split off in
 * which it does. So each point costs only what comes after it.
 */
#include "tests/crash/crash.h"
#include "tests/lib/args.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX         16
#define CHILD_S          120
#define FAULT_MS         20000
#define WRONG_MS         600000 /* until NTP arrives */
#define TEXT_LEN         480
#define ALL_RANDOM       6000 /* points in random stories, of all */
#define SAMPLE_EVERY     20   /* one of so many points, in the sample */
#define SAMPLE_ACCIDENTS 16   /* ... at a start after an accident, */
#define SAMPLE_LATER     60   /* and when that is over */
#define ALL_LATER        12
#define SAMPLE_FIRST     4 /* ... while the files are made, up to about here: */
#define FIRST_START      60
#define SAMPLE_RANDOM    300
#define EACH             UINT64_MAX /* story, where none is named */

static const char usage[] = "usage: crash [--all] [--seed N] [--jobs N] [--show N]\n"
			    "       crash --story N --point N --variant N [--seed N]\n"
			    "  Without --all: a sample. --show: how many violations are told. The "
			    "second form runs one\n"
			    "  point again, and tells everything.\n";

/* What happens at a point. */
enum variant_kind { CUT, CUT_TWICE, KILL_CUT, DISK, DISK_CUT };
static const struct variant {
	const char *name;
	enum variant_kind kind;
	enum loss loss;
	enum fault fault;
} variants[] = {
	{ "all that is not synced is lost", CUT, LOSS_ALL, FAULT_NONE },
	{ "nothing is lost", CUT, LOSS_NONE, FAULT_NONE },
	{ "some is lost", CUT, LOSS_SOME, FAULT_NONE },
	{ "some is lost, by another chance", CUT, LOSS_SOME, FAULT_NONE },
	{ "and again while it recovers", CUT_TWICE, LOSS_SOME, FAULT_NONE },
	{ "the daemon is killed, and while it recovers the power fails", KILL_CUT, LOSS_ALL,
	  FAULT_NONE },
	{ "the disk is full for a while", DISK, LOSS_NONE, FAULT_FULL },
	{ "the disk fails for a while", DISK, LOSS_NONE, FAULT_IO },
	{ "the disk is read-only for a while", DISK, LOSS_NONE, FAULT_READ_ONLY },
	{ "the disk is full, and then", DISK_CUT, LOSS_SOME, FAULT_FULL },
	{ "the disk fails, and then", DISK_CUT, LOSS_SOME, FAULT_IO },
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))
#define CUTS     6 /* the first ones */

/* What is counted: by what was about to happen, in those stories that are written down; disk
 * faults; random ones.
 */
enum tally {
	OF_RANDOM = POINT_KINDS,
	OF_FAULT,
	OF_ACCIDENTS, /* before the daemon has come to terms with them: one for each kind */
	TALLIES = OF_ACCIDENTS + ACCIDENTS - 1
};
static const char *const tally_names[TALLIES] = {
	"write",
	"sync",
	"rename",
	"send",
	"random",
	"disk fault",
	"start with a backup put back",
	"start with the mark lost",
	"start with a damaged store",
	"start with a damaged store and the mark lost",
	"start with the state directory lost",
};

/* What a child says. */
struct verdict {
	unsigned violations;
	char text[TEXT_LEN];
};

struct job {
	pid_t pid; /* 0: free */
	uint64_t point;
	unsigned variant;
	enum tally tally;
};

/* What all processes share. */
struct shared {
	uint64_t points[TALLIES], violations[TALLIES];
	uint64_t random_left; /* points in random stories that are still wanted */
	unsigned shown;
	int64_t slowest_ms;               /* from a restart until everybody had the newest keys */
	struct verdict story;             /* of the stories by themselves */
	struct verdict verdict[JOBS_MAX]; /* of the jobs */
};

static struct run {
	/* what to do */
	bool all, again;
	uint64_t seed, only_point, story;
	unsigned only_variant, jobs, show;
	/* how far it has come */
	uint64_t point;  /* in this story */
	uint64_t cut_at; /* in a child; 0: not any more */
	bool is_child;
	const struct variant *variant;
	struct job job[JOBS_MAX];
	struct shared *shared;
	struct verdict *mine;
} run = { .seed = 1, .show = 20, .story = EACH };

void verdict_add(const char *text)
{
	if (run.mine->violations++ == 0)
		snprintf(run.mine->text, sizeof(run.mine->text), "%s", text);
}

void verdict_settled(int64_t ms)
{
	if (ms > run.shared->slowest_ms)
		run.shared->slowest_ms = ms;
}

/* children */

static _Noreturn void finish(void)
{
	fflush(stdout);
	_Exit(0);
}

static _Noreturn void recover(void)
{
	daemon_start();
	story_end();
	finish();
}

static _Noreturn void power_fails(enum loss loss)
{
	tell("it fails: %s", run.variant->name);
	observer_cut();
	if (run.variant->kind != KILL_CUT || run.cut_at == 0)
		disk_cut(loss);
	daemon_dies();
	if (chance() % 4 == 0) {
		world.utc_wrong_s = world_now().utc.s - 1000;
		world.ntp_ms = world.now_ms + WRONG_MS;
	}
	world_run(chance_between(500, 8000));
	recover();
}

_Noreturn void daemon_gave_up(void)
{
	tell("the daemon gives up");
	observer_cut();
	daemon_dies();
	world_run(FAULT_MS);
	disk_fault(FAULT_NONE);
	recover();
}

/* In the child: what its variant says. Cuts do not return. */
static void strike(void)
{
	const struct variant *v = run.variant;

	world.chance = world.chance * 31 + run.point * 16 + (uint64_t)(v - variants);
	run.cut_at = 0;
	if (v->kind == CUT_TWICE || v->kind == KILL_CUT || v->kind == DISK_CUT)
		run.cut_at = run.point + (uint64_t)chance_between(1, 60);
	if (v->fault == FAULT_NONE)
		power_fails(v->loss);
	tell("%s", v->name);
	disk_fault(v->fault);
	world.fault_ms = world.now_ms + FAULT_MS;
}

static void point_in_child(void)
{
	if (run.point != run.cut_at)
		return;
	run.cut_at = 0;
	power_fails(LOSS_SOME);
}

/* the parent */

static void show(const struct job *job, const struct verdict *verdict)
{
	if (run.shared->shown++ >= run.show)
		return;
	printf("# %s\n#   %s; crash --seed %llu --story %llu --point %llu --variant %u\n",
	       verdict->text, variants[job->variant].name, (unsigned long long)run.seed,
	       (unsigned long long)run.story, (unsigned long long)job->point, job->variant);
	fflush(stdout);
}

static void collect(struct job *job, int status)
{
	struct verdict *verdict = &run.shared->verdict[job - run.job];

	if (!WIFEXITED(status) && verdict->violations++ == 0)
		snprintf(verdict->text, TEXT_LEN, "ended by signal %d", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) && verdict->violations++ == 0)
		snprintf(verdict->text, TEXT_LEN, "ended with status %d", WEXITSTATUS(status));
	run.shared->points[job->tally]++;
	run.shared->violations[job->tally] += verdict->violations > 0;
	if (verdict->violations)
		show(job, verdict);
	job->pid = 0;
}

static struct job *wait_for_one(void)
{
	int status;
	pid_t pid = wait(&status);

	for (unsigned i = 0; i < run.jobs; i++) {
		if (pid > 0 && run.job[i].pid == pid) {
			collect(&run.job[i], status);
			return &run.job[i];
		}
	}
	abort();
}

static void wait_for_all(void)
{
	for (unsigned i = 0; i < run.jobs; i++) {
		while (run.job[i].pid)
			wait_for_one();
	}
}

static struct job *free_job(void)
{
	for (unsigned i = 0; i < run.jobs; i++) {
		if (!run.job[i].pid)
			return &run.job[i];
	}
	return wait_for_one();
}

static void split_off(unsigned variant, enum tally tally)
{
	struct job *job = free_job();
	struct verdict *verdict = &run.shared->verdict[job - run.job];

	*verdict = (struct verdict){ 0 };
	*job = (struct job){ .point = run.point, .variant = variant, .tally = tally };
	fflush(stdout);
	job->pid = fork();
	if (job->pid < 0)
		abort();
	if (job->pid > 0)
		return;
	alarm(CHILD_S);
	run.is_child = true;
	run.mine = verdict;
	run.variant = &variants[variant];
	world.trace = run.again;
	strike();
}

/* A number that depends on the point alone: the world goes on as if nobody had asked. */
static uint64_t luck(uint64_t salt)
{
	uint64_t x = (run.seed * 1000003 + run.story) * 1000003 + run.point * 64 + salt;

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Without anything that could be lost, all cuts are alike. */
static bool makes_sense(enum point_kind kind, unsigned variant)
{
	if (variants[variant].fault != FAULT_NONE)
		return kind != POINT_SEND;
	return disk_pending() || variants[variant].loss == LOSS_ALL ||
	       variants[variant].kind != CUT;
}

static enum tally tally_of(enum point_kind kind, unsigned variant)
{
	if (accident_now() != ACCIDENT_NONE)
		return OF_ACCIDENTS + accident_now() - 1;
	return variant < CUTS ? (enum tally)kind : OF_FAULT;
}

/* One point of how many? What comes when an accident is over is much like what there was before. */
static uint64_t one_of(void)
{
	if (accident_now() != ACCIDENT_NONE)
		return run.all ? 1 : SAMPLE_ACCIDENTS;
	if (run.story > 0)
		return run.all ? ALL_LATER : SAMPLE_LATER;
	if (run.all)
		return 1;
	return run.point < FIRST_START ? SAMPLE_FIRST : SAMPLE_EVERY;
}

static void try_every(enum point_kind kind)
{
	for (unsigned v = 0; v < VARIANTS && !run.is_child; v++) {
		if (!makes_sense(kind, v))
			continue;
		if (luck(v) % one_of() == 0)
			split_off(v, tally_of(kind, v));
	}
}

static void try_random(enum point_kind kind)
{
	unsigned v = (unsigned)(luck(61) % VARIANTS);

	if (luck(62) % 16 == 0 && run.shared->random_left > 0 && makes_sense(kind, v)) {
		run.shared->random_left--;
		split_off(v, OF_RANDOM);
	}
}

/* Up to the first accident those of accidents have nothing new. */
static bool is_new(void)
{
	return run.story == 0 || observer_age() > 0;
}

void point(enum point_kind kind)
{
	run.point++;
	if (run.is_child)
		point_in_child();
	else if (run.again && run.point == run.only_point)
		split_off(run.only_variant, OF_RANDOM);
	else if (!run.again && run.story < STORIES && is_new())
		try_every(kind);
	else if (!run.again && run.story >= STORIES)
		try_random(kind);
}

/* stories */

static _Noreturn void play(void)
{
	run.mine = &run.shared->story;
	world.trace = run.again && run.only_point == 0;
	world_begin(run.seed * 1000 + run.story);
	story_play(run.story);
	story_end();
	if (!run.is_child)
		wait_for_all();
	finish();
}

/* Each story has a process of its own: so nothing is left of it. */
static void tell_story(uint64_t story)
{
	struct verdict *verdict = &run.shared->story;
	int status;

	run.story = story;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		play();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (status && verdict->violations++ == 0)
		snprintf(verdict->text, TEXT_LEN, "story %llu ended with status %x",
			 (unsigned long long)story, (unsigned)status);
}

static bool tell_result(unsigned number, const char *name, uint64_t points, uint64_t violations)
{
	printf("%sok %u - %s: %llu points, %llu violations\n", violations ? "not " : "", number,
	       name, (unsigned long long)points, (unsigned long long)violations);
	return violations == 0;
}

/* A campaign that cut nothing must not pass. */
static bool report(void)
{
	const struct shared *s = run.shared;
	uint64_t points = 0, violations = 0;
	bool good = true;

	printf("%sok 1 - without a power cut\n", s->story.violations ? "not " : "");
	if (s->story.violations)
		printf("# %s\n", s->story.text);
	for (unsigned t = 0; t < TALLIES; t++) {
		good &= tell_result(t + 2, tally_names[t], s->points[t],
				    s->violations[t] + (s->points[t] == 0));
		points += s->points[t];
		violations += s->violations[t];
	}
	for (unsigned t = 0; t < TALLIES; t++)
		printf("# crash: %s: %llu points, %llu violations\n", tally_names[t],
		       (unsigned long long)s->points[t], (unsigned long long)s->violations[t]);
	printf("# crash: all had the newest keys after at most %lld s\n",
	       (long long)(s->slowest_ms / 1000));
	printf("# crash: seed %llu: %llu points, %llu violations\n1..%u\n",
	       (unsigned long long)run.seed, (unsigned long long)points,
	       (unsigned long long)violations, TALLIES + 1);
	return good && s->story.violations == 0;
}

static bool campaign(void)
{
	run.shared->random_left = run.all ? ALL_RANDOM : SAMPLE_RANDOM;
	for (uint64_t story = 0; story < STORIES; story++)
		tell_story(story);
	for (uint64_t story = STORIES; run.shared->random_left > 0; story++)
		tell_story(story);
	return report();
}

/* options */

#define SETS(field) ARG_SETS(struct run, field)

static const struct arg args[] = {
	{ "--all", ARG_FLAG, SETS(all) },
	{ "--seed", ARG_WHOLE, SETS(seed) },
	{ "--jobs", ARG_WHOLE, SETS(jobs) },
	{ "--show", ARG_WHOLE, SETS(show) },
	{ "--story", ARG_WHOLE, SETS(story) },
	{ "--point", ARG_WHOLE, SETS(only_point) },
	{ "--variant", ARG_WHOLE, SETS(only_variant), 0, VARIANTS - 1 },
};

/* make check has others to run beside. */
static void choose_jobs(void)
{
	long processors = run.all ? sysconf(_SC_NPROCESSORS_ONLN) : 2;

	if (run.jobs == 0)
		run.jobs = processors > 0 ? (unsigned)processors : 1;
	if (run.jobs > JOBS_MAX)
		run.jobs = JOBS_MAX;
}

int main(int argc, char **argv)
{
	struct test_env memory;
	struct gk_env env = test_env(&memory, 1);

	args_read(argv + (argc > 0), args, sizeof(args) / sizeof(args[0]), usage, &run);
	run.again = run.story != EACH;
	choose_jobs();
	run.shared = mmap(NULL, sizeof(*run.shared), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.shared == MAP_FAILED || gk_global_init(&env))
		return 1;
	vfs_register();
	if (!run.again)
		return !campaign();
	tell_story(run.story);
	return run.shared->violations[OF_RANDOM] || run.shared->story.violations;
}
