"""Workers on every node of a Ray cluster: the same worker as an actor, whose logs come back as bytes."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluating.crew import WorkerDied
from evaluating.worker import Order, Worker
from minds import NAMES

from tandem.bridge.contract import InvalidOption, MissingDependency

LAUNCH = Path(__file__).parents[1]
_PASSED_ON = ("MUJOCO_GL", "PYOPENGL_PLATFORM", "PYTHONPATH")


class RayWorker:
    """The actor.

    Args:
        order: plain, see `Order.to_dict`.
    """

    def __init__(self, order: Mapping[str, Any]):
        self._worker = Worker(Order.from_dict(order), Path(tempfile.mkdtemp(prefix="tandem-")))

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """As `Worker.answer`; a log as its bytes."""
        told = self._worker.answer(request)
        if not told.get("log"):
            return told
        path = Path(told["log"])
        log = path.read_bytes()
        path.unlink()
        return told | {"log": log}


class RayCrew:
    """See `Crew`.

    Args:
        order: what the workers are for.
        address: of a cluster, "auto" to join the one of this computer or to start one.
        threads: of each worker, for sums of a model on the CPU.
        gpus: share of a GPU that each worker takes.

    Raises `MissingDependency` without Ray, `InvalidOption` when there is no such cluster.
    """

    def __init__(self, order: Order, address: str, threads: int, gpus: float):
        try:
            import ray
        except ModuleNotFoundError as reason:
            raise MissingDependency("ray, for --ray,", 'pip install "tandem[ray]"') from reason
        self._ray, self._order = ray, _anywhere(order)
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        _join(ray, address, passed_on | {"OMP_NUM_THREADS": str(threads)})
        self._kind = ray.remote(RayWorker).options(num_cpus=1, num_gpus=gpus, scheduling_strategy="SPREAD")

    @property
    def cores(self) -> int:
        """Of the whole cluster."""
        return int(self._ray.cluster_resources().get("CPU", 1))

    def hire(self) -> RayHand:
        """Start one, wherever there is room."""
        return RayHand(self._ray, self._kind.remote(self._order.to_dict()))

    def wait(self, hands: Sequence[RayHand], timeout_s: float) -> list[RayHand]:
        """Those that answered or died."""
        asked = {hand.pending: hand for hand in hands}
        ready, _ = self._ray.wait(list(asked), timeout=timeout_s)
        return [asked[reference] for reference in ready]

    def close(self) -> None:
        """Leave the cluster, or end the one that was started."""
        self._ray.shutdown()


class RayHand:
    """One actor; see `Hand`.

    Attributes:
        pending: what it was asked last.
    """

    def __init__(self, ray: Any, actor: Any):
        self._ray, self._actor, self.pending = ray, actor, None

    def ask(self, request: Mapping[str, Any]) -> None:
        """One call."""
        self.pending = self._actor.answer.remote(dict(request))

    def answer(self) -> dict[str, Any]:
        """What came of it, or how it died."""
        try:
            return self._ray.get(self.pending)
        except self._ray.exceptions.RayError as reason:
            words = " ".join(str(reason).split())
            raise WorkerDied(f"the worker is gone ({type(reason).__name__}): {words}") from reason

    def dismiss(self) -> None:
        """Kill it."""
        self._ray.kill(self._actor)


def _anywhere(order: Order) -> Order:
    """Folders of models by their whole path: workers stand elsewhere."""
    named = {name: getattr(order.system, name) for name in ("planner", "perceiver")}
    whole = {name: str(Path(spec).resolve()) for name, spec in named.items()
             if spec and spec not in NAMES and Path(spec).is_dir()}
    return replace(order, system=replace(order.system, **whole))


def _join(ray: Any, address: str, environment: Mapping[str, str]) -> None:
    """These scripts travel to every node; tandem itself is installed there. Signals stay as they were."""
    on_stop = signal.getsignal(signal.SIGTERM)
    travels = {"working_dir": str(LAUNCH), "excludes": ["__pycache__", "peers"], "env_vars": dict(environment)}
    quietly = {"runtime_env": travels, "log_to_driver": False, "logging_level": "ERROR"}
    try:
        ray.init(address=address, **quietly)
    except (ConnectionError, ValueError) as reason:
        if address != "auto":
            raise InvalidOption(f"there is no Ray cluster at {address!r}: {reason}; start one with "
                                "ray start --head, or give --ray auto") from reason
        ray.init(address="local", include_dashboard=False, **quietly)
    signal.signal(signal.SIGTERM, on_stop)
