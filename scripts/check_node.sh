#!/bin/sh
# check_node.sh WHAT: ends with status 1 and a line where WHAT, a command, would run on no Node, or on
# one that is too old.
if [ -z "$(command -v node)" ] || [ -z "$(command -v npm)" ]; then
  echo "$1: needs Node 20.19 or newer with npm; see https://nodejs.org, or with Deno: deno task ${1#npm }" >&2
  exit 1
fi
node -e 'var v = process.versions.node.split("."); process.exit(v[0] > 20 || v[0] == 20 && v[1] >= 19 ? 0 : 1)' || {
  echo "$1: needs Node 20.19 or newer, this is $(node --version); see https://nodejs.org" >&2
  exit 1
}
