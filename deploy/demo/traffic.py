"""Steady traffic of real clients (imaplib over TLS): what people's programs do all day, and what goes wrong with it.

The scenes come in random order, each as often as DECK says. What a scene expects of the server it checks; a surprise is
kept in `Traffic.surprises`, and the traffic goes on.
"""
import imaplib
import random
import threading
import time
import traceback

from dovecot import PASSWORD
from mail import messages

PATIENCE = 20  # seconds until a client gives up on an answer
THINKING = 0.15  # seconds before a client says something, on average
PROGRAMS = ["Thunderbird", "iPhone Mail", "K-9", "Outlook", "Evolution", "Roundcube"]


class Traffic:
    """People at work against an IMAP server at `port`. `servers`: those behind it, for deliveries and kicks."""

    def __init__(self, port, tls, servers, people=12, pause=0.5):
        self.people = [Person(number, port, tls, servers) for number in range(people)]
        self.pause = pause  # seconds between scenes, on average
        self.surprises = []
        self._scenes = FIRST.copy()
        self._lock = threading.Lock()
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
        while not self._ending.wait(random.uniform(0, 2 * self.pause)):
            scene = self._next_scene()
            try:
                scene(person)
            except Exception:  # whatever it is, the people of the demo try again, as people do
                self.surprises.append(f"{scene.__name__}: {traceback.format_exc()}")

    def _next_scene(self):
        with self._lock:
            if not self._scenes:
                self._scenes = [scene for scene, times in DECK.items() for _ in range(times)]
                random.shuffle(self._scenes)
            return self._scenes.pop()


class Client(imaplib.IMAP4_SSL):
    """One whose user looks at an answer before the next command. Commands that come at once would all but hide that a
    server lets people wait only now and then."""

    def _command(self, *words):
        time.sleep(random.uniform(0, 2 * THINKING))
        return super()._command(*words)


class Person:
    """A user with mail and a mail program, and the way to the server."""

    def __init__(self, number, port, tls, servers):
        self.name, self.program = f"person{number}", PROGRAMS[number % len(PROGRAMS)]
        self.port, self.tls, self.servers = port, tls, servers
        self.inbox = messages(20, self.name)

    def move_in(self):
        self.servers.add_mail(self.name, "INBOX", self.inbox)
        self.servers.add_mail(self.name, "Sent", [])

    def connect(self):
        return Client("127.0.0.1", self.port, ssl_context=self.tls, timeout=PATIENCE)

    def log_in(self, name=None):
        client = self.connect()
        client.login(name or self.name, PASSWORD)
        expect("OK", client.xatom("ID", f'("name" "{self.program}")'))
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
    person.servers.add_mail(person.name, "INBOX", messages(1, random.random()))
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
    person.servers.kick(name)
    read_to(client, b"* BYE")
    client.shutdown()


# What goes wrong is as rare as where mail is well.
DECK = {read_mail: 90, search: 55, send_mail: 25, idle: 20,
        file_away: 3, missing_mailbox: 2, wrong_password: 2, bad_command: 1, kicked: 1}
# Nobody waits for the rare ones; only `kicked` would be much among so few.
FIRST = [scene for scene in DECK if scene is not kicked]


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
