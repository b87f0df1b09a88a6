# Debian packages that the scripts need, in one place; sourced, not run.

build_packages=(g++ cmake ninja-build pkg-config libcurl4-openssl-dev rapidjson-dev libfmt-dev libabsl-dev libre2-dev
                libevent-dev libyaml-cpp-dev libarchive-dev libssl-dev)
# On top of those: the tests, what only --ci runs, what only --nightly runs.
test_packages=(doctest-dev libbenchmark-dev openssl python3 python3-venv python3-pip python3-setuptools python3-wheel python3-jsonschema)
ci_packages=(clang-14 libclang-rt-14-dev clang-format-14 chromium)
nightly_packages=(clang-tidy-14)

missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
  done
}

# How this user may install: a command prefix, or failure when there is none.
privilege() {
  if [[ $(id -u) == 0 ]]; then
    echo env
  elif command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true >/dev/null 2>&1; }; then
    echo sudo
  else
    return 1
  fi
}

# ensure_packages name...: installs what is missing; without the right to, lists exactly that and fails.
ensure_packages() {
  local missing as_root
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    printf 'no apt here: these have to be there already, under whatever names: %s\n' "$*" >&2
    return 0
  fi
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  printf 'missing packages: %s\n' "${missing[*]}"
  if as_root=$(privilege) && $as_root apt-get update -q &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"; then
    return 0
  fi
  printf 'They cannot be installed from here. As root:\n  apt-get install %s\n' "${missing[*]}" >&2
  return 1
}
