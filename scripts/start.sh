#!/bin/sh
# From a fresh clone to a result: installs, builds, and lets two fuzzers of the kernel's kind at a
# JavaScript service. Leaves nothing behind but node_modules/ and dist/.
set -eu
cd "$(dirname "$0")/.."

fail() {
  echo "npm start: $1" >&2
  exit 1
}

[ "$(uname -s)" = Linux ] || fail "needs Linux, this is $(uname -s); use a virtual machine"
[ "$(id -u)" -eq 0 ] || fail "needs root, which mounting takes; run: sudo npm start"
node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || a == 20 && b >= 19 ? 0 : 1)' ||
  fail "needs Node 20.19 or newer, this is $(node --version); see https://nodejs.org"
[ -c /dev/fuse ] ||
  fail "needs /dev/fuse; run: modprobe fuse (in a container: start it with --privileged)"
for command in cc unshare mount; do
  [ -n "$(command -v "$command")" ] ||
    fail "needs '$command'; on Debian and Ubuntu: apt-get install gcc libc6-dev util-linux mount"
done

temporary=$(mktemp -d)
job=
finish() {
  trap - EXIT INT TERM HUP
  if [ -n "$job" ]; then
    kill "$job" 2>/dev/null || :
    wait "$job" 2>/dev/null || :
  fi
  rm -rf "$temporary"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

quietly() {
  "$@" > "$temporary/log" 2>&1 || {
    cat "$temporary/log" >&2
    fail "failed: $*"
  }
}

echo "== Installing and building kcovfs"
quietly sh scripts/install.sh .
quietly npm run build

echo "== Compiling examples/clients: C programs that know /sys/kernel/debug/kcov, and nothing of kcovfs"
for client in trace mutate; do
  quietly cc -O2 -Wall -Wextra -o "$temporary/$client" "examples/clients/$client.c"
done

echo "== kcovfs fuzz: a private /sys/kernel/debug/kcov, filled by the Node processes started in there:
   node examples/services/rules.mjs, a service that parses alert rules with acorn"
PATH=$PWD/bin:$PATH
# In the background, so that a signal is acted on at once.
kcovfs fuzz --state "$temporary/state" -- sh examples/demo.sh "$temporary" &
job=$!
wait "$job" || fail "the demo failed"
job=

echo "
== What to try next
   README.md                           AFL++ at an Express app, in five lines
   examples/README.md                  these examples one by one, and blind mutation compared
   bin/kcovfs fuzz -- ./your-fuzzer    yours, if it starts the service with Node; see examples/demo.sh
   bin/kcovfs --help                   all commands
   npm test                            the tests"
