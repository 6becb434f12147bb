#!/usr/bin/env python3
"""B21: 1 GB of zeros in 1 MB of deflate passes untouched, in constant memory, and costs a neighbour little. At once it is
no longer read (`compress_ratio`); in small pieces it is read to its end."""

import unittest
import zlib

from harness import FakeUpstream, IntegrationCase

MIB = 1 << 20
ZEROS = 1_000_000_000
SESSIONS = 50
PIECE = 512  # octets of deflate that inflate to half a MiB


def deflated(octets: list[bytes]) -> bytes:
    deflate = zlib.compressobj(9, wbits=-15)
    return b"".join([*map(deflate.compress, octets), deflate.flush(zlib.Z_SYNC_FLUSH)])


BOMB = deflated([b"* 1 FETCH (BODY[] {%d}\r\n" % ZEROS, *[bytes(MIB)] * (ZEROS // MIB), bytes(ZEROS % MIB),
                 b")\r\nc OK done\r\n"])


class SurvivesDeflateBombs(IntegrationCase):
    def compressed(self):
        """A session that has logged in and compresses; it waits for a message."""
        client, server = self.session(keep=False)
        self.login(client, server)
        self.relay(client, server, b"b COMPRESS DEFLATE\r\n")
        self.relay(server, client, b"b OK begin\r\n")
        self.relay(client, server, deflated([b"c FETCH 1 BODY[]\r\n"]))
        return client, server

    def explode(self, pieces: list[bytes], sessions: int) -> dict:
        """What the counters say of sessions in which the server says these one by one."""
        self.start(FakeUpstream(keep=False), workers=1)
        before, resident = self.proxy.scrape(), self.proxy.process.rss()
        with self.neighbour():
            for _ in range(sessions):
                self.pass_on(pieces)
        grown = self.proxy.process.rss() - resident
        print(f"figure: {sessions} times {len(BOMB)} octets of deflate, {ZEROS} of zeros: {grown / 1024:+.0f} KiB "
              "resident", flush=True)
        self.assertTrue(self.proxy.process.sanitized() or grown <= MIB, f"{grown} octets more resident memory")
        counts = {"opaque": self.change(before, "imapmeter_opaque_sessions_total", reason="compress_ratio"),
                  "literals": self.change(before, "imapmeter_literal_bytes_total", direction="server_to_client"),
                  "fetched": self.change(before, "imapmeter_commands_total", command="FETCH", result="OK"),
                  "messages": self.change(before, "imapmeter_messages_total", operation="fetched")}
        self.check_invariants()
        return counts

    def pass_on(self, pieces: list[bytes]) -> None:
        client, server = self.compressed()
        for piece in pieces:
            server.send(piece)
            self.assertEqual(client.consume(len(piece)), len(piece))
        self.assertEqual(client.received.hexdigest(), server.sent.hexdigest())
        server.shutdown_write()
        client.close_clean()
        server.close()

    def test_B21_at_once(self):
        counts = self.explode([BOMB], SESSIONS)
        self.assertEqual((counts["opaque"], counts["fetched"], counts["messages"]), (SESSIONS, 0, 0))
        self.assertLess(counts["literals"], SESSIONS * ZEROS / 10, "what was inflated before it was given up")

    def test_B21_in_small_pieces(self):
        counts = self.explode([BOMB[at : at + PIECE] for at in range(0, len(BOMB), PIECE)], 1)
        self.assertEqual(counts, {"opaque": 0, "literals": ZEROS, "fetched": 1, "messages": 1})


if __name__ == "__main__":
    unittest.main()
