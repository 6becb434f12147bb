"""What a PromQL expression names: metrics with their matchers, and lists of labels."""
import ast
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"""
    (?P<space>\s+|\#[^\n]*)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
  | (?P<variable>\$\{[^}]*\}|\$\w+)
  | (?P<range>\[[^\]]*\])
  | (?P<word>[A-Za-z_:][\w:]*)
  | (?P<number>\d[\w.]*)
  | (?P<symbol>=~|!~|[!=<>]=|.)
""", re.VERBOSE | re.DOTALL)
OPERATORS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"}
AGGREGATED = {"by", "without"}
MATCHED = {"on", "ignoring", "group_left", "group_right"}
MAKES_A_LABEL = {"label_replace", "label_join", "count_values"}


@dataclass
class Named:
    selectors: list = field(default_factory=list)  # (metric, [(label, operator, value)])
    label_lists: list = field(default_factory=list)  # (labels, the metrics that they are to be labels of)
    made: set = field(default_factory=set)  # labels that the expression makes itself

    def metrics(self):
        return [metric for metric, _ in self.selectors]


def named(expression):
    return _Reader(expression).read()


class _Reader:
    def __init__(self, expression):
        found = [(match.lastgroup, match[0]) for match in TOKEN.finditer(expression)]
        self.tokens = [token for token in found if token[0] != "space"] + [("end", "")]
        self.named = Named()
        self.places = []  # of self.named.selectors, in self.tokens
        self.lists = []  # (labels, first and last place where their metrics can be)

    def read(self):
        place = 0
        while place < len(self.tokens):
            place = self._read_at(place)
        for labels, first, last in self.lists:
            metrics = [metric for at, metric in zip(self.places, self.named.metrics()) if first <= at <= last]
            self.named.label_lists.append((labels, metrics))
        return self.named

    def _read_at(self, place):
        """Where to go on."""
        kind, text = self.tokens[place]
        if (kind, text) == ("symbol", "{"):
            return self._selector(place, "", place)
        if kind != "word" or text.lower() in OPERATORS:
            return place + 1
        following = self.tokens[place + 1][1]
        if text.lower() in AGGREGATED | MATCHED:
            return self._label_list(place, text.lower()) if following == "(" else place + 1
        if following == "(" or following.lower() in AGGREGATED:
            if text in MAKES_A_LABEL:
                strings = [text for kind, text in self.tokens[place:self._end(place + 1)] if kind == "string"]
                self.named.made.add(ast.literal_eval(strings[0]))
            return place + 1
        return self._selector(place, text, place + 1)

    def _selector(self, place, metric, brace):
        """`brace`: where the matchers begin, if there are any."""
        matchers = []
        end = brace
        if self.tokens[brace][1] == "{":
            end = self._end(brace) + 1
            inside = [text for _, text in self.tokens[brace + 1:end - 1] if text != ","]
            for label, operator, value in zip(inside[::3], inside[1::3], inside[2::3]):
                matchers.append((label, operator, value[1:-1] if value[0] == "`" else ast.literal_eval(value)))
        self.named.selectors.append((metric, matchers))
        self.places.append(place)
        return end

    def _label_list(self, place, keyword):
        end = self._end(place + 1)
        labels = [text for kind, text in self.tokens[place + 2:end] if kind == "word"]
        first, last = 0, len(self.tokens)
        if keyword in AGGREGATED:  # before what is aggregated, or behind it
            before = self.tokens[end + 1][1] == "("
            first, last = (end + 1, self._end(end + 1)) if before else (self._begin(place - 1), place - 1)
        self.lists.append((labels, first, last))
        return end + 1

    def _end(self, place):
        """Of the brackets that open there."""
        depth = 0
        for at in range(place, len(self.tokens)):
            kind, text = self.tokens[at]
            depth += (text in "({") - (text in ")}") if kind == "symbol" else 0
            if depth == 0:
                return at
        raise ValueError("a bracket is not closed")

    def _begin(self, place):
        """Of the brackets that close there."""
        depth = 0
        for at in range(place, -1, -1):
            kind, text = self.tokens[at]
            depth += (text in ")}") - (text in "({") if kind == "symbol" else 0
            if depth == 0:
                return at
        raise ValueError("a bracket was not opened")
