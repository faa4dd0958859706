"""The drives between a setpoint and the joints: what is under way when they brake is not carried out."""

import numpy as np
import pytest

from tandem.bridge.robots import load
from tandem.sim.plant.actuator import DELAY_TICKS, Actuator
from tandem.sim.scene import Rates
from tandem.sim.simulation import body_spec


@pytest.mark.parametrize("followed", range(1, 4 * DELAY_TICKS))
def test_what_was_under_way_before_a_stop_never_arrives(followed):
    """However early the stop comes: an arm that has not begun to move yet has nothing to brake and much to forget."""
    actuator = Actuator(body_spec(load("panda"), Rates(), ()), 0.002)
    far = actuator.action + np.append(np.full(7, 0.02), -1.0)
    for _ in range(followed):
        actuator.follow(far)
    for _ in range(200):
        stands = actuator.brake()
    assert actuator.standing
    for _ in range(3 * DELAY_TICKS):
        assert np.array_equal(actuator.follow(stands), stands)
