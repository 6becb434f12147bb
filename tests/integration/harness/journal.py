"""Journal: what was said in one IMAP session or more, by the test's own reading of it, as the samples that imapmeter
must then show. It shares nothing with the product but the words of METRICS.md."""

import re
from collections import Counter, defaultdict

STATUS = re.compile(rb"([^\s+]+) (OK|NO|BAD|PREAUTH|BYE)(?: (?:\[([A-Za-z-]+)[] ])?(.*))?\r\n", re.S)
MARKER = re.compile(rb"~?\{(\d+)\+?\}\r\n\Z")

MEMBERS = {"BADCHARSET": "BAD_CHARSET", "PERMANENTFLAGS": "PERMANENT_FLAGS", "READ-ONLY": "READ_ONLY",
           "READ-WRITE": "READ_WRITE", "TRYCREATE": "TRY_CREATE", "UIDNEXT": "UID_NEXT",
           "UIDVALIDITY": "UID_VALIDITY", **{name: name for name in ("ALERT", "CAPABILITY", "PARSE", "UNSEEN")}}

COMMANDS = frozenset("""
    CAPABILITY NOOP LOGOUT ID STARTTLS AUTHENTICATE LOGIN ENABLE SELECT EXAMINE CREATE DELETE RENAME SUBSCRIBE
    UNSUBSCRIBE LIST LSUB NAMESPACE STATUS APPEND IDLE UNAUTHENTICATE COMPRESS CLOSE UNSELECT CHECK EXPUNGE SEARCH FETCH
    STORE COPY MOVE REPLACE SORT THREAD ESEARCH CANCELUPDATE GETACL SETACL DELETEACL LISTRIGHTS MYRIGHTS GETQUOTA
    SETQUOTA GETQUOTAROOT GETMETADATA SETMETADATA GETANNOTATION SETANNOTATION NOTIFY XLIST""".split()) | frozenset(
        "UID " + name for name in "CONVERT COPY ESEARCH EXPUNGE FETCH MOVE REPLACE SEARCH SORT STORE THREAD".split())
# The registry of response codes at IANA.
CODES = frozenset("""
    ALERT ANNOTATE ANNOTATIONS APPENDUID ALREADYEXISTS AUTHENTICATIONFAILED AUTHORIZATIONFAILED BADCHARSET BADCOMPARATOR
    BADEVENT BADURL CANNOT CAPABILITY CLIENTBUG CLOSED COMPRESSIONACTIVE CONTACTADMIN COPYUID CORRUPTION DOWNGRADED
    EXPIRED EXPUNGEISSUED HASCHILDREN HIGHESTMODSEQ INPROGRESS INUSE LIMIT MAILBOXID MAXCONVERTMESSAGES MAXCONVERTPARTS
    MESSAGELIMIT METADATA MODIFIED NEWNAME NOMODSEQ NONEXISTENT NOPERM NOTIFICATIONOVERFLOW NOTSAVED NOUPDATE OVERQUOTA
    PARSE PERMANENTFLAGS PRIVACYREQUIRED READ-ONLY READ-WRITE REFERRAL SERVERBUG TEMPFAIL TOOBIG TOOFEW TOOMANY
    TRYCREATE UIDNEXT UIDNOTSTICKY UIDREQUIRED UIDVALIDITY UNAVAILABLE UNDEFINED-FILTER UNKNOWN-CTE UNSEEN URLMECH
    USEATTR""".split())
# The two command histograms have a short list.
TIMED = frozenset("""AUTHENTICATE LOGIN SELECT EXAMINE LIST STATUS APPEND EXPUNGE FETCH SEARCH STORE COPY NOOP
    LOGOUT""".split()) | frozenset("UID " + name for name in "FETCH SEARCH STORE COPY MOVE".split())
MECHANISMS = frozenset("PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256".split())
KEYWORDS = frozenset("""CAPABILITY ENABLED FLAGS LIST LSUB SEARCH ESEARCH STATUS EXISTS RECENT EXPUNGE VANISHED
    FETCH""".split())
