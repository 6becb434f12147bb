"""Several Dovecots with one mail store, as behind any load balancer: each has the mail of every user."""
import contextlib
import os
import subprocess

from dovecot import Dovecot


class MailServers:
    """dovecot-a, dovecot-b and dovecot-c in `directory`; their mail is in its folder `mail`."""

    def __init__(self, directory):
        mail = os.path.join(directory, "mail")
        self.members = [Dovecot(os.path.join(directory, f"dovecot-{letter}"), mail=mail) for letter in "abc"]

    def start(self):
        for member in self.members:
            member.start()

    def stop(self):
        with contextlib.ExitStack() as stack:
            for member in self.members:
                stack.callback(member.stop)

    def addresses(self):
        return [member.address() for member in self.members]

    def add_mail(self, user, mailbox, messages):
        self.members[0].add_mail(user, mailbox, messages)

    def kick(self, user):
        """Ends the user's sessions, wherever they are: a server that has none calls that a failure."""
        for member in self.members:
            with contextlib.suppress(subprocess.CalledProcessError):
                member.doveadm("kick", user)
