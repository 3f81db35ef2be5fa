"""deploy/CLUSTER.md, line by line, each on the host that the comment above its block names. Hosts are network namespaces with a folder each."""
import os
import pathlib
import re
import signal
import unittest

from harness import BIN, wait_until
from hosts import Hosts
from test_docs import masked, steps_of

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
PLACE = re.compile(r"<!-- on ([\w-]+)(?:, (.+))? -->$")
HOSTS = ("mill", "node1", "node2", "node3", "node4", "desk", "login", "slurm1", "slurm2", "service-mill")

# What a host has instead of the real thing. $ROOT has a folder per host; $PIDS keep the namespaces of Slurm's nodes,
# each of which has one CPU: the job of the page lasts long enough for all of it on any machine.
STAND_INS = {
    "scp": 'test "$1" = -p && cp -p "$2" "$ROOT/${3%:}/"',
    "sudo": 'exec "$@"',
    "systemd-sysusers": "true",
    # Without the option that needs the user whom systemd-sysusers makes.
    "install": 'set -- $(echo "$@" | sed "s/-o fanmill//"); exec /usr/bin/install "$@"',
    "sbatch": 'test "$1" = --wait && grep -q "^#SBATCH" "$2" && exec sh "$2"',
    # A wait that the signal ended says nothing of the job; the one after it does.
    "srun": """
trap 'kill $jobs || true' TERM
for pid in $PIDS; do nsenter --net --target $pid taskset --cpu-list $CPU "$@" & jobs="$jobs $!"; done
for job in $jobs; do
  wait $job || wait $job
done""",
    "systemctl": """
unit=$UNITS/$(eval echo \\$$#).service
value() { sed -n "s/^$1=//p" "$unit" | tail -n 1; }
export STATE_DIRECTORY=$PWD/state RUNTIME_DIRECTORY=$PWD/run
case $1 in
  enable)
    test "$2" = --now
    mkdir -p state run
    eval "$(value Environment)"
    file=$(value EnvironmentFile); file=${file#-}
    test ! -e "$file" || FANMILL_OPTIONS=$(sed -n s/^FANMILL_OPTIONS=//p "$file")
    before=$(value ExecStartPre); eval "${before#+/usr/bin/}"
    eval "setsid $(value ExecStart) </dev/null >out 2>log & echo \\$! >pid"
    ;;
  stop) kill -TERM "$(cat pid)"; while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.05; done ;;
esac""",
}


def blocks_of(markdown):
    """[(host, how, language, lines)]; every block has a place."""
    blocks, inside, before = [], None, ""
    for number, line in enumerate(markdown.splitlines(), 1):
        if line.startswith("```") and inside is None:
            place = PLACE.match(before)
            if not place:
                raise AssertionError("CLUSTER.md, line %d: on which host? <!-- on HOST -->" % number)
            inside = (place.group(1), place.group(2) or "", line[3:], [])
        elif line.startswith("```"):
            blocks.append(inside)
            inside = None
        elif inside:
            inside[3].append(line)
        before = line
    return blocks


class Cluster(Hosts):
    def setUp(self):
        super().setUp()
        self.prefixes = {name: self.host(name) for name in HOSTS}
        self.exports, self.workers = {}, 0
        (self.dir / "bin").mkdir()
        for name, script in STAND_INS.items():
            path = self.dir / "bin" / name
            path.write_text("#!/bin/bash\nset -e\n%s\n" % script)
            path.chmod(0o755)
        for name in HOSTS:
            units = self.dir / name / "units"
            units.mkdir(parents=True)
            for unit in (DEPLOY / "systemd").glob("*.service"):
                text = unit.read_text().replace("/usr/local/bin/", str(BIN) + "/")
                (units / unit.name).write_text(self.of_host(name, text))

    def of_host(self, host, text):
        """Each host has an /etc of its own."""
        return text.replace("/etc/", "%s/etc/" % (self.dir / host))

    def shell(self, host, line):
        """Runs `line` on `host`, in its folder."""
        env = dict(self.env, **self.exports.get(host, {}), ROOT=str(self.dir), UNITS=str(self.dir / host / "units"),
                   PATH="%s:%s:%s" % (self.dir / "bin", BIN, self.env["PATH"]),
                   PIDS=" ".join(str(self.hosts[name].pid) for name in ("slurm1", "slurm2")), CPU=str(min(os.sched_getaffinity(0))))
        script = "cd %s; set -o pipefail\n%s" % (self.dir / host, self.of_host(host, line))
        return self.start(*self.prefixes[host], "bash", "-c", script, env=env)

    def workers_told(self):
        run = self.shell("desk", "fanmill workers --json --broker %s/mill/keys/producer.join" % self.dir).wait()
        return len(re.findall('"pid"', run.out()))

    def in_front(self, host, command):
        program = self.shell(host, "exec " + command)
        if command.startswith("fanmill broker"):
            program.wait_for_stderr("results are kept")
        else:
            self.workers += 2 if command.startswith("sbatch") else 1
        return program

    def to_its_end(self, host, command, shown):
        run = self.shell(host, command).wait()
        self.assertEqual(run.code, 0, run)
        if shown:
            self.assertEqual(masked(run.out() + run.err()), masked(shown), run)
        if command.startswith("sudo systemctl") and command.endswith("worker"):
            self.workers += -1 if " stop " in command else 1

    def test_every_line(self):
        staying, job, ran = [], None, 0
        for host, how, language, lines in blocks_of((DEPLOY / "CLUSTER.md").read_text()):
            if how.startswith("the file "):
                (self.dir / host / how.removeprefix("the file ")).write_text("\n".join(lines) + "\n")
                continue
            self.assertEqual(language, "console")
            for command, shown in steps_of(lines):
                ran += 1
                exported = re.fullmatch(r"export (\w+)=(\S+)", command)
                if exported:
                    self.exports.setdefault(host, {})[exported.group(1)] = exported.group(2)
                elif how == "stays until it ends":
                    job = self.shell(host, "exec " + command)
                    wait_until((self.dir / host / "out.jsonl").exists, "the job to begin")
                elif how == "stays":
                    staying.append(self.in_front(host, command))
                else:
                    self.to_its_end(host, command, shown)
                if staying:
                    wait_until(lambda: self.workers == self.workers_told(), "%d workers after: %s" % (self.workers, command))
        self.assertGreater(ran, 20)
        self.assertEqual(job.wait(60).code, 0, job)
        rows = self.rows(self.dir / "desk/out.jsonl")
        self.assertEqual(sorted(rows), list(range(1000)))
        self.assertEqual({(row["status"], row["attempt"]) for row in rows.values()}, {("succeeded", 1)})
        self.assertEqual(len({row["worker"] for row in rows.values()}), 6)
        self.assertIn("listening on tcp://0.0.0.0:7070", (self.dir / "service-mill/log").read_text())
        self.assertTrue((self.dir / "service-mill/state/worker.join").exists())
        self.assertIn("drained", (self.dir / "node3/log").read_text())
        self.to_its_end("service-mill", "systemctl stop fanmill-broker", "")
        for program in reversed(staying):  # the broker last: it takes the workers' farewells
            program.signal(signal.SIGTERM)
            program.wait()
            self.assertEqual(program.code, 0, program)


if __name__ == "__main__":
    unittest.main()
