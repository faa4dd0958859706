"""What holds for every test: rendering needs no display."""

import os

os.environ.setdefault("MUJOCO_GL", "egl")  # MuJoCo reads it once, when it is first imported
