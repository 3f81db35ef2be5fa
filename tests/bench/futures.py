#!/usr/bin/env python3
"""ProcessPoolExecutor.submit: calls a second of a function that does nothing, beside `fanmill-library-bench futures`.

    tests/bench/futures.py [CALLS]

Every call is submitted before the first result is asked for. Nothing here passes or fails.
"""
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor


def no_op(number):
    return number


def main():
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with ProcessPoolExecutor(2) as pool:
        [future.result() for future in [pool.submit(no_op, i) for i in range(100)]]  # the workers are there
        begin = time.perf_counter()
        futures = [pool.submit(no_op, i) for i in range(calls)]
        assert [future.result() for future in futures] == list(range(calls))
        print(json.dumps({"calls": calls, "calls_s": round(calls / (time.perf_counter() - begin))}))


if __name__ == "__main__":
    main()
