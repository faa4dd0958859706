"""The robot side of the bridge: a deterministic core, the servo process around it and the sockets in front of it.

Needs the extra `controller` (`pip install tandem[controller]`: ruckig, mujoco); `tandem.bridge` never imports it.
"""
