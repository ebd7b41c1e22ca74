#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# tests/conformance/table.sh         check, as TAP, that every requirement has a test, or a reason
# tests/conformance/table.sh write   write docs/conformance.md
#
# A test carries its numbers in its name: kdc_019_021_what_it_shows. Those of elsewhere.txt carry
# them there. Whether they passed is what the logs of tests/run say, after all of them have run.
# What was skipped, or is not run without namespaces, is no failure here: tests/run shows it.

set -u
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd) || exit 1
top=$(cd "$here/../.." && pwd) || exit 1
logs=${TEST_LOGS:-$top/build/tests/log}
document=$top/docs/conformance.md
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

rows() { # FILE
	grep -E '^(KDC|MEM)-[0-9]{3} \| ' "$here/$1"
}

# NUMBER|FILE|NAME of each test that carries a number, in the order of the table.
carried() {
	for file in "$here"/test_*.c "$here"/test_*.sh; do
		[ -e "$file" ] || continue
		grep -oE '\b(kdc|mem)(_[0-9]{3})+_[a-z][a-z0-9_]*' "$file" | sort -u |
			awk -v file="tests/conformance/${file##*/}" '{
				part = toupper(substr($0, 1, 3))
				for (rest = substr($0, 4); rest ~ /^_[0-9][0-9][0-9]_/; rest = substr(rest, 5))
					print part "-" substr(rest, 2, 3) "|" file "|" $0
			}'
	done
	rows elsewhere.txt | sed 's/ | /|/g'
}

# FILE|NAME|passed or failed, or neither where it was not run or skipped.
results() {
	cut -d '|' -f 2- "$work/carried" | sort -u | while IFS='|' read -r file name; do
		log=${file#tests/}
		log=$logs/$(printf '%s' "${log%.*}" | tr / -).log
		result='not run'
		if [ -e "$log" ]; then
			result=$(awk -v name="$name" '
				{ line = $0; sub(/^(not )?ok [0-9]+ (- )?(# SKIP )?/, "", line) }
				line != name && index(line, name " #") != 1 && index(line, name ":") != 1 { next }
				/# SKIP/ { result = "skipped"; next }
				/^ok / { result = "passed"; next }
				/^not ok / { result = "failed" }
				END { print result ? result : "failed" }' "$log")
		fi
		echo "$file|$name|$result"
	done
}

# The document. A test that did not run here has passed where the document was written.
compose() {
	cat <<'END'
# Conformance

Made by `make conformance`; `make check` compares. What RFC 9594 and its profile for Group OSCORE ask
of a KDC and of a member, and the test that fails when it is not so. A test's name starts with the
numbers that it carries.

R RFC 9594; P draft-ietf-ace-key-groupcomm-oscore-21; G Group OSCORE, RFC 10021; A RFC 9200 (ACE);
O RFC 9203 (OSCORE profile); D RFC 9202 (DTLS profile).
END
	awk -F '|' -v carried="$work/carried" -v results="$work/results" -v exempt="$work/exempt" \
		-v notes="$work/notes" '
	function trim(s) {
		gsub(/^ +| +$/, "", s)
		return s
	}
	FILENAME == results {
		result[$1 "|" $2] = $3
		next
	}
	FILENAME == carried {
		file = $2
		sub(/^tests\//, "", file)
		tests[$1] = tests[$1] (tests[$1] ? "<br>" : "") file ": `" $3 "`"
		if (result[$2 "|" $3] == "failed")
			bad[$1] = 1
		next
	}
	FILENAME == exempt {
		reason[trim($1)] = trim($2)
		next
	}
	FILENAME == notes {
		note[trim($1)] = "<br>" trim($2)
		next
	}
	/^= / {
		print "\n## " substr($0, 3)
		next
	}
	/^== / {
		print "\n### " substr($0, 4)
		print "\n| No. | Level | Requirement | Source | Test | Result |\n|---|---|---|---|---|---|"
		next
	}
	/^(KDC|MEM)-/ {
		n = trim($1)
		row = "| " n " | " trim($2) " | " trim($3) " | " trim($4) " | "
		if (n in tests)
			print row tests[n] note[n] " | " (n in bad ? "FAILED" : "passed") " |"
		else if (n in reason)
			print row reason[n] " | " (reason[n] ~ /^Not in this/ ? "no" : "does not apply") " |"
		else
			print row "| MISSING |"
	}' "$work/results" "$work/carried" "$work/exempt" "$work/notes" "$here/requirements.txt"
}

carried >"$work/carried"
results >"$work/results"
rows not_applicable.txt >"$work/exempt"
rows notes.txt >"$work/notes"
rows requirements.txt | cut -d ' ' -f 1 | sort >"$work/all"
cut -d '|' -f 1 "$work/carried" | sort -u >"$work/tested"
cut -d ' ' -f 1 "$work/exempt" | sort -u >"$work/excused"
compose >"$work/document"

if [ "${1-}" = write ]; then
	cp "$work/document" "$document"
	exit
fi

count=0
status=0
# Each test is a file in which nothing may stand.
empty() { # NAME FILE
	count=$((count + 1))
	if [ -s "$2" ]; then
		status=1
		sed 's/^/# /' "$2"
		echo "not ok $count - $1"
	else
		echo "ok $count - $1"
	fi
}

sort -u "$work/tested" "$work/excused" | comm -23 "$work/all" - >"$work/a"
empty each_requirement_has_a_test_or_a_reason "$work/a"
sort -u "$work/tested" "$work/excused" | comm -13 "$work/all" - >"$work/b"
empty each_number_is_of_a_requirement "$work/b"
comm -12 "$work/tested" "$work/excused" >"$work/c"
empty nothing_is_tested_that_does_not_apply "$work/c"
grep '|failed$' "$work/results" >"$work/d"
empty each_test_that_carries_a_number_passed "$work/d"
rows elsewhere.txt | while IFS='|' read -r _ file name; do
	file=${file# }
	file=${file% }
	grep -qF -- "${name# }" "$top/$file" || echo "$file: ${name# }"
done >"$work/e"
empty each_test_named_elsewhere_exists "$work/e"
{ cat "$document" 2>&1 || true; } | diff - "$work/document" >"$work/f"
empty the_document_is_what_the_tests_make "$work/f"
echo "1..$count"
exit $status
