#!/usr/bin/env python3
"""No-op throughput and one-task latency of a private run, beside Pool and the bare path, in one run.

    tests/bench/first_figures.py [--bin build/bin] [--rounds 5] [--tasks 5000000]

Every round runs each system once, so that slow drifts of the machine fall on all alike; ratios are taken within a
round and their medians are printed. Latency runs are pinned to one CPU (taskset), as the systems then agree about
where their wake-ups go. Nothing here passes or fails.
"""
import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time

PAYLOAD = "task-payload"


def no_op(number, text):
    return number


def pool_starmap(tasks):
    with multiprocessing.Pool(2) as pool:
        pool.starmap(no_op, [(0, PAYLOAD)] * 100)  # the workers are there
        params = [(i, PAYLOAD) for i in range(tasks)]
        start = time.perf_counter()
        results = pool.starmap(no_op, params)
        seconds = time.perf_counter() - start
        assert results == list(range(tasks))
    return tasks / seconds


def pool_apply(repeats):
    with multiprocessing.Pool(2) as pool:
        for i in range(200):
            pool.apply(no_op, (i, PAYLOAD))
        start = time.perf_counter()
        for i in range(repeats):
            pool.apply(no_op, (i, PAYLOAD))
        return (time.perf_counter() - start) / repeats * 1e6


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def json_lines_through_the_cli(binaries, tasks):
    """Lines a second of `fanmill map identity FILE`, start-up included."""
    path = "/tmp/fanmill-bench-%d.jsonl" % os.getpid()
    with open(path, "w") as lines:
        lines.writelines("%d\n" % i for i in range(tasks))
    try:
        start = time.perf_counter()
        subprocess.run([binaries + "/fanmill", "map", "-j", "2", "--quiet", "identity", path],
                       check=True, stdout=subprocess.DEVNULL)
        return tasks / (time.perf_counter() - start)
    finally:
        os.unlink(path)


def pinned(function, *arguments):
    """The function's result from a child process that, with all its children, runs on one CPU."""
    receive, send = multiprocessing.Pipe(False)

    def child():
        os.sched_setaffinity(0, {0})
        send.send(function(*arguments))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    result = receive.recv()
    process.join()
    return result


def machine():
    with open("/proc/cpuinfo") as info:
        model = next((l.split(":")[1].strip() for l in info if l.startswith("model name")), "?")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return "%s, %d CPUs, Linux %s, Python %s, commit %s" % (
        model, os.cpu_count(), platform.release(), platform.python_version(), commit.stdout.strip() or "?")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=5_000_000)
    arguments = parser.parse_args()
    chain, bench = arguments.bin + "/fanmill-chain", arguments.bin + "/fanmill-bench"
    tasks = arguments.tasks

    throughput = {
        "fanmill, C++ API, no-op, ordered": lambda: json.loads(run(bench, "throughput", str(tasks)))["tasks_s"],
        "chain 512 x 64 (bare path)": lambda: json.loads(run(chain, str(tasks), "512", "64"))["tasks_s"],
        "Pool.starmap, default chunks": lambda: pool_starmap(tasks),
        "fanmill map, JSON lines in and out": lambda: json_lines_through_the_cli(arguments.bin, tasks),
    }
    latency = {
        "fanmill, C++ API": lambda: json.loads(run("taskset", "-c", "0", bench, "latency", "20000"))["mean_us"],
        "chain 1 x 1 (bare path)": lambda: json.loads(run("taskset", "-c", "0", chain, "20000", "1", "1"))["us_per_round"],
        "Pool.apply": lambda: pinned(pool_apply, 20000),
    }

    print(machine())
    for title, systems, unit in (("throughput", throughput, "tasks/s"), ("one task there and back, one CPU", latency, "us")):
        seen = {name: [] for name in systems}
        for round_number in range(arguments.rounds):
            for name, measure in systems.items():
                seen[name].append(measure())
            print("round %d done" % (round_number + 1), file=sys.stderr)
        first = next(iter(systems))
        print("\n%s (%s)\n| what | min | median | max | %s is × this (median) |" % (title, unit, first))
        print("| --- | --- | --- | --- | --- |")
        for name, values in seen.items():
            ratio = statistics.median(a / b for a, b in zip(seen[first], values))
            row = [min(values), statistics.median(values), max(values)]
            print("| %s | %s | %.2f |" % (name, " | ".join("{:,.{}f}".format(v, 0 if unit != "us" else 1) for v in row), ratio))


if __name__ == "__main__":
    main()
