#!/bin/bash
# fetch_server.sh prometheus|haproxy [cache-dir]: prints the path of that server, to be run by a test.
# Exit 77 with one line of reason on stderr when none can be had, 1 when PROMETHEUS_BIN or HAPROXY_BIN names none.
#
# Debian's packages would start a service when they are installed. So one that is installed is used, and otherwise the
# package is unpacked in the cache, with libraries that it needs and Debian's minimal system has not: nothing is
# installed, nothing runs but in tests, and no root is needed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/fetch_consul.sh"

what=${1:-}
suite=$(. "${CONVERGENCE_OS_RELEASE:-/etc/os-release}" && printf '%s' "${VERSION_CODENAME:-}")
case $what in
  prometheus) place=usr/bin/prometheus version=--version named=${PROMETHEUS_BIN:-} packages=(prometheus) ;;
  haproxy)
    place=usr/sbin/haproxy version=-v named=${HAPROXY_BIN:-}
    packages=(haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1)
    ;;
  *) printf 'fetch_server.sh: prometheus or haproxy\n' >&2; exit 2 ;;
esac

server_runs() { [[ -x $1 && ! -d $1 ]] && "$1" "$version" >/dev/null 2>&1; }

fetch_server_into() {
  local work=$1 log=$1/log package libraries
  write_apt_configuration "$work"
  print_source >"$work/sources/debian.sources" ||
    unavailable "no Debian source entry in $apt_directory to fetch its package from"
  if ! apt-get -q -c "$work/apt.conf" update >"$log" 2>&1 </dev/null ||
    ! (cd "$work" && apt-get -q -c "$work/apt.conf" download "${packages[@]}" >>"$log" 2>&1 </dev/null); then
    unavailable "apt cannot fetch it: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
  fi
  mkdir -p "$work/server/usr/lib"
  for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/server" || unavailable "$(basename "$package") cannot be unpacked"
  done
  libraries=$(cd "$work/server/usr" && find lib -maxdepth 1 -mindepth 1 -type d -name '*-linux-*' | head -n 1)
  # Where it lies in the end is known only when it runs: beside this text.
  cat >"$work/server/$what" <<RUN
#!/bin/bash
here=\$(cd "\$(dirname "\${BASH_SOURCE[0]}")" && pwd)
export LD_LIBRARY_PATH="\$here/usr/$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
exec "\$here/$place" "\$@"
RUN
  chmod +x "$work/server/$what"
  server_runs "$work/server/$what" || unavailable "Debian's package does not run on this machine"
}

if [[ -n $named ]]; then
  server_runs "$named" || { printf '%s_BIN is %s, which does not run as %s\n' "${what^^}" "$named" "$what" >&2; exit 1; }
  realpath "$named"
  exit
fi
if server_runs "/$place"; then
  printf '/%s\n' "$place"
  exit
fi
cache=${2:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/convergence/servers}
mkdir -p "$cache" 2>/dev/null || unavailable "the cache folder $cache cannot be made"
cache=$(cd "$cache" && pwd)
exec 9>"$cache/$what.lock" || unavailable "the cache folder $cache cannot be written"
flock 9
if ! server_runs "$cache/$what/$what"; then
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    unavailable "no apt here; ${what^^}_BIN may name it"
  rm -rf "$cache/$what" "$cache/fetch-$what".*
  work=$(mktemp -d "$cache/fetch-$what.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' INT TERM HUP
  fetch_server_into "$work"
  mv "$work/server" "$cache/$what"
fi
printf '%s\n' "$cache/$what/$what"
