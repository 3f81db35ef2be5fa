"""What is shown to people, and what is not shown to programs."""
import os
import pty

from harness import FanmillTest, wait_until


class Terminal:
    """A pseudo-terminal whose other end collects what is printed."""

    def __init__(self):
        self.main, self.end = pty.openpty()
        os.set_blocking(self.main, False)
        self.data = b""

    def text(self):
        while True:
            try:
                piece = os.read(self.main, 1 << 16)
            except OSError:
                return self.data.decode(errors="replace")
            if not piece:
                return self.data.decode(errors="replace")
            self.data += piece

    def close(self):
        os.close(self.main)
        os.close(self.end)


class Progress(FanmillTest):
    def setUp(self):
        super().setUp()
        self.terminal = Terminal()
        self.addCleanup(self.terminal.close)
        self.env["TERM"] = "xterm"

    def test_is_drawn_over_itself_on_a_terminal(self):
        run = self.fanmill("map", "-j", "2", "sleep", ":::", *["0.1"] * 20, stderr=self.terminal.end)
        wait_until(lambda: self.terminal.text().count("\r") >= 2, lambda: "a progress line, not %r" % self.terminal.data)
        run.wait()
        self.assertEqual(run.code, 0)
        self.assertRegex(self.terminal.text(), r"\d+ ?/ ?20|20")

    def test_is_not_drawn_with_quiet(self):
        run = self.fanmill("map", "--quiet", "-j", "2", "sleep", ":::", *["0.1"] * 10, stderr=self.terminal.end).wait()
        self.assertEqual(run.code, 0)
        self.assertEqual(self.terminal.text(), "")

    def test_is_not_drawn_where_stderr_is_no_terminal(self):
        run = self.run_fanmill("map", "-j", "2", "sleep", ":::", *["0.1"] * 10)
        self.assertNotIn("\r", run.err())
        self.assertNotIn("\x1b", run.err())
