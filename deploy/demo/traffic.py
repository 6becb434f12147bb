"""Steady traffic of real clients (imaplib over TLS): what people's programs do all day, and what goes wrong with it.

Each person repeats the scenes in a new order each time. What a scene expects of the server it checks; a surprise is
kept in `Traffic.surprises`, and the traffic goes on.
"""
import imaplib
import random
import threading
import traceback

from dovecot import PASSWORD
from mail import messages

PATIENCE = 20  # seconds until a client gives up on an answer


class Traffic:
    """People at work against an IMAP server at `port`. `dovecot`: the server behind it, for deliveries and kicks."""

    def __init__(self, port, tls, dovecot, people=4, pause=0.2):
        self.people = [Person(f"person{number}", port, tls, dovecot) for number in range(people)]
        self.pause = pause  # seconds between scenes, on average
        self.surprises = []
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=[person], daemon=True) for person in self.people]

    def start(self):
        for person in self.people:
            person.move_in()
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Returns when every client has finished its scene and logged out."""
        self._ending.set()
        for thread in self._threads:
            if thread.ident:
                thread.join()

    def _work(self, person):
        while not self._ending.is_set():
            for scene in random.sample(SCENES, len(SCENES)):
                try:
                    scene(person)
                except Exception:  # whatever it is, the people of the demo try again, as people do
                    self.surprises.append(f"{scene.__name__}: {traceback.format_exc()}")
                if self._ending.wait(random.uniform(0, 2 * self.pause)):
                    return


class Person:
    """A user with mail, and the way to the server."""

    def __init__(self, name, port, tls, dovecot):
        self.name, self.port, self.tls, self.dovecot = name, port, tls, dovecot
        self.inbox = messages(20, name)

    def move_in(self):
        self.dovecot.add_mail(self.name, "INBOX", self.inbox)
        self.dovecot.add_mail(self.name, "Sent", [])

    def connect(self):
        return imaplib.IMAP4_SSL("127.0.0.1", self.port, ssl_context=self.tls, timeout=PATIENCE)

    def log_in(self, name=None):
        client = self.connect()
        client.login(name or self.name, PASSWORD)
        return client


def read_mail(person):
    client = person.log_in()
    expect("OK", client.select("INBOX"))
    expect("OK", client.fetch("1:20", "(FLAGS ENVELOPE BODYSTRUCTURE)"))
    number = random.randint(1, 20)
    answer = expect("OK", client.fetch(str(number), "(BODY.PEEK[])"))
    if answer[0][1].replace(b"\r\n", b"\n") not in person.inbox:
        raise AssertionError("a message that was never delivered")
    expect("OK", client.store(str(number), "+FLAGS", r"(\Seen)"))
    expect("OK", client.noop())
    client.logout()


def search(person):
    client = person.log_in()
    expect("OK", client.list())
    expect("OK", client.select("INBOX", readonly=True))
    expect("OK", client.uid("SEARCH", "UNSEEN"))
    expect("OK", client.status("Sent", "(MESSAGES UIDNEXT UNSEEN)"))
    client.logout()


def wrong_password(person):
    client = person.connect()
    expect_error("AUTHENTICATIONFAILED", lambda: client.login(person.name, "not " + PASSWORD))
    client.logout()


def send_mail(person):
    client = person.log_in()
    message = random.choice(person.inbox)
    expect("OK", client.append("Sent", r"(\Seen)", None, message))
    expect("OK", client.select("Sent"))
    expect("OK", client.store("1:*", "+FLAGS", r"(\Deleted)"))
    expect("OK", client.expunge())
    client.logout()


def file_away(person):
    """Into a mailbox that is not there, twice: the server answers `NO [TRYCREATE]`."""
    client = person.log_in()
    expect("NO", client.append("Archive", None, None, person.inbox[0]))
    expect("OK", client.select("INBOX"))
    expect("NO", client.copy("1:3", "Archive"))
    client.logout()


def missing_mailbox(person):
    client = person.log_in()
    expect("NO", client.select("Nowhere"))
    client.logout()


def bad_command(person):
    client = person.log_in()
    expect("OK", client.select("INBOX"))
    expect_error("BAD", lambda: client.search(None, "NONSENSE"))
    client.logout()


def idle(person):
    """Waits for mail, and mail comes."""
    client = person.log_in()
    expect("OK", client.select("INBOX"))
    client.send(b"idle IDLE\r\n")
    read_to(client, b"+ ")
    person.dovecot.add_mail(person.name, "INBOX", messages(1, random.random()))
    read_to(client, b"* ")
    client.send(b"DONE\r\n")
    read_to(client, b"idle OK")
    expect("OK", client.store("21:*", "+FLAGS", r"(\Deleted)"))
    expect("OK", client.expunge())
    client.logout()


def kicked(person):
    """The server ends a session by itself: `* BYE`."""
    name = person.name + "-guest"
    client = person.log_in(name)
    expect("OK", client.select("INBOX"))
    person.dovecot.doveadm("kick", name)
    read_to(client, b"* BYE")
    client.shutdown()


SCENES = [read_mail, read_mail, read_mail, search, search, send_mail, idle, file_away, missing_mailbox, wrong_password,
          bad_command, kicked]


def expect(status, answer):
    if answer[0] != status:
        raise AssertionError(f"expected {status}, got {answer[0]}")
    return answer[1]


def expect_error(words, action):
    """imaplib raises where a LOGIN is answered NO, and where a command is answered BAD."""
    try:
        action()
    except imaplib.IMAP4.error as error:
        if words not in str(error):
            raise
        return
    raise AssertionError(f"expected {words}")


def read_to(client, start):
    while not (line := client.readline()).startswith(start):
        if not line:
            raise AssertionError(f"the connection ended before {start}")
