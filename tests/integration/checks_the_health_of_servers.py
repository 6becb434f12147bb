#!/usr/bin/env python3
"""Each server is asked for its greeting at intervals: connect, TLS, first line. What it says decides where sessions go,
after so many results in a row; what the checks cost and say is in their own families only."""

import json
import ssl
import unittest

from harness import FACTOR, Certificates, FakeUpstream, IntegrationCase, Proxy, honest_server, wait_until

FAST = {"interval": "100ms", "timeout": f"{1000 * FACTOR:.0f}ms", "rise": 1, "fall": 1}
NEVER_AGAIN = FAST | {"interval": "1h"}


def silent(connection) -> None:
    connection.read_all()


def says(octets: bytes):
    def script(connection) -> None:
        connection.send(octets)
        connection.read_all()
    return script


class HealthCase(IntegrationCase):
    def name(self, server: FakeUpstream) -> str:
        return f"127.0.0.1:{server.address[1]}"

    def checks(self, server: FakeUpstream, result: str) -> float:
        return self.proxy.scrape().sum("imapmeter_upstream_health_checks_total", server=self.name(server),
                                       result=result)

    def settled(self, server: FakeUpstream, result: str) -> None:
        """The checks that began from here on have `result`: three more of them."""
        before = self.checks(server, result)
        wait_until(lambda: self.checks(server, result) >= before + 3, 20, f"three checks {result}")

    def wait_up(self, server: FakeUpstream, up: bool) -> None:
        wait_until(lambda: self.states()[self.name(server)] == up, 20, f"up = {up}")

    def states(self) -> dict[str, bool]:
        upstreams = json.loads(self.proxy.get("/api/v1/status")[2])["upstreams"]
        return {server["server"]: server["up"] for server in upstreams[0]["servers"]}

    def reasons(self) -> list[str]:
        return [json.loads(line)["message"] for line in self.proxy.log_lines("server", "is down")]


class OneServer(HealthCase):
    tls = None
    ca = None

    def result_of(self, script, expected: str, reason: str, **options) -> None:
        """One check of a server that behaves like this."""
        with self.subTest(reason):
            upstream = FakeUpstream(script, tls=options.pop("tls", self.tls))
            upstream.forgive_errors = True
            upstream_options = {"health_check": NEVER_AGAIN} | options.pop("upstream", {})
            with upstream:
                if options.pop("refuses", False):
                    upstream.stop_listening()
                self.start_without_session(upstream, upstream_ca=self.ca, config={"upstream": upstream_options})
                wait_until(lambda: self.checks(upstream, expected) == 1, 10, f"a check {expected}")
                scrape = self.proxy.scrape()
                self.assertEqual(scrape.sum("imapmeter_upstream_health_checks_total"), 1)
                self.assertEqual(scrape.sum("imapmeter_upstream_up"), 1 if expected == "ok" else 0)
                self.assertEqual(self.states()[self.name(upstream)], expected == "ok")
                self.assertEqual(self.proxy.get("/readyz?upstream=default")[0], 200 if expected == "ok" else 503)
                self.assertEqual(self.proxy.get("/readyz")[0], 200)
                self.assertEqual(self.proxy.get("/readyz?upstream=other")[0], 404)
                if expected == "failed":
                    wait_until(self.reasons, 5, "the log")
                    self.assertTrue(self.reasons()[0].endswith(f"is down: {reason}"), self.reasons())
                self.nothing_else_is_counted(scrape)
                self.proxy.close()

    def start_without_session(self, upstream, **options) -> None:
        self.upstream, self.proxy = upstream, self.enterContext(Proxy(upstream, **options))

    def nothing_else_is_counted(self, scrape) -> None:
        for family in ("responses", "status_codes", "bytes", "authored", "sessions_accepted", "upstream_connects",
                       "bye", "anomalies"):
            self.assertEqual(scrape.sum(f"imapmeter_{family}_total"), 0, family)
        self.assertEqual(scrape.sum("imapmeter_upstream_sessions"), 0)
        self.assertEqual(scrape.sum("imapmeter_tls_handshakes_total"), 0)


