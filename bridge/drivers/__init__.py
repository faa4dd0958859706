"""What a controller drives: the interface of a page, and an arm without physics for tests."""

from tandem.bridge.drivers.driver import Driver, DriverFault, Measured, Setpoint

__all__ = ["Driver", "DriverFault", "Measured", "Setpoint"]
