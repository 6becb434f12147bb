#!/usr/bin/env python3
"""A scripted server says what Dovecot rarely says; a real Prometheus then knows all 18 members, to the very number."""
import pathlib
import tempfile
import unittest

from support import MEMBERS, MEMBERS_QUERY
from harness import FakeUpstream, Proxy, wait_until
from processes import free_port
from prometheus import Prometheus

GREETING = b"* PREAUTH [ALERT] welcome, and mind the step\r\n"
# command, answer
CONVERSATION = [
    (b"a1 SEARCH CHARSET X-UNKNOWN ALL", b"a1 NO [BADCHARSET (UTF-8)] not in that charset\r\n"),
    (b"a2 FETCH 1 ENVELOPE", b"* OK [PARSE] a header of message 1 is no header\r\na2 OK fetched\r\n"),
    (b"a3 EXAMINE INBOX", b"* 3 EXISTS\r\n* OK [UNSEEN 2] first unseen\r\na3 OK [READ-ONLY] examined\r\n"),
    (b"a4 FROBNICATE", b"a4 BAD unknown command\r\n"),
    # The condition is none of the five; the tag stays outstanding, and a code in such a line is not read.
    (b"a5 NOOP", b"a5 PERHAPS [TRYCREATE] later\r\na5 OK done\r\n"),
    (b"a6 LOGOUT", b"* BYE logging out\r\na6 OK bye\r\n"),
]
EXPECTED = dict.fromkeys(MEMBERS, 0) | {
    "PREAUTH": 1, "ALERT": 1, "NO": 1, "BAD_CHARSET": 1, "PARSE": 1, "UNSEEN": 1, "READ_ONLY": 1, "BAD": 1,
    "NOT_DEFINED": 1, "BYE": 1, "OK": 6, "UNSOLICITED": 4}


def server(connection):
    connection.send(GREETING)
    for command, answer in CONVERSATION:
        connection.expect(command + b"\r\n")
        connection.send(answer)


class MembersTest(unittest.TestCase):
    def test_every_member(self):
        upstream = self.enterContext(FakeUpstream(server))
        proxy = self.enterContext(Proxy(upstream))
        directory = self.enterContext(tempfile.TemporaryDirectory())
        target = "{}:{}".format(*proxy.admin)
        prometheus = self.enterContext(Prometheus(pathlib.Path(directory), target, free_port()))

        def known():
            return {labels["status_code"]: value for labels, value in prometheus.query(MEMBERS_QUERY)}

        self.assertEqual(wait_until(known, 20, "the first scrape"), dict.fromkeys(MEMBERS, 0))
        with proxy.connect() as client:
            client.expect(GREETING)
            for command, answer in CONVERSATION:
                client.send(command + b"\r\n")
                client.expect(answer)
        wait_until(lambda: known()["BYE"], 20, "a scrape after the session")
        self.assertEqual(known(), EXPECTED)


if __name__ == "__main__":
    unittest.main()
