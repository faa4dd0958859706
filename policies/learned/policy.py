"""A learned policy: senses in, a chunk out, until its network says that the subgoal is done.

It acts on what it sees now. All that it remembers within an episode is where a plan pointed, since a subgoal that names
a thing without a point means the one pointed at before, until that was picked up; and whether a subgoal came to
nothing, which begins again from the ready posture. Of the hand it believes what was measured: fingers that met hold
nothing, which ends a subgoal with its reason, and picking up begins with an open hand, a little higher if it was not.
It goes `home` without its network: the ready posture is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from tandem.bridge.contract import (
    SKILLS,
    ActionChunk,
    BodySpec,
    CameraPoint,
    FailureCode,
    InvalidAction,
    InvalidOption,
    ModelUnusable,
    Observation,
    SkillFailed,
    SkillSpec,
    Subgoal,
    skill_named,
)
from tandem.bridge.contract import observation as keys
from tandem.policies.learned import senses
from tandem.policies.learned.eyes import Eyes
from tandem.policies.learned.layouts import Decoder
from tandem.policies.learned.manifest import Manifest
from tandem.policies.learned.network import Network, Senses
from tandem.policies.learned.recovery import Recovery
from tandem.policies.learned.way import Way, eased
from tandem.policies.motion.kinematics import Arm

HOME = "home"
EMPTY = 0.035  # a hand that is closed further than this holds nothing
WIDE = 0.95  # nor does one that is open further
_OPEN, _RISE_STEPS, _RISE_M = 0.8, 12, 0.08
_LOST = {"pick": FailureCode.GRASP_FAILED, "place": FailureCode.OBJECT_LOST}


class LearnedPolicy:
    """See the module.

    Args:
        spec: the body's specification.
        manifest: what the network is made for.
        network: the network.
        execute: actions of a chunk that are carried out before the next look.
        device: where the network runs.
        seed: of what is random; the same seed, body time and call draw the same.
        about: where the network comes from, plain types, for logs.

    Attributes:
        skills: those that it was taught, and `home`.
        observes: what it reads of an observation.
        confidence: of its last chunk, 0..1; 1 where the network has no part in it.
        draw: which of the chunks that its network drew was its last.
        reflex: its last chunk was to rise, to open the hand or to return to the ready posture, not the network's.

    Raises:
        SpecMismatch: it is made for another body.
        ModelUnusable: the network is made for other sizes than the manifest says.
        InvalidOption: `execute` is not within the chunk.
    """

    privileged = False

    def __init__(
        self, spec: BodySpec, manifest: Manifest, network: Network | Any, *, execute: int = 8, device: str = "cpu",
        seed: int = 0, about: Mapping[str, Any] | None = None,
    ):
        manifest.check(spec)
        whole = manifest.horizon * manifest.stride
        if not 1 <= execute <= whole:
            raise InvalidOption(f"execute must be from 1 to the {whole} actions of a chunk, got {execute}")
        made = getattr(network, "shapes", manifest.shapes)
        if made != manifest.shapes:
            raise ModelUnusable(f"the network is made for {made}, its manifest says {manifest.shapes}")
        self._spec, self._manifest, self._execute, self._device, self._seed = spec, manifest, execute, device, seed
        self._network = network.to(device).eval()
        self._arm, self._recovery = Arm(spec), Recovery(spec)
        self._eyes = Eyes(spec, self._arm, manifest.windows)
        self._decoder = Decoder(manifest.layout, spec, self._arm)
        self._words = senses.numbered(manifest.words)
        self._cameras = tuple(manifest.body.cameras)
        self._about = dict(about or {})
        skills = {name: SKILLS[name] for name in (*manifest.skills, HOME)}
        self.skills: Mapping[str, SkillSpec] = MappingProxyType(skills)
        self.observes = (
            keys.JOINT_POSITION, keys.JOINT_VELOCITY, keys.GRIPPER_OPENING, keys.TOOL_POSE, keys.TIME,
            *map(keys.image_key, self._cameras),
        )
        self.confidence, self.draw, self._now_s, self._epoch = 1.0, 0, 0.0, 0
        self._points: dict[str, CameraPoint] = {}
        self._carried: set[str] = set()
        self.reset(0)

    def describe(self) -> dict[str, Any]:
        """What drives, for logs: where it comes from and how it was trained, plain types."""
        made = self._manifest
        return {**self._about, "architecture": made.architecture, "layout": str(made.layout), "execute": self._execute,
                "device": self._device, "seed": self._seed}

    def reset(self, epoch: int) -> None:
        """See `Policy`."""
        if epoch <= self._epoch:
            self._forget()
        self._epoch, self._request, self.reflex = epoch, 0, False
        self._way: Way | None = None

    def carried_out(self, count: int) -> None:
        """See `Policy`: it matters on a way that is known to its end."""
        if self._way is not None:
            self._way.carried_out(count)

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """The next chunk.

        Raises:
            UnknownName: it was not taught that skill, or the subgoal points through a camera that is not there.
            InvalidObservation: a key is missing, of the wrong shape or not finite.
            InvalidAction: the network's answer is not finite.
            SkillFailed: `GRASP_FAILED` or `OBJECT_LOST` when the fingers have met, `PRECONDITION_FAILED` to place with
                an empty hand, `OBJECT_NOT_FOUND` to pick what was picked up since it was pointed at.
        """
        skill_named(subgoal.skill, self.skills)
        keys.validate(observation, self._spec)
        q, opening, tool = senses.proprioception(observation)
        now_s = self._now(observation)
        if self._request == 0:
            self.preflight(observation, subgoal)
            self._recovery.begin(subgoal.skill, now_s)
        piece, phase = self._known_way(subgoal.skill, q, opening, now_s)
        self.reflex = len(piece) > 0 or subgoal.skill == HOME
        if self.reflex:
            self.confidence = 1.0  # the network's last doubt may be of another subgoal
        if len(piece):
            return self._chunk(piece, observation, phase=phase)
        if subgoal.skill == HOME:
            return self._chunk(self._at_home(opening), observation, phase=HOME, final=True)
        if opening < EMPTY and subgoal.skill in _LOST:
            raise SkillFailed(_LOST[subgoal.skill], f"{subgoal}: the fingers have met ({opening:.3f} open)")
        answer = self._network.answer(self._sensed(observation, subgoal), self._generator(observation))
        made = self._manifest
        drawn = made.action.restored(answer.actions.float().cpu().numpy())
        remaining = float(answer.remaining[0])
        if not (np.isfinite(drawn).all() and np.isfinite(remaining)):
            raise InvalidAction("the learned policy's answer is not finite: its weights are damaged")
        self.confidence = float(answer.confidence[0])
        self.draw = self._recovery.chosen(subgoal.skill, drawn[:, :, -1], now_s)
        left = round(remaining * made.horizon * made.stride)
        final = left <= self._execute
        rows = every_step(drawn[self.draw], made.stride)[: max(1, left) if final else self._execute]
        decoded = self._decoder.decode(rows, q, tool)
        self._recovery.commanded(subgoal.skill, decoded[:, -1], now_s, final=final)
        if final and subgoal.skill == "pick" and self._said(subgoal) in self._points:
            self._carried.add(self._said(subgoal))
        return self._chunk(decoded, observation, phase=subgoal.skill, final=final)

    def preflight(self, observation: Observation, subgoal: Subgoal) -> None:
        """An empty hand places nothing; and where a thing was pointed at before it was picked up, it is no more.

        Raises:
            SkillFailed: `PRECONDITION_FAILED`, `OBJECT_NOT_FOUND`.
        """
        opening = float(observation[keys.GRIPPER_OPENING][0])
        if subgoal.skill == "place" and not EMPTY <= opening < WIDE:
            raise SkillFailed(FailureCode.PRECONDITION_FAILED, "place needs a held object; the gripper is empty")
        if subgoal.skill != "pick" or senses.point_of(subgoal) is not None:
            return
        if self._said(subgoal) in self._carried:
            raise SkillFailed(
                FailureCode.OBJECT_NOT_FOUND, f"{subgoal}: it was picked up since it was pointed at; point at it anew"
            )

    def _now(self, observation: Observation) -> float:
        """Body time; where it goes back, another episode has begun."""
        now_s = float(observation[keys.TIME][0])
        if now_s < self._now_s:
            self._forget()
        self._now_s = now_s
        return now_s

    def _forget(self) -> None:
        self._points.clear()
        self._carried.clear()
        self._recovery.forget()

    def _known_way(self, skill: str, q: np.ndarray, opening: float, now_s: float) -> tuple[np.ndarray, str]:
        """The next piece of a way in which the network has no part, and its phase; empty when that is behind the arm.

        A pick with a hand that is not open rises and opens it; one that is to begin again then returns. A place that is
        to begin again, and `home`, rise first, and hold what they hold.
        """
        begins, picks = self._request == 0, skill == "pick"
        returns = begins if skill == HOME else self._recovery.due(skill, now_s)
        rises = begins and opening < _OPEN if picks else returns and not self._recovery.is_ready(q)
        if self._way is None and (rises or returns):
            hand = 1.0 if picks else _hand(opening)
            rows = self._risen(q, hand) if rises else np.empty((0, len(q) + 1))
            if returns:
                rows = np.concatenate([rows, self._recovery.way(rows[-1, :-1] if rises else q, hand)])
            self._way = Way(rows, self._manifest.horizon * self._manifest.stride, "return" if returns else "open")
        if self._way is None:
            return np.empty((0, len(q) + 1)), ""
        piece, phase = self._way.ahead(q), self._way.phase
        if not len(piece):
            self._way = None
            self._recovery.resumed(now_s)
        return piece, phase

    def _at_home(self, opening: float) -> np.ndarray:
        """(1, n + 1)."""
        return np.append(self._spec.home, _hand(opening))[None]

    def _risen(self, q: np.ndarray, hand: float) -> np.ndarray:
        """Straight up, the hand as told, the arm in the posture that it has."""
        pose, rows, here = self._arm.fk(q), np.full((_RISE_STEPS, len(q) + 1), hand), q
        bottom = pose[2, 3]
        for row, share in zip(rows, eased(_RISE_STEPS), strict=True):
            pose[2, 3] = bottom + share * _RISE_M
            row[:-1] = here = self._arm.towards(pose, here, posture=q)
        return rows

    def _chunk(self, actions: np.ndarray, observation: Observation, *, phase: str, final: bool = False) -> ActionChunk:
        low, high = self._spec.action.low, self._spec.action.high
        self._request += 1
        return ActionChunk(
            np.clip(actions, low, high), self._spec.dt_s, float(observation[keys.TIME][0]), self._epoch,
            self._request - 1, final=final, phase=phase,
        )

    def _generator(self, observation: Observation) -> torch.Generator:
        moment = round(abs(float(observation[keys.TIME][0])) * 1e6)
        seeds = np.random.SeedSequence((self._seed, moment, self._request)).generate_state(2)
        return torch.Generator().manual_seed(int(seeds[0]) << 31 | int(seeds[1]) >> 1)

    def _sensed(self, observation: Observation, subgoal: Subgoal) -> Senses:
        q, opening, tool = senses.proprioception(observation)
        said = senses.words_of(subgoal)
        aim = self._aim(subgoal, q)
        pictures = {camera: observation[keys.image_key(camera)] for camera in self._cameras}
        seen = self._eyes.see(pictures, q, tool, aim)
        state = self._manifest.state.normalised(senses.state(q, np.float64(opening), tool, aim))
        words = senses.indices(said, self._words)
        told = Senses(
            tuple(torch.from_numpy(one).permute(2, 0, 1)[None].float() / 255 for one in seen),
            torch.from_numpy(state)[None], torch.tensor([self._manifest.skills.index(subgoal.skill)]),
            torch.from_numpy(words)[None],
        )
        return told.to(self._device)

    @staticmethod
    def _said(subgoal: Subgoal) -> str:
        return " ".join(senses.words_of(subgoal))

    def _aim(self, subgoal: Subgoal, q: np.ndarray) -> np.ndarray:
        """(3,) where the subgoal's point is, or was when the same words last had one; NaN when they never had."""
        said, point = self._said(subgoal), senses.point_of(subgoal)
        if point is not None:
            self._points[said] = point
            self._carried.discard(said)
        else:
            point = self._points.get(said)
        if point is None:
            return senses.NOWHERE
        camera = self._spec.camera(point.camera)
        return senses.on_plane(point, camera, self._eyes.pose(point.camera, q))


def _hand(opening: float) -> float:
    """What a hand is told that shall stay as it is."""
    return float(opening >= _OPEN)


def every_step(actions: np.ndarray, stride: int) -> np.ndarray:
    """(K * stride, a) points for every control step: a cubic spline through those (K, a) at every so many steps.

    All but the opening begin at 0, where the arm is now.
    """
    knots, at = np.arange(len(actions) + 1), np.arange(1, len(actions) * stride + 1) / stride
    way = CubicSpline(knots, np.concatenate([np.zeros((1, actions.shape[1] - 1)), actions[:, :-1]]))(at)
    opening = np.interp(at, knots[1:], actions[:, -1])
    return np.column_stack([way, opening])
