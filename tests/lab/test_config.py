"""The lab's Asterisk is configured from what is asked for, with passwords made for this installation."""

import json
from pathlib import Path

import pytest

from lab.asterisk_config import AsteriskSettings, pjsip, render, ring_group
from lab.errors import LabError
from lab.phones import Credentials, Phone, default_phones, keep_credentials

ALL_MODULES = ("res_pjsip", "chan_pjsip", "res_ari_channels", "res_agi", "app_stasis", "app_dial", "res_musiconhold")


def modules(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / f"{name}.so").touch()
    return folder


def settings(*phones: Phone) -> AsteriskSettings:
    return AsteriskSettings(5060, 8088, (10000, 10999), phones)


def test_modules_that_this_asterisk_does_not_have_are_left_out(tmp_path: Path) -> None:
    available = modules(tmp_path, *ALL_MODULES)

    files = render(settings(), Credentials("secret", {}), "/srv/x", available, "/usr/lib/modules")

    assert "load=res_pjsip.so" in files["modules.conf"]
    assert "app_stasis_broadcast" not in files["modules.conf"]


def test_the_websocket_client_is_loaded_before_what_needs_it(tmp_path: Path) -> None:
    available = modules(tmp_path, *ALL_MODULES, "res_websocket_client", "res_http_websocket", "res_ari")

    lines = render(settings(), Credentials("", {}), "/srv/x", available, "/m")["modules.conf"].splitlines()

    order = [lines.index(f"load={name}.so") for name in ("res_websocket_client", "res_http_websocket", "res_ari")]
    assert order == sorted(order)


def test_an_asterisk_without_a_needed_module_is_refused_by_name(tmp_path: Path) -> None:
    available = modules(tmp_path, *ALL_MODULES[1:])

    with pytest.raises(LabError, match="lacks the modules res_pjsip "):
        render(settings(), Credentials("", {}), "/srv/x", available, "/m")


def test_a_phone_registers_unless_it_has_a_fixed_place() -> None:
    registering, fixed = Phone("201"), Phone("202", static_contact="sip:202@127.0.0.3:5202")

    text = pjsip(settings(registering, fixed), Credentials("", {"201": "one", "202": "two"}))

    first, second = text[text.index("[201]") :].split("[202](phone)")
    assert "max_contacts=1" in first
    assert "password=one" in first
    assert "contact=sip:202@127.0.0.3:5202" in second
    assert "max_contacts" not in second


def test_the_ring_group_rings_all_at_once() -> None:
    assert ring_group([Phone("201"), Phone("301")]) == "PJSIP/201&PJSIP/301"


def test_a_quiet_asterisk_logs_no_step_of_the_dialplan(tmp_path: Path) -> None:
    quiet = AsteriskSettings(5060, 8088, (10000, 10999), (), verbose=0)

    files = render(quiet, Credentials("", {}), "/srv/x", modules(tmp_path, *ALL_MODULES), "/m")

    assert "\nverbose=0\n" in files["asterisk.conf"]


def test_passwords_are_made_once_kept_secret_and_never_the_same_for_two(tmp_path: Path) -> None:
    path = tmp_path / "lab/credentials.json"

    made = keep_credentials(path, default_phones())

    assert keep_credentials(path, default_phones()) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert len({made.ari_password, *made.phone_passwords.values()}) == len(default_phones()) + 1


def test_a_phone_that_comes_later_gets_a_password_and_the_others_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    before = keep_credentials(path, [Phone("201")])

    after = keep_credentials(path, [Phone("201"), Phone("202")])

    assert after.ari_password == before.ari_password
    assert after.phone_passwords["201"] == before.phone_passwords["201"]
    assert after.phone_passwords["202"]


def test_a_password_that_was_given_is_used_and_not_written_down(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"

    given = keep_credentials(path, [Phone("201", password="given")])

    assert given.phone_passwords == {"201": "given"}
    assert "phone-201" not in json.loads(path.read_text())
