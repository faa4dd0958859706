"""Without a GL library, and after a fork: a typed error with the remedy, not a stack of somebody else's or a hang."""

import ctypes
import ctypes.util
import os
import subprocess
import sys

import pytest

from tandem.sim import opengl

RENDER = """
from tandem.bridge.contract import TandemError
try:
    from tandem.bridge.robots import load
    from tandem.sim.simulation import Simulation
    from tandem.sim.tasks import task_named
    Simulation(task_named("pick_place"), load("panda")).reset(seed=0)[0]["image.front"]
except TandemError as error:
    print(type(error).__name__, error)
"""

FORK = """
import os
from tandem.bridge.contract import TandemError
from tandem.bridge.robots import load
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named
observation, _ = Simulation(task_named("pick_place"), load("panda")).reset(seed=0)
observation["image.front"]
if os.fork():
    os.wait()
else:
    try:
        Simulation(task_named("pick_place"), load("panda")).reset(seed=0)[0]["image.front"]
    except TandemError as error:
        print(type(error).__name__, error, flush=True)
    os._exit(0)
"""


ENDING = """
import atexit
from tandem.sim import opengl
bound = []
atexit.register(lambda: print("left:", bound[0]._made._context is None))  # registered first, called last
bound.append(opengl.bind())
"""


def said(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True,
        env=os.environ | environment,
    )
    return done.stdout


@pytest.mark.skipif(ctypes.util.find_library("OSMesa") is not None, reason="OSMesa is installed here")
def test_a_missing_library_is_named_with_the_command_that_installs_it():
    assert "MissingDependency" in (message := said(RENDER, MUJOCO_GL="osmesa"))
    assert "sudo apt install libosmesa6" in message


@pytest.mark.skipif("DISPLAY" in os.environ, reason="GLFW may find this display")
def test_a_backend_without_its_display_is_named_too():
    assert "MissingDependency" in said(RENDER, MUJOCO_GL="glfw")


def test_rendering_after_a_fork_is_refused_instead_of_hanging():
    message = said(FORK)
    assert "InvalidOption" in message
    assert "spawn" in message


@pytest.mark.skipif(sys.platform != "linux", reason="EGL is Linux's")
def test_a_context_is_left_before_its_library_is_gone():
    """A worker of a pool would otherwise end with a traceback that nobody can catch."""
    assert said(ENDING, MUJOCO_GL="egl") == "left: True\n"


@pytest.mark.parametrize(("words", "raised"), [
    ("argument 1: KeyboardInterrupt: ", KeyboardInterrupt), ("argument 1: TypeError: wrong type", ctypes.ArgumentError),
])
def test_ctrl_c_while_arguments_are_read_is_ctrl_c(words, raised):
    class Made:
        def make_current(self):
            raise ctypes.ArgumentError(words)

    context = opengl.Context()
    context._made = Made()
    with pytest.raises(raised):
        context.enter()
