"""What a client can say to an ordinary IMAP server, said through imapmeter to a real one, whatever it offers."""

import base64
import socket

from .exposition import Exposition
from .journal import Journal
from .proxy import Proxy
from .scripted import Literal, ScriptedSession
from .timing import scaled
from .traffic import check_counted

MESSAGE = b"""\
From: a@example.org
To: b@example.org
Date: Mon, 2 Nov 2026 10:00:00 +0000
Message-ID: <%d@example.org>
Subject: number %d {5}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="x y"

--x y
Content-Type: text/plain

* BYE said the mail
a1 OK so did this {12}
--x y
Content-Type: text/plain; name="{3}"

%s
--x y--
""".replace(b"\n", b"\r\n")
NOTHING = ("imapmeter_anomalies_total", "imapmeter_opaque_sessions_total", "imapmeter_authored_total")


def message(number: int) -> bytes:
    return MESSAGE % (number, number, b"x" * (100 * number))


def plain(user: str, password: str) -> bytes:
    return base64.b64encode(f"\0{user}\0{password}".encode())


class RealServer:
    """Serves from its making to close(), at `url`."""

    user, kicked, password = "alice", "bob", "secret"
    prefix = ""  # of mailbox names
    url = ""

    def kick(self, session: ScriptedSession) -> None:
        """Ends the session of the user `kicked` as an administrator would."""
        raise NotImplementedError

    def lose_patience(self) -> None:
        """From here on sessions soon end whose clients say nothing, where it was not started so."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def greets(port: int) -> bool:
    """Whether an IMAP server says anything on this port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), scaled(5)) as connection:
            return connection.recv(1) == b"*"
    except OSError:
        return False


