"""A small Asterisk: walks the applications and expressions that the rendered dialplan is made of.

It takes what Asterisk takes and nothing more: whatever it does not know is an error, not something to pass over.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

MOST_LINES = 20_000
_HEADER = re.compile(r"\[([A-Za-z0-9_-]+)\](\(\+\))?")
_LINE = re.compile(r"(?:exten => (?P<exten>[^,]+),(?P<priority>1|n)|same => n)(?:\((?P<label>\w+)\))?,(?P<app>.*)")
_APPLICATION = re.compile(r"(?P<name>[A-Za-z]+)\((?P<args>.*)\)", re.DOTALL)
_PLACES = re.compile(r"\[[^\]]+\]|.")


@dataclass(frozen=True, slots=True)
class Line:
    """One priority."""

    label: str
    application: str


@dataclass(slots=True)
class Dialplan:
    """Context to extension to its lines, and the global variables."""

    contexts: dict[str, dict[str, list[Line]]] = field(default_factory=dict, repr=False)
    variables: dict[str, str] = field(default_factory=dict)

    def find(self, context: str, extension: str) -> list[Line]:
        """The lines of the extension that Asterisk would take."""
        known = self.contexts[context]
        if extension in known:
            return known[extension]
        fitting = [name for name in known if name.startswith("_") and _fits(name[1:], extension)]
        assert fitting, f"{extension} is nowhere in {context}"
        return known[min(fitting, key=_exactness)]


def parsed(text: str) -> Dialplan:
    """The file as Asterisk reads it; AssertionError where it would warn."""
    found, context, extension = Dialplan(), "", ""
    for written in text.split("\n"):
        line = written.partition(";")[0].rstrip()
        if not line:
            continue
        header = _HEADER.fullmatch(line)
        if header is not None:
            context = header[1]
            assert len(context) < 80
            assert header[2] is None or context == "globals", line
            found.contexts.setdefault(context, {})
            continue
        if context == "globals":
            name, _, value = line.partition("=")
            found.variables[name] = value
            continue
        match = _LINE.fullmatch(line.lstrip())
        assert match is not None, f"no line of a dialplan: {line}"
        if match["priority"] == "1":
            assert match["exten"] not in found.contexts[context], f"{match['exten']} is twice in {context}"
        extension = match["exten"] or extension
        lines = found.contexts[context].setdefault(extension, [])
        assert (match["priority"] == "1") == (not lines), line
        assert match["label"] is None or match["label"] not in [one.label for one in lines], line
        assert len(line) < 4096
        lines.append(Line(match["label"] or "", match["app"]))
    del found.contexts["globals"]
    return found


def _fits(pattern: str, extension: str) -> bool:
    return _regex(pattern).fullmatch(extension) is not None


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    places = {"X": "[0-9]", "N": "[2-9]", "Z": "[1-9]", "!": ".*", "+": r"\+"}
    return re.compile("".join(places.get(place, place) for place in _PLACES.findall(pattern)))


@cache
def _exactness(name: str) -> list[int]:
    """Sorts as Asterisk does: at the first place that differs, the fewer characters the better."""
    sizes = {"X": 10, "N": 8, "Z": 9, "!": 999}
    return [
        sizes.get(place, 1 if len(place) == 1 else sum(bool(re.fullmatch(place, char)) for char in "0123456789+"))
        for place in _PLACES.findall(name[1:])
    ]


@dataclass(slots=True)
class Walk:
    """One call, and what happens to it; nobody ever answers."""

    plan: Dialplan
    at: datetime
    caller: str = ""
    dialed: str = "120"
    trunk: str = "carrier"
    diverted_from: str = ""
    language: str = "ko"
    devices: Mapping[str, str] = field(default_factory=dict)
    """State of each phone; others are NOT_INUSE."""
    happened: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    lasted_s: int = 0

    def run(self) -> "Walk":
        """From the fallback on, until the call has ended or left for another dialplan."""
        self.variables |= self.plan.variables | {"CALLROUTER_DIALED": self.dialed, "CHANNEL": "PJSIP/x-00000001"}
        place: tuple[str, str, int] | None = ("callrouter-survival", "away", 0)
        for _ in range(MOST_LINES):
            if place is None:
                return self
            context, extension, position = place
            if context not in self.plan.contexts:
                self.happened.append(f"goto {context},{extension}")
                return self
            line = self.plan.find(context, extension)[position]
            match = _APPLICATION.fullmatch(line.application)
            assert match is not None, line
            place = self._do(match["name"], self.substituted(match["args"]), (context, extension, position))
        raise AssertionError("it goes round in circles")

    def _do(self, name: str, args: str, place: tuple[str, str, int]) -> tuple[str, str, int] | None:
        context, extension, position = place
        following = (context, extension, position + 1)
        match name:
            case "Set":
                variable, _, value = args.partition("=")
                if variable == "CALLERID(num)":
                    self.caller = value
                else:
                    assert re.fullmatch(r"\w+", variable), args
                    self.variables[variable] = value
            case "Goto":
                return self._place(args, context, extension)
            case "GotoIf":
                condition, _, targets = args.partition("?")
                yes, _, no = targets.partition(":")
                target = yes if condition not in ("", "0") else no
                return self._place(target, context, extension) if target else following
            case "Hangup":
                self.happened.append("hangup")
                return None
            case _:
                self._hear(name, args)
        return following

    def _hear(self, name: str, args: str) -> None:
        match name:
            case "Playback":
                self.happened.append(f"play {args}")
            case "Dial":
                endpoints, seconds, _ = args.split(",")
                self.happened.append(f"ring {endpoints}")
                self.lasted_s += int(seconds)
            case "MusicOnHold":
                self.lasted_s += int(args.split(",")[1])
            case "Wait":
                self.lasted_s += int(args)
            case _:
                assert name in ("Answer", "NoOp", "Log", "Ringing"), f"unknown application {name}({args})"

    def _place(self, target: str, context: str, extension: str) -> tuple[str, str, int]:
        parts = target.split(",")
        if len(parts) == 3:
            context = parts[0]
        if len(parts) >= 2:
            extension = parts[-2]
        if parts[-1] == "1":
            return context, extension, 0
        labels = [line.label for line in self.plan.find(context, extension)]
        return context, extension, labels.index(parts[-1])

    # --- variables and expressions

    def substituted(self, text: str) -> str:
        """With ``${...}`` and ``$[...]`` put in, from the inside out."""
        out, position = "", 0
        while position < len(text):
            pair = text[position : position + 2]
            if pair in ("${", "$["):
                end = _closing(text, position + 1)
                inner = self.substituted(text[position + 2 : end])
                out += self._variable(inner) if pair == "${" else evaluated(inner)
                position = end + 1
            else:
                out += text[position]
                position += 1
        return out

    def _variable(self, text: str) -> str:
        name, opened, rest = text.partition("(")
        if opened:
            args, closed, after = rest.rpartition(")")
            assert (closed, after) == (")", ""), text
            return self._function(name, args)
        name, *bounds = text.split(":")
        value = str(int(self.at.timestamp()) + self.lasted_s) if name == "EPOCH" else self.variables.get(name, "")
        if bounds:
            offset = int(bounds[0])
            length = int(bounds[1]) if len(bounds) > 1 else None
            value = value[offset:]
            if length is not None:
                value = value[:length]
        return value

    def _function(self, name: str, args: str) -> str:
        functions: dict[str, Callable[[], str]] = {
            "CALLERID": lambda: {"num": self.caller, "rdnis": self.diverted_from}[args],
            "CHANNEL": lambda: {"name": f"PJSIP/{self.trunk}-0000002a", "language": self.language}[args],
            "LEN": lambda: str(len(args)),
            "TOLOWER": args.lower,
            "FILTER": lambda: _filtered(*args.split(",", 1)),
            "DEVICE_STATE": lambda: self.devices.get(args, "NOT_INUSE"),
            "IF": lambda: _if(args),
            "STRFTIME": lambda: _strftime(*args.split(",")),
        }
        return functions[name]()


def _closing(text: str, opening: int) -> int:
    opener, closer = text[opening], {"{": "}", "[": "]"}[text[opening]]
    depth = 0
    for position in range(opening, len(text)):
        depth += (text[position] == opener) - (text[position] == closer)
        if not depth:
            return position
    raise AssertionError(f"not closed: {text}")


def _filtered(allowed: str, text: str) -> str:
    chars = re.sub(r"\\x([0-9a-f]{2})", lambda match: "\\" + chr(int(match[1], 16)), allowed)
    return "".join(char for char in text if re.fullmatch(f"[{chars}]", char))


def _if(args: str) -> str:
    condition, _, choices = args.partition("?")
    yes, _, no = choices.partition(":")
    return yes if condition not in ("", "0") else no


def _strftime(epoch: str, zone: str, form: str) -> str:
    return datetime.fromtimestamp(int(epoch), ZoneInfo(zone)).strftime(form)


_TOKEN = re.compile(r'\s*("[^"]*"|>=|<=|!=|=~|[|&=<>()+-]|[^\s"|&=<>()+-]+)')


def evaluated(text: str) -> str:
    """An expression with its variables put in; numbers are compared as numbers, also between quotes."""
    tokens = _TOKEN.findall(text)
    assert "".join(tokens) == re.sub(r'\s+(?=([^"]*"[^"]*")*[^"]*$)', "", text), text
    result = _joined(tokens)
    assert not tokens, text
    return result


_LEVELS = (("|",), ("&",), (">=", "<=", "!=", "=~", "=", "<", ">"), ("+", "-"))
"""Operators, the loosest first."""


def _joined(tokens: list[str], level: int = 0) -> str:
    if level == len(_LEVELS):
        return _single(tokens)
    value = _joined(tokens, level + 1)
    while tokens and tokens[0] in _LEVELS[level]:
        sign, other = tokens.pop(0), _joined(tokens, level + 1)
        if sign == "|":
            value = value if value not in ("", "0") else other
        elif sign == "&":
            value = "0" if {value, other} & {"", "0"} else value
        elif sign in "+-":
            value = str(int(value) + int(f"{sign}{other}"))
        else:
            value = str(int(_compare(sign, value, other)))
    return value


def _single(tokens: list[str]) -> str:
    token = tokens.pop(0)
    if token == "(":
        value = _joined(tokens)
        assert tokens.pop(0) == ")"
        return value
    return f"-{tokens.pop(0)}" if token == "-" else token.strip('"')


def _compare(sign: str, one: str, other: str) -> bool:
    if sign == "=~":
        return re.search(other, one) is not None
    both = [one, other]
    if all(re.fullmatch(r"-?[0-9]+", text) for text in both):
        one_number, other_number = int(one), int(other)
        order = (one_number > other_number) - (one_number < other_number)
    else:
        order = (one > other) - (one < other)
    return {"=": order == 0, "!=": order != 0, ">": order > 0, "<": order < 0, ">=": order >= 0, "<=": order <= 0}[sign]
