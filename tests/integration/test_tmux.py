"""A terminal as people have it: a shell in tmux, keys pressed, the screen looked at."""
import re
import subprocess

from harness import BIN, FanmillTest, wait_until

BAR = re.compile(r"(\d+)% (\d+)/(\d+)")


class Terminal(FanmillTest):
    """tmux with a server of its own, whose socket lies in the test's directory. What the terminal is sent is recorded."""

    def setUp(self):
        super().setUp()
        env = dict(self.env, PATH="%s:%s" % (BIN, self.env["PATH"]))
        env.pop("TERM")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "exec env PS1='$ ' bash --norc --noprofile", env=env)
        self.tmux("pipe-pane", "cat > recorded")
        self.wait_for(r"^\$ *$")

    def tearDown(self):
        self.tmux("kill-server")
        super().tearDown()

    def tmux(self, *words, env=None):
        return subprocess.run(["tmux", "-S", str(self.dir / "tmux"), *words], env=env or self.env, cwd=self.dir, check=True,
                              capture_output=True, text=True, timeout=30).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p").rstrip("\n")

    def recorded(self):
        return (self.dir / "recorded").read_bytes()

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def press(self, key):
        self.tmux("send-keys", key)

    def wait_for(self, pattern):
        return wait_until(lambda: re.search(pattern, self.screen(), re.M), lambda: "%r on the screen:\n%s" % (pattern, self.screen()))

    def done(self):
        """Tasks done as the bar says; None without a bar."""
        found = BAR.search(self.screen())
        return int(found.group(2)) if found else None

    def wait_for_bar_past(self, tasks):
        return wait_until(lambda: (self.done() or 0) > tasks and self.done(), lambda: "a bar past %d:\n%s" % (tasks, self.screen()))

    def behind_begin(self):
        """The lines behind "begin", those that were scrolled off the screen included."""
        return self.tmux("capture-pane", "-p", "-S", "-").rstrip("\n").split("begin\n")[-1].split("\n")

    def assert_one_bar_below(self, lines):
        """These lines, then the bar, then nothing: no rest of an older bar."""
        shown = self.behind_begin()
        self.assertEqual([line for line in shown if not BAR.search(line)], lines, shown)
        self.assertEqual(len(shown), len(lines) + 1, shown)
        self.assertRegex(shown[-1], BAR)


