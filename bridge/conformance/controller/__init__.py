"""A black-box checker of controllers: point it at any, in any language, and it says which laws of PROTOCOL.md hold."""

from tandem.bridge.conformance.controller.check import Finding, check_controller

__all__ = ["Finding", "check_controller"]
