// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * A calendar that is wrong, for a program that does not know: with LD_PRELOAD, and GK_CLOCK the
 * name of a file with one line,
 *
 *   SECONDS synchronised|unsynchronised
 *
 * CLOCK_REALTIME is so many seconds ahead (behind, if negative), and the kernel says of it what the
 * word says. The file is read again at each call; write it by rename, or half a line may be read.
 * Without a file, or as long as there is none, the calendar is right and not synchronised. Clocks
 * of elapsed time are left alone.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define MAX_ERROR_US 16000000 /* what the kernel says of a clock that nobody sets */

struct fake {
	long seconds;
	int synchronised;
};

static struct fake read_fake(void)
{
	const char *path = getenv("GK_CLOCK");
	struct fake fake = { 0, 0 };
	char line[64] = "", word[16];
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return fake;
	if (read(fd, line, sizeof(line) - 1) > 0 &&
	    sscanf(line, "%ld %15s", &fake.seconds, word) == 2)
		fake.synchronised = strcmp(word, "synchronised") == 0;
	close(fd);
	return fake;
}

/* The C library's own names, so that whoever calls them comes here. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, clock, now);

	if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += read_fake().seconds;
	return result;
}

time_t time(time_t *out)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now = { 0 };

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*out = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
	return 0;
}

/* Only asked; nobody here sets the machine's clock. */
int adjtimex(struct timex *timex)
{
	struct fake fake = read_fake();

	*timex = (struct timex){ .status = fake.synchronised ? 0 : STA_UNSYNC,
				 .maxerror = fake.synchronised ? 1000 : MAX_ERROR_US,
				 .esterror = fake.synchronised ? 1000 : MAX_ERROR_US };
	gettimeofday(&timex->time, NULL);
	return fake.synchronised ? TIME_OK : TIME_ERROR;
}

int ntp_adjtime(struct timex *timex); // musl has it in no header

int ntp_adjtime(struct timex *timex)
{
	return adjtimex(timex);
}

int clock_adjtime(clockid_t clock, struct timex *timex)
{
	(void)clock;
	return adjtimex(timex);
}
