#!/bin/sh
# Builds everything and runs the checks, on a Debian 12 that may have nothing installed yet.
#
#   sh deploy/test.sh                 format and lint checks, unit tests, simulator, integration tests
#   sh deploy/test.sh LABEL           the tests with that label: lint, unit, sim, integration, torture or slow
#   sh deploy/test.sh … -R NAME       options of ctest, with or without a label before them
#
# The exit status is ctest's, and ctest's summary is the last thing printed.
set -eu
# shellcheck source=deploy/common.sh
. "$(dirname "$0")/common.sh"

label=
case ${1-} in
  -h | --help)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  '' | -*) ;;
  *)
    label=$1
    shift
    ;;
esac

say "fanmill: build and test"
# shellcheck disable=SC2086  # lists of names
install_missing $packages_build $packages_test
build_with -DFANMILL_TESTS=ON -DFANMILL_BENCHMARKS=ON

set -- --test-dir "$build" --output-on-failure --no-tests=error --parallel 2 "$@"
if [ -n "$label" ]; then
  exec ctest "$@" --label-regex "^$label\$"
fi
exec ctest "$@" --label-exclude '^slow$'
