"""The daemon's log: structlog events with fields, one a line, to the standard error.

What libraries log through :mod:`logging`, and what they warn of, goes the same way. Times are ISO 8601 in UTC. Callers'
numbers and passwords are masked (:mod:`callrouter.runtime.masking`), in exceptions too; tracebacks never show the
values of variables.
"""

import json
import logging
import re
import sys
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from callrouter.config.settings import LogFormat
from callrouter.runtime.masking import mask_event

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

# Control characters but tab and line feed, which tracebacks have; and what breaks a line or turns it round.
_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

# These tell at INFO of every single request.
_CHATTY = ("aiohttp.access",)


def configure_logging(format: LogFormat = LogFormat.JSON, level: str = "info", *, stream: TextIO | None = None) -> None:
    """Set structlog and :mod:`logging` up for the whole process; may be called again.

    ``level`` is the least important one that is still written: ``debug``, ``info``, ``warning`` or ``error``; another
    raises ValueError. ``stream`` is the standard error unless given.
    """
    if level not in _LEVELS:
        raise ValueError(f'log level "{level}" does not exist; use {", ".join(_LEVELS)}')
    stream = stream or sys.stderr
    threshold = _LEVELS[level]
    colors = format is LogFormat.CONSOLE and stream.isatty()
    finish: list[Processor] = [structlog.processors.format_exc_info, mask_event, _renderer(format, colors=colors)]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        # Module-level loggers would keep the first configuration for ever: tests and the command line set it twice.
        cache_logger_on_first_use=False,
    )
    _route_stdlib(stream, shared, finish, threshold)


def _route_stdlib(stream: TextIO, shared: list[Processor], finish: list[Processor], level: int) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    root = logging.getLogger()
    for previous in [old for old in root.handlers if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter)]:
        root.removeHandler(previous)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


def _renderer(format: LogFormat, *, colors: bool) -> Processor:
    if format is LogFormat.JSON:
        return _render_json
    render = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    return lambda logger, method, event: render(logger, method, {key: _told(value) for key, value in event.items()})


def _told(value: object) -> object:
    """Text without what a terminal takes for an order: strangers have a say in it."""
    return _UNSEEN.sub(_escaped, value) if isinstance(value, str) else value


def _escaped(unseen: re.Match[str]) -> str:
    return f"\\u{ord(unseen[0]):04x}"


def _render_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """One line. Masking has left nothing in the event that JSON does not know."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    # JSON itself escapes what is below 0x20.
    return _UNSEEN.sub(_escaped, json.dumps({**first, **event}, ensure_ascii=False))
