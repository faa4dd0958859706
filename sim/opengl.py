"""Finds an OpenGL library that renders without a display, and keeps one context per thread.

MuJoCo picks its backend when it is imported, and without a display picks one that cannot work; here the choice is
`MUJOCO_GL`, or EGL on Linux, whoever imported MuJoCo first. What is missing is said with the command that installs it.

Without a GPU, Mesa draws on the calling thread: at the sizes of policies that is as fast as its own pool of threads,
and it leaves the other cores to the recorder and to other workers. `LP_NUM_THREADS` set outside has the last word.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import os
import sys
import threading
from collections import deque
from functools import cache

from tandem.bridge.contract import InvalidOption, MissingDependency

_PACKAGES = {"egl": "libegl1 libgl1-mesa-dri", "osmesa": "libosmesa6", "glfw": "libgl1 xvfb"}


def _backend() -> str:
    return os.environ.get("MUJOCO_GL", "").lower() or ("egl" if sys.platform == "linux" else "")


def _missing(reason: Exception) -> MissingDependency:
    backend = _backend()
    return MissingDependency(
        f"an OpenGL library that renders without a display (MUJOCO_GL={backend} says: {reason})",
        f"sudo apt install {_PACKAGES.get(backend, _PACKAGES['egl'])}",
    )


try:
    import mujoco
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[sim]'") from reason
except Exception as reason:  # a backend that MUJOCO_GL names is loaded with MuJoCo, and raises classes of its own
    raise _missing(reason) from reason


_PROBE = """<mujoco><visual>
  <quality shadowsize="0" offsamples="0"/><global offwidth="8" offheight="8"/>
</visual></mujoco>"""


class Context:
    """The context of one thread, and frame buffers that other threads want freed in it."""

    def __init__(self) -> None:
        self._made, self._unwanted = _new_context(), deque[mujoco.MjrContext]()

    def enter(self) -> None:
        """Make it current, and free what is not wanted any more. For its own thread only."""
        try:
            self._made.make_current()
        except ctypes.ArgumentError as reason:
            if "KeyboardInterrupt" not in str(reason):  # which ctypes wraps when it comes while arguments are read
                raise
            raise KeyboardInterrupt from None
        while self._unwanted:
            self._unwanted.popleft().free()

    def free(self, buffer: mujoco.MjrContext) -> None:
        """Free a frame buffer that was made in it: now, or when its thread draws next.

        Names in OpenGL are numbers of a context: freed in another one, they would be another renderer's.
        """
        self._unwanted.append(buffer)
        if _contexts.current is self:
            self.enter()

    def end(self) -> None:
        """At the end of the process, while the library is still there: later it would end with a traceback."""
        self._made.free()


class _Contexts(threading.local):
    """The context of each thread."""

    current: Context | None = None


_contexts = _Contexts()
_process: int | None = None


def _new_context() -> object:
    """A context that MuJoCo can draw with; without a display GLFW makes one that it cannot, and only warns."""
    os.environ.setdefault("LP_NUM_THREADS", "0")  # see the module's docstring
    module = importlib.import_module(f"mujoco.{_backend()}") if _backend() in _PACKAGES else mujoco
    context = module.GLContext(16, 16)
    context.make_current()
    mujoco.MjrContext(mujoco.MjModel.from_xml_string(_PROBE), mujoco.mjtFontScale.mjFONTSCALE_50.value).free()
    return context


def bind() -> Context:
    """Make this thread's context current. It is made once; frame buffers are MuJoCo's own and belong to it.

    Raises:
        MissingDependency: there is no such library; the message names the command that installs it.
        InvalidOption: this process was forked from one that has rendered, where OpenGL would hang.
    """
    global _process
    if _process not in (None, os.getpid()):
        raise InvalidOption(
            "OpenGL does not survive a fork and this process was forked from one that has rendered; start worker "
            "processes with spawn (gymnasium.make_vec(..., vector_kwargs={'context': 'spawn'}))"
        )
    if _contexts.current is None:
        try:
            _contexts.current = Context()
        except Exception as reason:  # each backend raises classes of its own
            raise _missing(reason) from reason
        _process = os.getpid()
        if threading.current_thread() is threading.main_thread():
            atexit.register(_contexts.current.end)
    _contexts.current.enter()
    return _contexts.current


@cache
def describe() -> dict[str, str]:
    """Who draws: `backend`, `vendor`, `renderer` and `version` of OpenGL; `missing` where there is none.

    Asked from this thread's context, which is made if it is not there yet.
    """
    try:
        bind()
    except (MissingDependency, InvalidOption) as reason:
        return {"backend": _backend(), "missing": str(reason)}
    gl = importlib.import_module("OpenGL.GL")
    asked = {"vendor": gl.GL_VENDOR, "renderer": gl.GL_RENDERER, "version": gl.GL_VERSION}
    return {"backend": _backend(), **{name: (gl.glGetString(what) or b"").decode() for name, what in asked.items()}}
