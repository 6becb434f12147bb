#!/usr/bin/env python3
"""/api/v1/sessions has each session that is open, whichever worker has it, and none that is over; `imapmeter top` shows
the same. Neither shows anything that a peer has said."""

import json
import subprocess
import unittest

from harness import IntegrationCase, wait_until
from harness.canary import Canary
from harness.proxy import binary


class ShowsOpenSessions(IntegrationCase):
    def table(self) -> dict:
        return json.loads(self.proxy.get("/api/v1/sessions")[2])

    def states(self) -> list[str]:
        return sorted(each["state"] for each in self.table()["sessions"])

    def test_states_and_counts(self):
        self.start(workers=2)
        self.assertEqual(self.states(), [])
        greeted = self.session()
        logged_in = self.session()
        self.login(*logged_in)
        idling = self.session()
        self.login(*idling)
        self.relay(*idling, b"i IDLE\r\n")
        self.relay(idling[1], idling[0], b"+ idling\r\n")
        selected = [self.session() for _ in range(10)]  # on both workers
        for each in selected:
            self.login(*each)
            self.relay(*each, b"s SELECT INBOX\r\n")
            self.relay(each[1], each[0], b"s OK done\r\n")
            self.relay(*each, b"n FETCH 1 ALL\r\n")
            self.relay(each[1], each[0], b"n NO none\r\n")
        self.assertEqual(self.states(), ["authenticated", "idle", "not_authenticated"] + ["selected"] * 10)
        table = self.table()
        self.assertEqual((table["total"], table["shown"]), (13, 13))
        self.assertGreater(len({each["id"].split("-")[0] for each in table["sessions"]}), 1, "one worker has them all")
        for each in table["sessions"]:
            self.assertEqual(each["server"], f"127.0.0.1:{self.upstream.address[1]}")
            self.assertEqual((each["tls"], each["client"], each["software"]), ("TLSv1.3", "127.0.0.0/24", "none"))
            if each["state"] == "selected":
                self.assertEqual((each["commands"], each["no"], each["bad"]), (3, 1, 0))
                self.assertGreater(each["bytes_to_client"], 0)
        for client, server in [greeted, logged_in, idling, *selected]:
            server.shutdown_write()
            client.close_clean()
            server.close()
        wait_until(lambda: self.table() | {"time": 0} == {"time": 0, "total": 0, "shown": 0, "sessions": []}, 5,
                   "an empty table")
        self.check_invariants()

    def test_nothing_of_a_peer(self):
        self.start()
        canary = Canary()
        client, server = self.session(b"* OK %s\r\n" % canary.word)
        self.relay(client, server, b'i ID ("name" "%s")\r\n' % canary.word)
        self.relay(server, client, b"i OK %s\r\n" % canary.word)
        self.relay(client, server, b"%s LOGIN %s %s\r\n" % (canary.word, canary.word, canary.word))
        body = self.proxy.get("/api/v1/sessions")[2]
        self.assertEqual(json.loads(body)["total"], 1)
        self.assertEqual(canary.seen_in(body), [])
        server.shutdown_write()
        client.close_clean()
        server.close()
        self.check_invariants()

    def test_top(self):
        self.start()
        client, server = self.session()
        self.login(client, server)
        host, port = self.proxy.admin
        picture = subprocess.run([binary(), "top", "--admin", f"{host}:{port}"], check=True,
                                 capture_output=True, text=True).stdout
        for text in ("LISTENER default", "SERVER of ", "SESSION (1 open)", "authenticated"):
            self.assertIn(text, picture)
        server.shutdown_write()
        client.close_clean()
        server.close()
        self.check_invariants()

    def test_top_without_anybody_to_ask(self):
        self.start()
        host, port = self.proxy.admin
        command = [binary(), "top", "--admin", f"{host}:{port}"]
        self.proxy.close()
        self.upstream.disconnect()
        answer = subprocess.run(command, check=False, capture_output=True, text=True)
        self.assertEqual((answer.returncode, answer.stdout), (1, ""))
        self.assertIn("imapmeter: ", answer.stderr)


if __name__ == "__main__":
    unittest.main()
