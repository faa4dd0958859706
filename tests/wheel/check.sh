#!/usr/bin/env bash
# Build the wheel, install it into clean environments and smoke-test it there, away from this folder's source.
#   tests/wheel/check.sh PYTHON        PYTHON has the `build` package; the wheel lands in dist/
set -euo pipefail

python=$(realpath --no-symlinks "$1")
cd "$(dirname "$0")/../.."
source=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

smoke() { # NAME EXTRAS: a fresh environment with these extras runs smoke_NAME.py
  "$python" -m venv "$scratch/$1"
  "$scratch/$1/bin/pip" install --quiet --disable-pip-version-check --constraint requirements.lock "$wheel[$2]"
  (cd "$scratch" && "$scratch/$1/bin/python" "$source/tests/wheel/smoke_$1.py")
  echo "wheel with [$2]: works"
}

rm -rf build dist # or modules that have since been deleted would be packed again
"$python" -m build --wheel --outdir dist . >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log" >&2; exit 1; }
rm -rf build
wheel=$(ls "$source"/dist/tandem-*.whl)
if "$python" -m zipfile --list "$wheel" | grep -E '^(launch|tests|bridge|sim|policies|agent)/'; then
  echo "the files above would land outside the tandem namespace" >&2; exit 1
fi
smoke bridge bridge
smoke sim bridge,sim,motion,log
echo "$wheel"
