#!/usr/bin/env python3
"""Of several servers each session goes to the one with the fewest, whichever worker it is on."""

import unittest
from collections import Counter

from harness import FakeUpstream, IntegrationCase, honest_server

SESSIONS = 40
SERVERS = 3


def greeting_of(number: int):
    def script(connection) -> None:
        connection.send(b"* OK server %d\r\n" % number)
        connection.read_all()
    return script


class SpreadsSessions(IntegrationCase):
    def test_least_sessions(self):
        servers = [self.enterContext(FakeUpstream(greeting_of(number))) for number in range(SERVERS)]
        self.start(servers[0], config={"upstream": {"servers": [each.url for each in servers],
                                                    "any_server_serves_any_user": True}})
        clients = [self.greeted() for _ in range(SESSIONS)]
        self.assertEqual(sorted(Counter(number for number, _ in clients).values()), [13, 13, 14])
        self.assertEqual(sorted(self.sessions().values()), [13, 13, 14])

        # What one loses, it gets back.
        first = [client for number, client in clients if number == 0]
        for client in first:
            client.close_clean()
        self.proxy.wait_for("imapmeter_upstream_sessions", SESSIONS - len(first))
        new = [self.greeted() for _ in first]
        self.assertEqual(Counter(number for number, _ in new)[0], len(first))
        for _, client in clients + new:
            client.close()
        for each in servers:
            each.script = honest_server
        self.check_invariants()

    def greeted(self):
        client = self.enterContext(self.proxy.connect())
        return int(client.read_line().split()[-1]), client

    def sessions(self) -> dict[str, float]:
        return self.proxy.scrape().by("imapmeter_upstream_sessions", "server")


if __name__ == "__main__":
    unittest.main()
