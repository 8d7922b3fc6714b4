"""The console of an Asterisk on this machine."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.config.settings import SiteSettings
from callrouter.doctor import console
from callrouter.doctor.console import check_console, is_here
from callrouter.doctor.finding import Level
from tests.doctor.conftest import texts

ANSWERS = """
case "$2" in
"dialplan show callrouter-inbound") echo "[ Context 'callrouter-inbound' created by 'pbx_config' ]" ;;
"dialplan show "*) echo "There is no existence of '${2#dialplan show }' context"; exit 1 ;;
"moh show classes") printf 'Class: default\\n\\tMode: files\\nClass: soft\\n' ;;
esac
"""


@pytest.fixture
def asterisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, to be filled with a shell script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "asterisk"


def script(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}")
    program.chmod(0o755)


async def test_contexts_and_music_that_are_missing_are_errors(asterisk: Path, site: SiteSettings) -> None:
    script(asterisk, ANSWERS)
    findings = await check_console(site, ("callrouter-inbound", "callrouter-fallback"), {"soft", "loud"})
    assert texts(findings, Level.OK) == ["the context callrouter-inbound is there", "music class soft is there"]
    assert texts(findings, Level.ERROR) == [
        "there is no context callrouter-fallback: calls do not reach callrouter or its fallback",
        "there is no music class loud: waiting callers hear nothing",
    ]


@pytest.mark.parametrize("text", ["echo Unable to connect to remote asterisk; exit 1", "exec sleep 30"])
async def test_a_console_that_cannot_be_asked_leaves_a_command_to_type(
    asterisk: Path, site: SiteSettings, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(console, "WAIT_S", 0.3)
    script(asterisk, text)
    started = time.monotonic()
    (finding,) = await check_console(site, ("callrouter-inbound",), {"default"})
    assert finding.level is Level.WARNING
    assert finding.remedy.endswith('asterisk -rx "dialplan show callrouter-inbound"')
    assert time.monotonic() - started < 10


async def test_the_console_here_is_not_asked_about_an_asterisk_elsewhere(asterisk: Path, site: SiteSettings) -> None:
    script(asterisk, ANSWERS)
    elsewhere = replace(site, ari_url="http://192.0.2.1:8088")
    assert [f.level for f in await check_console(elsewhere, ("callrouter-inbound",), ())] == [Level.WARNING]


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8088", True),
        ("http://[::1]:8088", True),
        ("http://localhost:8088", True),
        ("http://192.0.2.1:8088", False),
        ("http://pbx.example", False),
    ],
)
def test_this_machine_is_told_from_others(site: SiteSettings, url: str, here: bool) -> None:
    assert is_here(replace(site, ari_url=url)) is here
