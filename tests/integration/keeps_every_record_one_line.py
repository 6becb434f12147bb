#!/usr/bin/env python3
"""B13: whatever octets a peer puts into a tag, a command, a name, a literal, ID or SNI, every log record stays one line of
JSON without them, and the metrics stay readable."""

import json
import re
import ssl
import unittest

from harness import IntegrationCase, at_rest, check_with_promtool, parse
from harness.certificates import trusting_nothing
from refuses_when_upstream_is_down import BYE

MARK = b"zq"  # so that a hostile octet would be found again: in no word of a log
RECORD = re.compile(r'\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",'
                    r'"level":"(trace|debug|info|warn|error)",("message"|"event"):[ -~]+\}')
HOSTILE = [MARK + bytes([octet]) + MARK for octet in range(256)] + [MARK * 32768, b"\x1b[31m" + MARK,
                                                                    b'"\\\n' + MARK, b"\xff\xfe\xc3\x28" + MARK]
NAME = "placeholder.for.the.hostile.server.name.example"


class KeepsEveryRecordOneLine(IntegrationCase):
    def test_B13(self):
        self.start(log_level="trace")
        for side in ("client", "server"):
            client, server = self.session()
            self.login(client, server)
            for octets in HOSTILE:
                lines = b"".join(shape.replace(b"%", octets) for shape in SHAPES[side])
                near, far = (client, server) if side == "client" else (server, client)
                self.relay(near, far, lines)
            server.shutdown_write()
            client.close_clean()
            server.close()
        # LF first: of the lines that strangers can cause, one in ten seconds is written
        for octets in sorted(HOSTILE[:256], key=lambda octets: octets != MARK + b"\n" + MARK):
            self.say_hello_to((octets * 20)[:len(NAME)])
        self.say_nothing_usable()
        metrics = self.proxy.get("/metrics")[2]
        parse(metrics.decode("utf-8", "strict"))
        check_with_promtool(metrics.decode())
        at_rest(self.proxy)
        self.assertNotIn(MARK, metrics)
        self.assertNotIn(MARK, self.proxy.get("/api/v1/status")[2])
        for line in self.proxy.log:
            self.assertTrue(RECORD.fullmatch(line), line)
            json.loads(line)
            self.assertNotIn(MARK.decode(), line)
        self.check_invariants()

    def say_hello_to(self, name: bytes) -> None:
        """A ClientHello whose server name is these octets, and no handshake behind it."""
        outgoing = ssl.MemoryBIO()
        tls = trusting_nothing().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=NAME)
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        self.assertIn(NAME.encode(), hello)
        with self.proxy.connect(tls=False) as client:
            client.send_raw(hello.replace(NAME.encode(), name))
            client.recv()  # a ServerHello or an alert
            client.reset()

    def say_nothing_usable(self) -> None:
        """What makes imapmeter warn: a client that is not TLS, a server that is not there."""
        with self.proxy.connect(tls=False) as client:
            client.send_raw(b"".join(HOSTILE[:256]))
            client.read_all()
        self.upstream.stop_listening()
        with self.proxy.connect() as client:
            client.send(HOSTILE[0])
            self.assertRegex(client.read_all(), BYE)
        self.upstream.listen()


SHAPES = {
    "client": (b"%a NOOP\r\n", b"a % x\r\n", b"b SELECT %\r\n", b'c ID ("name" "%")\r\n', b"d AUTHENTICATE %\r\n*\r\n",
               b"e LOGIN {7+}\r\n%\r\n", b"f UID %\r\n"),
    "server": (b"%a OK done\r\n", b"* % x\r\n", b"* OK [%] text\r\n", b"* NO [ALERT] %\r\n", b'* ID ("name" "%")\r\n',
               b"* LIST () \"%\" %\r\n", b"+ %\r\n", b"* CAPABILITY IMAP4rev1 %\r\n", b"* 1 FETCH (X {1}\r\n%)\r\n"),
}


if __name__ == "__main__":
    unittest.main()
