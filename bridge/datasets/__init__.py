"""Episode logs as datasets in others' formats, and datasets as episode logs.

Needs the extra `datasets` (`pip install tandem[datasets]`); `tandem.bridge` itself never imports it. LeRobot's and
robomimic's libraries are not needed.
"""

from tandem.bridge.contract.errors import MissingDependency

try:
    from tandem.bridge.datasets.export import Export, export_logs
    from tandem.bridge.datasets.intake import import_dataset, open_dataset
    from tandem.bridge.datasets.trajectory import Frame, SimulatedStates, Trajectory, View
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[datasets]'") from reason

__all__ = [
    "Export", "Frame", "SimulatedStates", "Trajectory", "View", "export_logs", "import_dataset", "open_dataset",
]
