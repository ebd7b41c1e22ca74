// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A message that libgroupkey/coap.h takes apart and writes again has the same options and payload,
// is no longer than it was, and stays as it is the second time.

#include "libgroupkey/coap.h"
#include "libgroupkey/numbers.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_MAX 65536

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void copy_message(const struct gk_coap *msg, struct gk_buf *out)
{
	struct gk_coap_writer w = gk_coap_begin(out, msg->code);
	struct gk_coap_iter iter = gk_coap_options(msg);
	while (gk_coap_next(&iter))
		gk_coap_put(&w, iter.number, iter.value);
	must(iter.rest.len == 0);
	gk_coap_put_payload(&w, msg->payload);
	must(gk_buf_err(out) == GK_OK);
}

static void compare(const struct gk_coap *a, const struct gk_coap *b)
{
	struct gk_coap_iter i = gk_coap_options(a), j = gk_coap_options(b);
	while (gk_coap_next(&i)) {
		must(gk_coap_next(&j));
		must(i.number == j.number && gk_span_equal(i.value, j.value));
	}
	must(!gk_coap_next(&j));
	must(a->code == b->code && gk_span_equal(a->payload, b->payload));
}

static void look_things_up(const struct gk_coap *msg)
{
	struct gk_span segments[4], value;
	size_t count = gk_coap_path(msg, segments, 4);
	if (count <= 4)
		must(gk_coap_path_is(msg, segments, count));
	must(gk_coap_find(msg, GK_OPT_URI_PATH, &value) == (count > 0));
	must(gk_coap_find_uint(msg, GK_OPT_CONTENT_FORMAT, -1) <= UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t once[MESSAGE_MAX], twice[MESSAGE_MAX];
	struct gk_coap msg, again;
	if (size > MESSAGE_MAX || gk_coap_parse(gk_span(data, size), &msg))
		return 0;
	look_things_up(&msg);

	struct gk_buf first = gk_buf(once, sizeof(once)), second = gk_buf(twice, sizeof(twice));
	copy_message(&msg, &first);
	must(first.len <= size);
	must(gk_coap_parse(gk_buf_span(&first), &again) == GK_OK);
	compare(&msg, &again);
	copy_message(&again, &second);
	must(gk_span_equal(gk_buf_span(&first), gk_buf_span(&second)));
	return 0;
}
