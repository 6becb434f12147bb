"""The dashboards of deploy/grafana as the tests of deploy/ read them: their files, panels and queries."""
import json
import re

from support import DEPLOY, ROOT

DIRECTORY = DEPLOY / "grafana" / "dashboards"
# A row of the tables of docs/metrics.md.
FAMILY = re.compile(r"^\| `(\w+)`(?: ●)? \| (counter|gauge|histogram) \| ([^|]*)\|", re.MULTILINE)
SELECTOR = re.compile(r"\b((?:imapmeter|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def boards():
    """{uid: the dashboard}"""
    return {path.stem: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))}


def panels(board):
    """The panels that show something: all but the rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions():
    """[(dashboard: panel, expr)] of all dashboards, their annotations included."""
    found = []
    for board in boards().values():
        found += [(f"{board['title']}: {panel['title']}", target["expr"])
                  for panel in panels(board) for target in panel["targets"]]
        found += [(f"{board['title']}: {each['name']}", each["target"]["expr"])
                  for each in board["annotations"]["list"]]
    return found


def without_variables(expression, window="10s"):
    """The expression as Grafana sends it where everything is chosen."""
    expression = expression.replace("$__rate_interval", window).replace("$__range", "1m")
    return re.sub(r'"\$(job|instance|listener|upstream)"', '".*"', expression)


def selectors(expression):
    """[(family, [(label, operator, value)])]; of a histogram's samples the histogram."""
    return [(family(name), MATCHER.findall(matchers)) for name, matchers in SELECTOR.findall(expression)]


def family(name):
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if documented().get(base, ("",))[0] == "histogram" else name


_documented = {}


def documented():
    """{family: (type, labels)} of docs/metrics.md"""
    if not _documented:
        text = (ROOT / "docs" / "metrics.md").read_text()
        for name, kind, labels in FAMILY.findall(text):
            _documented[name] = kind, re.findall(r"`(\w+)`", labels)
    return _documented


def documented_words():
    """Whatever the documents quote, word by word: label values are among them."""
    words = set()
    for name in ("metrics.md", "verdict.md"):
        for quoted in re.findall(r"`([^`]+)`", (ROOT / "docs" / name).read_text()):
            words.update([quoted, *quoted.split()])
    return words
