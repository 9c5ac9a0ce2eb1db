#!/bin/sh
# Makes .venv from requirements.lock, installs lineshaft into it, and builds the seeded ERP.
# Needs Python >= 3.11 with pip, nothing else. `PYTHON=/path/to/python` chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1; }

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.11 or newer"
        return
    fi
    for PYTHON in python3 python3.11 python3.12 python3.13; do
        if is_new_enough "$PYTHON"; then return; fi
    done
    fail "no Python 3.11 or newer was found; install one, or name it: make setup PYTHON=/path/to/python3"
}

# uv in a folder of its own: works without python3-venv and in an externally managed Python.
fetch_uv() {
    pinned=$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.lock)
    UV=.venv-bootstrap/bin/uv
    if [ "$("$UV" --version 2>/dev/null | cut -d' ' -f2)" = "${pinned#uv==}" ]; then return; fi
    say "fetching $pinned"
    rm -rf .venv-bootstrap
    "$PYTHON" -m pip install --quiet --no-input --no-deps --root-user-action=ignore --target .venv-bootstrap "$pinned" || UV=
    if [ -z "$UV" ]; then say "uv is not to be had here; going on with pip alone"; fi
}

has_the_venv() {
    is_new_enough .venv/bin/python || return 1
    what='import sys; print(sys.version_info[:2])'
    [ "$(.venv/bin/python -c "$what")" = "$("$PYTHON" -c "$what")" ]
}

make_venv() {
    if has_the_venv; then return; fi
    say "making .venv with Python $("$PYTHON" -c 'import platform; print(platform.python_version())')"
    rm -rf .venv
    if [ -n "$UV" ]; then
        "$UV" venv --quiet --python "$("$PYTHON" -c 'import sys; print(sys.executable)')" .venv
    else
        "$PYTHON" -m venv --without-pip .venv || fail "Python cannot make a virtual environment: install python3-venv"
    fi
}

install_with_uv() {
    [ -n "$UV" ] || return 1
    "$UV" pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock &&
        "$UV" pip install --quiet --python .venv/bin/python --no-deps -e .
}

install_with_pip() {
    "$PYTHON" -m pip --python .venv/bin/python install --quiet --no-input --root-user-action=ignore --require-hashes -r requirements.lock &&
        "$PYTHON" -m pip --python .venv/bin/python install --quiet --no-input --root-user-action=ignore --no-deps -e .
}

install_packages() {
    say "installing $(grep -c '==' requirements.lock) locked packages"
    if install_with_uv; then return; fi
    say "trying again with pip alone"
    install_with_pip || fail "the packages could not be installed; see the lines above"
}

# A scenario would build the ERP when it first needs it; here it is done before anybody waits for it.
build_erp() {
    .venv/bin/python - <<'END'
import sys

from estate.erp.environment import ensure_environment
from lineshaft.app.last_run import cache_dir
from lineshaft.core.errors import LineshaftError

try:
    ensure_environment(cache_dir(), lambda line: print(f"setup: {line}", flush=True))
except LineshaftError as error:
    sys.exit(f"setup: {error}")
END
}

choose_python
"$PYTHON" -m pip --version >/dev/null 2>&1 ||
    fail "$PYTHON has no pip; try: $PYTHON -m ensurepip --user, or the package python3-pip of your system"
eval "$("$PYTHON" scripts/pip_settings_for_uv.py)"
export UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"  # as pip chooses; every package is held by its hash
export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never
fetch_uv
make_venv
install_packages
build_erp
say "ready: .venv/bin/lineshaft"
