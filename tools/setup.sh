#!/bin/sh
# Makes .venv from requirements.lock, installs the project into it and makes the stubs and the map of the console. Safe to run again:
# each step leaves a stamp in .venv/.stamps with a checksum of what it was made from, and is skipped while
# that still holds. Checksums, not file times: a checkout or a copied folder changes times.
set -eu
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
stamps=.venv/.stamps

say() { printf '%s\n' "setup: $*" >&2; }

fail() {
    say "$*"
    exit 1
}

sum_of() { cat "$@" | cksum; }

fresh() { [ -f "$stamps/$1" ] && [ "$(cat "$stamps/$1")" = "$2" ]; }

stamp() {
    mkdir -p "$stamps"
    printf '%s\n' "$2" >"$stamps/$1"
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# The interpreters to try, the one the lock was made for first. A name on PATH may be an empty shim, so
# each one is asked for its version.
interpreters() {
    for name in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3.14 python3; do
        if command -v "$name" >/dev/null 2>&1 && is_new_enough "$name"; then echo "$name"; fi
    done
}

# A Debian python without the python3-venv package has venv but not ensurepip; it may still have pip.
make_venv() {
    found=$(interpreters)
    for python in $found; do
        if "$python" -c 'import ensurepip, venv' 2>/dev/null && "$python" -m venv --clear .venv; then return; fi
    done
    for python in $found; do
        if "$python" -m pip --python "$python" --version >/dev/null 2>&1 &&
            "$python" -m venv --clear --without-pip .venv &&
            "$python" -m pip --python .venv/bin/python install -q pip; then return; fi
        if "$python" -m virtualenv --version >/dev/null 2>&1 &&
            "$python" -m virtualenv -q --clear .venv; then return; fi
    done
    if command -v uv >/dev/null 2>&1 && uv venv -q --clear --seed --python '>=3.11' .venv; then return; fi
    if [ -z "$found" ]; then
        fail "Python 3.11 or newer is needed: install it (Debian and Ubuntu: apt install python3 python3-venv)."
    fi
    fail "Python has no ensurepip: install it (Debian and Ubuntu: apt install python3-venv) and run make setup again."
}

# Scripts and .pth files hold the folder's name, so a moved folder needs a new environment.
environment() {
    if fresh folder "$PWD" && .venv/bin/python -c '' 2>/dev/null; then return; fi
    say "making .venv"
    make_venv
    stamp folder "$PWD"
}

packages() {
    if fresh packages "$1"; then return; fi
    say "installing $(grep -c '==' requirements.lock) packages from requirements.lock (a few minutes the first time)"
    .venv/bin/python -m pip install --quiet --require-hashes -r requirements.lock ||
        fail "the packages could not be installed: is the network there, and the disk not full?"
    stamp packages "$1"
}

project() {
    if fresh project "$1"; then return; fi
    say "installing platewarden itself"
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e . ||
        fail "platewarden could not be installed."
    stamp project "$1"
}

stubs() {
    if fresh stubs "$1" && [ -d gen/alpr ]; then return; fi
    say "making the stubs of protos/"
    .venv/bin/python hatch_build.py stubs >&2 || fail "the stubs could not be made."
    stamp stubs "$1"
}

# What pages of the console load: the map and the outlines that it is drawn on.
console() {
    if fresh console "$1" && [ -d services/console/static/vendor ]; then return; fi
    say "making the map of the console"
    .venv/bin/python hatch_build.py console >&2 || fail "the map of the console could not be made."
    stamp console "$1"
}

# The matcher's search is compiled once here, not by whatever needs it first. Code that was compiled before a change
# may call what has changed, so all of it is made anew.
machine_code() {
    if fresh machine_code "$1"; then return; fi
    say "compiling the matcher's search"
    rm -f services/matcher/core/__pycache__/*.nb[ci]
    .venv/bin/python -m services.matcher.warm_up || fail "the matcher's search could not be compiled."
    stamp machine_code "$1"
}

# Two runs at once would install into one another.
if command -v flock >/dev/null 2>&1; then
    exec 9>.setup.lock
    flock 9
fi
environment
packages "$(sum_of requirements.lock)"
project "$(sum_of requirements.lock pyproject.toml hatch_build.py)"
stubs "$(find protos -name '*.proto' -exec cksum {} + | sort | sum_of - hatch_build.py requirements.lock)"
console "$(find services/console/vendor -maxdepth 1 -type f -exec cksum {} + | sort | sum_of - hatch_build.py requirements.lock)"
machine_code "$(sum_of services/matcher/core/*.py requirements.lock)"
