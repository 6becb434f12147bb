#!/usr/bin/env python3
"""D2, D3: on the HTTP listeners whatever is not a plain GET or HEAD of a known page gets a 4xx and the end."""

import re
import unittest

from harness import CHUNKINGS, FakeClient, IntegrationCase

HOST = b"Host: localhost\r\n"
SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: smuggled\r\n\r\n"


def get(path: bytes, more: bytes = b"", method: bytes = b"GET") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\n" + HOST + more + b"\r\n"


MALFORMED = {
    "huge request line": get(b"/metrics?" + b"x" * 16384),
    "huge header line": get(b"/metrics", b"X-Big: " + b"x" * 16384 + b"\r\n"),
    "huge header name": get(b"/metrics", b"X" * 16384 + b": x\r\n"),
    "many headers": get(b"/metrics", b"".join(b"X-%d: x\r\n" % n for n in range(2000))),
    "huge body announced": get(b"/metrics", b"Content-Length: 1000000000\r\n") + b"x" * 1000,
    "body": get(b"/metrics", b"Content-Length: 5\r\n") + b"hello",
    "length above 2^64": get(b"/metrics", b"Content-Length: 99999999999999999999999\r\n"),
    "length with a sign": get(b"/metrics", b"Content-Length: +5\r\n") + b"hello",
    "negative length": get(b"/metrics", b"Content-Length: -1\r\n"),
    "chunked": get(b"/metrics", b"Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\n\r\n",
    "huge chunk": get(b"/metrics", b"Transfer-Encoding: chunked\r\n") + b"ffffffffffffffff\r\nx",
    "Expect": get(b"/metrics", b"Expect: 100-continue\r\nContent-Length: 5\r\n"),
    "HTTP/0.9, empty header": b"GET /metrics\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "length and chunked": get(b"/metrics", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")
                          + b"0\r\n\r\n" + SMUGGLED,
    "two lengths": get(b"/metrics", b"Content-Length: 0\r\nContent-Length: 5\r\n") + SMUGGLED,
    "chunked, misspelt": get(b"/metrics", b"Transfer-Encoding: xchunked\r\n") + b"0\r\n\r\n" + SMUGGLED,
    "space before the colon": get(b"/metrics", b"Content-Length : 60\r\n") + SMUGGLED,
    "NUL in a header": get(b"/metrics", b"X: a\0b\r\n"),
    "no version": b"GET /metrics HTTP\r\n\r\n",
    "binary": b"\x16\x03\x01\x00\x40" + bytes(range(1, 65)) + b"\r\n\r\n",
}
NOT_FOUND = {
    "parent": get(b"/../../etc/passwd"),
    "encoded parent": get(b"/%2e%2e/%2e%2e/etc/passwd"),
    "encoded slash": get(b"/..%2f..%2fetc%2fpasswd"),
    "two slashes": get(b"//etc/passwd"),
    "below a page": get(b"/metrics/../../etc/passwd"),
    "encoded NUL": get(b"/metrics%00"),
    "absolute": get(b"/etc/passwd"),
    "backslash": get(b"/..\\..\\etc\\passwd"),
    "upper case": get(b"/METRICS"),
    "trailing slash": get(b"/metrics/"),
    "absolute URI": get(b"http://localhost/etc/passwd"),
    "file URI": get(b"file:///etc/passwd"),
}
METHODS = (b"POST", b"PUT", b"DELETE", b"TRACE", b"OPTIONS", b"PATCH", b"PROPFIND")


class AdminRefusesMalformedRequests(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.start(arguments=("--metrics", "127.0.0.1:0"))
        self.addresses = {"admin": self.proxy.admin, "metrics": self.proxy.metrics}

    def ask(self, address, request: bytes, chunking: str = "whole") -> tuple[int, bytes]:
        """The status of the one answer, and all octets of it; the connection has ended behind it."""
        with FakeClient(address, tls=False, timeout=3) as client:
            try:
                client.send(request, chunking)
            except ConnectionError:
                pass  # refused before its end
            answer = client.read_all()
        self.assertEqual(len(re.findall(rb"^HTTP/1\.[01] ", answer, re.MULTILINE)), 1, answer[:300])
        return int(answer.split(b" ", 2)[1]), answer

    def each(self, requests: dict[str, bytes]):
        for listener, address in self.addresses.items():
            for what, request in requests.items():
                # the metrics listener answers ten requests a second per address
                for chunking in CHUNKINGS if listener == "admin" and len(request) < 2000 else ("whole",):
                    with self.subTest(what, listener=listener, chunking=chunking):
                        yield self.ask(address, request, chunking)

    def test_D2_malformed(self):
        for status, answer in self.each(MALFORMED):
            self.assertIn(status, range(400, 500))
            self.assertNotIn(b"100 Continue", answer)
            self.assertNotIn(b"imapmeter_", answer)
        self.check_invariants()

    def test_D2_http_0_9(self):
        """One line and no more: a refusal, or the end that a header gets which does not arrive in time."""
        for chunking in CHUNKINGS:
            with self.subTest(chunking), FakeClient(self.proxy.admin, tls=False, timeout=6) as client:
                client.send(b"GET /metrics\r\n", chunking)
                answer = client.read_all()
                self.assertTrue(not answer or answer.startswith(b"HTTP/1.1 4"), answer[:100])
        self.check_invariants()

    def test_D2_pipelined_requests(self):
        """Refused, or answered as far as they had arrived when the first was read; then the end."""
        for chunking in CHUNKINGS:
            with FakeClient(self.proxy.admin, tls=False, timeout=8) as client:
                try:
                    client.send(get(b"/livez") + get(b"/livez", b"Connection: close\r\n"), chunking)
                except ConnectionError:
                    pass
                answers = re.findall(rb"^HTTP/1\.1 (\d+)", client.read_all(), re.MULTILINE)
            self.assertIn(answers, ([b"400"], [b"200"], [b"200", b"200"]))
        self.check_invariants()

    def test_D3_no_file_is_served(self):
        for status, answer in self.each(NOT_FOUND):
            self.assertEqual(status, 404)
            self.assertNotIn(b"root:", answer)
        self.check_invariants()

    def test_D3_methods(self):
        for path in (b"/metrics", b"/livez", b"/"):
            for method in METHODS:
                for address in self.addresses.values():
                    with self.subTest(method, path=path):
                        status, answer = self.ask(address, get(path, b"X-Canary: reflected\r\n", method))
                        self.assertIn(status, (404, 405) if path == b"/" else (405,))
                        self.assertNotIn(b"reflected", answer)
        self.check_invariants()

    def test_D3_head_has_no_body(self):
        for address in self.addresses.values():
            status, answer = self.ask(address, get(b"/metrics", method=b"HEAD"))
            self.assertEqual(status, 200)
            self.assertTrue(answer.endswith(b"\r\n\r\n"))
            self.assertNotIn(b"imapmeter_", answer)
        self.check_invariants()

    def test_D3_the_metrics_listener_serves_nothing_else(self):
        for path in (b"/", b"/api/v1/status", b"/api/v1/sessions", b"/debug"):
            with self.subTest(path):
                self.assertEqual(self.ask(self.proxy.metrics, get(path))[0], 404)
        self.check_invariants()

    def test_D3_nul_in_the_path(self):
        for address in self.addresses.values():
            self.assertIn(self.ask(address, get(b"/metrics\0.txt"))[0], (400, 404))
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
