"""The live view: the verdict, what Prometheus knows of the servers' answers, redrawn in place, or plain lines."""
import shutil
import sys
import textwrap

STATUSES = ["OK", "NO", "BAD", "PREAUTH", "BYE"]
TOTALS = "sum by (status) (imapmeter_responses_total)"
RATES = "sum by (status) (rate(imapmeter_responses_total[30s]))"
CODES = 'topk(6, sum by (status, code) (imapmeter_response_codes_total{code!="none"}))'
BYES = "sum by (reason) (imapmeter_bye_total)"
SESSIONS = "sum by (state) (imapmeter_sessions)"
NO_RATIO = ('sum(rate(imapmeter_responses_total{kind="tagged",status="NO"}[30s]))'
            ' / sum(rate(imapmeter_responses_total{kind="tagged"}[30s]))')
UNREQUESTED_BYES = 'sum(rate(imapmeter_bye_total{reason!="logout"}[30s]))'


WAITING = "waiting for Prometheus's first scrape (a few seconds)"


class LiveView:
    """draw() as often as you like. `remarks()`: lines of the caller's own for the end of the view."""

    def __init__(self, imapmeter, prometheus, remarks, out=sys.stdout):
        self.imapmeter, self.prometheus, self.remarks, self.out = imapmeter, prometheus, remarks, out
        self.terminal = out.isatty()
        self._height = 0

    def draw(self):
        scraped = bool(self.prometheus.query(TOTALS))
        if not self.terminal:
            print(self.line() if scraped else WAITING, file=self.out, flush=True)
            return
        width = shutil.get_terminal_size().columns - 1
        lines = [line[:width] for line in (self.lines(width) if scraped else [f"  {WAITING}"])]
        self.out.write(self._to_the_top() + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J")
        self.out.flush()
        self._height = len(lines)

    def say(self, text):
        """In front of the view, to stay."""
        print((self._to_the_top() + "\x1b[J" if self.terminal else "") + text, file=self.out, flush=True)
        self._height = 0

    def _to_the_top(self):
        return f"\x1b[{self._height}A" if self._height else ""

    def line(self):
        """The view in one line, for logs."""
        totals, rates = self._by("status", TOTALS), self._by("status", RATES)
        counts = " ".join(f"{status}={totals.get(status, 0):.0f}" for status in STATUSES)
        codes = " ".join(f"{status}[{code}]={count:.0f}" for (status, code), count in self._codes()[:3])
        return (f"responses {counts} · NO {rates.get('NO', 0):.2f}/s BYE {rates.get('BYE', 0):.2f}/s"
                f" · codes {codes} · verdict {self.imapmeter.verdict()['state']}"
                + "".join(f" · {remark}" for remark in self.remarks()))

    def lines(self, width):
        yield from textwrap.wrap(self.imapmeter.verdict()["sentence"], width, initial_indent="  verdict   ",
                                 subsequent_indent=" " * 12)
        yield f"  alerts    {', '.join(self.prometheus.firing()) or 'none is firing'}"
        yield ""
        totals, rates = self._by("status", TOTALS), self._by("status", RATES)
        yield f"  {'responses':<14}{'total':>10}{'per second':>14}"
        for status in STATUSES:
            yield f"  {status:<14}{totals.get(status, 0):>10.0f}{rates.get(status, 0):>14.2f}"
        yield ""
        yield f"  commands answered NO {self._one(NO_RATIO):>9.1%}"
        yield f"  BYE unrequested      {self._one(UNREQUESTED_BYES):>9.2f} per second"
        yield f"  BYE by reason        {words(self._by('reason', BYES))}"
        yield f"  sessions             {words(self._by('state', SESSIONS))}"
        yield ""
        yield "  top response codes"
        for (status, code), count in self._codes():
            yield f"  {count:>12.0f}  {status} [{code}]"
        yield from (f"  {remark}" for remark in self.remarks())

    def _by(self, label, expression):
        return {labels[label]: value for labels, value in self.prometheus.query(expression)}

    def _codes(self):
        found = [((labels["status"], labels["code"]), value) for labels, value in self.prometheus.query(CODES)]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def _one(self, expression):
        """0 where there is no value yet: no series, or nothing to divide by (NaN)."""
        found = self.prometheus.query(expression)
        return found[0][1] if found and found[0][1] == found[0][1] else 0.0


def words(counts):
    return "  ".join(f"{name} {count:.0f}" for name, count in sorted(counts.items()) if count) or "none"
