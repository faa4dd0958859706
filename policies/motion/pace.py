"""How fast: fractions of the body's limits for joint moves, metres per second for straight lines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tandem.bridge.contract import BodySpec, InvalidOption
from tandem.policies.motion.trajectory import Limits


@dataclass(frozen=True)
class Pace:
    """Speeds of a motion policy.

    Attributes:
        velocity: fraction of the joint velocity limits.
        acceleration: fraction of the joint acceleration limits.
        jerk: fraction of the joint jerk limits.
        line_m_s: straight lines through free space.
        carry_m_s: across the table, with an object.
    careful_m_s: the last centimetres before a grasp or a release.
        contact_m_s: moving into contact.
        close_s: time for the fingers to close.
    """

    velocity: float = 0.65
    acceleration: float = 0.4
    jerk: float = 0.1
    line_m_s: float = 0.35
    carry_m_s: float = 0.45
    careful_m_s: float = 0.12
    contact_m_s: float = 0.03
    close_s: float = 0.3

    def __post_init__(self):
        for name, value in vars(self).items():
            if not value > 0 or (name in ("velocity", "acceleration", "jerk") and value > 1):
                raise InvalidOption(f"pace {name} must be positive (and a fraction at most 1), got {value}")

    @property
    def carrying(self) -> Pace:
        """Slower in joint space, where what is held is tilted and swung."""
        return replace(self, velocity=self.velocity / 2, acceleration=self.acceleration / 4, jerk=self.jerk / 4)

    def joints(self, spec: BodySpec) -> Limits:
        """Limits of joint moves."""
        return Limits.of(spec, self.velocity, self.acceleration, self.jerk)

    @staticmethod
    def line(speed_m_s: float) -> Limits:
        """Limits along a straight line at a given top speed: there within a fifth of a second."""
        return Limits.along_path(speed_m_s, 6.0 * speed_m_s, 60.0 * speed_m_s)
