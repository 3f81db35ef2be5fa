"""Prints every test of a folder's test_*.py for CMake, a line each: module.Class.method|label|serial or parallel.

list_tests.py FOLDER: beside this one or this one; both find harness.py here.
"""
import os
import pathlib
import sys
import unittest

FOLDER = pathlib.Path(sys.argv[1])
sys.path[:0] = [str(FOLDER), str(pathlib.Path(__file__).parent)]
os.environ.setdefault("FANMILL_BIN", "/nowhere")  # listing starts nothing


def cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


def main():
    loader = unittest.TestLoader()
    for path in sorted(FOLDER.glob("test_*.py")):
        for case in cases(loader.loadTestsFromName(path.stem)):
            method = getattr(case, case._testMethodName)
            label = "slow" if getattr(method, "slow", False) else "integration"
            company = "serial" if getattr(method, "serial", False) else "parallel"
            print("%s|%s|%s" % (case.id(), label, company))
    if loader.errors:
        sys.exit("\n".join(loader.errors))


main()
