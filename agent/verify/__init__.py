"""Verifiers: was this subgoal achieved? From ground truth, or from what was observed."""
