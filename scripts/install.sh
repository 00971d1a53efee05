#!/bin/sh
# install.sh DIR: installs what DIR's lock file pins, unless that is what is installed already.
set -eu
cd "$1"
if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.installed-lock.json
fi
