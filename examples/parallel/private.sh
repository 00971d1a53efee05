#!/bin/sh
# private.sh N DIR: N AFL++ side by side, each in a `kcovfs fuzz` of its own, until one has a crash.
set -eu
count=$1
directory=$2
. "$(dirname "$0")/workers.sh"

start() {
  exec kcovfs fuzz --collector trace --state "$directory/state" -- "$@"
}

run_workers
