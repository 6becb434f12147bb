#!/usr/bin/env python3
"""An upstream that advertises LOGINDISABLED or SCRAM-*-PLUS gets one warning each, however many sessions see it, and a
client is not shown what cannot work; a session that is cut in an unfinished word gets its octets all the same."""

import unittest

from harness import IntegrationCase, wait_until

OFFERS = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS] x\r\n"
SHOWN = b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN] x\r\n"
UNFINISHED = b"* OK [CAPABILITY IMAP4rev1 STARTT"


class WarnsOfWhatAProxyCannotDo(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.start()

    def greet(self, greeting: bytes, shown: bytes):
        client = self.proxy.connect()
        server = self.upstream.accept()
        server.send(greeting)
        client.expect(shown)
        return client, server

    def end(self, client, server):
        client.close_notify()
        client.shutdown_write()
        server.close_clean()
        client.finish()

    def test_one_warning_each_and_a_list_that_works(self):
        for _ in range(6):  # several on each worker
            client, server = self.greet(OFFERS, SHOWN)
            self.end(client, server)
        wait_until(lambda: self.proxy.log_lines("LOGINDISABLED") and self.proxy.log_lines("-PLUS"), what="the warnings")
        self.assertEqual(len(self.proxy.log_lines("LOGINDISABLED")), 1)
        self.assertEqual(len(self.proxy.log_lines("-PLUS")), 1)
        self.assertEqual(self.proxy.scrape().sum("imapmeter_authored_total", what="capability_words"), 18)

    def test_an_unfinished_word_goes_on_after_a_second(self):
        client, server = self.greet(UNFINISHED, UNFINISHED)
        server.send(b"LS] ready\r\n")
        client.expect(b"LS] ready\r\n")
        self.end(client, server)

    def test_the_end_brings_an_unfinished_word_at_once(self):
        client = self.proxy.connect()
        server = self.upstream.accept()
        server.send(UNFINISHED)
        server.shutdown_write()
        client.expect(UNFINISHED)
        self.end(client, server)
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
