#!/bin/sh
# shared.sh N DIR: N AFL++ side by side, each on a target of its own of one server, until one has a crash.
set -eu
count=${1:?usage: shared.sh N DIR}
directory=${2:?usage: shared.sh N DIR}
. "$(dirname "$0")/workers.sh"

mkdir -p "$directory/kcov"
kcovfs mount --state "$directory/state" "$directory/kcov" &
jobs=$!
until [ -e "$directory/kcov/kcov" ]; do
  kill -0 $jobs || exit 1
  sleep 0.1
done

# All that the worker starts with Node is called as the worker is; `kcov` would be told of the others' too.
start() {
  export KCOV="$directory/kcov/kcov.d/$worker"
  exec kcovfs run --mount "$directory/kcov" --name "$worker" -- "$@"
}

run_workers
