#!/usr/bin/env python3
"""./run adds to its arguments only what is missing to start, and does not touch a mail server that is there."""
import os
import subprocess
import unittest

from support import ROOT, output_of, tool

LISTEN = ["--listen", "imaps://127.0.0.1:1993"]
UPSTREAM = ["--upstream", "imaps://mail.example.org:993"]


def defaults(*arguments, **environment):
    """What ./run appends to these arguments."""
    script = 'source "$0/run"; defaults "$@"'
    done = subprocess.run([tool("bash"), "-c", script, ROOT, *arguments], check=True, capture_output=True, text=True,
                          env=dict(os.environ, **environment))
    return done.stdout.split()


class RunTest(unittest.TestCase):
    def test_a_server_alone(self):
        self.assertEqual(defaults(*UPSTREAM), LISTEN + ["--self-signed"])

    def test_a_certificate_is_enough(self):
        self.assertEqual(defaults(*UPSTREAM, "--cert", "a.pem", "--key", "b.pem"), LISTEN)
        self.assertEqual(defaults(*UPSTREAM, "--self-signed", "directory"), LISTEN)

    def test_a_listener_stays(self):
        self.assertEqual(defaults("--listen", "imaps://[::]:993", *UPSTREAM), ["--self-signed"])
        self.assertEqual(defaults("--listen=imaps://[::]:993", *UPSTREAM), ["--self-signed"])
        self.assertEqual(defaults("--listen", "imap://127.0.0.1:1143", *UPSTREAM), [])

    def test_the_environment_counts(self):
        self.assertEqual(defaults(*UPSTREAM, IMAPMETER_LISTEN="imap://127.0.0.1:1143"), [])
        self.assertEqual(defaults(*UPSTREAM, IMAPMETER_CERT="a.pem"), LISTEN)

    def test_files_and_questions_get_nothing(self):
        for arguments in (["--config", "imapmeter.yaml"], ["--config=imapmeter.yaml"], ["--help"], ["--version"]):
            self.assertEqual(defaults(*arguments), [])

    def test_beside_another_mail_server_the_demo_names_the_other_form(self):
        """A dpkg-query that knows only this package stands in for a machine on which it is installed."""
        for package in ("cyrus-imapd", "courier-imap"):
            script = (f'source "$0/run"; dpkg-query() {{ if [[ $* == *{package} ]]; then echo installed; fi; }}; '
                      'install_packages() { echo "it installs"; }; build() { echo "it builds"; }; '
                      'exec() { echo "it starts"; }; main')
            done = subprocess.run([tool("bash"), "-c", script, ROOT], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(package, done.stderr)
            self.assertIn("./run --upstream imap://", done.stderr)

    def test_shellcheck_has_nothing_to_say(self):
        self.assertEqual(output_of("shellcheck", "--external-sources", "run", cwd=ROOT), "")


if __name__ == "__main__":
    unittest.main()
