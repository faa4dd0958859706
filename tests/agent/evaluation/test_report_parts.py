"""Who gets a film strip, and how close a drawn line stays to what was measured."""

import numpy as np
from written_evaluation import record

from tandem.agent.evaluation.report.chart import HIGH, _kept
from tandem.agent.evaluation.report.selection import Budget, with_strips


def test_strips_go_to_false_successes_first_and_then_to_every_kind_of_failure():
    records = {n: record(n, success=False, failure="TIMEOUT") for n in range(50)}
    records |= {50: record(50, success=False), 51: record(51, success=False, false_success=True)}
    records |= {n: record(n, success=True) for n in range(60, 90)}
    assert with_strips(records, Budget(strips=3)) >= {50, 51}
    assert sum(n >= 60 for n in with_strips(records, Budget())) == Budget().successes


def test_a_drawn_line_passes_close_to_every_point():
    x = np.linspace(0, 1000, 900)
    y = HIGH * (0.5 + 0.4 * np.sin(x / 80) + 0.1 * (x > 500))
    keep = _kept(np.column_stack([x, y]), 0.25)
    assert keep.sum() < 150
    assert np.abs(np.interp(x, x[keep], y[keep]) - y).max() <= 0.25
