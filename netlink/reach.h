// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Reachability events: what the kernel tells about links, addresses, host routes and neighbours.
 *
 * A monitor is a descriptor to wait on and a call that reads it. It reports what the kernel says
 * and draws no conclusion: nobody is present or absent here, and a neighbour entry that the kernel
 * drops is *unknown*, never failed (the kernel clears a link's neighbours before it reports the
 * link down, and collects old entries at will).
 *
 * FAILED is only what the kernel found by asking. What a process wrote into the table ('ip neigh
 * del' and 'flush' set FAILED first) is unknown.
 *
 * IPv6 only. Multicast addresses are left out, and so are neighbours whose entry the kernel does
 * not maintain (PERMANENT, NOARP), routes other than unicast /128 in the main table, and routes
 * with several next hops.
 *
 * The kernel gives no notice when a proxied entry (NTF_PROXY) comes or goes (Linux 6.18), and drops
 * those of a link that goes down. They are found by looking: at every full dump, and when
 * reach_monitor_look() asks for it.
 *
 * Source: rtnetlink(7); linux/neighbour.h, rtnetlink.h, if_addr.h, if_link.h.
 */
#ifndef REACH_H
#define REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reach_monitor;

enum {
	REACH_IP_LEN = 16,
	REACH_NAME_LEN = 16, /* IFNAMSIZ: an interface name with its NUL */
	REACH_TEXT_LEN = 160 /* any event as text, with its NUL */
};

#define REACH_MUST_CHECK __attribute__((warn_unused_result))

/** What an event is about. The order is the one in which a comparison reports. */
enum reach_kind {
	REACH_LINK = 0,      /* ifindex, present, up, lower_up, name */
	REACH_ADDRESS = 1,   /* ifindex, present, ip: one of our own addresses, ready for use */
	REACH_ROUTE = 2,     /* ifindex, present, ip, gateway, metric: a host route */
	REACH_PROXY = 3,     /* ifindex, present, ip: an address that we answer for on this link */
	REACH_NEIGHBOUR = 4, /* ifindex, state, ip */
};

/** What the kernel holds of a neighbour. */
enum reach_state {
	REACH_UNKNOWN = 0,   /* no entry, or one that says nothing */
	REACH_REACHABLE = 1, /* answered within the last seconds */
	REACH_STALE = 2,     /* STALE, DELAY, PROBE: answered once, cannot say about now */
	REACH_FAILED = 3,    /* asked, and did not answer */
};

/** One event. Fields that its kind does not use are zero. */
struct reach_event {
	enum reach_kind kind;
	enum reach_state state;
	int ifindex;
	bool present;                  /* false: has just gone */
	bool up;                       /* IFF_UP and IFF_RUNNING: switched on, and has a carrier */
	bool lower_up;                 /* up, and so is the link below it, as wpan0 is below lowpan0
					  (IFLA_LINK). Equal to 'up' where there is none.
					  Neighbours asked while it is false fail for no fault
					  of theirs, up to reach_timing.verdict_ms after */
	uint8_t ip[REACH_IP_LEN];      /* network order */
	uint8_t gateway[REACH_IP_LEN]; /* all zero: the destination is on link */
	uint32_t metric; /* of routes to the same destination the lowest is taken; 0 stands for
			    1024, as in what the kernel is told */
	char name[REACH_NAME_LEN]; /* NUL-terminated, and whatever bytes the kernel allows */
};

/** How to open a monitor. Zero-initialise for the defaults. */
struct reach_options {
	const char *const *interfaces; /* only links of these names; borrowed for the call */
	size_t interface_count;        /* 0: every link */
	int receive_buffer;            /* bytes for notices not yet read; 0: 1 MiB. The kernel
					  lowers it to net.core.rmem_max in silence */
	bool datagrams;                /* do not try to write the kernel's table: there is no
					  CAP_NET_ADMIN for it, and datagrams make it look */
};

/**
 * How long the kernel takes over a neighbour of an interface, by its settings at this moment
 * (net.ipv6.neigh.INTERFACE, and what routers advertise). All saturate.
 */
struct reach_timing {
	uint32_t verdict_ms;     /* at most, from reach_monitor_probe() to REACHABLE or FAILED;
				    0: it never asks, and fails at once */
	uint32_t reachable_ms;   /* REACHABLE lasts half to one and a half times this */
	uint32_t delay_first_ms; /* from a datagram to a STALE neighbour until it is asked */
	uint32_t retrans_ms;     /* between one question and the next */
};

/** What a monitor met since it was opened. */
struct reach_counts {
	uint64_t notices;     /* datagrams read, those that were not for us included */
	uint64_t lost;        /* times that the kernel had to drop notices */
	uint64_t malformed;   /* messages from the kernel that made no sense */
	uint64_t comparisons; /* full dumps compared with what was known, the first included */
	uint64_t untracked; /* entries that the table has no room for, since the last comparison */
};

/**
 * Receives what one read found, as a whole: judge it as a whole. Events about links come first;
 * the others are in the order in which the kernel sent them.
 *
 * @param events  borrowed until the callback returns
 * @param count   at least 1
 *
 * May call reach_monitor_probe() and reach_monitor_counts(), must not read or close the monitor.
 */
typedef void reach_callback(const struct reach_event *events, size_t count, void *ctx);

/**
 * Watch the kernel of the calling thread's network namespace.
 *
 * @param monitor  set on success only; free with reach_monitor_close()
 * @param options  NULL for the defaults
 *
 * An interface need not exist yet: names are matched when links appear or are renamed. Nothing is
 * reported before the first reach_monitor_read(), which must follow at once, since the descriptor
 * does not become readable by what was there before.
 *
 * @return 0
 *         -EINVAL  an interface name is empty or too long
 *         -ENOMEM  try again later
 *         other    no netlink socket (-EMFILE, -EPERM, ...): without it nothing can be watched
 */
REACH_MUST_CHECK int reach_monitor_open(struct reach_monitor **monitor,
					const struct reach_options *options);

/** @return the descriptor that is readable when reach_monitor_read() has work;
 * owned by 'monitor' */
int reach_monitor_fd(const struct reach_monitor *monitor);

/**
 * Read what the kernel has to say, until it has no more (or for a few thousand messages: then the
 * descriptor stays readable), and report it in one call of 'callback'; in none if nothing is new.
 *
 * A link, address or route is reported when it differs from what was reported before. A neighbour
 * notice is always reported, since the same state once more is the answer to a probe.
 *
 * A link that gets another name is gone under the one that it had, with all that belongs to it, and
 * comes anew under the other, if that one is watched.
 *
 * The first read, lost notices, a link that went down and a watched name given to another link all
 * mean a full dump, and events for every difference to what was known: nothing is guessed.
 *
 * As long as it returns an error other than -EOVERFLOW, what was reported may be out of date, and
 * whoever judges by silence is blind. The first 0 or -EOVERFLOW says that all was made up for.
 *
 * @return 0
 *         -ENOBUFS    notices were lost, and others are to be read before the dump that makes up
 *                     for them; call again at once
 *         -EAGAIN     changes interrupted the dump, or came too fast for it; call again within a
 *                     second
 *         -ENOMEM     events may be missing; call again, the next read compares everything
 *         -EOVERFLOW  all is well, but the table of known entries is full: entries beyond it are
 *                     reported as the kernel speaks of them, and lost notices about them stay
 *                     lost. Once for each comparison; see reach_counts. Say so and go on
 *         -EBADMSG    the kernel's dump makes no sense; retry later, report a bug
 *         other       the socket is broken: close the monitor and open another
 */
REACH_MUST_CHECK int reach_monitor_read(struct reach_monitor *monitor, reach_callback *callback,
					void *ctx);

/**
 * Have the kernel find out whether a neighbour is there. The answer is a later event: REACHABLE, or
 * FAILED after about three seconds (mcast_solicit x retrans_time_ms).
 *
 * An entry with a link-layer address is sent to NUD_PROBE, and STALE is reported meanwhile; one
 * that is missing or has failed is made anew by NTF_USE. Both need CAP_NET_ADMIN. Without it, an
 * empty datagram to the discard port starts the same, some five seconds later for a stale entry
 * (delay_first_probe_time).
 *
 * @param ip  the neighbour's own address, on link at 'ifindex'; not that of a node behind a router
 *
 * @return 0            asked, or the kernel is at it already
 *         -EPERM       no CAP_NET_ADMIN: the datagram was sent instead, and will be by every later
 *                      call, which returns 0. Returned once; say so and go on
 *         -EOPNOTSUPP  the entry is PERMANENT or NOARP: the kernel never probes it; use other means
 *         -EINVAL      multicast, unspecified, or no such interface index
 *         other        not asked (-ENODEV, -ENETDOWN, -ENETUNREACH, ...): the link's events tell
 * why Source: RFC 4861 section 7.3; Linux net/core/neighbour.c, neigh_add().
 */
REACH_MUST_CHECK int reach_monitor_probe(struct reach_monitor *monitor, int ifindex,
					 const uint8_t ip[REACH_IP_LEN]);

/**
 * Ask the kernel how long it takes. Nothing tells when it changes its mind: ask again when the link
 * comes up, and now and then.
 *
 * @param timing  set on success only. After reach_monitor_probe() has returned -EPERM,
 *                'verdict_ms' is that of the datagram that is sent instead
 *
 * An interface without settings of its own (it has no IPv6) has those that a new one would get.
 *
 * @return 0
 *         -EINVAL   no interface has such an index
 *         -ENODEV   the kernel has no settings for it
 *         -EAGAIN   changes interrupted the answer; call again
 *         -ENOMEM, -EBADMSG, other  as for reach_monitor_read()
 * Source: Linux net/core/neighbour.c, neigh_timer_handler().
 */
REACH_MUST_CHECK int reach_monitor_timing(struct reach_monitor *monitor, int ifindex,
					  struct reach_timing *timing);

/**
 * Have the next reach_monitor_read() look through the proxied entries of the watched links, and
 * report those that came and went since the last time. The descriptor does not become readable by
 * this: call the two one after the other, as often as a departed entry should be found. It costs a
 * dump of these entries alone.
 */
void reach_monitor_look(struct reach_monitor *monitor);

/** @return what 'monitor' met so far; all zero for a fake */
struct reach_counts reach_monitor_counts(const struct reach_monitor *monitor);

/** Free 'monitor' and close its descriptors. NULL is allowed. */
void reach_monitor_close(struct reach_monitor *monitor);

/**
 * Write an event as one line without newline, as reach_fake_script() reads it:
 *
 *     link 7 up lowpan0                 link 7 down lowpan0           link 7 gone lowpan0
 *     link 7 lower-down lowpan0         (itself up, but what is below it is not)
 *     address 7 added fd00::1           address 7 gone fd00::1
 *     route 7 added fd00::2 via fe80::2 route 7 gone fd00::2 via ::
 *     route 7 added fd00::2 via fe80::3 metric 512
 *     proxy 7 added fd00::4             proxy 7 gone fd00::4
 *     neighbour 7 reachable fd00::3     (unknown, reachable, stale, failed)
 *
 * @param text  at least REACH_TEXT_LEN bytes; bytes of a name that would not print are written '?'
 */
void reach_event_format(const struct reach_event *event, char text[REACH_TEXT_LEN]);

/*
 * Traces: what happened, and when, as text. A line is
 *
 *     +MS EVENT
 *
 * with the milliseconds since the trace began and the event as reach_event_format() writes it. Time
 * never goes back. Lines of the same millisecond that follow each other were one batch. Blank lines
 * and lines that begin with '#' are skipped.
 */

enum {
	REACH_TRACE_LEN = REACH_TEXT_LEN + 24 /* any line of a trace, with its NUL */
};

/**
 * Write a line of a trace, without newline.
 * @param at_ms  since the trace began, at least 0
 * @param text   at least REACH_TRACE_LEN bytes
 */
void reach_trace_format(int64_t at_ms, const struct reach_event *event, char text[REACH_TRACE_LEN]);

/** Walks the lines of a trace. Set up with reach_trace_begin(). */
struct reach_trace {
	const char *at;
	size_t left;   /* bytes */
	size_t line;   /* number of the newest line, from 1 */
	int64_t at_ms; /* of the newest event */
};

/** @param text  'len' bytes, borrowed while the trace is in use; every byte may be hostile */
struct reach_trace reach_trace_begin(const char *text, size_t len);

/**
 * Take the next event.
 *
 * @param at_ms, event  set only if 1 is returned
 * @return 1        an event
 *         0        the end
 *         -EINVAL  line 'trace->line' is no event, or goes back in time. The next call goes on
 *                  behind it
 */
REACH_MUST_CHECK int reach_trace_next(struct reach_trace *trace, int64_t *at_ms,
				      struct reach_event *event);

/*
 * A monitor for tests. Its descriptor, read and close are those above; no kernel is involved.
 */

/**
 * Open a fake monitor.
 * @return 0, -ENOMEM, or the error of eventfd(2)
 */
REACH_MUST_CHECK int reach_fake_open(struct reach_monitor **monitor);

/**
 * Queue events for the next read, whose descriptor becomes readable. They are passed on as they
 * are, links first, without comparison.
 * @return 0, or -ENOMEM and nothing is queued
 */
REACH_MUST_CHECK int reach_fake_say(struct reach_monitor *monitor, const struct reach_event *events,
				    size_t count);

/**
 * Queue events given as lines in the form of reach_event_format(). Blank lines and lines that begin
 * with '#' are skipped.
 *
 * @param line  if not NULL, set to the number of the offending line (from 1) on -EINVAL
 * @return 0, -ENOMEM, or -EINVAL for a line that is no event; in both cases nothing is queued
 */
REACH_MUST_CHECK int reach_fake_script(struct reach_monitor *monitor, const char *script,
				       size_t *line);

/**
 * Take a trace to play, in place of one that was there. Time is the caller's:
 *
 *     while ((at_ms = reach_fake_trace_next_ms(monitor)) >= 0) {
 *             // let everything else happen that comes before 'at_ms', then
 *             if (reach_fake_trace_advance(monitor, at_ms) == 0)
 *                     rc = reach_monitor_read(monitor, callback, ctx);
 *     }
 *
 * @param text  copied
 * @param line  if not NULL, set to the number of the offending line (from 1) on -EINVAL
 * @return 0, -ENOMEM, or -EINVAL as reach_trace_next(); in both cases the trace is what it was
 */
REACH_MUST_CHECK int reach_fake_trace_load(struct reach_monitor *monitor, const char *text,
					   size_t len, size_t *line);

/** @return when the next event of the trace is, in milliseconds since its beginning;
 * -1: at its end */
int64_t reach_fake_trace_next_ms(const struct reach_monitor *monitor);

/**
 * Queue, as reach_fake_say() does, what the trace has up to 'now_ms' and was not queued before. To
 * keep the batches of the trace apart, stop at each time that reach_fake_trace_next_ms() says.
 * @return 0, or -ENOMEM: call again, for what is left
 */
REACH_MUST_CHECK int reach_fake_trace_advance(struct reach_monitor *monitor, int64_t now_ms);

/** Let later reads return 'result' after their events: 0, or an error to try. */
void reach_fake_read_result(struct reach_monitor *monitor, int result);

/** Let later probes return 'result': 0, or an error to try. Probes are recorded all the same. */
void reach_fake_probe_result(struct reach_monitor *monitor, int result);

/** Let later calls of reach_monitor_timing() set 'timing' and return 0; NULL: return -ENODEV, as
 * they do at first. */
void reach_fake_timing(struct reach_monitor *monitor, const struct reach_timing *timing);

/** @return how often reach_monitor_look() was called */
size_t reach_fake_looks(const struct reach_monitor *monitor);

/**
 * Take the oldest recorded probe. The newest 64 are kept.
 * @return false if there is none, and outputs are untouched
 */
bool reach_fake_probed(struct reach_monitor *monitor, int *ifindex, uint8_t ip[REACH_IP_LEN]);

#endif
