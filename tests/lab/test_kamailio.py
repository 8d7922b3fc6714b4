"""Kamailio's files in the laboratory, and what its dispatcher says."""

import pytest

from lab.errors import LabError
from lab.kamailio import SHOWN, SITE_CONFIG, Destination, Rotation, dispatcher_list, read_destinations, site_config

SAID = """\
{
	NRSETS: 1
	RECORDS: {
		SET: {
			ID: 1
			TARGETS: {
				DEST: {
					URI: sip:127.0.0.1:5062
					FLAGS: IP
					PRIORITY: 0
					ATTRS: {
						BODY: duid=b;maxload=400
						DUID: b
						MAXLOAD: 400
					}
					RUNTIME: {
						DLGLOAD: 0
					}
				}
				DEST: {
					URI: sip:127.0.0.1:5061
					FLAGS: AX
					PRIORITY: 0
					ATTRS: {
						BODY: duid=a;maxload=400
						DUID: a
						MAXLOAD: 400
					}
					RUNTIME: {
						DLGLOAD: 3
					}
				}
			}
		}
	}
}
"""


def test_the_dispatchers_list_is_read_by_name() -> None:
    assert read_destinations(SAID) == {
        "a": Destination("a", "sip:127.0.0.1:5061", Rotation.ACTIVE, 3),
        "b": Destination("b", "sip:127.0.0.1:5062", Rotation.INACTIVE, 0),
    }


def test_only_the_places_own_values_differ_from_the_files_that_are_shown() -> None:
    shown = (SHOWN / SITE_CONFIG).read_text(encoding="utf-8")
    ours = site_config(shown, "udp:127.0.0.4:5070", {"CARRIER_ADDRESS": '"127.0.0.2"'})
    changed = [new for old, new in zip(shown.splitlines(), ours.splitlines(), strict=True) if old != new]
    assert changed == ["listen=udp:127.0.0.4:5070", '#!define CARRIER_ADDRESS "127.0.0.2"']


def test_a_value_that_the_shown_file_lacks_is_an_error() -> None:
    shown = (SHOWN / SITE_CONFIG).read_text(encoding="utf-8")
    with pytest.raises(LabError, match=r"callrouter-site\.cfg has no CARRIER_PORT"):
        site_config(shown, "udp:127.0.0.4:5070", {"CARRIER_PORT": "1"})


def test_the_list_of_asterisks_is_written_as_the_shown_one() -> None:
    shown = (SHOWN / "dispatcher.list").read_text(encoding="utf-8")
    lines = [line for line in shown.splitlines(keepends=True) if not line.startswith("#")]
    assert "".join(lines) == dispatcher_list({"gyeongnam-a": "10.55.0.21:5060", "gyeongnam-b": "10.55.0.22:5060"})
