"""A logged episode's policy and planner asked again: what they would do with what was observed then."""
