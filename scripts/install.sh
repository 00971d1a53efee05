#!/bin/sh
# install.sh DIR: installs what DIR's lock file pins, unless that is what is installed already, and
# shows how far it is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
  total=$(grep -c '^    "node_modules/' package-lock.json)
  count="ls -d node_modules/*/package.json node_modules/@*/*/package.json 2>/dev/null | wc -l"
  sh "$here/progress.sh" "npm ci: up to $total packages" "$count" \
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.installed-lock.json
fi
