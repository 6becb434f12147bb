"""What may befall one of several mail servers: it is slow, then refuses logins, then dies, and comes back."""
import random
import signal
import threading
import time
import typing

from dovecot import NO_USERS

STOPPED = (0.3, 0.6)  # seconds
RUNNING = 0.01


class Phase(typing.NamedTuple):
    name: str
    begin: typing.Callable[[], None]
    happens: str
    watch: str
    query: str


class Incident:
    """step() begins the next phase when `seconds` of the one before are over; the last one stays. `say(text)` tells."""

    def __init__(self, server, prometheus, seconds, say):
        self.server, self.prometheus, self.seconds, self.say = server, prometheus, seconds, say
        self._slowness = Slowness(server)
        self._phases = self._plan()
        self._begun = 0
        self._due = 0.0

    def start(self):
        self.say(self._about_the_rules())

    def stop(self):
        self._slowness.stop()

    def step(self):
        if time.monotonic() < self._due:
            return
        phase = self._phases[self._begun]
        phase.begin()
        self._begun += 1
        last = self._begun == len(self._phases)
        self._due = float("inf") if last else time.monotonic() + self.seconds
        self.say(self._announcement(phase, "until Ctrl-C" if last else f"for {duration(self.seconds)}"))

    def _announcement(self, phase, how_long):
        return (f"{clock()}  PHASE {self._begun} of {len(self._phases)}: {phase.name}, {how_long}\n"
                f"    happens  {phase.happens}\n    watch    {phase.watch}\n    query    {phase.query}")

    def _about_the_rules(self):
        waits = self.prometheus.alert_waits()
        late = [f"{name} ({duration(wait)})" for name, wait in sorted(waits.items()) if wait >= self.seconds]
        text = "  the alerting rules are those of deploy/prometheus; nothing in them is shortened"
        if late:
            text += f"\n  these wait as long as a phase or longer and may not fire: {', '.join(late)}"
        return text

    def _plan(self):
        name = self.server.address()
        return [
            Phase("calm", lambda: None,
                  "three servers, all of them well",
                  "the verdict becomes \"mail is well\" with the first ten seconds of traffic",
                  "sum by (server, status) (rate(imapmeter_server_responses_total[1m]))"),
            Phase("slow", self._slowness.start,
                  f"server {name} is stopped and continued all the time: "
                  f"an answer takes {STOPPED[0]} to {STOPPED[1]} s",
                  "the verdict names it as slow; the console has the servers side by side",
                  "histogram_quantile(0.9, sum by (server, le) "
                  "(rate(imapmeter_server_first_response_seconds_bucket[1m])))"),
            Phase("unavailable", self._refuse_logins,
                  f"server {name} is fast again, but cannot reach its users: NO [UNAVAILABLE] to each login",
                  "the verdict names it, the share of logins and the code; failures of the party server",
                  "sum by (server, result) (rate(imapmeter_server_auth_attempts_total[1m]))"),
            Phase("dead", self.server.kill,
                  f"server {name} is killed: its sessions are cut, then connections to it are refused",
                  "the verdict names it; new sessions go to the others, mail flows",
                  "sum by (server, result) (rate(imapmeter_upstream_connects_total[1m]))"),
            Phase("back", self._recover,
                  f"server {name} runs again as if nothing had been",
                  "the verdict looks at the last five minutes: so long until mail is well again",
                  "imapmeter_upstream_up"),
        ]

    def _refuse_logins(self):
        self._slowness.stop()
        self.server.change_users(NO_USERS)

    def _recover(self):
        self.server.start_again()


class Slowness:
    """Stops the server's processes nearly all the time, so that whatever is asked of it waits for the next gap."""

    def __init__(self, server):
        self.server = server
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        """Returns when the server runs again."""
        self._ending.set()
        if self._thread.ident:
            self._thread.join()

    def _work(self):
        while not self._ending.wait(RUNNING):
            self.server.signal(signal.SIGSTOP)
            try:
                self._ending.wait(random.uniform(*STOPPED))
            finally:
                self.server.signal(signal.SIGCONT)


class Chronicle:
    """Says it, with the time, whenever another verdict holds or other alerts fire."""

    def __init__(self, imapmeter, prometheus, say):
        self.imapmeter, self.prometheus, self.say = imapmeter, prometheus, say
        self._said = {}

    def note(self):
        verdict = self.imapmeter.verdict()
        differing = [(each["server"], each["what"]) for each in verdict["outliers"]]
        sentences = [verdict["sentence"]] + [each["sentence"] for each in verdict["outliers"][1:]]
        self._note("verdict", (verdict["state"], verdict["party"], differing), sentences)
        firing = self.prometheus.firing()
        self._note("alerts", firing, [f"firing: {', '.join(firing)}" if firing else "none is firing"])

    def _note(self, what, state, sentences):
        """`state`: what makes it news; the numbers in a sentence change all the time."""
        if self._said.get(what) != state:
            self._said[what] = state
            self.say("\n".join(f"{clock()}  {what:<8} {sentence}" for sentence in sentences))


def clock():
    """As the verdict has it."""
    return time.strftime("%H:%M:%S UTC", time.gmtime())


def duration(seconds):
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
