"""Robots as data: kinematics, limits and outlines, without a physics engine to read them."""

from tandem.bridge.robots.model import ROBOTS, Gripper, Robot, Workspace, WristCamera, load

__all__ = ["ROBOTS", "Gripper", "Robot", "Workspace", "WristCamera", "load"]
