"""Damage in the middle of a log is named, with what is lost, and all the rest is read."""

import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from dummy_recording import DT, Episode
from mcap.writer import CompressionType, Writer

from tandem.bridge.contract import LogUnreadable
from tandem.bridge.log import LogReader, Recorder
from tandem.bridge.log.records import CHUNK, DATA_END, HEAD, INDEX, Block, walk
from tandem.bridge.log.rescue import rescue

STEPS = 150


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path, episode = tmp_path_factory.mktemp("whole") / "e.mcap", Episode(size=400)
    with Recorder(path, state=episode.state, model=bytes(3000)) as recorder:
        episode.play(recorder, STEPS)
    return path.read_bytes(), episode


def blocks(data, tmp_path, opcode):
    (tmp_path / "blocks").write_bytes(data)
    with (tmp_path / "blocks").open("rb") as stream:
        return [part for part in walk(stream, len(data)) if isinstance(part, Block) and part.opcode == opcode]


def opened(tmp_path, data):
    path = tmp_path / "e.mcap"
    path.write_bytes(data)
    return LogReader(path)


def total(log):
    return sum(log.channels.values())


def test_a_chunk_with_a_wrong_checksum_is_named_and_the_rest_is_read(tmp_path, whole):
    data, episode = bytearray(whole[0]), whole[1]
    before = opened(tmp_path, data)
    chunks = blocks(data, tmp_path, CHUNK)
    hit = chunks[len(chunks) // 2]
    data[hit.end - 100] ^= 0xFF
    log = opened(tmp_path, data)
    [damage] = log.damage
    assert (damage.what, damage.start, damage.end) == (f"chunk {len(chunks) // 2}", hit.start, hit.end)
    assert sum(damage.lost.values()) == total(before) - total(log) > 20
    assert log.recovered.startswith(f"recovered {total(log)} of about {total(before)} messages; chunk ")
    assert f"at byte {hit.start}" in log.recovered
    assert f"{damage.lost['/action']} of /action" in log.recovered
    times, states = log.states()
    rows = np.rint(times / DT).astype(int)
    np.testing.assert_array_equal(states, np.array(episode.states)[rows])
    assert len(rows) == STEPS + 1 - damage.lost["/sim/state"]
    assert damage.from_s <= DT * (set(range(STEPS + 1)) - set(rows.tolist())).pop() <= damage.to_s
    assert log.result is not None


def test_a_step_of_which_a_part_is_lost_is_left_out_and_never_made_of_two(tmp_path, whole, monkeypatch):
    log = opened(tmp_path, whole[0])
    told = {step.index: vars(step) for step in log.steps()}
    monkeypatch.setattr("tandem.bridge.log.rescue.CHUNK_BYTES", 1)  # a chunk for each message or two
    rescue(tmp_path / "e.mcap", tmp_path / "fine.mcap")
    data = (tmp_path / "fine.mcap").read_bytes()
    chunks = blocks(data, tmp_path, CHUNK)
    first, lost = len(chunks) // 2, 12
    for begin in range(first, first + lost):
        damaged = bytearray(data)
        for chunk in chunks[begin : begin + lost]:
            damaged[chunk.end - 5] ^= 0xFF
        log = opened(tmp_path, damaged)
        steps, complete = list(log.steps()), min(log.channels[topic] for topic in ("/action", "/command"))
        assert STEPS - lost < len(steps) <= complete < STEPS
        assert all(left.index < right.index for left, right in pairwise(steps))
        for step in steps:
            assert step.measured.index == step.index
            np.testing.assert_array_equal(step.action, told[step.index]["action"])
            np.testing.assert_array_equal(step.command, told[step.index]["command"])


def test_a_gap_is_not_forgotten_when_the_rest_is_put_into_a_new_file(tmp_path, whole):
    data = bytearray(whole[0])
    data[blocks(data, tmp_path, CHUNK)[5].end - 100] ^= 0xFF
    damaged = opened(tmp_path, data)
    assert rescue(tmp_path / "e.mcap", tmp_path / "new.mcap") == damaged.recovered
    log = LogReader(tmp_path / "new.mcap")
    assert log.channels == damaged.channels
    assert (log.recovered, len(log.damage)) == (damaged.recovered, 1)
    assert str(damaged.damage[0]) in str(log.damage[0])


@pytest.mark.parametrize("summary", [True, False], ids=["with its summary", "without"])
@pytest.mark.parametrize("length", [3, 2**40], ids=["too short", "too long"])
def test_a_chunk_whose_length_is_wrong_costs_only_itself(tmp_path, whole, summary, length):
    data, count = bytearray(whole[0]), total(opened(tmp_path, whole[0]))
    if not summary:
        del data[blocks(data, tmp_path, DATA_END)[0].start :]
    chunks = blocks(data, tmp_path, CHUNK)
    HEAD.pack_into(data, chunks[4].start, CHUNK, length)
    log = opened(tmp_path, data)
    assert log.damage[0].start <= chunks[4].end
    assert all(one.end <= chunks[5].start for one in log.damage)
    assert count - total(log) < 80
    assert len(list(log.steps())) > STEPS - 30
    if summary:
        assert f"of about {count} messages" in log.recovered


def test_a_cut_within_a_chunk_is_estimated_by_its_bytes(tmp_path, whole):
    data = whole[0]
    count, hit = total(opened(tmp_path, data)), blocks(data, tmp_path, CHUNK)[-2]
    log = opened(tmp_path, data[: hit.end - 10])
    told = int(log.recovered.split(" of about ")[1].split()[0])
    assert total(log) < told < count + 60
    assert log.damage == ()


def test_a_cut_between_two_records_says_that_the_rest_cannot_be_told(tmp_path, whole):
    data = whole[0]
    end = blocks(data, tmp_path, INDEX)[-1].end
    log = opened(tmp_path, data[:end])
    assert log.recovered.startswith(f"recovered {total(log)} messages; how many are missing cannot be told")


def test_a_damaged_summary_is_told_and_costs_nothing(tmp_path, whole):
    data = bytearray(whole[0])
    data[-40] ^= 0xFF
    count, log = total(opened(tmp_path, whole[0])), opened(tmp_path, data)
    assert log.recovered.startswith(f"recovered {count} of about {count} messages; the summary")
    assert log.result is not None


def test_a_damaged_attachment_is_named_and_the_channels_are_read(tmp_path, whole):
    data = bytearray(whole[0])
    data[data.index(bytes(2000)) + 50] ^= 0xFF
    log = opened(tmp_path, data)
    assert "the attachment 'model.mjb' at byte" in log.recovered
    with pytest.raises(LogUnreadable, match=r"no attachment 'model\.mjb'"):
        log.model()
    assert len(list(log.steps())) == STEPS


def write_log(path, manifest=(), channels=()):
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start()
        writer.add_metadata("manifest", dict(manifest))
        for topic, encoding, data in channels:
            channel = writer.register_channel(topic, encoding, 0)
            writer.add_message(channel, 0, data, 0)
        writer.finish()
    return path


def test_a_channel_of_another_version_is_listed_and_skipped(tmp_path):
    channels = [("/smell", "cbor", b"\xa0"), ("/event/data", "json",
                b'{"kind": "note", "time_s": 0, "message": "hm", "data": {}}')]
    log = LogReader(write_log(tmp_path / "e.mcap", {}, channels))
    assert log.unknown == ("/smell",)
    assert [event.message for event in log.events()] == ["hm"]
    assert list(log.messages("/smell")) == [("/smell", 0.0, {"encoding": "cbor", "data": "a0"})]


@pytest.mark.parametrize(
    "found, words", [("999", "log format 999, .*install a newer one"), ('"two"', "its log format is 'two'")]
)
def test_a_log_of_a_newer_format_says_so(tmp_path, found, words):
    with pytest.raises(LogUnreadable, match=words):
        LogReader(write_log(tmp_path / "e.mcap", {"log_format": found}))


def test_a_log_without_state_or_model_says_so(tmp_path):
    with Recorder(tmp_path / "e.mcap") as recorder:
        Episode().play(recorder, 3)
    log = LogReader(tmp_path / "e.mcap")
    with pytest.raises(LogUnreadable, match="recorded without states, or its body was not simulated"):
        log.states()
    with pytest.raises(LogUnreadable, match="recorded without a model"):
        log.model()
    assert log.state_at(1.0) is None


def test_states_of_another_mask_or_size_are_refused(tmp_path):
    for name, size in (("e", 50), ("wrong", 51)):
        episode = Episode()
        with Recorder(tmp_path / f"{name}.mcap", state=episode.state,
                      state_layout={"signature": 7, "size": size}) as recorder:
            episode.play(recorder, 3)
    log = LogReader(tmp_path / "e.mcap")
    assert log.states(7)[1].shape == (4, 50)
    with pytest.raises(LogUnreadable, match="states of the mask 7, not 8191"):
        log.states(8191)
    with pytest.raises(LogUnreadable, match="has 51 numbers, its rows have 50"):
        LogReader(tmp_path / "wrong.mcap").states()


def test_one_message_by_time_is_that_of_a_reading_from_the_front(tmp_path, whole):
    log, episode = opened(tmp_path, whole[0]), whole[1]
    measured = list(log.measurements())
    for time_s in (0.0, 0.07, 3.0, 1e6):
        expected = [one for one in measured if one.time_s <= time_s][-1]
        assert log.measurement_at(time_s).index == expected.index
        np.testing.assert_array_equal(log.measurement_at(time_s).joint_position, expected.joint_position)
        np.testing.assert_array_equal(log.state_at(time_s)[1], episode.states[expected.index + 1])
    assert log.measurement_at(-1.0) is None
    assert log.picture_at("image.front", 0.31).time_s == pytest.approx(0.3)


def test_messages_between_two_times_are_read_without_the_others(tmp_path, whole):
    log = opened(tmp_path, whole[0])
    between = list(log.messages("/measured", start_s=2.0, end_s=3.0))
    assert [content["index"] for _, _, content in between] == list(range(39, 60))
    assert all(2.0 <= time_s <= 3.0 for _, time_s, _ in between)
    assert {topic for topic, _, _ in log.messages()} == set(log.channels)


# Address space that the interpreter and the libraries take, and 128 MiB beyond; the log is 400 MB of states.
BOUNDED = """
import resource, sys
from tandem.bridge.log import LogReader
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 128 * 2**20,) * 2)
log = LogReader(sys.argv[1])
print(log.recovered, log.channels["/blob"], sum(1 for _ in log.messages("/blob")), log.state_at(1e9))
"""


def test_a_log_of_any_size_is_read_in_bounded_memory(tmp_path):
    path, blob = tmp_path / "large.mcap", np.random.default_rng(0).bytes(2**20)
    with path.open("wb") as stream:
        writer = Writer(stream, chunk_size=2**20, compression=CompressionType.NONE)
        writer.start()
        writer.add_metadata("manifest", {})
        channel = writer.register_channel("/blob", "bytes", 0)
        for number in range(400):
            writer.add_message(channel, number, struct.pack("<Q", number) + blob, number)
        writer.finish()
    run = subprocess.run([sys.executable, "-c", BOUNDED, path], capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout.split() == ["None", "400", "400", "None"]
    assert Path(path).stat().st_size > 400e6
