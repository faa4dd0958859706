"""The tasks, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from tandem.bridge.contract import UnknownName
from tandem.sim.tasks.conveyor import ConveyorTask
from tandem.sim.tasks.drawer import Drawer
from tandem.sim.tasks.insert import Insert
from tandem.sim.tasks.kit import Kit
from tandem.sim.tasks.machine import Machine
from tandem.sim.tasks.pick_place import PickPlace
from tandem.sim.tasks.sort import Sort
from tandem.sim.tasks.stack import Stack
from tandem.sim.tasks.task import Challenge, Task, Wish

TASKS: Mapping[str, Task] = MappingProxyType({
    task.name: task
    for task in (PickPlace(), Sort(), Stack(), Kit(), Insert(), Drawer(), Machine(), ConveyorTask())
})
"""Every task, by name, in the order in which they are listed."""


def task_named(name: str) -> Task:
    """The task of that name, or `UnknownName` listing those that exist."""
    if name not in TASKS:
        raise UnknownName("task", name, TASKS)
    return TASKS[name]


__all__ = ["TASKS", "Challenge", "Task", "Wish", "task_named"]