FAILURE_CODES = frozenset("""AUTHENTICATIONFAILED AUTHORIZATIONFAILED EXPIRED PRIVACYREQUIRED UNAVAILABLE CONTACTADMIN
    LIMIT INUSE none""".split())
REJECTING = frozenset("none AUTHENTICATIONFAILED AUTHORIZATIONFAILED EXPIRED".split())
TEMPORARY = frozenset("UNAVAILABLE INUSE LIMIT SERVERBUG CONTACTADMIN".split())
DEGRADING = frozenset("UNAVAILABLE SERVERBUG CORRUPTION LIMIT".split())

# Of a literal: a section that is a message or a part of it, in a FETCH response.
WHOLE_PART = re.compile(rb"(?:\[(?!.*(?:HEADER|MIME))[^\]]*\](?:<0>)?|\bRFC822(?:\.TEXT)?) ~?\{[1-9]\d*\}\r\n\Z", re.I)


def name_of(line: bytes) -> str:
    """The label of a command by its words behind the tag."""
    words = line.decode("ascii", "replace").upper().split()
    name = " ".join(words[:2]) if words[0] == "UID" else words[0]
    return name if name in COMMANDS else "other"


class Journal:
    def __init__(self):
        self._counts: dict[str, Counter] = defaultdict(Counter)

    def count(self, family: str, amount: int = 1, /, **labels: str) -> None:
        self._counts["imapmeter_" + family][tuple(sorted(labels.items()))] += amount

    def samples(self) -> dict:
        return dict(self._counts)

    def status(self, line: bytes, first: bool = False) -> tuple[str, str, str, str] | None:
        """Notes one line outside literals. Tag, condition, code and text where it is a status response."""
        if not (match := STATUS.fullmatch(line)):
            return None
        tag, condition, code = match[1].decode(), match[2].decode(), (match[3] or b"").decode().upper() or "none"
        kind = "greeting" if first else "untagged" if tag == "*" else "tagged"
        self.count("responses_total", kind=kind, status=condition)
        self.count("response_codes_total", code=code if code in CODES | {"none"} else "other", status=condition)
        for member in (condition, "UNSOLICITED" if kind != "tagged" else "", MEMBERS.get(code, "")):
            if member:
                self.count("status_codes_total", status_code=member)
        return tag, condition, code, (match[4] or b"").decode("utf-8", "replace")

    def data(self, pieces: list[bytes]) -> None:
        """Notes an untagged data response: its lines, literals left out."""
        words = pieces[0].decode("utf-8", "replace").upper().split()
        keyword = words[2] if words[1].isdigit() else words[1]
        self.count("untagged_data_total", keyword=keyword if keyword in KEYWORDS else "other")
        if keyword == "FETCH" and any(WHOLE_PART.search(piece) for piece in pieces):
            self.count("messages_total", operation="fetched")

    def ended(self, command: str, result: str, code: str, mechanism: str, cancelled: bool) -> None:
        """Notes the end of a command."""
        self.count("commands_total", command=command, result=result)
        if command != "IDLE" and result != "aborted":
            self.count("command_duration_seconds_count", command=command if command in TIMED else "other")
        if command in ("LOGIN", "AUTHENTICATE"):
            attempt = auth_result(result, code, cancelled)
            self.count("auth_attempts_total", mechanism=mechanism, result=attempt)
            if attempt != "success" and result != "aborted":
                self.count("auth_failures_total", code=code if code in FAILURE_CODES else "other")


def auth_result(result: str, code: str, cancelled: bool) -> str:
    if result == "OK":
        return "success"
    if result == "aborted":
        return "aborted"
    if cancelled:
        return "cancelled"
    if result == "BAD":
        return "bad"
    if code in REJECTING:
        return "rejected"
    return "temporary" if code in TEMPORARY else "policy" if code == "PRIVACYREQUIRED" else "other_no"


def bye_reason(text: str, first: bool, logout_sent: bool) -> str:
    """For a client that has not been silent for long."""
    if first or logout_sent:
        return "greeting" if first else "logout"
    waiting = ("inactiv", "idle", "timeout", "timed out", "autologout")
    return "inactivity" if any(word in text.lower() for word in waiting) else "shutdown"
