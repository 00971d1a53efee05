#!/bin/sh
# From a fresh clone: installs what the system lacks and what the lock files pin, builds, type-checks,
# and runs all tests (formatter and linter among them). With arguments, only the tests whose file names
# contain one of them, whatever the system lacks. With KCOVFS_TEST_LONG=1, which `npm run test:long` sets,
# they repeat more, and try more combinations.
set -eu
cd "$(dirname "$0")/.."
sh scripts/check_node.sh "npm test"
sh scripts/system_packages.sh || [ $# -gt 0 ]
sh scripts/install.sh .
sh scripts/install.sh test
# Its first use unpacks it, which tests that begin at the same time must not do.
test/node_modules/.bin/deno --version > /dev/null
node_modules/.bin/tsc -p tsconfig.json
exec node dist/test/run.js "$@"
