"""Everything that crosses a boundary of Tandem: frozen values, five interfaces, typed errors.

SI units and radians; quaternions are `wxyz`; `T_base_camera` is the pose of the camera in the base frame.
"""

from tandem.bridge.contract import observation
from tandem.bridge.contract.action import ActionChunk, ActionKind, ActionSpec
from tandem.bridge.contract.episode import EpisodeResult, EpisodeStart, Event, EventKind, Step
from tandem.bridge.contract.errors import (
    BodyStopped,
    BodyUnresponsive,
    InvalidAction,
    InvalidObservation,
    InvalidOption,
    InvalidPlan,
    InvalidSpec,
    LogUnreadable,
    LogUnwritable,
    MissingDependency,
    ModelUnusable,
    PhysicsDiverged,
    PlannerFailed,
    SkillFailed,
    SpecMismatch,
    StaleObservation,
    TandemError,
    UnknownName,
    UnusableDataset,
    UnusableResults,
)
from tandem.bridge.contract.failure import FailureCode
from tandem.bridge.contract.geometry import Target, TargetSource
from tandem.bridge.contract.interfaces import Body, Planner, Policy, Subscriber, Verifier
from tandem.bridge.contract.observation import LazyObservation, Observation, depth_key, image_key, snapshot
from tandem.bridge.contract.plan import Argument, Attempt, CameraPoint, Outcome, Plan, PlanRequest, Subgoal, Verdict
from tandem.bridge.contract.skill import SKILLS, ArgumentKind, ArgumentSpec, SkillSpec, skill_named
from tandem.bridge.contract.spec import BodySpec, CameraSpec, GripperSpec, StopBehaviour

__all__ = [
    "SKILLS",
    "ActionChunk",
    "ActionKind",
    "ActionSpec",
    "Argument",
    "ArgumentKind",
    "ArgumentSpec",
    "Attempt",
    "Body",
    "BodySpec",
    "BodyStopped",
    "BodyUnresponsive",
    "CameraPoint",
    "CameraSpec",
    "EpisodeResult",
    "EpisodeStart",
    "Event",
    "EventKind",
    "FailureCode",
    "GripperSpec",
    "InvalidAction",
    "InvalidObservation",
    "InvalidOption",
    "InvalidPlan",
    "InvalidSpec",
    "LazyObservation",
    "LogUnreadable",
    "LogUnwritable",
    "MissingDependency",
    "ModelUnusable",
    "Observation",
    "Outcome",
    "PhysicsDiverged",
    "Plan",
    "PlanRequest",
    "Planner",
    "PlannerFailed",
    "Policy",
    "SkillFailed",
    "SkillSpec",
    "SpecMismatch",
    "StaleObservation",
    "Step",
    "StopBehaviour",
    "Subgoal",
    "Subscriber",
    "TandemError",
    "Target",
    "TargetSource",
    "UnknownName",
    "UnusableDataset",
    "UnusableResults",
    "Verdict",
    "Verifier",
    "depth_key",
    "image_key",
    "observation",
    "skill_named",
    "snapshot",
]
