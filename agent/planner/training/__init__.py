"""Trains planners: the embedded model from scratch, any other by adapters. Needs torch; imports no simulator."""
