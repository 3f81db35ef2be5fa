"""Hosts made of network namespaces."""
import os
import subprocess
import unittest

from harness import FanmillTest, wait_until


def namespaces_refused():
    """Why network namespaces cannot be made here; None if they can."""
    try:
        made = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    except OSError as error:
        return str(error)
    return made.stderr.strip() or None if made.returncode else None


REFUSED = namespaces_refused()


@unittest.skipIf(REFUSED, "no network namespaces: %s" % REFUSED)
class Hosts(FanmillTest):
    """Each host is a network namespace, all of them on one bridge in a namespace of its own: nothing of it is the machine's network."""

    def setUp(self):
        super().setUp()
        self.hosts = {}
        self.switch = self.namespace()
        self.run_in(self.switch, "ip", "link", "add", "bridge", "type", "bridge")
        self.run_in(self.switch, "ip", "link", "set", "bridge", "up")

    def namespace(self):
        """The process that keeps a namespace alive; its end is the namespace's end."""
        keeper = self.start("unshare", "--net", "sleep", "1000000")
        mine = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink("/proc/%d/ns/net" % keeper.pid) != mine, "a network namespace")
        return keeper

    def run_in(self, keeper, *command):
        subprocess.run(["nsenter", "--net", "--target", str(keeper.pid), *command], check=True, capture_output=True)

    def host(self, name):
        """What runs a command on a further host of that name."""
        keeper = self.hosts[name] = self.namespace()
        number = len(self.hosts)
        self.run_in(self.switch, "ip", "link", "add", "to%d" % number, "type", "veth", "peer", "name", "eth0", "netns", str(keeper.pid))
        self.run_in(self.switch, "ip", "link", "set", "to%d" % number, "master", "bridge", "up")
        self.run_in(keeper, "ip", "address", "add", "10.77.0.%d/24" % number, "dev", "eth0")
        self.run_in(keeper, "ip", "link", "set", "eth0", "up")
        self.run_in(keeper, "ip", "link", "set", "lo", "up")
        return ("nsenter", "--net", "--target", str(keeper.pid))

    def plug(self, number, state):
        self.run_in(self.switch, "ip", "link", "set", "to%d" % number, state)
