#!/bin/sh
# From a fresh clone: installs, builds, type-checks, and runs all tests (formatter and linter among
# them). With arguments, only the tests whose file names contain one of them.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh .
sh scripts/install.sh test
node_modules/.bin/tsc -p tsconfig.json
exec node dist/test/run.js "$@"
