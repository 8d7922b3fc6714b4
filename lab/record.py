"""What the call centre that ``make run`` keeps up leaves for others to find it by: a record, and a command.

Both are there from when it is ready until it begins to stop. The command, ``.lab/callrouter``, is callrouter's own
command line with this centre's ports, passwords and database.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from lab import processes
from lab.asterisk import LabAsterisk
from lab.errors import LabError
from lab.paths import INSTANCES, LAB, write_atomically

DEFAULT_INSTANCE = "lab"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A call centre that is up: ``pid`` (which began at ``start_ticks``) keeps it so."""

    instance: str
    pid: int
    start_ticks: int
    sip_port: int
    http_port: int
    web_url: str
    config: str
    command: str

    @classmethod
    def of_this_process(cls, instance: str, *, sip_port: int, http_port: int, web_url: str, config: str) -> Self:
        """The centre that this process keeps up."""
        pid = os.getpid()
        ticks = processes.start_ticks(pid) or 0
        return cls(instance, pid, ticks, sip_port, http_port, web_url, config, str(command_path(instance)))

    @classmethod
    def read(cls, instance: str) -> Self:
        """The centre of this name that is up now.

        Raises:
            LabError: there is none, or it is another user's.
        """
        try:
            found = cls(**json.loads(record_path(instance).read_text(encoding="utf-8")))
        except PermissionError as exc:
            raise LabError(f"{exc.filename} belongs to the user who runs the centre; call as that user") from exc
        except (OSError, ValueError, TypeError):
            found = None
        if found is None or processes.start_ticks(found.pid) != found.start_ticks:
            raise LabError(f"nothing runs here; start it first, in another terminal: {start_command(instance)}")
        return found

    def write(self, environment: Mapping[str, str]) -> None:
        """Let others find it; ``environment`` is what callrouter's commands need, secrets included."""
        content = json.dumps(asdict(self), indent=2) + "\n"
        write_atomically(Path(self.command), command_script(environment), mode=0o700)
        write_atomically(record_path(self.instance), content, mode=0o600)

    def remove(self) -> None:
        """Let nobody find it any more."""
        record_path(self.instance).unlink(missing_ok=True)
        Path(self.command).unlink(missing_ok=True)

    def asterisk(self) -> LabAsterisk:
        """Its Asterisk, to be asked only."""
        return LabAsterisk(self.instance, sip_port=self.sip_port, http_port=self.http_port)


def record_path(instance: str) -> Path:
    """Where the record is."""
    return INSTANCES / instance / "run.json"


def command_path(instance: str) -> Path:
    """Where the command is."""
    return LAB / ("callrouter" if instance == DEFAULT_INSTANCE else f"callrouter-{instance}")


def start_command(instance: str) -> str:
    """What a person types to have the centre up."""
    return "make run" if instance == DEFAULT_INSTANCE else f"make run LAB_INSTANCE={instance}"


def command_script(environment: Mapping[str, str]) -> str:
    """A shell script that is ``callrouter`` with this environment."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items())]
    return "\n".join(
        [
            "#!/bin/sh",
            "# callrouter's commands, for the call centre that `make run` keeps up; gone when that ends.",
            *lines,
            f'exec {shlex.quote(sys.executable)} -m callrouter "$@"',
            "",
        ]
    )


def shown(path: Path | str) -> str:
    """``path`` as short as it can be typed from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
