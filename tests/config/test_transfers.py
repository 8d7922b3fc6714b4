"""What is written of transfers reaches the rules that the exchange runs by."""

import shutil
from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.core.ids import DestinationName
from callrouter.core.transfers import TargetError, TransferRules, number_outside
from tests.config.written import BASE, ENVIRONMENT

WRITTEN = """\
transfers:
  trunk: city-hall
  ring_timeout: 15s
  music_class: soft
  short: {"71": main, "119": fire}
trunks:
  city-hall: {channels: 30, caller_id: "0552111120", format: FORMAT}
destinations:
  fire: {title: 119, number: "119", trunk: city-hall}
"""


def rules_of(tmp_path: Path, written: str) -> TransferRules:
    folder = shutil.copytree(BASE, tmp_path / "config")
    regions = (folder / "regions.yaml").read_text(encoding="utf-8")
    ours = regions.replace("{title: 경남, tenant: province}", '{title: 경남, tenant: province, dialed: "0552111120"}')
    (folder / "regions.yaml").write_text(ours, encoding="utf-8")
    (folder / "trunks.yaml").write_text(written, encoding="utf-8")
    return load(folder, ENVIRONMENT).rulebook.transfers


def test_without_a_word_of_them_nobody_outside_is_called(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, "trunks:\n  city-hall: {channels: 30}\n")
    with pytest.raises(TargetError, match="numbers outside are not called; see transfers: trunk:"):
        number_outside("0552251234", rules)


@pytest.mark.parametrize(("form", "dialled"), [("national", "0552251234"), ("e164", "+82552251234")])
def test_a_number_outside_is_dialled_over_the_trunk_as_the_trunk_wants_it(
    tmp_path: Path, form: str, dialled: str
) -> None:
    destination = number_outside("055-225-1234", rules_of(tmp_path, WRITTEN.replace("FORMAT", form)))
    assert destination.endpoint == f"PJSIP/{dialled}@city-hall"
    assert (destination.trunk, destination.caller_number, destination.ring_timeout_s) == (
        "city-hall",
        "0552111120",
        15.0,
    )


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("060-700-1234", "kind premium, which must not be called"),
        ("00112345678", "kind international"),
        ("gimhea", "is no agent, queue, destination or number"),
        ("x" * 41, "x…"),
        ("055-211-1120", "is our own number"),
    ],
)
def test_what_must_not_be_called_is_refused_with_the_reason(tmp_path: Path, number: str, why: str) -> None:
    written = WRITTEN.replace("FORMAT", "national")
    rules = rules_of(tmp_path, written)
    with pytest.raises(TargetError, match=why):
        number_outside(number, rules)


def test_short_numbers_destinations_and_music_are_known(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, WRITTEN.replace("FORMAT", "national"))
    assert rules.short == {"71": "main", "119": "fire"}
    assert rules.destinations[DestinationName("fire")].endpoint == "PJSIP/119@city-hall"
    assert rules.music_class == "soft"
