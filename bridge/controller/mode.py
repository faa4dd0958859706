"""The state machine: seven modes, and the only ways from one to another."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """What a controller is about."""

    IDLE = "IDLE"  # no arm yet, or it is being put elsewhere
    READY = "READY"  # stands, nobody holds the lease
    LEASED = "LEASED"  # stands under a new lease that has commanded nothing yet
    ACTIVE = "ACTIVE"  # carries out a chunk
    HOLDING = "HOLDING"  # the chunk is carried out; stands, and waits for the next
    STOPPING = "STOPPING"  # decelerates
    FAULT = "FAULT"  # stands; a supervisor must clear the fault


TRANSITIONS: dict[Mode, frozenset[Mode]] = {
    Mode.IDLE: frozenset({Mode.READY, Mode.LEASED, Mode.FAULT}),
    Mode.READY: frozenset({Mode.LEASED, Mode.STOPPING, Mode.FAULT}),
    Mode.LEASED: frozenset({Mode.ACTIVE, Mode.READY, Mode.IDLE, Mode.STOPPING, Mode.FAULT}),
    Mode.ACTIVE: frozenset({Mode.STOPPING, Mode.FAULT}),
    Mode.HOLDING: frozenset({Mode.ACTIVE, Mode.READY, Mode.LEASED, Mode.IDLE, Mode.STOPPING, Mode.FAULT}),
    Mode.STOPPING: frozenset({Mode.ACTIVE, Mode.HOLDING, Mode.READY, Mode.LEASED, Mode.FAULT}),
    Mode.FAULT: frozenset({Mode.READY}),
}


class FaultCode(StrEnum):
    """Why a controller latched a fault: a closed list."""

    STOP_REQUESTED = "STOP_REQUESTED"  # somebody asked for a software stop
    COMM_LOST = "COMM_LOST"  # the commander fell silent during a motion
    DRIVER_SILENT = "DRIVER_SILENT"  # no new measurement
    DRIVER_FAULT = "DRIVER_FAULT"  # the arm reports a fault, or its driver failed
    SERVO_SUSPENDED = "SERVO_SUSPENDED"  # the loop stood still for too long
    FOLLOWING_ERROR = "FOLLOWING_ERROR"  # the arm is not where it is told to be
    COLLISION = "COLLISION"  # the motion would hit the arm itself
    OUT_OF_RANGE = "OUT_OF_RANGE"  # the arm stands outside its range
    NO_STOP = "NO_STOP"  # no stop within the limits was found; the driver's own was used
    SHUT_DOWN = "SHUT_DOWN"  # the controller ends
    RESET_FAILED = "RESET_FAILED"  # putting the arm elsewhere did not end
