#!/bin/sh
# Checks of the source text, each a ctest test with the label lint.
#
#   sh deploy/lint.sh            format, includes and shell
#   sh deploy/lint.sh format     every C++ file is as clang-format 19 leaves it   (fix: sh deploy/lint.sh fix)
#   sh deploy/lint.sh includes   the arrows between the rooms hold, and the pure cores reach for nothing of the world
#   sh deploy/lint.sh shell      shellcheck, where it is installed
#   sh deploy/lint.sh fix        formats every C++ file
#   sh deploy/lint.sh tidy       clang-tidy 19 over every C++ file, in build-tidy/; takes many minutes
set -eu
# shellcheck source=deploy/common.sh
. "$(dirname "$0")/common.sh"
cd "$root"

# Files of the repository, those not yet committed included. Without git: everything outside of the build folders.
files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
      [ ! -f "$file" ] || printf '%s\n' "$file"
    done
  else
    for pattern in "$@"; do
      find . -type d \( -name 'build*' -o -name .git \) -prune -o -type f -name "$pattern" -print | sed 's|^\./||'
    done
  fi
}
cpp_files() { files '*.cpp' '*.hpp' '*.h'; }

check_format() {
  command -v clang-format-19 >/dev/null 2>&1 || die "clang-format-19 is not installed."
  cpp_files | tr '\n' '\0' | xargs -0 clang-format-19 --dry-run -Werror ||
    die "Some files are not formatted. To format them: sh deploy/lint.sh fix"
}

# With everything of ours that the files named on the input include, directly or not.
with_includes() {
  sort -u >"$found.closure"
  while :; do
    { cat "$found.closure" && xargs -r sed -nE 's/^ *# *include *"([^"]+)".*/\1/p' <"$found.closure"; } |
      sort -u | while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done >"$found.wider"
    cmp -s "$found.closure" "$found.wider" && break
    mv "$found.wider" "$found.closure"
  done
  cat "$found.closure"
  rm -f "$found.closure" "$found.wider"
}

# The state machines that the simulator runs: the broker's core and what the two session libraries are made of.
pure_files() {
  {
    cpp_files | grep '^broker/core/'
    for list in worker/core.cmake producer/session.cmake; do
      [ ! -f "$list" ] || grep -oE '[a-z_0-9/]+\.(cpp|hpp)' "$list" | sed "s|^|$(dirname "$list")/|"
    done
  } | with_includes
}

# forbid "reason" INCLUDE_REGEX : none of the files named on the input holds such a line.
forbid() {
  xargs -r grep -nHE "$2" >"$found" || :
  [ ! -s "$found" ] || {
    say "$1:"
    sed 's/^/  /' "$found"
    : >"$violated"
  }
}
room() { cpp_files | grep "^$1/" || :; }
includes() { printf '^ *# *include *["<](%s)' "$1"; }

# <chrono> is allowed to the pure parts, for durations alone, and <csignal>, for the numbers of signals.
world='zmq|spdlog|thread|stop_token|mutex|shared_mutex|condition_variable|future|semaphore|random|fstream|iostream'
world="$world|filesystem|cstdio|stdio|ctime|time\.h|sys/|unistd|fcntl|poll\.h|cstdlib|stdlib"

check_includes() {
  found=$(mktemp) && violated=$(mktemp -u)
  trap 'rm -f "$found" "$violated"' EXIT
  pure_files | forbid "the pure cores include nothing of the world" "$(includes "$world")"
  pure_files | forbid "the pure cores reach no channel and no log" "$(includes 'proto/(channel|log)')"
  pure_files | forbid "the pure cores read no clock" '_clock::now|clock_gettime|[^_a-z]time\((NULL|nullptr)'
  room proto | forbid "proto/ includes none of the roles" "$(includes '(broker|worker|producer)/')"
  room broker | forbid "broker/ includes no other role" "$(includes '(worker|producer)/')"
  room worker | forbid "worker/ includes no other role" "$(includes '(broker|producer)/')"
  room producer | grep -v '^producer/private_run\.cpp$' |
    forbid "producer/ includes no other role, but for the private run" "$(includes '(broker|worker)/')"
  room '\(proto\|broker\|worker\|producer\)' | forbid "no room includes the tests" "$(includes 'tests/')"
  [ ! -e "$violated" ] || die "An arrow points the wrong way: see ARCHITECTURE.md, the map of rooms."
}

check_shell() {
  command -v shellcheck >/dev/null 2>&1 || {
    say "shellcheck is not installed: not checked"
    return 0
  }
  { files '*.sh' && say .ci/run; } | tr '\n' '\0' | xargs -0 shellcheck --external-sources
}

run_tidy() {
  # shellcheck disable=SC2086  # lists of names
  install_missing $packages_build $packages_test $packages_tidy
  cmake -S "$root" --preset tidy >/dev/null
  cmake --build --preset tidy
}

case ${1-all} in
  all)
    check_format
    check_includes
    check_shell
    ;;
  format) check_format ;;
  includes) check_includes ;;
  shell) check_shell ;;
  fix) cpp_files | tr '\n' '\0' | xargs -0 clang-format-19 -i ;;
  tidy | --tidy) run_tidy ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
