"""Who pays for thinking."""

import pytest

from tandem.agent.clock import Charged, Live, Lockstep, clock_named
from tandem.bridge.contract import InvalidOption


@pytest.mark.parametrize(("text", "clock"), [
    ("lockstep", Lockstep()), ("live", Live()), ("charged:250", Charged(250.0)), ("charged:0", Charged(0.0)),
])
def test_a_clock_has_a_name(text, clock):
    assert clock_named(text) == clock


@pytest.mark.parametrize("text", [
    "", "Live", "live:3", "lockstep:1", "charged", "charged:", "charged:soon", "charged:-1", "charged:nan",
])
def test_other_names_are_refused(text):
    with pytest.raises(InvalidOption):
        clock_named(text)


def test_what_each_charges():
    assert [clock.charge_s(0.3) for clock in (Lockstep(), Live(), Charged(250))] == [0.0, 0.3, 0.25]
