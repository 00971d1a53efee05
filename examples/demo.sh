#!/bin/sh
# demo.sh BIN: what `npm start` runs inside `kcovfs fuzz`, with the clients compiled in BIN: starts the
# service and lets both clients at it. Nothing here names kcovfs but the two places that ask for symbols.
set -eu
bin=$1
cd "$(dirname "$0")"
socket=$bin/rules.sock

jobs=
trap 'kill $jobs 2>/dev/null || :; wait' EXIT
trap 'exit 143' TERM

node services/rules.mjs "$socket" &
jobs=$!
until [ -S "$socket" ]; do
  kill -0 "$jobs" 2>/dev/null || exit 1
  sleep 0.1
done

echo "
== trace, the loop of the kernel's manual: which code did this message execute?"
for message in malformed evaluate; do
  "$bin/trace" "$socket" "messages/$message" > "$bin/pcs"
  echo "   messages/$message: $(wc -l < "$bin/pcs") PCs, beginning with:"
  head -n 7 "$bin/pcs" | kcovfs symbolize | sed 's/^\(0x[0-9a-f]*\) [^:]*\//    \1  /'
done

echo "
== mutate, a small coverage-guided fuzzer: looks for a message that makes the service fail
   Blocks of rules.mjs when they are first reached; those of acorn guide it too, and are only counted:"
"$bin/mutate" -t 30 -s /sys/kernel/debug/kcovfs/symbols -f rules.mjs "$socket" \
  messages/check messages/evaluate &
mutate=$!
jobs="$mutate $jobs"
status=0
wait "$mutate" || status=$?
[ "$status" -le 1 ] || exit "$status"
[ "$status" -eq 0 ] || echo "Not found in 30 s, which a busy machine may take; mutate -t gives it longer."
