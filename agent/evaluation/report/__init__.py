"""The report: evaluations as one HTML file that opens from disk, with films, timelines and transcripts in it.

Needs the extra `evaluate` (`pip install tandem[evaluate]`).
"""

from tandem.bridge.contract.errors import MissingDependency

try:
    from tandem.agent.evaluation.report.page import Written, write_report
    from tandem.agent.evaluation.report.rates import Interval, Rate
    from tandem.agent.evaluation.report.sections import (
        Arm,
        ArmsMatrix,
        Comparison,
        ComparisonRow,
        CurvePoint,
        Divergence,
        DivergenceRow,
        Layer,
        PointOfNoReturn,
        Section,
    )
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[evaluate]'") from reason

__all__ = [
    "Arm", "ArmsMatrix", "Comparison", "ComparisonRow", "CurvePoint", "Divergence", "DivergenceRow", "Interval",
    "Layer", "PointOfNoReturn", "Rate", "Section", "Written", "write_report",
]
