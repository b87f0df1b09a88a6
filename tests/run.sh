#!/bin/bash
# Installs what is missing, builds, runs every test. See --help.
set -uo pipefail

usage() {
  cat <<'TEXT'
tests/run.sh [--ci] [--nightly] [--require-consul] [--help]

Installs the Debian packages that are missing, builds in build/release and runs every test there, those with a real
Consul too; ends with the tests that were skipped, by name and reason, and one summary line.

  --require-consul  a machine that can have no Consul is a failure
  --ci              that, and: nothing may be skipped, sources must be formatted, and all tests but those of Python
                    and packaging, and those that wait for minutes, run a second time, built by clang with address and
                    undefined-behaviour sanitizers
  --nightly         --ci, and: the long forms of tests, a third run with the thread sanitizer, the fuzzers, clang-tidy

CONSUL_BIN names a consul binary to test against in place of Debian's.
TEXT
}

ci=false nightly=false require_consul=false
for argument in "$@"; do
  case $argument in
    --ci) ci=true require_consul=true ;;
    --nightly) nightly=true ci=true require_consul=true ;;
    --require-consul) require_consul=true ;;
    --help | -h) usage; exit 0 ;;
    *) printf 'unknown argument %s\n' "$argument" >&2; usage >&2; exit 2 ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. tests/support/packages.sh

failures=()
reports=()

# step name command...: runs it, says how long it took, remembers if it failed.
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n=== %s\n' "$name"
  if "$@"; then
    printf '=== %s: %d s\n' "$name" $((SECONDS - start))
  else
    printf '=== %s: FAILED after %d s\n' "$name" $((SECONDS - start))
    failures+=("$name")
    return 1
  fi
}

# What the user has set for his own Consul is not for the servers of the tests.
clear_environment() {
  local name
  for name in ${!CONSUL_@}; do
    [[ $name == CONSUL_BIN ]] || unset "$name"
  done
  export no_proxy="127.0.0.1,localhost${no_proxy:+,$no_proxy}"
  export NO_PROXY=$no_proxy
  $nightly && export CONVERGENCE_NIGHTLY=1
  return 0
}

find_consul() {
  local reason
  mkdir -p build
  reason=$(mktemp build/consul-reason.XXXXXX)
  if CONVERGENCE_CONSUL_BIN=$(tests/support/fetch_consul.sh build/consul 2>"$reason"); then
    export CONVERGENCE_CONSUL_BIN
    printf '%s: %s\n' "$CONVERGENCE_CONSUL_BIN" "$("$CONVERGENCE_CONSUL_BIN" version | head -n 1)"
  else
    unset CONVERGENCE_CONSUL_BIN
    CONVERGENCE_NO_CONSUL=$(<"$reason")
    export CONVERGENCE_NO_CONSUL
    printf '%s\n' "$CONVERGENCE_NO_CONSUL"
  fi
  rm -f "$reason"
  if $require_consul; then
    export CONVERGENCE_REQUIRE_CONSUL=1
    [[ -n ${CONVERGENCE_CONSUL_BIN:-} ]]
  fi
}

# One that cannot be had is skipped by name; --ci refuses skips.
find_servers() {
  local name found
  for name in prometheus haproxy; do
    if found=$(tests/support/fetch_server.sh "$name" build/servers); then
      export "CONVERGENCE_${name^^}_BIN=$found"
      printf '%s\n' "$found"
    fi
  done
  return 0
}

check_format() {
  find include lib capi bindings examples tests -path '*/build/*' -prune -o \
    -type f \( -name '*.h' -o -name '*.cc' -o -name '*.c' \) -print0 2>/dev/null |
    xargs -0 clang-format-14 --dry-run -Werror
}

# The folder may have been configured for less: by the demo, which needs no tests.
build() {
  local part parts=()
  for part in BUILD_TESTS BUILD_CAPI BUILD_EXAMPLES INSTALL; do
    parts+=("-DCONVERGENCE_$part=ON")
  done
  cmake --preset "$1" -DPython3_EXECUTABLE=/usr/bin/python3 "${parts[@]}" &&
    cmake --build --preset "$1" -j "$(nproc)"
}

# run_tests preset ctest-argument...
run_tests() {
  local preset=$1 junit=$PWD/build/$1/$1.xml
  shift
  rm -f "$junit"
  ctest --preset "$preset" -j 2 --output-junit "$junit" --test-output-size-passed 4194304 \
    --test-output-size-failed 4194304 "$@"
  local status=$?
  [[ -f $junit ]] && reports+=("$junit")
  return $status
}

job() {
  local preset=$1 excluded=$2
  shift 2
  $nightly || excluded+='|nightly'
  step "build $preset" build "$preset" && step "test $preset" run_tests "$preset" -LE "^($excluded)\$" "$@"
}

wanted=("${build_packages[@]}" "${test_packages[@]}")
$ci && wanted+=("${ci_packages[@]}")
$nightly && wanted+=("${nightly_packages[@]}")
step packages ensure_packages "${wanted[@]}" || exit 1
clear_environment
step consul find_consul || exit 1
step servers find_servers
$ci && step format check_format
job release none
# Python loads libraries into a program without the sanitizers' runtime; the others test what is built, not the code.
readonly not_for_sanitizers='python|packaging|structure|benchmark'
not_today=$not_for_sanitizers
$nightly || not_today+='|long'
$ci && job clang-asan "$not_today"
$nightly && job clang-tsan "$not_for_sanitizers"
$nightly && job fuzz none
$nightly && step tidy build tidy

printf '\n=== summary after %d s\n' $SECONDS
((${#reports[@]})) || { printf 'no test was run\n'; exit 1; }
no_skips=()
$ci && no_skips=(--no-skips)
((${#failures[@]})) && printf 'FAILED: %s\n' "${failures[@]}"
/usr/bin/python3 -B tests/support/report.py "${no_skips[@]}" "${reports[@]}"
status=$?
((${#failures[@]} == 0 && status == 0))
