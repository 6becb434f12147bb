#!/usr/bin/env python3
"""A client that comes back resumes its TLS session: its ticket came with the greeting, or, where TLS began with
STARTTLS, before the first answer."""

import unittest

from harness import IntegrationCase, honest_server
from harness.case import GREETING
from harness.certificates import trusting_nothing


class ResumesTlsSessions(IntegrationCase):
    def comes_back(self, context, ticket):
        """A client with that ticket, its handshake done."""
        client = self.enterContext(self.proxy.connect(tls=context, handshake=False))
        client.tls.session = ticket
        client.handshake()
        return client

    def test_a_ticket_comes_with_the_greeting(self):
        self.start()
        context = trusting_nothing()
        before = self.proxy.scrape()
        client = self.enterContext(self.proxy.connect(tls=context))
        server = self.upstream.accept()
        client.expect_silence(0)  # the server has been dialled after whatever TLS had to say
        self.assertFalse(client.tls.session.has_ticket, "it was sent by itself")
        self.greet(server, client)
        for _ in range(2):  # the second time with the ticket of a resumed session
            client = self.comes_back(context, client.tls.session)
            self.greet(self.upstream.accept(), client)
            self.assertTrue(client.tls.session_reused)
        self.assertEqual(self.change(before, "imapmeter_tls_handshakes_total", side="client", resumed="true"), 2)
        self.assertEqual(self.change(before, "imapmeter_tls_handshakes_total", side="client"), 3)
        self.check_invariants()

    def greet(self, server, client) -> None:
        server.send(GREETING)
        client.expect(GREETING)
        self.assertTrue(client.tls.session.has_ticket)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")

    def test_or_before_the_first_answer_after_starttls(self):
        self.start(tls="starttls")
        self.upstream.script = honest_server
        context = trusting_nothing()
        tickets = []
        for resumed in (False, True):
            with self.subTest(resumed=resumed), self.proxy.connect(handshake=False) as client:
                client.read_until(b"* OK ")
                client.send(b"t STARTTLS\r\n")
                client.read_until(b"t OK ")
                client.start_tls(context, server_side=False, hostname="localhost")
                if resumed:
                    client.tls.session = tickets[0]
                client.handshake()
                client.command(b"a LOGIN user secret")
                self.assertEqual(client.tls.session_reused, resumed)
                tickets.append(client.tls.session)
                client.command(b"b LOGOUT")
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
