#!/usr/bin/env python3
"""A client that has read the tagged OK finds it in the next scrape, always.

Several clients on two workers, each with a response code of its own: whatever the others do, the samples of that code
are exactly what this client has read. IMAPMETER_LONG=1 runs ten times as many rounds.
"""

import http.client
import os
import random
import re
import threading
import unittest

from harness import FakeClient, FakeUpstream, Proxy, check_counted, scaled, seed

CODES = {"ALERT": "ALERT", "PARSE": "PARSE", "TRYCREATE": "TRY_CREATE", "UIDNEXT": "UID_NEXT"}
ROUNDS = 10000 if os.environ.get("IMAPMETER_LONG") == "1" else 1000  # per client
ROUNDS_PER_SESSION = 100


def server(connection) -> None:
    """Answers `tag CODE` by `tag OK [CODE]`; what has arrived together is answered together."""
    connection.send(b"* OK ready\r\n")
    while line := connection.read_line():
        tag, code = line.split()
        connection.send(b"%s OK [%s] done\r\n" % (tag, code) if code != b"LOGOUT" else b"* BYE\r\n%s OK\r\n" % tag)
        if code == b"LOGOUT":
            return


class Rounds(threading.Thread):
    """One client; `failure` says what it missed."""

    def __init__(self, proxy: Proxy, code: str):
        super().__init__()
        self.proxy = proxy
        self.code = code
        self.failure = ""
        self.read = 0
        self.sessions = 0
        self.chance = random.Random(f"{seed()} {code}")
        self.samples = [re.compile(rb'^imapmeter_response_codes_total\{(?=.*status="OK")(?=.*code="%s").*\} (\d+)$'
                                   % code.encode(), re.M),
                        re.compile(rb'^imapmeter_status_codes_total\{.*status_code="%s".*\} (\d+)$'
                                   % CODES[code].encode(), re.M)]

    def run(self) -> None:
        try:
            self.metrics = http.client.HTTPConnection(*self.proxy.admin, timeout=scaled(20))
            while self.sessions * ROUNDS_PER_SESSION < ROUNDS:
                self.session()
        except Exception as error:  # the test's thread reports it
            self.failure = self.failure or repr(error)

    def session(self) -> None:
        self.sessions += 1
        with FakeClient(self.proxy.address, keep=False, timeout=20) as client:
            client.expect(b"* OK ready\r\n")
            for number in range(ROUNDS_PER_SESSION):
                self.round(client, number)
            client.command(b"z LOGOUT")
            client.finish()
        self.look()

    def round(self, client: FakeClient, number: int) -> None:
        count = self.chance.choice((1, 1, 1, 2, 7))
        client.send(b"".join(b"t%d-%d %s\r\n" % (number, index, self.code.encode()) for index in range(count)))
        client.read_until(b"t%d-%d OK " % (number, count - 1))
        self.read += count
        self.look()

    def look(self) -> None:
        self.metrics.request("GET", "/metrics")
        body = self.metrics.getresponse().read()
        for sample in self.samples:
            shown = sum(map(int, sample.findall(body)))
            if shown != self.read:
                self.failure = f"[{self.code}]: {self.read} read, then {shown} in the scrape: {sample.pattern}"
                raise AssertionError(self.failure)


class ScrapeShowsWhatWasRead(unittest.TestCase):
    def test_each_tagged_ok(self):
        with FakeUpstream(server, keep=False) as upstream, Proxy(upstream) as proxy:
            clients = [Rounds(proxy, code) for code in CODES]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            self.assertEqual([client.failure for client in clients if client.failure], [])
            self.assertTrue(all(client.sessions * ROUNDS_PER_SESSION == ROUNDS for client in clients))
            sessions = sum(client.sessions for client in clients)
            read = sum(client.read for client in clients)
            check_counted(proxy, {
                "imapmeter_responses_total": {
                    (("kind", "greeting"), ("status", "OK")): sessions,
                    (("kind", "tagged"), ("status", "OK")): read + sessions,
                    (("kind", "untagged"), ("status", "BYE")): sessions},
                "imapmeter_sessions_closed_total": {(("reason", "logout"),): sessions}})


if __name__ == "__main__":
    unittest.main(verbosity=2)
