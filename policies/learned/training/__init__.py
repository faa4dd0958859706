"""Learning policies from episodes: a cache of what was sensed, batches, and the loop."""
