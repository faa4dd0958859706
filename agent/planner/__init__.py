"""Planners: instruction to subgoals."""
