// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "gatewayd/exposition.h"
#include "libgroupkey/buf.h"
#include "tests/lib/prometheus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct gw_family plain = { .name = "x_groups", .help = "Groups." };
static const struct gw_family counter = {
	.name = "x_bytes_total",
	.help = "Bytes.",
	.counter = true,
	.labelled = true,
};
static const struct gw_family seconds = {
	.name = "x_took_seconds",
	.help = "Time.",
	.thousandths = true,
};

static void put_three(struct gw_exposition *exposition)
{
	const struct gw_label labels[] = { { "group", gk_span_str("lights") },
					   { "state", gk_span_str("absent") } };

	gw_exposition_begin(exposition, &plain);
	gw_exposition_add(exposition, NULL, 0, 3);
	gw_exposition_end(exposition);
	gw_exposition_begin(exposition, &counter);
	gw_exposition_add(exposition, labels, 2, INT64_MAX);
	gw_exposition_add(exposition, labels, 1, 0);
	gw_exposition_end(exposition);
	gw_exposition_begin(exposition, &seconds);
	gw_exposition_add(exposition, NULL, 0, 60257);
	gw_exposition_end(exposition);
}

/* @return what is put, to be freed */
static char *text_of(void (*put)(struct gw_exposition *exposition))
{
	struct gw_exposition exposition = { .out = NULL };
	char *text;
	size_t len;

	exposition.out = open_memstream(&text, &len);
	put(&exposition);
	fclose(exposition.out);
	return text;
}

static void families_are_in_the_text_format(void **state)
{
	char *text = text_of(put_three);

	(void)state;
	assert_string_equal(text, "# HELP x_groups Groups.\n# TYPE x_groups gauge\nx_groups 3\n"
				  "# HELP x_bytes_total Bytes.\n# TYPE x_bytes_total counter\n"
				  "x_bytes_total{group=\"lights\",state=\"absent\"} "
				  "9223372036854775807\n"
				  "x_bytes_total{group=\"lights\"} 0\n"
				  "# HELP x_took_seconds Time.\n# TYPE x_took_seconds gauge\n"
				  "x_took_seconds 60.257\n");
	assert_null(prometheus_check(text));
	free(text);
}

static void the_same_is_an_object(void **state)
{
	struct gw_exposition exposition = { .out = NULL };
	struct io_json json;

	(void)state;
	exposition.json = &json;
	io_json_init(&json);
	io_json_object(&json, NULL);
	put_three(&exposition);
	io_json_end(&json);
	assert_string_equal(io_json_finish(&json),
			    "{\"x_groups\":3,\"x_bytes_total\":[{\"group\":\"lights\",\"state\":"
			    "\"absent\",\"value\":9223372036854775807},{\"group\":\"lights\","
			    "\"value\":0}],\"x_took_seconds\":60.257}");
	io_json_free(&json);
}

static const struct {
	const char *name, *value;
} names[] = {
	{ "lights", "lights" },
	{ "", "" },
	{ "a\"} 1\nb{c=\"", "a\\\"} 1\\nb{c=\\\"" }, // a sample of its own
	{ "a\\", "a\\\\" },
	{ "a\\n", "a\\\\n" },
	{ "l\xc3\xa4mp", "l\xc3\xa4mp" },
	{ "a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd" }, // no UTF-8
	{ "a\r\033[2J", "a\xef\xbf\xbd\xef\xbf\xbd[2J" },
	{ "a\xe2\x80\xa8", "a\xef\xbf\xbd" }, // a line to some
};

static size_t row;

static void put_name(struct gw_exposition *exposition)
{
	const struct gw_label labels[] = { { "group", gk_span_str(names[row].name) } };

	gw_exposition_begin(exposition, &counter);
	gw_exposition_add(exposition, labels, 1, 1);
	gw_exposition_end(exposition);
}

static void a_name_cannot_break_out_of_its_label(void **state)
{
	(void)state;
	for (row = 0; row < COUNT(names); row++) {
		char *text = text_of(put_name), want[256];
		snprintf(want, sizeof(want),
			 "# HELP x_bytes_total Bytes.\n# TYPE x_bytes_total counter\n"
			 "x_bytes_total{group=\"%s\"} 1\n",
			 names[row].value);
		assert_string_equal(text, want);
		assert_null(prometheus_check(text));
		free(text);
	}
}

static void put_none(struct gw_exposition *exposition)
{
	gw_exposition_begin(exposition, &counter);
	gw_exposition_end(exposition);
}

static void a_family_may_have_no_samples(void **state)
{
	char *text = text_of(put_none);

	(void)state;
	assert_string_equal(text, "# HELP x_bytes_total Bytes.\n# TYPE x_bytes_total counter\n");
	assert_null(prometheus_check(text));
	free(text);
}

/* What checks the others has to find something. */
static void what_is_not_the_format_is_noticed(void **state)
{
	static const char *const texts[] = {
		"x_groups 3\n",                                   // of no family
		"# HELP x_groups G.\nx_groups 3\n",               // no type
		"# HELP x G.\n# TYPE x gauge\ny 3\n",             // of another family
		"# HELP x G.\n# TYPE x gage\nx 3\n",              // no such type
		"# HELP x G.\n# TYPE x counter\nx 3\n",           // a counter without _total
		"# HELP x_total G.\n# TYPE x_total gauge\n",      // a gauge with it
		"# HELP x G.\n# TYPE x gauge\nx 3",               // the last line has no end
		"# HELP x G.\n# TYPE x gauge\nx\n",               // no value
		"# HELP x G.\n# TYPE x gauge\nx three\n",         // no number
		"# HELP x G.\n# TYPE x gauge\nx 3 4\n",           // a time
		"# HELP x G.\n# TYPE x gauge\nx 3\nx 4\n",        // twice
		"# HELP x G.\n# TYPE x gauge\nx{a=\"b\"}3\n",     // no blank
		"# HELP x G.\n# TYPE x gauge\nx{a=b} 3\n",        // no quotes
		"# HELP x G.\n# TYPE x gauge\nx{a=\"b\\x\"} 3\n", // no such escape
		"# HELP x G.\n# TYPE x gauge\nx{a=\"b} 3\n",      // no end
		"# HELP x G.\n# TYPE x gauge\nx{1=\"b\"} 3\n",    // no name
		"# HELP x G.\n# TYPE x gauge\nx{a=\"b\xff\"} 3\n",
		"# HELP x G.\n# TYPE x gauge\n# HELP x G.\n# TYPE x gauge\n",
		"# HELP x G.\n# TYPE x gauge\nx{a=\"b\"} 3\nx{a=\"b\"} 4\n",
		"\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (!prometheus_check(texts[i]))
			fail_msg("row %zu is taken for good", i);
	}
	assert_null(prometheus_check("# HELP x G.\n# TYPE x gauge\nx{a=\"b\",c=\"\\\"\"} -1.5\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_are_in_the_text_format),
		cmocka_unit_test(the_same_is_an_object),
		cmocka_unit_test(a_name_cannot_break_out_of_its_label),
		cmocka_unit_test(a_family_may_have_no_samples),
		cmocka_unit_test(what_is_not_the_format_is_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
