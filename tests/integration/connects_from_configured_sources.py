#!/usr/bin/env python3
"""C20: towards a server imapmeter has as many ports as the system grants it for each source address; then the next
address serves, and when none has a port left the client hears BYE.

The test makes a network namespace of its own, whose range is 100 ports. That takes root.
"""

import tempfile
import unittest

from harness import FakeUpstream, IntegrationCase, wait_until
from harness.namespace import enter_namespace, set_ipv4
from refuses_when_upstream_is_down import BYE

PORTS = 100


def setUpModule():
    enter_namespace()
    set_ipv4("tcp_max_tw_buckets", "0")  # what a session has freed can be used at once


class ConnectsFromConfiguredSources(IntegrationCase):
    def begin(self, *sources: str) -> None:
        """Clients come from a unix socket and the listening ports are outside the range: it is imapmeter's alone."""
        set_ipv4("ip_local_port_range", "30000 39999")
        directory = self.enterContext(tempfile.TemporaryDirectory())
        self.start(FakeUpstream(), tls=False, listen=f"unix:{directory}/imap",
                   config={"upstream": {"source": list(sources)}} if sources else None)
        set_ipv4("ip_local_port_range", f"20000 {20000 + PORTS - 1}")

    def exhaust(self, expected: dict[str, int]) -> None:
        """Takes as many sessions as `expected` has ports; the next gets BYE."""
        used: dict[str, int] = {}
        sessions = []
        for _ in range(sum(expected.values())):
            client, server = self.session()
            sessions.append((client, server))
            used[server.peer[0]] = used.get(server.peer[0], 0) + 1
        self.assertEqual(used, expected)
        with self.proxy.connect() as client:
            self.assertRegex(client.read_line(), BYE)
            self.assertEqual(client.finish(), "fin")
        metrics = self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="source_ports", phase="connect")
        self.assertEqual(metrics.sum("imapmeter_upstream_connects_total", result="source_ports"), 1)
        wait_until(lambda: self.proxy.log_lines("no session", "source_ports"), 5, "a line that says why")
        # those that have a port go on, and what they free is used again
        client, server = sessions[0]
        self.login(client, server)
        for client, server in sessions:
            client.shutdown_write()
            self.assertEqual(server.finish(), "fin")
            server.close()
            self.assertEqual(client.finish(), "fin")
        self.check_invariants()

    def test_C20_one_source(self):
        self.begin("127.0.0.9")
        self.exhaust({"127.0.0.9": PORTS})

    def test_C20_next_source(self):
        self.begin("::1", "127.0.0.9", "127.0.0.8")
        self.exhaust({"127.0.0.9": PORTS, "127.0.0.8": PORTS})

    def test_C20_system_choice(self):
        self.begin()
        self.exhaust({"127.0.0.1": PORTS})

    def test_address_of_another_machine(self):
        """Not ours: the next one is taken at once."""
        self.begin("198.51.100.1", "127.0.0.8")
        client, server = self.session()
        self.assertEqual(server.peer[0], "127.0.0.8")
        client.close()
        self.assertEqual(server.finish(), "fin")
        server.close()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
