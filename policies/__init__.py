"""Policies: a subgoal and an observation in, an action chunk out. They know a body's specification, never the body."""
