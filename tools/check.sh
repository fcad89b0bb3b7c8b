#!/bin/sh
# Types, import contracts and lint beside the tests that pytest is told to run. Says at the end what failed.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

lint() {
    status=0
    $bin/ruff check --quiet || status=1
    $bin/ruff format --check --quiet || status=1
    $bin/mypy || status=1
    $bin/lint-imports --no-logo || status=1
    return $status
}

lint >"$out/lint" 2>&1 &
linting=$!
$bin/python -m pytest -n 2 --dist worksteal "$@"
tested=$?
wait $linting
linted=$?
if [ $linted -ne 0 ]; then
    cat "$out/lint"
    echo "lint, types or import contracts failed: see above" >&2
else
    tail -n 1 "$out/lint"
fi
[ $tested -eq 0 ] && [ $linted -eq 0 ]
