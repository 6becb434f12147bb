#!/usr/bin/env python3
"""A14, B16: replies that nobody waits for and literals that nobody takes pass unchanged, and are counted as what they
are."""

import unittest

from harness import CHUNKINGS, IntegrationCase

C, S = "client", "server"
LITERAL = b"t OK inside\r\nm1 NOOP\r\n"  # in a literal neither a reply nor a command
HALF = len(LITERAL) // 2
ANNOUNCE = b"t APPEND INBOX {%d}\r\n" % len(LITERAL)
ANNOUNCE_PLUS = b"t APPEND INBOX {%d+}\r\n" % len(LITERAL)
NOOP = ((C, b"n NOOP\r\n"), (S, b"n OK done\r\n"))

# what: (who says what, commands ended by result, anomalies by kind)
REPLIES = {
    "unknown tags": (((S, b"x99 OK nobody asked\r\n"), (C, b"t NOOP\r\n"), (S, b"T OK another case\r\n"),
                      (S, b"tt NO a longer one\r\n"), (S, b"t OK done\r\n")), {"OK": 1}, {"unmatched_tag": 3}),
    "a repeated tag": (((C, b"t NOOP\r\n"), (S, b"t OK done\r\n"), (S, b"t BAD again\r\n"), *NOOP),
                       {"OK": 2}, {"unmatched_tag": 1}),
    "the tag of another session": (((S, b"theirs OK done\r\n"), *NOOP), {"OK": 1}, {"unmatched_tag": 1}),
}
LITERALS = {
    # the octets come all the same, and the next command behind them
    "non-synchronizing and too large": (((C, ANNOUNCE_PLUS + LITERAL[:HALF]), (S, b"t BAD [TOOBIG] too large\r\n"),
                                         (C, LITERAL[HALF:] + b"\r\n"), *NOOP),
                                        {"BAD": 1, "OK": 1}, {"early_completion": 1}),
    "refused": (((C, ANNOUNCE), (S, b"t NO [TOOBIG] too large\r\n"), *NOOP), {"NO": 1, "OK": 1}, {}),
    # whether the server takes them for a literal or for commands is not to be known: nothing is read from here
    "sent before the answer, which is then no": (((C, ANNOUNCE + LITERAL + b"\r\n"),
                                                  (S, b"t NO [TOOBIG] too large\r\n"), *NOOP),
                                                 {"NO": 1}, {"impatient_literal": 1}),
    "abandoned in the middle": (((C, ANNOUNCE), (S, b"+ go on\r\n"), (C, LITERAL[:HALF])), {"aborted": 1}, {}),
    "announced and abandoned": (((C, ANNOUNCE),), {"aborted": 1}, {}),
}


class RelaysWhatDoesNotFit(IntegrationCase):
    def test_A14(self):
        self.start()
        other, other_server = self.session()
        self.login(other, other_server)
        self.relay(other, other_server, b"theirs NOOP\r\n")
        self.play(REPLIES)
        before = self.proxy.scrape()
        self.relay(other_server, other, b"theirs OK done\r\n")
        self.assertEqual(self.risen(before, "imapmeter_commands_total", "result"), {"OK": 1})
        self.end_by_client(other, other_server)
        self.check_invariants()

    def test_B16(self):
        self.start()
        before = self.proxy.scrape()
        self.play(LITERALS)
        self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total", reason="parser"), len(CHUNKINGS))
        self.check_invariants()

    def play(self, table) -> None:
        for what, (script, commands, anomalies) in table.items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    client, server = self.session()
                    self.login(client, server)
                    before = self.proxy.scrape()
                    for sender, octets in script:
                        near, far = (client, server) if sender is C else (server, client)
                        self.relay(near, far, octets, chunking)
                    self.end_by_client(client, server)
                    self.proxy.wait_for("imapmeter_sessions_closed_total", 1 + before.sum(
                        "imapmeter_sessions_closed_total", reason="client_eof"), reason="client_eof")
                    self.assertEqual(self.risen(before, "imapmeter_commands_total", "result"), commands)
                    self.assertEqual(self.risen(before, "imapmeter_anomalies_total", "kind"), anomalies)

    def end_by_client(self, client, server) -> None:
        """In the middle of what it has announced, perhaps."""
        client.close_notify()
        client.shutdown_write()
        self.assertEqual(server.finish(), "fin")
        server.close_clean()
        self.assertEqual(client.finish(), "close_notify+fin")
        client.close()

    def risen(self, before, family: str, label: str) -> dict[str, int]:
        now, then = self.proxy.scrape().by(family, label), before.by(family, label)
        return {key: int(value - then.get(key, 0)) for key, value in now.items() if value != then.get(key, 0)}


if __name__ == "__main__":
    unittest.main()
