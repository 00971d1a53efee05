#!/bin/sh
# progress.sh WHAT COUNT COMMAND...: runs a command that may take minutes, and shows that it is under
# way: each second on a terminal, and else every 10 s. COUNT is a line of shell that prints how far it
# is, or nothing. What the command prints is shown when it fails.
set -u
what=$1
count=$2
shift 2
log=$(mktemp)
"$@" > "$log" 2>&1 &
job=$!
end() {
  trap - EXIT INT TERM HUP
  kill "$job" 2>/dev/null && wait "$job" 2>/dev/null
  rm -f "$log"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

seconds=0
while kill -0 "$job" 2>/dev/null; do
  done=$([ -z "$count" ] || eval "$count")
  if [ -t 1 ]; then printf '\r   %s%s, %s s ' "$what" "${done:+, $done are there}" "$seconds"
  elif [ $((seconds % 10)) -eq 9 ]; then echo "   $what${done:+, $done are there}, $seconds s"; fi
  sleep 1
  seconds=$((seconds + 1))
done
[ ! -t 1 ] || printf '\r\033[K'
wait "$job"
status=$?
if [ "$status" -ne 0 ]; then cat "$log" >&2
elif [ "$seconds" -ge 5 ]; then echo "   $what: done, $seconds s"; fi
exit "$status"
