// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/words.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const storages[] = {
	[GK_STORAGE_GOOD] = "good",
	[GK_STORAGE_SCARCE] = "scarce",
	[GK_STORAGE_NONE] = "none",
};

static const char *const presences[] = {
	[GK_PRESENT] = "present", [GK_SUSPECT] = "suspect", [GK_ABSENT] = "absent",
	[GK_BANNED] = "banned",   [GK_ASLEEP] = "asleep",
};

static const char *const blindnesses[] = {
	[GK_BLIND_NOT] = "",
	[GK_BLIND_LINK_GONE] = "link-gone",
	[GK_BLIND_LINK_DOWN] = "link-down",
	[GK_BLIND_RADIO_DOWN] = "radio-down",
	[GK_BLIND_NO_ADDRESS] = "no-address",
	[GK_BLIND_DEAF] = "deaf",
	[GK_BLIND_MASS_LOSS] = "mass-loss",
};

static const char *const facts[] = {
	[GK_FACT_NONE] = "",
	[GK_FACT_JOINED] = "joined",
	[GK_FACT_REQUEST] = "request",
	[GK_FACT_ANSWER] = "answer",
	[GK_FACT_CONFIRMATION] = "confirmation",
	[GK_FACT_ACKNOWLEDGED] = "acknowledged",
	[GK_FACT_SILENT] = "silent",
	[GK_FACT_KERNEL_ASKED] = "kernel-asked",
	[GK_FACT_KERNEL_FAILED] = "kernel-failed",
	[GK_FACT_KERNEL_CONFIRMED] = "kernel-confirmed",
	[GK_FACT_KERNEL_MUTE] = "kernel-mute",
	[GK_FACT_KERNEL_DEAF] = "kernel-deaf",
	[GK_FACT_ROUTED] = "routed",
	[GK_FACT_ROUTER_FAILED] = "router-failed",
	[GK_FACT_ROUTE_GONE] = "route-gone",
	[GK_FACT_MOVED] = "moved",
	[GK_FACT_PROBED] = "probed",
	[GK_FACT_PROBED_BY_MULTICAST] = "probed-by-multicast",
	[GK_FACT_UNANSWERED] = "unanswered",
	[GK_FACT_UNSENT] = "unsent",
	[GK_FACT_SUSPECT] = "suspect",
	[GK_FACT_ABSENT] = "absent",
	[GK_FACT_ASLEEP] = "asleep",
	[GK_FACT_WITNESSED] = "witnessed",
	[GK_FACT_WAITS] = "waits",
	[GK_FACT_BLIND] = "blind",
	[GK_FACT_SEES] = "sees",
	[GK_FACT_EXCUSED] = "excused",
	[GK_FACT_CONFIRMED_LOSS] = "confirmed-loss",
	[GK_FACT_REMOVED] = "removed",
	[GK_FACT_PUT_OUT] = "put-out",
	[GK_FACT_LEFT] = "left",
	[GK_FACT_ELSEWHERE] = "elsewhere",
	[GK_FACT_PARKED] = "parked",
	[GK_FACT_RESTORED] = "restored",
};

static const char *word_at(const char *const *words, size_t count, size_t i)
{
	return i < count && words[i] ? words[i] : "unknown";
}

const char *gw_word_of_storage(enum gk_storage storage)
{
	return word_at(storages, COUNT(storages), (size_t)storage);
}

const char *gw_word_of_presence(enum gk_presence presence)
{
	return word_at(presences, COUNT(presences), (size_t)presence);
}

const char *gw_word_of_blindness(enum gk_blindness why)
{
	return word_at(blindnesses, COUNT(blindnesses), (size_t)why);
}

const char *gw_word_of_fact(enum gk_fact fact)
{
	return word_at(facts, COUNT(facts), (size_t)fact);
}
