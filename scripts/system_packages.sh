#!/bin/sh
# system_packages.sh [--missing]: has what the tests need of the system, beside Node: installs it where
# this is root and there is apt-get, and otherwise prints the command that does and ends with status 1.
# With --missing it prints the packages that are missing.
set -eu

# What is looked for, and the packages of Debian and Ubuntu that have it. A name is that of a command.
NEEDED='
cc gcc libc6-dev
unshare util-linux
script bsdutils
mount mount
pgrep procps
ip iproute2
chromium chromium
systemd-analyze systemd
afl-fuzz afl++
clang clang libclang-rt-dev
go golang-go
prometheus_client python3 python3-prometheus-client
libfuse.so.2 libfuse2
'

has() {
  case $1 in
    # The parser of Prometheus, for kcovfs/metrics.
    prometheus_client)
      /usr/bin/python3 -c 'import prometheus_client.openmetrics.parser' 2>/dev/null ;;
    *.so.*) { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -q "$1" ;;
    *) [ -n "$(command -v "$1")" ] ;;
  esac
}

missing=$(echo "$NEEDED" | while read -r name packages; do
  [ -z "$name" ] || has "$name" || echo "$packages"
done | tr '\n' ' ' | sed 's/ $//')

if [ "${1:-}" = --missing ]; then
  echo "$missing"
  exit
fi
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends $missing"
if [ "$(id -u)" -ne 0 ] || [ -z "$(command -v apt-get)" ]; then
  echo "The tests need what this system lacks. On Debian and Ubuntu this installs it:" >&2
  echo "  sudo sh -c 'apt-get update && $install'" >&2
  exit 1
fi
echo "== Installing $missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update
$install
