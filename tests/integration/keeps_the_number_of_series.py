#!/usr/bin/env python3
"""B12: nothing that a peer makes up becomes a time series.

20,000 distinct names by default, 1,000,000 with IMAPMETER_LONG=1.
"""

import os
import unittest

from harness import IntegrationCase, at_rest, check_with_promtool
from harness.proxy import SERIES_LIMIT

NAMES = 1_000_000 if os.environ.get("IMAPMETER_LONG") else 20_000
BATCH = 100  # commands in flight, well under what is tracked
COMMANDS = """APPEND AUTHENTICATE CAPABILITY CHECK CLOSE COPY CREATE DELETE ENABLE EXAMINE EXPUNGE FETCH GETQUOTA ID
    LIST LOGIN LSUB MOVE NAMESPACE NOOP RENAME SEARCH SELECT SORT STATUS STORE SUBSCRIBE THREAD UNSELECT UNSUBSCRIBE
    UID_FETCH UID_COPY UID_MOVE UID_STORE UID_SEARCH UID_EXPUNGE XUNKNOWN""".split()  # _ for a space
CODES = """ALERT ALREADYEXISTS APPENDUID AUTHENTICATIONFAILED AUTHORIZATIONFAILED BADCHARSET BADURL CANNOT CAPABILITY
    CLIENTBUG CLOSED CONTACTADMIN COPYUID CORRUPTION EXPIRED EXPUNGEISSUED HIGHESTMODSEQ INPROGRESS INUSE LIMIT METADATA
    MODIFIED NOMODSEQ NONEXISTENT NOPERM OVERQUOTA PARSE PERMANENTFLAGS PRIVACYREQUIRED READ-ONLY READ-WRITE REFERRAL
    SERVERBUG TOOBIG TRYCREATE UIDNEXT UIDNOTSTICKY UIDVALIDITY UNAVAILABLE UNKNOWN-CTE UNSEEN XUNKNOWN""".split()


class KeepsTheNumberOfSeries(IntegrationCase):
    def test_B12(self):
        self.start()
        self.warm_up()
        warm = at_rest(self.proxy)
        self.assertLessEqual(warm.series, SERIES_LIMIT)
        check_with_promtool(self.proxy.get("/metrics")[2].decode())

        client, server = self.session(keep=False)
        for first in range(0, NAMES, BATCH):
            self.batch(client, server, range(first, first + BATCH))
        self.end(client, server)

        after = at_rest(self.proxy)
        self.assertEqual(after.series, warm.series, sorted(set(after.samples) - set(warm.samples))[:10])
        made_up = after.sum("imapmeter_commands_total", command="other") - warm.sum("imapmeter_commands_total",
                                                                                    command="other")
        self.assertEqual(made_up, NAMES)
        self.check_invariants()

    def warm_up(self) -> None:
        """Every status with every code, every command with every result, and one round of what is made up."""
        client, server = self.session()
        for name in COMMANDS:
            for result in (b"OK", b"NO", b"BAD"):
                command = b"w " + name.replace("_", " ").encode() + b"\r\n"
                if name == "AUTHENTICATE":
                    command = b"w AUTHENTICATE PLAIN AA==\r\n"
                self.relay(client, server, command)
                self.relay(server, client, b"w " + result + b" done\r\n")
        self.relay(client, server, b"w NOOP\r\n" * len(CODES) * 3)
        for status in (b"OK", b"NO", b"BAD", b"PREAUTH"):
            self.relay(server, client, b"".join(b"* %s [%s x] text\r\n" % (status, code.encode()) for code in CODES))
        for status in (b"OK", b"NO", b"BAD"):
            self.relay(server, client, b"".join(b"w %s [%s x] text\r\n" % (status, code.encode()) for code in CODES))
        self.end(client, server)
        client, server = self.session()
        self.batch(client, server, range(BATCH))
        self.end(client, server)
        for code in CODES:
            client, server = self.session()
            self.relay(server, client, b"* BYE [%s x] text\r\n" % code.encode())
            self.end(client, server)

    @staticmethod
    def batch(client, server, numbers: range) -> None:
        """Distinct tags, command names, mechanisms, mailboxes and ID values up; codes, keywords and statuses down."""
        up, down = bytearray(), bytearray()
        for n in numbers:
            up += b"t%d XCMD%d box%d\r\n" % (n, n, n)
            if n % 10 == 0:
                up += b'i%d ID ("name" "client%d")\r\n' % (n, n)
            down += b"* KEYWORD%d box%d\r\n* NO [CODE%d] text %d\r\n" % (n, n, n, n)
            down += b"t%d OK [CODE-%d x] done\r\n" % (n, n)
            if n % 10 == 0:
                down += b"* ID NIL\r\ni%d OK done\r\n" % n
        last = b"a%d AUTHENTICATE MECH%d\r\n" % (numbers[-1], numbers[-1])  # it cannot be pipelined
        client.send(bytes(up) + last)
        server.expect(bytes(up) + last)
        server.send(bytes(down) + b"a%d NO [CODE] done\r\n" % numbers[-1])
        client.expect(bytes(down) + b"a%d NO [CODE] done\r\n" % numbers[-1])

    def end(self, client, server) -> None:
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        server.close()


if __name__ == "__main__":
    unittest.main()
