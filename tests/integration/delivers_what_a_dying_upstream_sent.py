#!/usr/bin/env python3
"""A10, A11, A12: however the upstream ends, the client gets every octet that came before, then the same kind of end."""

import unittest

from harness import CHUNKINGS, Certificates, FakeUpstream, IntegrationCase, wait_until

HALF = b"* 1 FETCH (BODY[] {1000}\r\n" + b"0123456789\r\n" * 40


class DeliversWhatADyingUpstreamSent(IntegrationCase):
    def fetching(self, **options):
        """A session that is logged in and has asked for a message."""
        client, server = self.session(**options)
        self.login(client, server)
        self.relay(client, server, b"a FETCH 1 BODY[]\r\n")
        return client, server

    def expect_closed(self, reason: str, before, sessions: int, aborted: int) -> None:
        self.proxy.wait_for("imapmeter_sessions_closed_total", sessions, reason=reason, phase="authenticated")
        self.assertEqual(self.change(before, "imapmeter_commands_total", command="FETCH", result="aborted"), aborted)
        self.assertEqual(self.change(before, "imapmeter_commands_total", command="FETCH"), aborted)
        self.assertEqual(self.change(before, "imapmeter_session_outcomes_total", outcome="cut"), sessions)

    def test_A10_reset_in_the_middle_of_a_literal(self):
        self.start()
        before = self.proxy.scrape()
        for chunking in CHUNKINGS:
            with self.subTest(chunking):
                client, server = self.fetching()
                self.relay(server, client, HALF, chunking)
                server.reset()
                self.assertEqual(client.finish(), "reset")
                self.assertEqual(bytes(client.received.data), bytes(server.sent.data))
                client.close()
        self.expect_closed("upstream_reset", before, sessions=4, aborted=4)
        self.check_invariants()

    def test_A10_a_slow_client_still_gets_what_had_arrived_before_the_reset(self):
        self.start(FakeUpstream(send_buffer=1 << 20))
        before = self.proxy.scrape()
        client, server = self.fetching(receive_buffer=4096)
        data = b"* 1 FETCH (BODY[] {1000000}\r\n" + b"0123456789abcde\n" * 6000
        server.send(data)
        wait_until(lambda: server.unacknowledged() == 0, what="imapmeter's kernel has taken everything")
        server.reset()
        client.expect(data)
        self.assertEqual(client.finish(), "reset")
        client.close()
        self.expect_closed("upstream_reset", before, sessions=1, aborted=1)
        self.check_invariants()

    def test_A10_a_client_that_never_reads_is_reset_after_half_close_timeout(self):
        self.start(FakeUpstream(send_buffer=1 << 20), timeouts={"half_close": "1s"})
        before = self.proxy.scrape()
        client, server = self.fetching(receive_buffer=4096)
        server.send(b"* 1 FETCH (BODY[] {1000000}\r\n" + b"0123456789abcde\n" * 6000)
        wait_until(lambda: server.unacknowledged() == 0, what="imapmeter's kernel has taken everything")
        server.reset()
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, timeout=3, reason="upstream_reset")
        self.assertEqual(client.finish(), "reset")
        self.assertTrue(bytes(server.sent.data).startswith(bytes(client.received.data)))
        client.close()
        self.expect_closed("upstream_reset", before, sessions=1, aborted=1)
        self.check_invariants()

    def test_A11_fin_without_close_notify_stays_detectable(self):
        certificates = self.enterContext(Certificates())
        self.start(FakeUpstream(tls=certificates.server_context()), upstream_ca=certificates.ca)
        before = self.proxy.scrape()
        for chunking in CHUNKINGS:
            with self.subTest(chunking):
                client, server = self.fetching()
                self.relay(server, client, HALF, chunking)
                server.shutdown_write()
                self.assertEqual(client.finish(), "fin")
                self.assertEqual(bytes(client.received.data), bytes(server.sent.data))
                client.close()
        self.expect_closed("upstream_eof", before, sessions=4, aborted=4)
        self.check_invariants()

    def test_A11_close_notify_of_the_upstream_is_passed_on(self):
        certificates = self.enterContext(Certificates())
        self.start(FakeUpstream(tls=certificates.server_context()), upstream_ca=certificates.ca)
        before = self.proxy.scrape()
        client, server = self.fetching()
        self.relay(server, client, HALF)
        server.close_notify()
        server.shutdown_write()
        self.assertEqual(client.finish(), "close_notify+fin")
        client.close()
        self.expect_closed("upstream_eof", before, sessions=1, aborted=1)
        self.check_invariants()

    def test_A11_fin_of_a_plaintext_upstream_is_a_clean_close(self):
        self.start()
        before = self.proxy.scrape()
        for chunking in CHUNKINGS:
            with self.subTest(chunking):
                client, server = self.fetching()
                server.send(HALF, chunking)
                server.shutdown_write()
                self.assertEqual(client.read_all(), HALF)
                self.assertEqual(client.finish(), "close_notify+fin")
                client.close()
        self.expect_closed("upstream_eof", before, sessions=4, aborted=4)
        self.check_invariants()

    def test_A12_half_close_after_bye(self):
        self.start()
        before = self.proxy.scrape()
        bye = b"* BYE Server shutting down\r\n"
        for chunking in CHUNKINGS:
            with self.subTest(chunking):
                client, server = self.session()
                self.login(client, server)
                self.relay(server, client, bye, chunking)
                server.shutdown_write()
                client.send(b"z LOGOUT\r\n")  # too late, and nobody's fault
                self.assertEqual(client.finish(), "close_notify+fin")
                self.assertEqual(bytes(client.received.data), bytes(server.sent.data))
                client.close_notify()
                client.shutdown_write()
                server.read_all()
                self.assertTrue(bytes(client.sent.data).startswith(bytes(server.received.data)))
                self.assertIn(server.closed_by_peer, ("fin", "reset"))
                client.close()
                server.close()
        self.proxy.wait_for("imapmeter_sessions_closed_total", 4, reason="upstream_bye", phase="authenticated")
        self.assertEqual(self.change(before, "imapmeter_bye_total", reason="shutdown"), 4)
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
