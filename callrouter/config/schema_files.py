"""The schemas as files beside the YAML files, and the line in these by which editors find them."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from callrouter.config.accounts import account_file
from callrouter.config.cases import case_files
from callrouter.config.schema import accounts_schema, cases_schema, config_schema
from callrouter.config.schema_kinds import Schema
from callrouter.config.source import ACCOUNT_FILES, CASE_FILES, section_files
from callrouter.errors import CallrouterError

CONFIG_SCHEMA = "callrouter.schema.json"
CASES_SCHEMA = "routes-test.schema.json"
ACCOUNTS_SCHEMA = "accounts.schema.json"

_MODELINE = re.compile(r"^#[ \t]*yaml-language-server:[ \t]*\$schema=[^\r\n]*", re.MULTILINE)
_BOM = "\ufeff"


def rendered(schema: Schema) -> str:
    """The schema as the text of a file."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def modeline(file: str) -> str:
    """What stands at the top of a YAML file, so that editors complete and check it while one types."""
    schema = CASES_SCHEMA if file in CASE_FILES else ACCOUNTS_SCHEMA if file in ACCOUNT_FILES else CONFIG_SCHEMA
    return f"# yaml-language-server: $schema={schema}"


def yaml_files(directory: Path) -> list[Path]:
    """The files of ``directory`` that have a schema."""
    accounts = account_file(directory)
    others = [*case_files(directory).values(), *([accounts] if accounts is not None else [])]
    return sorted([*section_files(directory), *others])


def write_schemas(directory: Path) -> list[Path]:
    """Write all schemas, over older ones, and return where. Raises CallrouterError if that cannot be."""
    written = []
    for name, schema in (
        (CONFIG_SCHEMA, config_schema()),
        (CASES_SCHEMA, cases_schema()),
        (ACCOUNTS_SCHEMA, accounts_schema()),
    ):
        _replace(directory / name, rendered(schema))
        written.append(directory / name)
    return written


def add_modeline(path: Path) -> bool:
    """Put the line at the top of the file, or in place of an older one; False if it is there.

    Everything else is left as it is, line ends too. Raises CallrouterError if the file cannot be read or written.
    """
    line = modeline(path.name)
    with _explained(path):
        text = path.read_bytes().decode("utf-8")
    older = _MODELINE.search(text)
    if older is not None:
        new = f"{text[: older.start()]}{line}{text[older.end() :]}"
    else:
        end = "\r\n" if "\r\n" in text else "\n"
        bom = _BOM if text.startswith(_BOM) else ""
        new = f"{bom}{line}{end}{text.removeprefix(_BOM)}"
    if new == text:
        return False
    _replace(path, new)
    return True


def _replace(path: Path, text: str) -> None:
    """Write the whole file or leave the old one."""
    path = path.resolve()
    new = path.with_name(f".{path.name}.new")
    with _explained(path):
        new.write_bytes(text.encode("utf-8"))
        if path.exists():
            shutil.copymode(path, new)
        os.replace(new, path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CallrouterError(f"{path}: {error.strerror}; see to its owner and rights") from error
    except UnicodeDecodeError as error:
        raise CallrouterError(f"{path}: is not UTF-8; save it as UTF-8 (not CP949/EUC-KR)") from error