class RealServerCase:
    """One server for the class, one imapmeter per test."""

    server: RealServer

    @staticmethod
    def impatient_server() -> RealServer:
        """Another one, that soon ends a session whose client says nothing."""
        raise NotImplementedError

    def setUp(self):
        self.journal = Journal()
        self.proxy = self.enterContext(Proxy(self.server.url, capabilities="pass"))

    # Sessions

    def open(self) -> ScriptedSession:
        client = self.enterContext(self.proxy.connect(timeout=20))
        return ScriptedSession(client, self.journal)

    def logged_in(self, user: str = "") -> ScriptedSession:
        session = self.open()
        session.command(f"LOGIN {user or self.server.user} {self.server.password}".encode())
        session.capabilities = self.capabilities(session)
        return session

    @staticmethod
    def capabilities(session: ScriptedSession) -> set[bytes]:
        answer = session.command(b"CAPABILITY").responses
        return set(next(line for line in answer if line.startswith(b"* CAPABILITY")).upper().split()[2:])

    def mailbox(self, name: str) -> bytes:
        return (self.server.prefix + name).encode()

    def check(self) -> Exposition:
        """Everything was counted as the journal has it, and nothing looked wrong."""
        samples = self.journal.samples()
        metrics = check_counted(self.proxy, {**dict.fromkeys(NOTHING, {}), **samples})
        commands, responses = (sum(samples[f"imapmeter_{what}_total"].values()) for what in ("commands", "responses"))
        print(f"figure: {commands} commands and {responses} status responses, all counted", flush=True)
        return metrics

    # Logins

    def test_logins(self):
        """Good ones and bad ones, in every form."""
        user, password = self.server.user, self.server.password
        good = plain(user, password)
        session = self.open()
        session.command(f"LOGIN {user} wrong".encode(), expect="NO")
        session.command(f"LOGIN {user} {password}".encode())
        session.command(b"LOGOUT")
        session.close()

        session = self.open()
        session.command(b"LOGIN ", Literal(user.encode()), b" ", Literal(b"wrong"), expect="NO")
        session.command(f'LOGIN "{user}" "{password}"'.encode())
        session.command(b"LOGOUT")
        session.close()

        session = self.open()
        offered = self.capabilities(session)
        session.command(b"LOGIN", expect="")
        session.command(b"SELECT INBOX", expect="")
        session.authenticate(b"AUTHENTICATE PLAIN", b"*", expect="")
        session.authenticate(b"AUTHENTICATE NO-SUCH", expect="")
        session.authenticate(b"AUTHENTICATE PLAIN", plain(user, "wrong"), expect="NO")
        if b"SASL-IR" in offered:
            session.authenticate(b"AUTHENTICATE PLAIN " + plain(user, "wrong"), expect="NO")
        session.command(b"LOGIN ", Literal(user.encode()), b" ", Literal(password.encode()))
        session.command(b"LOGOUT")
        session.close()

        session = self.open()
        session.authenticate(b"authenticate plain", good)
        session.command(b"logout")
        session.close()
        if b"SASL-IR" in offered:
            session = self.open()
            session.authenticate(b"AUTHENTICATE PLAIN " + good)
            session.command(b"LOGOUT")
            session.close()
        session = self.open()
        session.command(f"LOGIN {user} wrong".encode(), expect="NO")
        session.command(b"LOGOUT")
        session.close()
        self.check()

    # Commands

    def test_commands(self):
        """All that the server understands, and some that it does not."""
        self.say_everything(self.logged_in())

    def test_commands_compressed(self):
        """The same, once the server has agreed to COMPRESS=DEFLATE."""
        session = self.logged_in()
        if b"COMPRESS=DEFLATE" not in session.capabilities:
            session.command(b"COMPRESS DEFLATE", expect="")
            session.command(b"LOGOUT")
            session.close()
            self.check()
            return
        session.compress()
        session.command(b"COMPRESS DEFLATE", expect="")
        metrics = self.say_everything(session)
        self.assertEqual(metrics.by("imapmeter_compress_attempts_total", "result"), {"active": 1, "refused": 1})

    def say_everything(self, session: ScriptedSession) -> Exposition:
        self.say_what_needs_no_mailbox(session)
        self.manage_mailboxes(session)
        self.append(session)
        self.read(session)
        self.change(session)
        self.say_wrong_things(session)
        session.command(b"LOGOUT")
        session.close()
        return self.check()

    def say_what_needs_no_mailbox(self, session: ScriptedSession) -> None:
        offered = session.capabilities
        session.command(b"NOOP")
        if b"ID" in offered:
            session.command(b'ID ("name" "imapmeter-test" "version" "1")')
        if b"NAMESPACE" in offered:
            session.command(b"NAMESPACE")
        if b"ENABLE" in offered:
            session.command(b"ENABLE CONDSTORE X-NOTHING", expect="")
        if b"QUOTA" in offered:
            session.command(b"GETQUOTAROOT INBOX", expect="")
            session.command(b'GETQUOTA ""', expect="")
        if b"ACL" in offered:
            session.command(b"MYRIGHTS INBOX")
            session.command(b"GETACL INBOX")

    def manage_mailboxes(self, session: ScriptedSession) -> None:
        first, second = self.mailbox("First"), self.mailbox("Second")
        session.command(b"CREATE " + first)
        session.command(b"CREATE " + first, expect="NO")
        session.command(b"RENAME ", Literal(first), b" " + second)
        session.command(b"CREATE " + first)
        session.command(b"RENAME " + first + b" " + second, expect="NO")
        session.command(b"SUBSCRIBE " + first)
        session.command(b'LIST "" *')
        session.command(b'LIST "" ""')
        session.command(b'LSUB "" *')
        if b"LIST-EXTENDED" in session.capabilities:
            session.command(b'LIST (SUBSCRIBED) "" * RETURN (CHILDREN)')
        session.command(b"UNSUBSCRIBE " + first)
        session.command(b"STATUS " + second + b" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)")
        session.command(b"SELECT " + self.mailbox("Nowhere"), expect="NO")
        session.command(b"DELETE " + second)
        session.command(b"DELETE " + second, expect="NO")

    def append(self, session: ScriptedSession) -> None:
        """Five messages to First."""
        offered, first = session.capabilities, self.mailbox("First")
        plus = b"LITERAL+" in offered
        session.command(b"APPEND " + first + b" (\\Seen) ", Literal(message(1)))
        session.command(b"APPEND " + first + b' (\\Flagged $Work) "01-Nov-2026 10:00:00 +0000" ', Literal(message(2), plus))
        if b"MULTIAPPEND" in offered:
            session.command(b"APPEND " + first + b" ", Literal(message(3)), b" (\\Answered) ", Literal(message(4), plus))
        else:
            session.command(b"APPEND " + first + b" ", Literal(message(3)))
            session.command(b"APPEND " + first + b" (\\Answered) ", Literal(message(4)))
        append = session.begin(b"APPEND ", Literal(first), b" ", Literal(message(50)))
        append.messages = 1
        session.finish(append)
        session.command(b"APPEND " + self.mailbox("Nowhere") + b" ", Literal(message(1)), expect="NO")
        if plus:
            session.command(b"APPEND " + self.mailbox("Nowhere") + b" ", Literal(message(1), plus), expect="NO")

    def read(self, session: ScriptedSession) -> None:
        offered = session.capabilities
        session.command(b"EXAMINE " + self.mailbox("First"))
        session.command(b"FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE)")
        session.command(b"FETCH 1:* ALL")
        session.command(b"FETCH 1:2 (ENVELOPE BODYSTRUCTURE BODY)")
        session.command(b"CLOSE")
        session.command(b"SELECT " + self.mailbox("First"))
        session.command(b"FETCH 1 BODY[]")
        session.command(b"FETCH 1:5 (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)] BODY.PEEK[2] BODY.PEEK[TEXT])")
        session.command(b"FETCH 2 (BODY.PEEK[HEADER] BODY.PEEK[1.MIME] BODY.PEEK[1])")
        session.command(b"FETCH 5 (BODY.PEEK[]<0.100> BODY.PEEK[]<100.50>)")
        session.command(b"FETCH 5 BODY.PEEK[]<4000.100>")
        session.command(b"FETCH 3 (RFC822.HEADER RFC822.TEXT)")
        session.command(b"FETCH 3 RFC822")
        session.command(b"FETCH 1 BODY.PEEK[9]", expect="")
        session.command(b"UID FETCH 1:* (FLAGS BODY.PEEK[])")
        session.command(b"SEARCH ALL")
        session.command(b"SEARCH SUBJECT ", Literal(b"number"))
        session.command(b"SEARCH CHARSET X-NONE SUBJECT x", expect="")
        session.command(b"UID SEARCH UNSEEN SINCE 1-Jan-2020")
        if b"ESEARCH" in offered:
            session.command(b"SEARCH RETURN (MIN MAX COUNT) ALL")
        if b"SORT" in offered:
            session.command(b"SORT (REVERSE DATE) UTF-8 ALL")
            session.command(b"UID SORT (SUBJECT) UTF-8 ALL")
        if any(word.startswith(b"THREAD=REFERENCES") for word in offered):
            session.command(b"THREAD REFERENCES UTF-8 ALL")
            session.command(b"UID THREAD REFERENCES UTF-8 ALL")

    def change(self, session: ScriptedSession) -> None:
        offered, third = session.capabilities, self.mailbox("Third")
        session.command(b"CREATE " + third)
        session.command(b"STORE 1 +FLAGS (\\Flagged)")
        session.command(b"STORE 1:2 FLAGS.SILENT ($Work)")
        session.command(b"UID STORE 1:* -FLAGS (\\Answered)")
        session.command(b"COPY 1:2 " + third)
        session.command(b"UID COPY 1:* " + third)
        session.command(b"COPY 1 " + self.mailbox("Nowhere"), expect="NO")
        session.command(b"CHECK")
        if b"MOVE" in offered:
            session.command(b"MOVE 1 " + third)
            session.command(b"UID MOVE 2 " + third)
        session.command(b"STORE 1 +FLAGS (\\Deleted)")
        if b"UIDPLUS" in offered:
            session.command(b"UID EXPUNGE 1:3")
        session.command(b"EXPUNGE")
        session.pipeline(b"NOOP", b"FETCH 1:* FLAGS", b"SEARCH ALL", b"NOOP")
        session.pipeline(b"NOOP", b"CHECK", tag="same")
        session.command(b"CLOSE")
        if b"UNSELECT" in offered:
            session.command(b"SELECT " + third)
            session.command(b"UNSELECT")
        for name in ("First", "Third"):
            session.command(b"DELETE " + self.mailbox(name))

    def say_wrong_things(self, session: ScriptedSession) -> None:
        session.command(b"FROBNICATE all", expect="")
        session.command(b"UID FROBNICATE 1", expect="")
        session.command(b"FETCH 1 FLAGS", expect="")
        session.command(b"LOGIN a b", expect="")

    # IDLE and ends

    def test_idle(self):
        """Another session delivers mail meanwhile."""
        idler, other = self.logged_in(), self.logged_in()
        idler.command(b"SELECT INBOX")
        for number in (1, 2):
            idle = idler.idle()
            other.command(b"APPEND INBOX ", Literal(message(number)))
            idler.read_until(idle, b" EXISTS")
            idler.done(idle)
        idler.command(b"FETCH 1:* FLAGS")
        for session in (idler, other):
            session.command(b"LOGOUT")
            session.close()
        self.check()

    def test_kick_by_the_administrator(self):
        """Each of the servers says BYE."""
        session = self.logged_in(self.server.kicked)
        session.command(b"SELECT INBOX")
        session.command(b"NOOP")
        self.server.kick(session)
        session.close()
        self.check()

    def test_idle_timeout(self):
        """The client says nothing, until the server has had enough of it."""
        with self.impatient_server() as server, Proxy(server.url, capabilities="pass") as self.proxy:
            session = self.logged_in()
            session.command(b"SELECT INBOX")
            server.lose_patience()
            session.command(b"NOOP")
            session.close()
            self.assertEqual(self.journal.samples()["imapmeter_bye_total"], {(("reason", "inactivity"),): 1})
            self.check()
