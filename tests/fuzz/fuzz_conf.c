// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// A configuration that is accepted says the same again when it is printed and read back; one that
// is refused is refused with a message that names file and line.

#include "gatewayd/conf.h"
#include "libgroupkey/buf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// libconfig 1.5 does not free the text that it has read last when a syntax error follows.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

static void must(bool holds)
{
	if (!holds)
		abort();
}

static char *print(const struct gw_conf *conf, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	must(out != NULL);
	gw_conf_print(conf, out);
	must(fclose(out) == 0);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gw_conf conf, again;
	char error[GW_CONF_ERROR] = "";

	if (!gw_conf_parse(gk_span(data, size), "f", &conf, error, sizeof(error))) {
		must(strncmp(error, "f:", 2) == 0 && strlen(error) > 4);
		return 0;
	}

	size_t len, again_len;
	char *text = print(&conf, &len);
	must(gw_conf_parse(gk_span(text, len), "f", &again, error, sizeof(error)));
	char *again_text = print(&again, &again_len);
	must(len == again_len && memcmp(text, again_text, len) == 0);
	free(text);
	free(again_text);
	gw_conf_free(&conf);
	gw_conf_free(&again);
	return 0;
}
