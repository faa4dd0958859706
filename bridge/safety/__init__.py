"""The safety filter: a chain of stages between a message and a driver, one file each, each saying what it changed.

It is no safety function and no emergency stop in the sense of any standard: it shapes commands.
"""
