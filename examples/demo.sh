#!/bin/bash
# Installs what is missing, builds, and shows the main job. See --help.
set -euo pipefail

usage() {
  cat <<'TEXT'
examples/demo.sh [--consul | --consul=ADDR] [--prefix=NAME] [--seed=N] [--page=FILE] [--help]

Twelve nodes, two services, one canary that is promoted and one that is rolled back; ends with the path of a report.
Without --consul it runs on the embedded Consul with a simulated clock and takes seconds.

  --consul       the same on a real Consul that it starts, and stops at the end
  --consul=ADDR  on yours (CONSUL_HTTP_TOKEN is its token): below a prefix of its own, refusing names that exist and
                 removing only what it made
  --prefix=NAME  begins every name that it makes (default demo-<process id>)
  --seed=N       of the made-up traffic
  --page=FILE    where the report goes (default build/demo/report.html)
TEXT
}

real=false page= arguments=() configure=()
for argument in "$@"; do
  case $argument in
    --consul) real=true ;;
    --consul=?* | --prefix=?* | --seed=?*) arguments+=("$argument") ;;
    --page=?*) page=$(realpath -m "${argument#--page=}") ;;
    --help | -h) usage; exit 0 ;;
    *) printf 'unknown argument %s\n' "$argument" >&2; usage >&2; exit 2 ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/support/packages.sh

wanted=("${build_packages[@]}")
$real && wanted+=(python3)
ensure_packages "${wanted[@]}"
mkdir -p build/demo
page=${page:-$PWD/build/demo/report.html}

printf 'building ...\n'
log=build/demo/build.log
# A checkout whose tests were built keeps them; a new one builds only what the demo needs.
[[ -f build/release/CMakeCache.txt ]] || configure=(-DCONVERGENCE_BUILD_TESTS=OFF)
if ! { cmake --preset release "${configure[@]}" && cmake --build --preset release --target demo; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  printf 'the build failed; all of it is in %s\n' "$PWD/$log" >&2
  exit 1
fi

demo=(build/release/bin/demo "--page=$page" "${arguments[@]}")
if ! $real; then
  exec "${demo[@]}"
fi
CONVERGENCE_CONSUL_BIN=$(tests/support/fetch_consul.sh build/consul)
export CONVERGENCE_CONSUL_BIN
/usr/bin/python3 -B - "${demo[@]}" <<'PY'
import subprocess
import sys

sys.path.insert(0, "tests/support")
from consul_server import ConsulServer  # noqa: E402

with ConsulServer() as consul:
    sys.exit(subprocess.run([*sys.argv[1:], f"--consul={consul.address}"]).returncode)
PY
