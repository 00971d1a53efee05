#!/bin/sh
# private.sh N DIR: N AFL++ side by side, each in a `kcovfs fuzz` of its own, until one has a crash.
set -eu
count=${1:?usage: private.sh N DIR}
directory=${2:?usage: private.sh N DIR}
. "$(dirname "$0")/workers.sh"

start() {
  exec kcovfs fuzz --state "$directory/state" -- "$@"
}

run_workers
