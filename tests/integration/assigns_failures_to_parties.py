#!/usr/bin/env python3
"""docs/verdict.md, in front of a scripted server: each failure is counted once, for the party whose fault it is, and a
session in which all goes well is none."""

import json
import unittest

from harness import IntegrationCase, wait_until


class AssignsFailuresToParties(IntegrationCase):
    def failures(self) -> dict[tuple[str, str], int]:
        """What is not zero."""
        listener = json.loads(self.proxy.get("/api/v1/status")[2])["listeners"][0]
        return {(party, kind): count for party, kinds in listener["failures"].items()
                for kind, count in kinds.items() if count}

    def become(self, expected: dict) -> None:
        wait_until(lambda: self.failures() == expected, 5, f"{expected}, not {self.failures()}")

    def answer(self, client, server, command: bytes, answer: bytes) -> None:
        self.relay(client, server, b"t " + command + b"\r\n")
        self.relay(server, client, b"t " + answer + b"\r\n")

    def end(self, client, server) -> None:
        server.shutdown_write()
        client.close_clean()
        server.close()

    def test_logins_and_commands(self):
        self.start()
        self.assertEqual(self.failures(), {}, "an ordinary session")
        client, server = self.session()
        self.answer(client, server, b"LOGIN u p", b"NO [AUTHENTICATIONFAILED] x")
        self.answer(client, server, b"LOGIN u p", b"NO [UNAVAILABLE] x")
        self.answer(client, server, b"LOGIN u p", b"NO [PRIVACYREQUIRED] x")
        self.answer(client, server, b"LOGIN u p", b"NO [CANNOT] x")
        self.answer(client, server, b"LOGIN", b"BAD x")
        self.login(client, server)
        self.answer(client, server, b"SELECT nowhere", b"NO [NONEXISTENT] x")
        self.answer(client, server, b"SELECT INBOX", b"NO [SERVERBUG] x")
        self.answer(client, server, b"APPEND", b"NO [OVERQUOTA] x")
        self.answer(client, server, b"XYZZY", b"BAD x")
        self.become({("client", "login_rejected"): 1, ("server", "login_temporary"): 1, ("policy", "login_privacy"): 1,
                     ("server", "login_other"): 1, ("client", "login_bad"): 1, ("server", "command_failed"): 1,
                     ("policy", "command_limit"): 1, ("client", "command_bad"): 1})
        before = self.failures()
        self.answer(client, server, b"LOGOUT", b"OK bye")
        self.end(client, server)
        self.assertGreater(self.closed("logout", "authenticated"), 0)
        self.assertEqual(self.failures(), before, "the end of a session in order is no failure")
        self.check_invariants()

    def test_ends(self):
        self.start()
        client, server = self.session()  # the server goes away in the middle of a command
        self.login(client, server)
        self.relay(client, server, b"f FETCH 1 ALL\r\n")
        self.end(client, server)
        self.become({("server", "closed"): 1})
        client, server = self.session()  # the client does
        self.login(client, server)
        self.relay(client, server, b"f FETCH 1 ALL\r\n")
        client.close()
        server.read_all()
        server.close()
        self.become({("server", "closed"): 1, ("client", "hung_up"): 1})
        client, server = self.session()  # it leaves its IDLE as phones do
        self.login(client, server)
        self.relay(client, server, b"i IDLE\r\n")
        self.relay(server, client, b"+ idling\r\n")
        client.close()
        server.read_all()
        server.close()
        for text, failure in ((b"* BYE Server shutting down\r\n", ("server", "shutdown")),
                              (b"* BYE Autologout; idle for too long\r\n", ("policy", "inactivity"))):
            client, server = self.session()
            self.login(client, server)
            self.relay(server, client, text)
            self.end(client, server)
            expected = self.failures() | {failure: 1}
            self.become(expected)
        client, server = self.session(b"* BYE too many\r\n")
        self.end(client, server)
        self.become({("server", "closed"): 1, ("client", "hung_up"): 1, ("server", "shutdown"): 1,
                     ("policy", "inactivity"): 1, ("server", "greeting"): 1})
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