class Plain(OneServer):
    def test_what_the_first_line_says(self):
        self.result_of(says(b"* OK ready\r\n"), "ok", "greeting OK")
        self.result_of(says(b"* PREAUTH welcome\r\n"), "ok", "greeting PREAUTH")
        self.result_of(says(b"* BYE too many\r\n"), "failed", "greeting BYE")
        self.result_of(says(b"* NO\r\n"), "failed", "no IMAP greeting")
        self.result_of(says(b"220 mail ESMTP\r\n"), "failed", "no IMAP greeting")
        self.result_of(lambda c: None, "failed", "no greeting before its end")
        self.result_of(lambda c: c.reset(), "failed", "no greeting before its end")
        self.result_of(silent, "failed", "timeout")
        self.result_of(says(b"* OK unfinish"), "failed", "timeout")
        self.result_of(None, "failed", "refused", refuses=True)

    def test_a_server_is_left_politely(self):
        """It hears LOGOUT, answers, and sees the connection end in order; so its log has nothing to complain of."""
        self.start_without_session(FakeUpstream(), config={"upstream": {"health_check": NEVER_AGAIN}})
        self.addCleanup(self.upstream.close)
        server = self.upstream.accept()
        server.send(b"* OK [CAPABI")
        server.send(b"LITY IMAP4rev1] ready\r\n")
        server.expect(b"check LOGOUT\r\n")
        server.send(b"* BYE bye\r\ncheck OK done\r\n")
        server.shutdown_write()
        self.assertEqual(server.finish(), "fin")

    def test_a_server_that_talks_on_is_left(self):
        """Long before the check's time is up: the control thread has other things to do."""
        patient = NEVER_AGAIN | {"timeout": f"{60 * FACTOR:.0f}s"}
        self.start_without_session(FakeUpstream(), config={"upstream": {"health_check": patient}})
        self.addCleanup(self.upstream.close)
        server = self.upstream.accept()
        server.send(b"* OK ready\r\n")
        server.expect(b"check LOGOUT\r\n")
        server.send(b"* OK and another thing\r\n" * 10000)
        self.assertEqual(server.finish(), "reset")
        self.assertEqual(self.checks(self.upstream, "ok"), 1)

    def test_it_begins_with_a_proxy_header_where_sessions_do(self):
        self.start_without_session(FakeUpstream(), config={"upstream": {"health_check": NEVER_AGAIN,
                                                                        "proxy_protocol": True}})
        self.addCleanup(self.upstream.close)
        server = self.upstream.accept()
        # LOCAL: a connection of our own, of no client
        server.expect(b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00")
        server.send(b"* OK ready\r\n")
        server.expect(b"check LOGOUT\r\n")

    def test_none(self):
        self.start(config={"upstream": {"health_check": {"interval": "none"}}})
        self.assertEqual(self.proxy.scrape().by("imapmeter_upstream_up", "server"), {})
        self.assertEqual(self.proxy.get("/readyz?upstream=default")[0], 200)
        self.assertEqual(len(self.upstream.connections), 1)
        self.check_invariants()


class Tls(OneServer):
    def test_what_the_handshake_says(self):
        certificates = self.enterContext(Certificates())
        self.tls, self.ca = certificates.server_context(), certificates.ca
        expired = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        expired.load_cert_chain(*certificates.issue("expired", "DNS:localhost,IP:127.0.0.1", days=-1))
        self.result_of(says(b"* OK ready\r\n"), "ok", "greeting OK")
        self.result_of(silent, "failed", "certificate refused", tls=expired)
        self.result_of(says(b"* BYE full\r\n"), "failed", "greeting BYE")
        self.result_of(lambda c: None, "failed", "no greeting before its end")

    def test_a_tls_port_without_tls(self):
        certificates = self.enterContext(Certificates())
        upstream = self.enterContext(FakeUpstream(says(b"* OK ready\r\n")))
        upstream.forgive_errors = True
        url = upstream.url.replace("imap:", "imaps:")
        self.upstream = upstream
        self.proxy = self.enterContext(Proxy(url, upstream_ca=certificates.ca,
                                             config={"upstream": {"health_check": NEVER_AGAIN}}))
        wait_until(lambda: self.checks(upstream, "failed") == 1, 10, "a check failed")
        wait_until(self.reasons, 5, "the log")
        self.assertTrue(self.reasons()[0].endswith("is down: TLS failed"), self.reasons())


class TwoServers(HealthCase):
    def two(self, **health_check) -> None:
        self.second = self.enterContext(FakeUpstream(honest_server))
        self.start(FakeUpstream(honest_server),
                   config={"upstream": {"servers": [], "balance": "failover", "any_server_serves_any_user": True,
                                        "health_check": FAST | health_check}})

    def start(self, upstream, **options) -> None:
        options["config"]["upstream"]["servers"] = [upstream.url, self.second.url]
        super().start(upstream, **options)
        for server in (self.upstream, self.second):
            server.forgive_errors = True
        self.wait_up(self.upstream, True)

    def serves(self, server: FakeUpstream) -> None:
        """A session goes to `server`, at the first try."""
        before = self.proxy.scrape()
        with self.proxy.connect() as client:
            client.read_line()
            client.send(b"a LOGOUT\r\n")
            client.read_all()
        self.proxy.wait_for("imapmeter_upstream_sessions", 0)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total"), 1)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", server=self.name(server),
                                     result="ok"), 1)

    def test_sessions_go_where_the_greeting_is_good(self):
        self.two()
        self.serves(self.upstream)
        self.upstream.script = says(b"* BYE maintenance\r\n")
        self.wait_up(self.upstream, False)
        self.assertEqual(self.proxy.get("/readyz?upstream=default")[0], 200)
        # The client never hears the BYE of the first: it is not asked.
        self.serves(self.second)
        self.upstream.script = says(b"* PREAUTH welcome\r\n")
        self.wait_up(self.upstream, True)
        wait_until(lambda: self.proxy.log_lines("is up: greeting PREAUTH"), 5, "the log")
        self.upstream.script = honest_server
        self.settled(self.upstream, "ok")
        self.serves(self.upstream)

    def test_all_down_are_tried_all_the_same(self):
        """A wrong health check must not stop mail."""
        self.two()
        self.upstream.script = self.second.script = says(b"* NO\r\n")
        self.wait_up(self.upstream, False)
        self.wait_up(self.second, False)
        wait_until(lambda: len(self.reasons()) == 2, 5, "a line for each of them")
        self.assertEqual(self.proxy.get("/readyz?upstream=default")[0], 503)
        self.assertEqual(self.proxy.get("/readyz")[0], 200)
        with self.proxy.connect() as client:
            client.expect(b"* NO\r\n")

    def test_rise_and_fall(self):
        self.two(rise=4, fall=3)
        failed, ok = self.checks(self.upstream, "failed"), self.checks(self.upstream, "ok")
        self.upstream.stop_listening()
        wait_until(lambda: self.checks(self.upstream, "failed") == failed + 2, 10, "two failures")
        self.assertEqual(self.states()[self.name(self.upstream)], True)
        self.wait_up(self.upstream, False)
        self.assertGreaterEqual(self.checks(self.upstream, "failed"), failed + 3)
        ok = self.checks(self.upstream, "ok")
        self.upstream.listen()
        wait_until(lambda: self.checks(self.upstream, "ok") >= ok + 2, 10, "two successes")
        self.assertEqual(self.states()[self.name(self.upstream)], False)
        self.assertEqual(self.proxy.scrape().sum("imapmeter_upstream_up", server=self.name(self.upstream)), 1)
        self.wait_up(self.upstream, True)
        self.assertGreaterEqual(self.checks(self.upstream, "ok"), ok + 4)

    def test_checks_leave_nothing_behind(self):
        self.two(timeout=f"{200 * FACTOR:.0f}ms")
        before = self.proxy.scrape()
        for script in (silent, says(b"* BYE\r\n"), lambda c: c.reset(), honest_server):
            self.upstream.script = self.second.script = script
            self.settled(self.upstream, "ok" if script is honest_server else "failed")
        self.wait_up(self.upstream, True)
        self.wait_up(self.second, True)
        # Between two checks there is no descriptor of one.
        wait_until(lambda: self.proxy.process.fds() <= self.baseline.fds, 10, "the descriptors of the beginning")
        for family in ("bytes", "responses", "sessions_accepted", "upstream_connects", "server_responses"):
            self.assertEqual(self.change(before, f"imapmeter_{family}_total"), 0, family)


if __name__ == "__main__":
    unittest.main()
