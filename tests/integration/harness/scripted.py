"""ScriptedSession: a client that says what a test tells it to say, and keeps a Journal of both sides."""

from dataclasses import dataclass, field

from .client import FakeClient
from .deflated import Deflated
from .journal import MARKER, Journal, bye_reason, name_of
from .journal import DEGRADING, MECHANISMS, TEMPORARY, TIMED


@dataclass
class Literal:
    data: bytes
    plus: bool = False  # {n+}: does not wait for the server

    def marker(self) -> bytes:
        return b"{%d%s}\r\n" % (len(self.data), b"+" if self.plus else b"")


@dataclass
class Command:
    tag: str
    name: str
    mechanism: str = ""
    cancelled: bool = False
    messages: int = 0  # that it appends
    alone: bool = False  # at its end no other was outstanding, and the server has said nothing since
    answer: str = ""  # OK, NO or BAD
    code: str = ""
    responses: list[bytes] = field(default_factory=list)  # all that came until its answer, which is the last

    @property
    def line(self) -> bytes:
        return self.responses[-1]


class ScriptedSession:
    """One session through imapmeter, greeted. close() when its end is due: it reads to the end and judges the whole."""

    def __init__(self, client: FakeClient, journal: Journal):
        self.client: FakeClient | Deflated = client
        self.journal = journal
        self._outstanding: list[Command] = []
        self._tags = 0
        self._continued = False  # a `+` has come
        self._authenticated = self._degraded = self._cut = self._logout_sent = self._bye = False
        self._logged_out = False
        self._login_trouble = ""
        self._software = "none"
        journal.count("sessions_accepted_total")
        self._first = True
        self._read_more()

    # Saying

    def command(self, *parts: bytes | Literal, tag: str = "", expect: str = "OK") -> Command:
        """Says it and waits for the answer, which must be `expect` ("" for any)."""
        return self.finish(self.begin(*parts, tag=tag), expect)

    def begin(self, *parts: bytes | Literal, tag: str = "") -> Command:
        """Says it to its end, or to where the server answers before that."""
        command = self._open(parts[0], tag)
        octets = command.tag.encode() + b" "
        for part in parts:
            if not isinstance(part, Literal):
                octets += part
                continue
            octets += part.marker()
            if not part.plus:
                self._send(octets)
                octets = b""
                alone = self._outstanding == [command]
                if not self._invited(command):
                    if alone:  # the line that announced the literal was the command's last
                        self._count_first_response(command)
                    return command
            octets += part.data
            command.messages += command.name == "APPEND"
            self.journal.count("literal_bytes_total", len(part.data), direction="client_to_server")
        self._send(octets + b"\r\n")
        command.alone = self._outstanding == [command] and command.name != "IDLE"
        return command

    def pipeline(self, *lines: bytes, tag: str = "") -> list[Command]:
        """Several commands in one write; waits for all answers."""
        none_before = not self._outstanding
        commands = [self._open(line, tag) for line in lines]
        self._send(b"".join(b"%s %s\r\n" % (command.tag.encode(), line) for command, line in zip(commands, lines)))
        commands[0].alone = none_before
        return [self.finish(command, "") for command in commands]

    def authenticate(self, start: bytes, *lines: bytes, expect: str = "OK") -> Command:
        """`start` is the command; each further line is said when the server asks for it."""
        command = self.begin(start)
        for line in lines:
            command.alone = False
            if not self._invited(command):
                break
            self._send(line + b"\r\n")
            command.alone, command.cancelled = True, line == b"*"
        return self.finish(command, expect)

    def idle(self) -> Command:
        """Returns when the server has taken it up."""
        command = self.begin(b"IDLE")
        if not self._invited(command):
            raise AssertionError(f"no IDLE: {command.line!r}")
        self.journal.count("idle_duration_seconds_count")
        return command

    def done(self, idle: Command) -> None:
        self._send(b"DONE\r\n")
        self.finish(idle)

    def compress(self) -> None:
        """What follows is deflated, both ways."""
        self.command(b"COMPRESS DEFLATE")
        self.client = Deflated(self.client)

    # Reading

    def finish(self, command: Command, expect: str = "OK") -> Command:
        while not command.answer:
            self._read_more()
        if expect and command.answer != expect:
            raise AssertionError(f"{expect} to {command.name} expected: {command.line!r}")
        return command

    def read_until(self, command: Command, word: bytes) -> bytes:
        """The first response with this word while `command` is outstanding."""
        while True:
            for response in command.responses:
                if word in response:
                    return response
            self._read_more()

    def close(self, reason: str = "") -> None:
        """Reads to the end, which must be the server's; `reason` where it is neither a LOGOUT nor a BYE."""
        while self._read():
            pass
        self.client.close_clean()
        for command in self._outstanding:
            self.journal.ended(command.name, "aborted", "none", command.mechanism, command.cancelled)
        self._cut = self._cut or any(command.name != "IDLE" for command in self._outstanding)
        self.journal.count("sessions_closed_total",
                           reason=reason or ("logout" if self._logged_out else "upstream_bye"))
        outcome = self._outcome()
        self.journal.count("session_outcomes_total", outcome=outcome)
        if self._authenticated:
            self.journal.count("client_software_total", software=self._software)
        if outcome != "good":
            self.journal.count("client_problems_total", software=self._software, kind=outcome)
        self.journal.count("bytes_total", self.client.sent.octets, direction="client_to_server")
        if isinstance(self.client, Deflated):
            self._count_deflated(self.client)
        self.journal.count("bytes_total", self.client.received.octets, direction="server_to_client")

    def _count_deflated(self, client: Deflated) -> None:
        self.journal.count("deflated_bytes_total", client.deflated_sent, direction="client_to_server")
        self.journal.count("deflated_bytes_total", client.deflated_received, direction="server_to_client")
        self.journal.count("inflated_bytes_total", client.plain_sent, direction="client_to_server")
        self.journal.count("inflated_bytes_total", client.plain_received, direction="server_to_client")

    def _outcome(self) -> str:
        if self._cut:
            return "cut"
        if self._degraded:
            return "degraded"
        return "good" if self._authenticated else self._login_trouble or "good"

    # What both sides have said

    def _open(self, line: bytes, tag: str = "") -> Command:
        self._tags += 1
        command = Command(tag or f"t{self._tags}", name_of(line))
        if command.name == "LOGIN":
            command.mechanism = "LOGIN_COMMAND"
        if command.name == "AUTHENTICATE":
            mechanism = line.decode().upper().split()[1]
            command.mechanism = mechanism if mechanism in MECHANISMS else "other"
        self.journal.count("commands_started_total")
        self._logout_sent |= command.name == "LOGOUT"
        self._software = "other" if command.name == "ID" else self._software
        self._outstanding.append(command)
        return command

    def _send(self, octets: bytes) -> None:
        self._continued = False
        self.client.send(octets)

    def _invited(self, command: Command) -> bool:
        """Whether a `+` came before its answer."""
        while not self._continued and not command.answer:
            self._read_more()
        return not command.answer

    def _read_more(self) -> None:
        if not self._read():
            raise AssertionError(f"the server has ended the session; outstanding: {self._outstanding}")

    def _read(self) -> bytes:
        """One response, or b"" at the end."""
        lines = [self.client.read_line()]
        whole = lines[0]
        if not whole:
            return whole
        first, self._first = self._first, False
        status = self.journal.status(whole, first)
        if status is None and whole.startswith(b"* "):
            while marker := MARKER.search(lines[-1]):
                literal = self.client.recv_exact(int(marker[1]))
                self.journal.count("literal_bytes_total", len(literal), direction="server_to_client")
                lines.append(self.client.read_line())
                whole += literal + lines[-1]
            self.journal.data(lines)
        self._first_response(status)
        for command in self._outstanding:
            command.responses.append(whole)
        if status is None:
            self._continued |= whole.startswith(b"+")
        elif status[0] == "*":
            self._untagged(status, first)
        else:
            self._tagged(status)
        return whole

    def _first_response(self, status: tuple[str, str, str, str] | None) -> None:
        command = self._outstanding[0] if self._outstanding else None
        if command is None or not command.alone:
            return
        if status and status[:2] == ("*", "OK") and status[2] in ("none", "INPROGRESS"):
            return
        command.alone = False
        self._count_first_response(command)

    def _count_first_response(self, command: Command) -> None:
        self.journal.count("command_first_response_seconds_count",
                           command=command.name if command.name in TIMED else "other")

    def _untagged(self, status: tuple[str, str, str, str], first: bool) -> None:
        _, condition, _, text = status
        if condition == "BYE" and not self._bye:
            self._bye = True
            reason = bye_reason(text, first, self._logout_sent)
            self._cut |= reason in ("inactivity", "shutdown")
            self.journal.count("bye_total", reason=reason)

    def _tagged(self, status: tuple[str, str, str, str]) -> None:
        tag, condition, code, _ = status
        command = next(each for each in self._outstanding if each.tag == tag)
        self._outstanding.remove(command)
        command.answer, command.code = condition, code
        self.journal.ended(command.name, condition, code, command.mechanism, command.cancelled)
        if command.name == "COMPRESS":
            self.journal.count("compress_attempts_total", result="active" if condition == "OK" else "refused")
        self._logged_out |= command.name == "LOGOUT" and condition == "OK"
        if condition == "OK":
            if command.messages:
                self.journal.count("messages_total", command.messages, operation="appended")
            if command.mechanism and not self._authenticated:
                self._authenticated = True
                self.journal.count("sessions_authenticated_total")
        elif self._authenticated:
            self._degraded |= condition == "BAD" or code in DEGRADING
        elif command.mechanism:
            self._login_trouble = "login_failed" if code in TEMPORARY else "login_rejected"
