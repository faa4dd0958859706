"""Every message of the wire in one file, both ways and verbatim, and the controller's core run again from it.

Needs the extra `log` (`pip install tandem[log]`); neither `tandem.bridge` nor a controller without `--capture` imports
it.
"""
