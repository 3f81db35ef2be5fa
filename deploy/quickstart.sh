#!/bin/sh
# From a clone to the first results, on a Debian 12 that may have nothing installed yet:
# installs what is missing with apt, builds the programs into build/bin, runs two small jobs and checks their results.
#
#   sh deploy/quickstart.sh
set -eu
# shellcheck source=deploy/common.sh
. "$(dirname "$0")/common.sh"

say "fanmill: build"
# shellcheck disable=SC2086  # a list of names
install_missing $packages_build
build_with -DFANMILL_TESTS=OFF -DFANMILL_BENCHMARKS=OFF

fanmill=$build/bin/fanmill
results=$build/quickstart
rm -rf "$results"
mkdir -p "$results"
cd "$results"

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
# Milliseconds as seconds with two digits.
seconds() { printf '%d.%02d' $(($1 / 1000)) $(($1 % 1000 / 10)); }
# field NAME: the number of the column of that name in sweep.csv.
field() { head -n 1 sweep.csv | tr ',' '\n' | grep -nx "$1" | cut -d: -f1; }

say
say "1. A starmap: sleep_print(seconds, message) over four tuples, on 4 slots"
cat >tuples.jsonl <<'TUPLES'
[1, "1 Second"]
[2, "2 Seconds"]
[3, "3 Seconds"]
[4, "4 Seconds"]
TUPLES
say "   \$ fanmill map -j 4 sleep_print tuples.jsonl"
start=$(milliseconds)
"$fanmill" map -j 4 sleep_print tuples.jsonl >messages.txt || die "The starmap failed."
took=$(($(milliseconds) - start))
sed 's/^/   /' messages.txt
printf '1 Second\n2 Seconds\n3 Seconds\n4 Seconds\n' | cmp -s - messages.txt ||
  die "The four messages are not what was expected."
[ "$took" -ge 4000 ] || die "It took $(seconds $took) s: less than its longest task."
[ "$took" -lt 7000 ] || die "It took $(seconds $took) s where about 4 were expected."
say "   $(seconds $took) s; one after the other: 10 s"

say
say "2. A command over real files: every licence text, gzipped at three levels"
# shellcheck disable=SC2016  # $1 and $2 are the inner shell's
set -- sh -c 'gzip -c -"$2" "$1" | wc -c' sh '{1}' '{2}'
say "   \$ fanmill exec --progress --format csv -o sweep.csv ::: /usr/share/common-licenses/* ::: 1 6 9 -- \\"
say "       sh -c 'gzip -c -\"\$2\" \"\$1\" | wc -c' sh {1} {2}"
start=$(milliseconds)
"$fanmill" exec --progress --format csv -o sweep.csv ::: /usr/share/common-licenses/* ::: 1 6 9 -- "$@" ||
  die "The sweep failed."
took=$(($(milliseconds) - start))

# What came out, against what gzip itself says and against the number of inputs.
texts=$(find /usr/share/common-licenses/* -maxdepth 0 | wc -l)
awk -F, -v texts="$texts" -v status="$(field status)" -v level="$(field arg2)" -v size="$(field value)" '
  NR == 1 { next }
  $status != "succeeded" || $size !~ /^[0-9]+$/ { print "an unexpected row: " $0; exit 1 }
  { rows++; count[$level]++; bytes[$level] += $size }
  END {
    if (rows != 3 * texts || count[1] != texts || count[6] != texts || count[9] != texts) {
      print "expected three rows for each of " texts " texts, got " rows + 0
      exit 1
    }
    for (l = 1; l <= 9; l++) if (l in bytes) printf "   gzip -%d: %d bytes over %d files\n", l, bytes[l], count[l]
  }' sweep.csv >summary.txt || die "sweep.csv is not as expected: $(cat summary.txt)"
expected=$(for file in /usr/share/common-licenses/*; do gzip -c -9 "$file"; done | wc -c)
grep -q -- "-9: $expected bytes" summary.txt || die "gzip itself gives $expected bytes at level 9, sweep.csv does not."
say "   sweep.csv:"
head -n 5 sweep.csv | cut -c 1-120 | sed 's/^/     /'
say "     …"
cat summary.txt
say "   $((3 * texts)) commands in $(seconds $took) s"

cd "$root"
say
say "Everything worked. The results are in ${results#"$root"/}/. Next:"
say "   seq 1000000 | build/bin/fanmill map identity - | tail -n 1"
say "   build/bin/fanmill --help"
