#!/usr/bin/env python3
"""A server that can do something else than before is counted once, and /api/v1/events says which words came and went;
what is none of the known words is shown nowhere."""

import json
import unittest

from harness import IntegrationCase
from harness.canary import Canary

CHANGES = "imapmeter_upstream_capability_changes_total"


class ShowsWhatServersCanDo(IntegrationCase):
    def offer(self, before: bytes, after: bytes) -> None:
        client, server = self.session(b"* OK [CAPABILITY IMAP4rev1 %s] ready\r\n" % before)
        self.relay(client, server, b"a LOGIN user secret\r\n")
        self.relay(server, client, b"a OK [CAPABILITY IMAP4rev1 %s] in\r\n" % after)
        server.shutdown_write()
        client.close_clean()
        server.close()

    def test_changes(self):
        self.start(capabilities="pass")
        canary = Canary()
        self.offer(b"IDLE", b"IDLE MOVE")  # something else than the server of the warm-up
        start = self.proxy.scrape()
        for _ in range(4):  # whichever worker sees it
            self.offer(b"IDLE", b"IDLE MOVE")
        for _ in range(4):
            self.offer(b"IDLE", b"QUOTA X" + canary.word + b" IDLE APPENDLIMIT=" + canary.word)
        for _ in range(4):
            self.offer(b"IDLE", b"IDLE MOVE")
        self.assertEqual(self.change(start, CHANGES, state="before_login"), 0)
        self.assertEqual(self.change(start, CHANGES, state="after_login"), 1)
        body = self.proxy.get("/api/v1/events")[2]
        self.assertEqual(canary.seen_in(body), [])
        events = [each for each in json.loads(body)["events"] if each["event"] == "capabilities"
                  and each["state"] == "after_login"][:1]
        self.assertEqual([(each["added"], each["removed"], each["other_words"]) for each in events],
                         [(["APPENDLIMIT=", "QUOTA"], ["MOVE"], "changed")])
        self.assertIn("start", [each["event"] for each in json.loads(body)["events"]])
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
