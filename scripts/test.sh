#!/bin/sh
# Every test, two at a time. Thousands of them play against real servers and processes, on a machine that may be
# short of time: up to three that fail are run again, alone. What fails again fails the run; what passes is named
# as unsteady, and is to be mended like any other fault (docs/decisions/0025).
set -u
python=.venv/bin/python

$python -m pytest -n 2 --dist worksteal --cache-clear
result=$?
[ "$result" -eq 1 ] || exit "$result"

failed=$($python -c 'import json; print(*json.load(open(".pytest_cache/v/cache/lastfailed")), sep="\n")') || exit 1
[ "$(printf '%s\n' "$failed" | wc -l)" -le 3 ] || exit 1
printf '\nRun again, alone:\n%s\n' "$failed"
$python -m pytest --last-failed --last-failed-no-failures none || exit 1
printf '\nUnsteady: these failed beside others and passed alone:\n%s\n' "$failed"
