"""The C++ library as a user gets it: installed, found by CMake, built outside of the tree."""
import os
import pathlib
import re
import subprocess

from harness import BIN, FanmillTest

ROOT = pathlib.Path(__file__).parent.parent.parent
# Sanitizers must be in the program too.
FLAGS = "-fsanitize=" + os.environ["FANMILL_SANITIZE"] if os.environ.get("FANMILL_SANITIZE") else ""


def readme_section():
    return (ROOT / "README.md").read_text().split("\n## C++ library\n")[1].split("\n## ")[0]


def block(language):
    """The first fenced block of that language in the README's section."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", readme_section(), re.S | re.M)
    return next(text for name, text in blocks if name == language)


class InstalledLibrary(FanmillTest):
    def run_tool(self, *command, **options):
        done = subprocess.run([str(c) for c in command], env=dict(self.env, **options), cwd=self.dir, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, "%s\n%s" % (command, done.stdout))
        return done.stdout

    def install(self):
        """Into a prefix that is moved afterwards: nothing in the package may know where it was put."""
        first, prefix = self.dir / "first", self.dir / "prefix"
        self.run_tool("cmake", "--install", BIN.parent, "--prefix", first)
        first.rename(prefix)
        return prefix

    def test_the_readme_example_builds_and_prints_what_the_readme_says(self):
        prefix = self.install()
        self.write("sums.cpp", block("cpp"))
        self.write("CMakeLists.txt", block("cmake"))
        self.run_tool("cmake", "-S", ".", "-B", "build", "-G", "Ninja", "-DCMAKE_PREFIX_PATH=%s" % prefix,
                      "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror " + FLAGS)
        self.run_tool("cmake", "--build", "build")
        run = self.start(self.dir / "build" / "sums").wait()
        self.assertEqual(run.code, 0, run)
        expected = block("").split("build/sums\n")[1]
        self.assertEqual(run.out(), expected, run)
        self.assertEqual(run.err(), "", run)

    def test_public_headers_include_the_standard_library_and_themselves_alone(self):
        prefix = self.install()
        headers = list((prefix / "include" / "fanmill").rglob("*.hpp"))
        self.assertGreater(len(headers), 8)
        for header in headers:
            for name in re.findall(r'^ *# *include *(.*)$', header.read_text(), re.M):
                self.assertRegex(name, r'^(<[a-z_]+>|<std(def|int)\.h>|<cxxabi\.h>|[<"]fanmill/[a-z_/]+\.h(pp)?[>"])$', header)
