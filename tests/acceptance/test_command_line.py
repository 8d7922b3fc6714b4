"""What the tests tell Asterisk on its command line is done, or is an error: one left undone falls on other tests."""

import pytest

from lab.asterisk import LabAsterisk
from lab.errors import LabError

pytestmark = pytest.mark.asterisk

VARIABLE = "CALLROUTER_COMMAND_LINE"


@pytest.mark.parametrize("command", [f"dialplan set global {VARIABLE} ", "dialplan sets global"])
def test_what_asterisk_does_not_understand_is_an_error(lab_asterisk: LabAsterisk, command: str) -> None:
    with pytest.raises(LabError, match=command):
        lab_asterisk.cli(command)


def test_a_global_variable_is_emptied_by_quotes(lab_asterisk: LabAsterisk) -> None:
    lab_asterisk.cli(f"dialplan set global {VARIABLE} full")
    lab_asterisk.cli(f'dialplan set global {VARIABLE} ""')

    assert f"   {VARIABLE}=" in lab_asterisk.cli("dialplan show globals").splitlines()
