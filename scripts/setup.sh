# Sourced by the scripts beside it: a virtual environment with promptsim in it, made once, kept up to date.
# PROMPTSIM_VENV names the folder (default: .venv beside pyproject.toml).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv="${PROMPTSIM_VENV:-.venv}"

setup() {  # setup [EXTRA]: install promptsim, with an extra's packages, unless the same was done before
    local extra="${1:-}" want
    want="$(cat pyproject.toml constraints.txt | cksum) ${extra:-run} $PWD"
    if [ ! -x "$venv/bin/python" ]; then
        "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
            { echo "promptsim needs Python 3.11 or newer; name one with PYTHON=/path/to/python" >&2; exit 2; }
        echo "Making a virtual environment in $venv …" >&2
        "${PYTHON:-python3}" -m venv "$venv"
    fi
    if ! grep -qxF "$want" "$venv/.promptsim-setup" 2>/dev/null; then
        echo "Installing promptsim and what it needs (a few minutes the first time) …" >&2
        "$venv/bin/pip" install -qq --disable-pip-version-check -c constraints.txt -e ".${extra:+[$extra]}"
        echo "Compiling the inner loops (about a minute, once) …" >&2
        warm="$(mktemp -d)"
        "$venv/bin/promptsim" demo --events 1000 --home "$warm/demo" >/dev/null 2>"$warm/log" ||
            { cat "$warm/log" >&2; exit 1; }
        rm -rf "$warm"
        echo "$want" >>"$venv/.promptsim-setup"
    fi
}
