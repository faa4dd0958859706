"""The newest value arrives whole, whoever writes while it is read; and the three values come through as they were."""

import mmap
import os
import subprocess
import sys

import numpy as np
import pytest

from tandem.bridge.contract import InvalidOption
from tandem.bridge.drivers import Measured
from tandem.sim.plant.exchange import FAULT_BYTES, Command, Exchange, State
from tandem.sim.plant.latest import Latest

WRITES = 20_000

WRITER = """
import mmap, sys
from tandem.sim.plant.latest import Latest
size, room, count = (int(word) for word in sys.argv[2:])
latest = Latest(memoryview(mmap.mmap(int(sys.argv[1]), room)), 0, size)
for k in range(1, count + 1):
    latest.put(bytes([k % 251]) * (1 + k % size))
"""


def test_a_reader_never_sees_half_a_value():
    size = 5000
    memory = os.memfd_create("test")
    os.ftruncate(memory, Latest.room(size))
    latest = Latest(memoryview(mmap.mmap(memory, Latest.room(size))), 0, size)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(memory), str(size), str(Latest.room(size)), str(WRITES)], pass_fds=[memory],
    )
    seen = [0]
    while writer.poll() is None or seen[-1] != WRITES:
        value = latest.get()
        if latest.number != seen[-1]:
            seen.append(latest.number)
            assert value == bytes([latest.number % 251]) * (1 + latest.number % size)
        assert writer.poll() in (None, 0)
    assert seen == sorted(seen)
    os.close(memory)


def test_a_writer_that_died_halfway_leaves_the_last_value():
    memory = memoryview(bytearray(Latest.room(100)))
    writer, reader = Latest(memory, 0, 100), Latest(memory, 0, 100)
    assert reader.get() == b""
    writer.put(b"whole")
    slot = writer._slots[0]
    memory[slot : slot + 40] = b"x" * 40  # the next value is begun there and not announced
    assert reader.get() == b"whole"
    memory[:8] = (2).to_bytes(8, sys.byteorder)  # announced, and not whole
    assert reader.get() == b"whole"
    assert reader.number == 1


def test_what_does_not_fit_is_refused():
    latest = Latest(memoryview(bytearray(Latest.room(8))), 0, 8)
    with pytest.raises(InvalidOption, match="9 bytes"):
        latest.put(b"123456789")


def test_values_come_through_between_two_ends():
    mine = Exchange(7)
    theirs = Exchange(7, mine.memory)
    assert (theirs.command(), theirs.measured(), theirs.state()) == (None, None, None)
    q = np.linspace(-1, 1, 7)
    mine.put_command(Command(q, 0.25, 3, 2, True))
    got = theirs.command()
    assert (got.opening, got.writes, got.stops, got.live) == (0.25, 3, 2, True)
    assert np.array_equal(got.position, q)
    theirs.put_measured(Measured(q, 2 * q, 0.5, 123, 4, "é" * 150))
    seen = mine.measured()
    assert (seen.opening, seen.t, seen.generation, seen.fault) == (0.5, 123, 4, "é" * (FAULT_BYTES // 2))
    assert np.array_equal(seen.position, q)
    assert np.array_equal(seen.velocity, 2 * q)
    theirs.put_state(State(np.arange(300.0), 99, 4))
    theirs.put_state(State(np.arange(5.0), 100, 5))
    state = mine.state()
    assert (state.t, state.generation) == (100, 5)
    assert np.array_equal(state.vector, np.arange(5.0))
    mine.close()


def test_a_measurement_that_was_read_does_not_change():
    exchange = Exchange(2)
    exchange.put_measured(Measured(np.ones(2), np.ones(2), 0.0, 1))
    kept = exchange.measured()
    for t in range(2, 6):
        exchange.put_measured(Measured(np.zeros(2), np.zeros(2), 0.0, t))
    assert kept.position.tolist() == [1, 1]
    exchange.close()