class Bar(Terminal):
    def test_moves_in_its_one_line(self):
        self.type("clear; echo begin; fanmill exec -j 2 --range n=1..60 -- sh -c 'sleep 0.1'")
        first = self.wait_for_bar_past(0)
        self.wait_for_bar_past(first)
        self.assert_one_bar_below([])
        self.wait_for(r"60 of 60 tasks done")
        self.assertNotRegex(self.screen(), BAR)
        self.assertRegex(self.screen(), r"2 slots, \d+ % busy; slowest: task \d+ \(\d+\) [\d.]+ m?s, ")

    def test_leaves_no_rest_when_the_terminal_becomes_narrower_or_wider(self):
        self.type("seq 40; echo begin; fanmill exec -j 2 --range n=1..400 -- sh -c 'sleep 0.1'")
        # A full screen: of an empty one tmux scrolls the upper lines away, the bar's first half among them.
        self.wait_for_bar_past(0)
        self.assertRegex(self.screen(), "[━─]{20}")
        for width in ("44", "20", "130", "60", "100"):
            self.tmux("resize-window", "-x", width)
            # The terminal has broken the line, or not; the bar is drawn again, and soon in the width it now has.
            self.wait_for_bar_past(self.done() or 0)
            wait_until(lambda: len(self.behind_begin()) == 1, lambda: "one bar alone: %s" % self.behind_begin())
            self.assert_one_bar_below([])
        self.press("C-c")
        self.press("C-c")
        self.wait_for(r"^\$ *$")

    def test_stays_below_what_is_told_meanwhile(self):
        self.type("clear; echo begin; fanmill exec -j 1 ::: a b c d e f g h i j k l m n o p -- sh -c 'sleep 0.1; [ {} != b ]'")
        self.wait_for_bar_past(4)
        self.assert_one_bar_below(["fanmill: task 1 (\"b\") failed: exit status 1"])
        self.wait_for(r"15 of 16 tasks done, 1 failed")

    def test_makes_room_for_results(self):
        self.type("clear; fanmill exec -j 1 --range n=1..30 -- sh -c 'sleep 0.1; echo result {}'")
        done = self.wait_for_bar_past(3)
        shown = [line for line in self.screen().split("\n") if not BAR.search(line)]
        self.assertGreaterEqual(len(shown), done - 1)
        self.assertEqual(shown, ["result %d" % (i + 1) for i in range(len(shown))])
        self.wait_for(r"30 of 30")

    def test_has_no_colours_and_is_not_drawn_on_a_dumb_terminal(self):
        self.type("fanmill exec -j 1 ::: 0.6 -- sleep; echo ended: $?")
        self.wait_for(r"^ended: 0")
        self.assertIn(b"100%" if b"100%" in self.recorded() else b"0/1", self.recorded())
        self.assertNotRegex(self.recorded().decode(errors="replace").split("fanmill exec", 1)[1], "\x1b\\[[0-9;]*m")
        self.type("clear; TERM=dumb fanmill exec -j 1 ::: 0.6 -- sleep; echo dumb: $?")
        self.wait_for(r"^dumb: 0")
        self.assertEqual(self.screen().split("\n")[0], "dumb: 0")

    def test_goes_nowhere_when_stderr_is_a_file(self):
        self.type("clear; fanmill exec -j 1 ::: 0.6 0 -- sh -c 'sleep {}; exit {}' 2>messages; echo ended: $?")
        self.wait_for(r"^ended: 1")
        text = (self.dir / "messages").read_bytes()
        self.assertIn(b"1 of 2 tasks done, 1 failed", text)
        self.assertNotRegex(text, rb"[\x1b\r]")


class Keys(Terminal):
    def test_ctrl_c_finishes_what_runs_and_says_what_a_second_one_does(self):
        self.type("clear; fanmill exec -j 2 --range n=1..500 -- sh -c 'sleep 0.4; echo {}' >out; echo ended: $?")
        self.wait_for_bar_past(1)
        self.press("C-c")
        self.wait_for(r"interrupted: what runs is finished first; once more kills it")
        self.wait_for(r"^ended: 130")
        done, not_run = map(int, self.wait_for(r"^fanmill: interrupted: (\d+) tasks done, (\d+) not run").groups())
        self.assertEqual(done + not_run, 500)
        self.assertEqual((self.dir / "out").read_text().split(), [str(i + 1) for i in range(done)])
        self.assertNotIn("^C", self.screen())
        self.assertNotIn("failed", self.screen())

    def test_ctrl_c_twice_kills(self):
        self.type("clear; fanmill exec -j 2 --range n=1..4 sleep 1000; echo ended: $?")
        wait_until(lambda: len(self.processes_named("sleep")) == 2, "two commands")
        self.press("C-c")
        self.wait_for(r"once more kills it")
        self.assertEqual(len(self.processes_named("sleep")), 2)
        self.press("C-c")
        self.wait_for(r"^ended: 130")
        self.wait_for(r"interrupted: 0 tasks done, 4 not run")
        wait_until(lambda: not self.processes_named("sleep"), "no command left")

    def test_a_reader_that_leaves_ends_it_quietly(self):
        self.type("clear; seq 1000000 | fanmill map identity - | head -n 3; echo ended: ${PIPESTATUS[1]}")
        self.wait_for(r"^ended: 0")
        self.assertEqual(self.screen().split("\n")[:4], ["1", "2", "3", "ended: 0"])
