"""What a robot's own computer gets from the wheel: the contract and the robots, without physics or models."""

import sys
from importlib import metadata, resources

import tandem.bridge
from tandem.bridge import robots

assert "site-packages" in tandem.bridge.__file__, f"not the wheel: {tandem.bridge.__file__}"
for name in robots.ROBOTS:
    robot = robots.load(name)
    assert "<mujoco" in robot.mjcf, f"{name} has no kinematic model"
    assert (resources.files(robots) / f"{name}.toml").is_file()

heavy = {"torch", "mujoco", "transformers", "gymnasium", "cv2"}
assert not heavy & set(sys.modules), f"the bridge loads {heavy & set(sys.modules)}"
installed = {distribution.name.lower() for distribution in metadata.distributions()}
assert installed <= {"tandem", "numpy", "pyzmq", "msgpack", "pip", "setuptools"}, f"the bridge installs {installed}"
