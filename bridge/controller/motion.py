"""What moves: the reference of the present chunk, shaped into setpoints, looked ahead of."""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.controller.options import Limits, ns
from tandem.bridge.controller.track import Chunk, Track
from tandem.bridge.drivers.driver import Measured, Setpoint
from tandem.bridge.safety.collision import ArmModel
from tandem.bridge.safety.following import Following
from tandem.bridge.safety.report import Report
from tandem.bridge.safety.shaping import Shaper
from tandem.bridge.wire.refusal import Refusal, Refused

ARRIVED = 1e-5  # rad: a chunk is carried out when the setpoint stands so near to its last action
STANDING = 0.05  # share of its greatest velocity at which a joint is measured to stand: sensors are noisy
RANGE_SLACK = 0.02  # rad by which a measurement may lie outside the range: sensors and stops give a little


class Motion:
    """See the module.

    Args:
        spec: the arm.
        limits: times and guards.
        collisions: look ahead for collisions of the arm with itself.

    Attributes:
        chunk: the one that is carried out, None when none is.
        opening: of the gripper, as commanded last.
        generation: of the last measurement.
    """

    def __init__(self, spec: BodySpec, limits: Limits, *, collisions: bool):
        self._spec, self._tick = spec, ns(limits.tick_s)
        self._shaper, self._model = Shaper(spec, limits.tick_s), ArmModel(spec)
        self._following = Following(limits.following_error, ns(limits.following_s))
        self._collisions = collisions
        self._measured: Measured | None = None
        self._track: Track | None = None
        self._reference: np.ndarray | None = None  # (n + 1,) where the track was last, None when there is none
        self._braking = np.zeros(spec.dof, bool)
        self.opening, self.generation = 1.0, 0

    @property
    def chunk(self) -> Chunk | None:
        """The chunk that is carried out."""
        return self._track.chunk if self._track else None

    @property
    def position(self) -> np.ndarray:
        """(n,) the last setpoint, rad."""
        return self._shaper.position

    @property
    def standing(self) -> bool:
        """Whether the setpoint stands."""
        return self._shaper.standing

    @property
    def arrived(self) -> bool:
        """Whether the setpoint stands at the last action of its chunk."""
        left = np.abs(self.position - np.clip(self.chunk.rows[-1, :-1], self._shaper.low, self._shaper.high))
        return self.standing and bool(np.all(left <= ARRIVED))

    def see(self, measured: Measured) -> bool:
        """Take note of a measurement; whether the arm has been put elsewhere since the last one."""
        moved = self._measured is not None and measured.generation != self._measured.generation
        self._measured, self.generation = measured, measured.generation
        return moved

    def start_anew(self) -> None:
        """Forget the track; the setpoint is where the arm was measured, at rest."""
        self.forget_track()
        if self._measured is not None:
            self._shaper.rest_at(self._measured.position)
            self.opening = float(np.clip(self._measured.opening, 0.0, 1.0))
        self._following.reset()

    def out_of_range(self) -> str:
        """Which joint was measured outside its range, "" for none."""
        low, high, q = self._spec.position_low, self._spec.position_high, self._measured.position
        outside = np.maximum(low - q, q - high)
        i = int(np.argmax(outside))
        if outside[i] <= RANGE_SLACK:
            return ""
        return f"{self._spec.joint_names[i]} stands at {q[i]:.4f}, outside [{low[i]:.4f}, {high[i]:.4f}]"

    def check_standing_start(self) -> None:
        """Raise `Refused` when a fault cannot be cleared: MOVING, or INVALID as it is out of range or has a fault."""
        if self._measured is None:
            raise Refused(Refusal.NOT_READY, "the arm has not been measured yet")
        speeds = np.abs(self._measured.velocity)
        if np.any(speeds > STANDING * self._spec.velocity_limit):
            i = int(np.argmax(speeds / self._spec.velocity_limit))
            raise Refused(Refusal.MOVING, f"{self._spec.joint_names[i]} still moves at {speeds[i]:.3f}")
        words = self._measured.fault or self.out_of_range()
        if words:
            raise Refused(Refusal.INVALID, f"the cause is still there: {words}")

    def strays(self, now: int) -> int | None:
        """Index of a joint that does not follow, None when all do."""
        return self._following.exceeded(self.position, self._measured.position, now)

    def splice(self, chunk: Chunk, now: int) -> None:
        """From where the reference is now, go on along this chunk."""
        self._track = Track(chunk, now, np.append(self.position, self.opening), self._track)

    def forget_track(self) -> None:
        """Nothing is commanded any more."""
        self._track = None

    def advance(self, now: int) -> tuple[list[Report], str, int]:
        """One tick: reports, which links would have touched ("" for none), and the index of the action gone to."""
        if self._track is None:
            self._shaper.stop()
            self._braking[:] = False
            return [], "", 0
        before = self._shaper.position, self._shaper.velocity, self._shaper.acceleration
        row, slope, bend, index = self._track.sample(now + self._tick)
        braking = self._shaper.follow(row[:-1], slope[:-1], bend[:-1])
        if self._collisions and (links := self._model.collision(self._shaper.stopping_pose())):
            self._shaper.position, self._shaper.velocity, self._shaper.acceleration = before
            self._shaper.stop()
            return [], links, index
        self.opening = float(np.clip(row[-1], 0.0, 1.0))
        reports = self._braked(braking)
        return reports, "", index

    def _braked(self, braking: np.ndarray) -> list[Report]:
        new, self._braking = braking & ~self._braking, braking
        return [
            Report("shaping", "braked", f"{self._spec.joint_names[i]} brakes for its range's end", self.chunk.number)
            for i in np.flatnonzero(new)
        ]

    def setpoint(self) -> Setpoint:
        """What the driver gets."""
        shaper = self._shaper
        return Setpoint(shaper.position, shaper.velocity, shaper.acceleration, self.opening)

    def tool_pose(self, position: np.ndarray) -> np.ndarray:
        """(7,) of the tool, from a measured pose."""
        return self._model.tool_pose(position)
