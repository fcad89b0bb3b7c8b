#!/bin/sh
# Puts a locked set of packages and this checkout into .venv: `tools/install.sh test`, or `local` for the demo.
# Does nothing when that was done before for the same pyproject.toml, lock and interpreter. $PYTHON picks another
# interpreter than python3.
set -eu
cd "$(dirname "$0")/.."
set_name=$1
python=${PYTHON:-python3}

fail() {
    echo "$1" >&2
    exit 1
}

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    fail "$python doesn't run: install Python 3.11 or newer, or say which one: make PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is $version, 3.11 or newer is needed: make PYTHON=/path/to/a/newer/python3"

# The set `test` contains the set `local`, so either stamp is good for the demo.
stamp_of() {
    "$python" - "$1" "$version" <<'EOF'
import hashlib, sys
name, version = sys.argv[1:]
h = hashlib.sha256(version.encode())
for path in ("pyproject.toml", f"requirements/{name}.txt"):
    with open(path, "rb") as file:
        h.update(file.read())
print(f".venv/.installed-{name}-{h.hexdigest()[:16]}")
EOF
}
stamp=$(stamp_of "$set_name")
[ ! -e "$stamp" ] || exit 0
if [ "$set_name" = local ] && [ -e "$(stamp_of test)" ]; then exit 0; fi

uv=$(command -v uv || true)
found=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
if [ "$found" != "$version" ]; then
    if [ -e .venv ] && [ ! -e .venv/pyvenv.cfg ]; then fail ".venv is not a virtual environment: remove it first"; fi
    [ -n "$uv" ] || "$python" -c 'import ensurepip' 2>/dev/null ||
        fail "$python has no ensurepip: install the package python$version-venv, or put uv on the PATH"
    rm -rf .venv
    if [ -n "$uv" ]; then
        uv venv --quiet --python "$(command -v "$python")" .venv
    else
        "$python" -m venv .venv
    fi
fi

echo "installing the $set_name set into .venv; the first time this may take a minute" >&2
if [ -n "$uv" ]; then
    install="uv pip install --quiet --python .venv/bin/python"
else
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --default-pip >/dev/null
    install=".venv/bin/python -m pip install -qq --no-compile --disable-pip-version-check"
fi
$install --require-hashes -r "requirements/$set_name.txt"
$install --no-deps --no-build-isolation -e .
rm -f ".venv/.installed-$set_name-"*
: >"$stamp"
