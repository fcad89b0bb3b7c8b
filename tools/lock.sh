#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml. `make lock ARGS=--upgrade` takes newer releases. Needs uv.
set -eu
cd "$(dirname "$0")/.."

# No configuration, index or variable of this machine may leave a trace: the lock names versions and hashes only.
lock() {
    output=requirements/$1.txt
    shift
    env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
        uv --no-config pip compile pyproject.toml "$@" ${ARGS:-} --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file "$output" >/dev/null
}

lock test --extra test --group build
# One version of everything: the smaller sets take theirs from the largest.
ARGS= lock local --extra local --group build --constraint requirements/test.txt
ARGS= lock base --constraint requirements/test.txt
