# shellcheck shell=sh disable=SC2034
# Sourced by quickstart.sh and test.sh: what Debian 12 must have installed, and how a step is run and shown.

# To build and run fanmill.
packages_build="g++ cmake ninja-build pkg-config ccache mold
  libzmq3-dev cppzmq-dev libmsgpack-cxx-dev libxxhash-dev libspdlog-dev libfmt-dev libexpected-dev libroaring-dev
  libsimdjson-dev nlohmann-json3-dev libcsv-dev libcli11-dev libsqlitecpp-dev"
# To test it, besides.
packages_test="libgtest-dev libgmock-dev python3 clang-format-19 shellcheck parallel iproute2 tmux mandoc systemd
  python3-zmq python3-msgpack"
# For sh deploy/lint.sh tidy alone.
packages_tidy="clang-tidy-19"

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$root/build
logs=$build/logs

say() { printf '%s\n' "$*"; }
die() {
  printf '\n%s\n' "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    # sudo drops the environment; the variable travels as an argument of env.
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  else
    die "This needs root, and there is no sudo. As root: $*"
  fi
}

# step "what is done" command… : one line on the terminal, everything else in a log that is shown on failure.
step() {
  step_name=$1
  shift
  mkdir -p "$logs"
  step_log=$logs/$(printf '%s' "$step_name" | tr -c 'A-Za-z0-9\n' '-').log
  printf '  %-44s ' "$step_name"
  step_start=$(date +%s)
  if "$@" >"$step_log" 2>&1 </dev/null; then
    say "$(($(date +%s) - step_start)) s"
    return
  fi
  say "FAILED"
  tail -n 60 "$step_log" >&2
  die "Failed: $step_name. The whole log: $step_log"
}

# install_missing PACKAGE… : asks apt for nothing when everything is there.
install_missing() {
  missing=
  for package in "$@"; do
    # shellcheck disable=SC2016  # the format is dpkg-query's
    case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
      *' installed') ;;
      *) missing="$missing $package" ;;
    esac
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null 2>&1 || die "Not a Debian system. Install the equivalents of:$missing"
  # A password is asked for here, where it can be seen, and not behind a log file.
  [ "$(id -u)" = 0 ] || ! command -v sudo >/dev/null 2>&1 || sudo -v
  export DEBIAN_FRONTEND=noninteractive
  step "reading apt's package lists" as_root apt-get update
  # shellcheck disable=SC2086  # a list of names
  step "installing what is missing ($(printf '%s' "$missing" | wc -w) packages)" \
    as_root apt-get install -y --no-install-recommends $missing
}

# build_with -DOPTION=VALUE… : configures build/ and builds everything that the options ask for.
build_with() {
  # A build folder that was moved, or made by another generator, cannot be used again.
  if [ -f "$build/CMakeCache.txt" ] &&
    ! { grep -qx "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$build/CMakeCache.txt" &&
      grep -qx 'CMAKE_GENERATOR:INTERNAL=Ninja' "$build/CMakeCache.txt"; }; then
    rm -f "$build/CMakeCache.txt"
    rm -rf "$build/CMakeFiles"
  fi
  step "configuring" cmake -S "$root" --preset release "$@"
  if [ -t 1 ]; then
    say "  building"
    NINJA_STATUS='  [%f/%t, %e s] ' cmake --build "$build" || die "The build failed."
  else
    step "building" cmake --build "$build"
  fi
}
