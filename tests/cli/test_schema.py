"""``callrouter schema``: schemas and the line by which editors find them."""

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.config import load
from callrouter.config.schema import cases_schema, config_schema, section_schema

SAMPLE = Path(__file__).parents[2] / "config"
LINE = "# yaml-language-server: $schema=callrouter.schema.json"
CASES_LINE = "# yaml-language-server: $schema=routes-test.schema.json"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["schema", *arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample without schemas and without the lines for editors."""
    copied = shutil.copytree(SAMPLE, tmp_path / "config", ignore=shutil.ignore_patterns("*.json"))
    for path in copied.glob("*.yaml"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "yaml-language-server" not in line), encoding="utf-8")
    return copied


def test_the_schema_alone_is_printed_and_beside_it_what_to_do_with_it() -> None:
    result = run()
    assert result.exit_code == 0
    assert json.loads(result.stdout) == config_schema()
    assert result.stderr.endswith(f"put this line on top of each:\n{LINE}\n")


@pytest.mark.parametrize("file", ["routes.yaml", "/etc/callrouter/gimhae.yml"])
def test_any_file_has_the_one_schema(file: str) -> None:
    assert json.loads(run(file).stdout) == config_schema()


def test_the_file_of_cases_has_its_own() -> None:
    result = run("config/routes-test.yaml")
    assert json.loads(result.stdout) == cases_schema()
    assert result.stderr.endswith(f"{CASES_LINE}\n")


def test_a_section_has_its_part() -> None:
    result = run("queues")
    assert json.loads(result.stdout) == section_schema("queues")
    assert "Agent" not in result.stdout
    assert result.stderr.startswith("This is the schema of a section alone.")


def test_what_is_no_section_is_wrong_usage_with_a_suggestion() -> None:
    result = run("queus")
    assert result.exit_code == 2
    assert '"queus" is no section and no YAML file; did you mean "queues"?' in result.stderr


def test_written_schemas_come_with_the_line_for_each_file(folder: Path) -> None:
    before = (folder / "routes.yaml").read_bytes()
    result = run("--write", str(folder))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        f"{folder}/callrouter.schema.json: written",
        f"{folder}/routes-test.schema.json: written",
        f"{folder}/accounts.schema.json: written",
        "Put this line on top of each file, or say --modeline:",
    ]
    assert f"{folder}/routes.yaml: {LINE}" in lines
    assert f"{folder}/routes-test.yaml: {CASES_LINE}" in lines
    assert len(lines) == 4 + 12
    assert json.loads((folder / "callrouter.schema.json").read_text(encoding="utf-8")) == config_schema()
    assert json.loads((folder / "routes-test.schema.json").read_text(encoding="utf-8")) == cases_schema()
    assert (folder / "routes.yaml").read_bytes() == before


def test_the_line_is_put_on_top_of_each_file_once_and_means_nothing_to_the_daemon(folder: Path) -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")}
    first = run("--write", str(folder), "--modeline")
    assert (first.exit_code, first.stdout.count(": line added\n")) == (0, 12)
    for name, text in texts.items():
        line = CASES_LINE if name == "routes-test.yaml" else LINE
        assert (folder / name).read_text(encoding="utf-8") == f"{line}\n{text}"
    second = run("--write", str(folder), "--modeline")
    assert (second.stdout.count(": line added\n"), second.stdout.count(": has its line\n")) == (0, 12)
    assert load(folder, {}).warnings == ()
    assert not [*folder.glob(".*")], "nothing is left over"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a: 1\r\nb: 2\r\n", f"{LINE}\r\na: 1\r\nb: 2\r\n".encode()),
        ("\ufeffa: 1\n".encode(), f"\ufeff{LINE}\na: 1\n".encode()),
        (b"#yaml-language-server:  $schema=old.json\r\na: 1\r\n", f"{LINE}\r\na: 1\r\n".encode()),
        (b"# first\n# yaml-language-server: $schema=x\na: 1", f"# first\n{LINE}\na: 1".encode()),
        (b"", f"{LINE}\n".encode()),
    ],
)
def test_nothing_but_the_line_is_changed(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / "queues.yaml"
    path.write_bytes(before)
    path.chmod(0o640)
    assert run("--write", str(tmp_path), "--modeline").exit_code == 0
    assert path.read_bytes() == after
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_behind_a_link_stays_there(tmp_path: Path) -> None:
    config, elsewhere = tmp_path / "config", tmp_path / "shared.yaml"
    config.mkdir()
    elsewhere.write_text("queues: {}\n")
    (config / "queues.yaml").symlink_to(elsewhere)
    assert run("--write", str(config), "--modeline").exit_code == 0
    assert (config / "queues.yaml").is_symlink()
    assert elsewhere.read_text() == f"{LINE}\nqueues: {{}}\n"


def test_a_file_that_is_not_utf_8_is_left_alone_and_said(tmp_path: Path) -> None:
    path = tmp_path / "queues.yaml"
    path.write_bytes("queues: {main: {title: 본청}}".encode("cp949"))
    before = path.read_bytes()
    result = run("--write", str(tmp_path), "--modeline")
    assert result.exit_code == 1
    assert result.stderr == f"{path}: is not UTF-8; save it as UTF-8 (not CP949/EUC-KR)\n"
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "callrouter.schema.json")
    result = run("--write", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == f"{tmp_path}/callrouter.schema.json: Is a directory; see to its owner and rights\n"


@pytest.mark.parametrize("arguments", [["--modeline"], ["--write", "no-such-folder"], ["routes", "--write", "."]])
def test_wrong_usage_is_said(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
