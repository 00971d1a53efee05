# What private.sh and shared.sh share; they say how a worker is started. Needs $count and $directory.

jobs=
trap 'kill $jobs 2>/dev/null || :; wait' EXIT
trap 'exit 143' INT TERM

crashes() {
  find "$directory/out" -path '*/crashes/id:*' 2>/dev/null
}

run_workers() {
  afl=$(dirname "$0")/../afl
  cc -O2 -o "$directory/afl_http" "$afl/afl_http.c"
  export AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1
  role=-M
  for number in $(seq "$count"); do
    worker=worker$number
    start afl-fuzz "$role" "$worker" -s "$number" -t 1000 -i "$afl/seeds" \
      -o "$directory/out" -- "$directory/afl_http" node "$afl/service.mjs" > "$directory/$worker.log" 2>&1 &
    jobs="$! $jobs"
    role=-S
  done
  until [ -n "$(crashes)" ]; do
    for job in $jobs; do
      kill -0 "$job" 2>/dev/null || { tail "$directory"/*.log >&2; exit 1; }
    done
    sleep 0.5
  done
  crashes
}
