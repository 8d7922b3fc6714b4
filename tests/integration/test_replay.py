"""What a call costs the daemon is measured without Asterisk: here a few calls, whose figures mean nothing."""

import re

import pytest
from click.testing import CliRunner

from bench.replay import main

pytestmark = pytest.mark.postgres


def test_every_call_comes_through_and_its_cost_is_told() -> None:
    done = CliRunner().invoke(main, ["--rate", "20", "--seconds", "1", "--rounds", "1"], catch_exceptions=False)

    assert done.exit_code == 0, done.output
    last = done.output.splitlines()[-1]
    assert re.search(r": \d+\.\d\d ms a call, 1\.00 of the first, [89]\.\d commands a call$", last), done.output
