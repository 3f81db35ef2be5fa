"""cmake --install, and a project outside of the tree that builds its plugin against it."""
import pathlib

from harness import BIN, FanmillTest

BUILD = BIN.parent
SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent


class Installed(FanmillTest):
    def setUp(self):
        super().setUp()
        self.prefix = self.dir / "prefix"
        self.step("cmake", "--install", BUILD, "--prefix", self.prefix)

    def step(self, *argv):
        run = self.start(*argv).wait(100)
        self.assertEqual(run.code, 0, run)
        return run

    def test_package_builds_a_project_outside_of_the_tree_and_runs_its_plugin(self):
        project, build = SOURCE / "tests" / "example_project", self.dir / "build"
        self.step("cmake", "-S", project, "-B", build, "-G", "Ninja", "-DCMAKE_PREFIX_PATH=%s" % self.prefix)
        self.step("cmake", "--build", build)
        fanmill, shapes = self.prefix / "bin" / "fanmill", build / "shapes.so"
        run = self.step(fanmill, "map", "--plugin", shapes, "area", project / "shapes.csv")
        self.assertEqual(run.out(), "6.0\n12.566370614359172\n")
        run = self.step(fanmill, "map", "--plugin", shapes, "in_metres", ":::", "2", ":::", "cm", "in")
        self.assertEqual(run.out(), "0.02\n0.0508\n")
        self.step("ctest", "--test-dir", build, "--output-on-failure")
        self.assertEqual(sorted(p.name for p in (self.prefix / "bin").iterdir()),
                         ["fanmill", "fanmill-broker", "fanmill-executor", "fanmill-worker"])

    def test_programs_find_one_another(self):
        fanmill = self.prefix / "bin" / "fanmill"
        self.assertEqual(self.step(fanmill, "map", "identity", ":::", "1").out(), "1\n")
        self.assertIn("ipc://", self.step(fanmill, "worker", "--help").out())

    def test_headers_need_no_path_of_the_tree(self):
        self.write("one.cpp", "#include <fanmill/plugin.hpp>\nFANMILL_FUNCTION(one, [] { return 1; })\n")
        self.write("two.c", "#include <fanmill/plugin.h>\nint main(void) { return FANMILL_PLUGIN_ABI_MAJOR - 1; }\n")
        include = "-I%s" % (self.prefix / "include")
        self.step("g++", "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-shared",
                  "-fPIC", include, "one.cpp", "-o", "one.so")
        self.step("gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", include, "two.c", "-o", "two")
        self.step(self.dir / "two")
        self.assertIn("one ", self.step(self.prefix / "bin" / "fanmill", "functions", "--plugin", "one.so").out())
