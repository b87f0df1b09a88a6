#!/bin/bash
# fetch_consul.sh [cache-dir]: prints the path of a consul binary that runs here.
# Exit 77 with one line of reason on stderr when none can be had, 1 when CONSUL_BIN names no consul.
# fetch_consul.sh --print-source: prints the package source that would be used, for the test of this script.
#
# Debian 12 has no consul; Debian 11 has one that needs libc only. Its package is fetched under an apt configuration
# of our own, from the Debian mirror that this machine uses already: nothing of the user's apt is read but the source
# entry and proxy settings, nothing of it is written, nothing is installed and no root is needed.
set -euo pipefail

# fetch_server.sh uses what follows for others.
what=consul
suite=bullseye
readonly default_keyring=/usr/share/keyrings/debian-archive-keyring.gpg
readonly apt_directory=${CONVERGENCE_APT_DIRECTORY:-/etc/apt}

unavailable() {
  printf 'no %s: %s\n' "$what" "$1" >&2
  exit 77
}

# Lines "score<TAB>uri<TAB>keyring", one for each entry that may be this machine's Debian mirror.
source_entries() {
  local codename file
  codename=$(. "${CONVERGENCE_OS_RELEASE:-/etc/os-release}" && printf '%s' "${VERSION_CODENAME:-}")
  for file in "$apt_directory"/sources.list.d/*.sources; do
    [[ -r $file ]] && awk -v codename="$codename" -f <(awk_scoring; awk_deb822) "$file"
  done
  for file in "$apt_directory"/sources.list "$apt_directory"/sources.list.d/*.list; do
    [[ -r $file ]] && awk -v codename="$codename" -f <(awk_scoring; awk_one_line) "$file"
  done
  return 0
}

# Other publishers use the suite and component names of Debian too: the keyring and the path tell them apart.
awk_scoring() {
  cat <<'AWK'
function has(list, word,   parts, count, i) {
  count = split(list, parts, /[ \t]+/)
  for (i = 1; i <= count; i++) if (parts[i] == word) return 1
  return 0
}
function offer(uri, keyring, suites, components,   score) {
  if (!has(suites, codename) && !has(suites, "stable") && !has(suites, "oldstable")) return
  if (!has(components, "main") || uri !~ /:/ || uri ~ /^cdrom:/) return
  if (keyring !~ /^\//) keyring = ""
  score = 0
  if (keyring ~ /debian-archive/) score += 4
  else if (keyring == "") score += 2
  if (uri ~ /\/debian\/?$/) score += 1
  if (has(suites, codename)) score += 1
  if (score >= 2) printf "%d\t%s\t%s\n", score, uri, keyring
}
AWK
}

awk_deb822() {
  cat <<'AWK'
function flush() {
  split(field["uris"], uri, /[ \t]+/)
  if (has(field["types"], "deb") && tolower(field["enabled"]) != "no")
    offer(uri[1], field["signed-by"], field["suites"], field["components"])
  delete field
  name = ""
}
{ sub(/\r$/, "") }
/^#/ { next }
/^[ \t]*$/ { flush(); next }
/^[ \t]/ { sub(/^[ \t]+/, ""); field[name] = field[name] (field[name] == "" ? "" : " ") $0; next }
{
  name = tolower(substr($0, 1, index($0, ":") - 1))
  value = substr($0, index($0, ":") + 1)
  gsub(/^[ \t]+|[ \t]+$/, "", value)
  field[name] = value
}
END { flush() }
AWK
}

awk_one_line() {
  cat <<'AWK'
/^[ \t]*deb[ \t]/ {
  sub(/#.*/, "")
  keyring = ""
  if (match($0, /\[[^]]*\]/)) {
    options = substr($0, RSTART + 1, RLENGTH - 2)
    $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
    if (match(options, /signed-by=[^ \t,]+/)) keyring = substr(options, RSTART + 10, RLENGTH - 10)
  }
  components = ""
  for (i = 4; i <= NF; i++) components = components " " $i
  offer($2, keyring, $3, components)
}
AWK
}

print_source() {
  local best uri keyring
  best=$(source_entries | sort -s -t $'\t' -k1,1nr | head -n 1)
  [[ -n $best ]] || return 1
  IFS=$'\t' read -r _ uri keyring <<<"$best"
  if [[ -z $keyring && -r $default_keyring ]]; then
    keyring=$default_keyring
  fi
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$suite"
  if [[ -n $keyring ]]; then
    printf 'Signed-By: %s\n' "$keyring"
  fi
}

# Hooks and pins of the user's configuration would act on, or hide, what is none of their business.
write_apt_configuration() {
  local work=$1
  mkdir -p "$work"/{lists/partial,cache/archives/partial,state,sources,none}
  touch "$work/state/status"
  cat >"$work/apt.conf" <<CONF
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$work/sources";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$work/none";
Dir::State "$work/state";
Dir::State::Lists "$work/lists";
Dir::State::Status "$work/state/status";
Dir::Cache "$work/cache";
Dir::Log "$work/none";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
#clear APT::Default-Release;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
CONF
}

# Runs in a folder of its own, so that nothing half done is ever at the place where others look.
fetch_into() {
  local work=$1 log=$1/log package
  write_apt_configuration "$work"
  print_source >"$work/sources/debian.sources" ||
    unavailable "no Debian source entry in $apt_directory to fetch its package from"
  if ! apt-get -q -c "$work/apt.conf" update >"$log" 2>&1 </dev/null ||
    ! (cd "$work" && apt-get -q -c "$work/apt.conf" download consul >>"$log" 2>&1 </dev/null); then
    unavailable "apt cannot fetch it: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
  fi
  package=$(compgen -G "$work/consul_*.deb") || unavailable "apt downloaded nothing"
  dpkg-deb -x "$package" "$work/unpacked" || unavailable "$(basename "$package") cannot be unpacked"
  runs "$work/unpacked/usr/bin/consul" || unavailable "$(basename "$package") does not run on this machine"
}

runs() { [[ -x $1 && ! -d $1 ]] && "$1" version >/dev/null 2>&1; }

main() {
  if [[ -n ${CONSUL_BIN:-} ]]; then
    runs "$CONSUL_BIN" || { printf 'CONSUL_BIN is %s, which does not run as consul\n' "$CONSUL_BIN" >&2; exit 1; }
    realpath "$CONSUL_BIN"
    return
  fi
  local cache=${1:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/convergence/consul}
  if runs "$cache/consul"; then
    realpath "$cache/consul"
    return
  fi
  mkdir -p "$cache" 2>/dev/null || unavailable "the cache folder $cache cannot be made"
  cache=$(cd "$cache" && pwd)
  exec 9>"$cache/lock" || unavailable "the cache folder $cache cannot be written"
  flock 9
  if ! runs "$cache/consul"; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
      unavailable "no apt here; CONSUL_BIN may name a consul binary"
    # Under the lock nobody else works here: what is left over is of runs that were killed.
    rm -rf "$cache"/fetch.*
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM HUP
    fetch_into "$work"
    mv -f "$work/unpacked/usr/bin/consul" "$cache/consul"
  fi
  printf '%s\n' "$cache/consul"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  if [[ ${1:-} == --print-source ]]; then
    print_source
  else
    main "$@"
  fi
fi
