"""A small motion of one joint, and what is to be said of it once it was measured. No socket, no clock.

Minimum jerk (Flash and Hogan 1985): position, velocity and acceleration begin and end at rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import BodySpec

HINGE = np.radians(2.0)
SLIDE = 0.02  # of the range
MOVE_S = 1.0
REST_S = 0.3
AFTER_S = 0.7  # listened to beyond the end
SLOWEST = 0.5  # of the velocity limit
PEAK = 1.875  # of the mean velocity, at minimum jerk
ALIKE = 0.25  # by which an amount may be off, as a share
LONGEST_S = 0.5  # delay that is looked for


@dataclass(frozen=True, eq=False)
class Trial:
    """There and back.

    Attributes:
        spec: the body.
        joint: index of the joint that moves.
        kind: "hinge", "slide" or "" where it is not known.
        base: (n + 1,) where everything else stays: the setpoint before.
    """

    spec: BodySpec
    joint: int
    kind: str
    base: np.ndarray

    @property
    def name(self) -> str:
        """Of the joint."""
        return self.spec.joint_names[self.joint]

    @property
    def unit(self) -> str:
        """Of the amount."""
        return "m" if self.kind == "slide" else "rad"

    @property
    def amount(self) -> float:
        """Signed: away from the nearer end of the range."""
        low, high = self.spec.action.low[self.joint], self.spec.action.high[self.joint]
        size = amounts(self.spec, {self.name: self.kind})[self.joint]
        return float(size if self.base[self.joint] < (low + high) / 2 else -size)

    @property
    def move_s(self) -> float:
        """One way."""
        return max(MOVE_S, PEAK * abs(self.amount) / (SLOWEST * self.spec.velocity_limit[self.joint]))

    @property
    def seconds(self) -> float:
        """There, rest, and back."""
        return 2 * self.move_s + REST_S

    def offsets(self, times_s: np.ndarray) -> np.ndarray:
        """How far from its base the joint shall be at these times; any shape."""
        ahead = _smooth(times_s / self.move_s)
        back = _smooth((times_s - self.move_s - REST_S) / self.move_s)
        return self.amount * (ahead - back)

    def actions(self, times_s: np.ndarray) -> np.ndarray:
        """(H, n + 1) for these times (H,)."""
        rows = np.tile(self.base, (len(times_s), 1))
        rows[:, self.joint] += self.offsets(times_s)
        return rows


def amounts(spec: BodySpec, kinds: dict[str, str]) -> np.ndarray:
    """(n,) how far each joint would be moved: 2 degrees, 2 % of a sliding joint's range, the less where unknown."""
    slide = SLIDE * (spec.position_high - spec.position_low)
    told = {"hinge": np.full(spec.dof, HINGE), "slide": slide}
    unknown = np.minimum(HINGE, slide)
    return np.array([told.get(kinds.get(name, ""), unknown)[i] for i, name in enumerate(spec.joint_names)])


def _smooth(share: np.ndarray) -> np.ndarray:
    s = np.clip(share, 0.0, 1.0)
    return s**3 * (10 - 15 * s + 6 * s**2)


@dataclass(frozen=True, eq=False)
class Track:
    """What was measured.

    Attributes:
        times_s: (m,) since the motion was to begin.
        measured: (m, n) positions.
        setpoints: (m, n) what the controller told the arm.
    """

    times_s: np.ndarray
    measured: np.ndarray
    setpoints: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        moved: of the joint, signed.
        share: of what was told; negative when it went the other way.
        delay_s: from the reference to the measurement.
        shaped_s: of which from the reference to the setpoint: safety chain.
        left: distance from where it began, at the end.
        others: joints that moved too, and by how much.
    """

    moved: float
    share: float
    delay_s: float
    shaped_s: float
    left: float
    others: dict[str, float]


def compare(trial: Trial, track: Track, kinds: dict[str, str]) -> Outcome:
    """Measured with commanded."""
    before = track.times_s < 0
    start = track.measured[before].mean(axis=0) if before.any() else track.measured[0]
    away = track.measured - start
    own = away[:, trial.joint]
    delay_s, share = _fit(trial, track.times_s, own)
    shaped_s, _ = _fit(trial, track.times_s, track.setpoints[:, trial.joint] - trial.base[trial.joint])
    farthest = away[np.abs(away).argmax(axis=0), np.arange(away.shape[1])]
    sizes = amounts(trial.spec, kinds)
    others = {name: float(farthest[j]) for j, name in enumerate(trial.spec.joint_names)
              if j != trial.joint and abs(farthest[j]) > ALIKE * sizes[j]}
    return Outcome(float(farthest[trial.joint]), share, delay_s, shaped_s, float(own[-1]), others)


def _fit(trial: Trial, times_s: np.ndarray, own: np.ndarray) -> tuple[float, float]:
    """The delay at which the reference explains most, and how large a share of it was done."""
    delays = np.arange(0.0, LONGEST_S, 0.001)
    references = trial.offsets(times_s[None, :] - delays[:, None])
    shares = references @ own / (references**2).sum(axis=1)
    errors = ((own - shares[:, None] * references) ** 2).sum(axis=1)
    best = int(errors.argmin())
    return float(delays[best]), float(shares[best])


def judge(trial: Trial, outcome: Outcome) -> tuple[str, str, str]:
    """Status, what was found, remedy."""
    unit = trial.unit
    detail = f"{trial.name}: told {trial.amount:+.4f} {unit}, moved {outcome.moved:+.4f} ({outcome.share:.0%}), " \
             f"{outcome.delay_s * 1000:.0f} ms behind ({outcome.shaped_s * 1000:.0f} of them the safety chain's), " \
             f"{abs(outcome.left):.4f} from where it began"
    told = ", ".join(f"{name} by {by:+.4f}" for name, by in outcome.others.items())
    if abs(outcome.share) < ALIKE and outcome.others:
        return "fail", f"{detail}; instead moved {told}", "the driver's order of names is not the arm's: correct it"
    if outcome.others:
        return "fail", f"{detail}; also moved {told}", "a name must drive one joint: correct the driver (coupling?)"
    if abs(outcome.share) < ALIKE:
        remedy = "brakes, enabling, or a driver that does not send: look at the arm"
        return "fail", f"{detail}: it hardly moved", remedy
    if outcome.share < 0:
        return "fail", f"{detail}: the other way", "correct this joint's sign in the driver"
    if abs(outcome.share - 1) > ALIKE:
        return "fail", f"{detail}: another amount", "correct this joint's unit or gear ratio in the driver (degrees?)"
    if abs(outcome.left) > ALIKE * abs(trial.amount):
        return "warn", f"{detail}: not back", "it does not follow well: look at gains, load and friction"
    return "ok", detail, ""
