"""What tests of the scripts share: controllers to talk to, a copy of a log in which one message says something else."""

import re
import subprocess
import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from mcap.reader import make_reader
from mcap.writer import Writer

from tandem.bridge.log.schemas import message_class

LAUNCH = Path(__file__).parents[2] / "launch"


@pytest.fixture(scope="session")
def controller():
    """Starts controllers, of the dummy driver unless told otherwise, each with its own options; gives the endpoint."""
    return start


@contextmanager
def start(*options, driver="dummy"):
    process = subprocess.Popen(
        [sys.executable, LAUNCH / "controller.py", "--driver", driver, "--port", "0", *options],
        stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        yield re.search(r"tcp://\S+?(?=,)", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def altered():
    return alter


@pytest.fixture
def without_steps():
    """Gives a copy of a log that lacks some control steps altogether, as a slow disk or a damaged place leaves it."""

    def lacking(path, out, lost):
        def kept(channel, schema, data):
            of_a_step = channel.topic in ("/action", "/command", "/measured", "/sim/state")
            gone = of_a_step and message_class(schema.name, schema.data).FromString(data).index in lost
            return None if gone else data

        return copy(path, out, kept)

    return lacking


def alter(path, out, topic, number, change):
    """A copy with `change(message)` for the `number`-th message of a topic, which is parsed when it is protobuf."""
    turns = count()

    def changed(channel, schema, data):
        if channel.topic != topic or next(turns) != number:
            return data
        return change(data) if channel.message_encoding == "json" else _changed(schema, data, change)

    copy(path, out, changed)
    assert next(turns) > number, "there is such a message"
    return out


def copy(path, out, told):
    """A copy in which a message holds what `told(channel, schema, data)` gives, and is left out where that is None."""
    with path.open("rb") as stream, out.open("wb") as target:
        reader, writer = make_reader(stream), Writer(target)
        writer.start(profile="tandem")
        for record in reader.iter_metadata():
            writer.add_metadata(record.name, dict(record.metadata))
        for record in reader.iter_attachments():
            writer.add_attachment(record.create_time, record.log_time, record.name, record.media_type, record.data)
        schemas, channels = {}, {}
        for schema, channel, message in reader.iter_messages(log_time_order=False):
            if schema is not None and schema.id not in schemas:
                schemas[schema.id] = writer.register_schema(schema.name, schema.encoding, schema.data)
            if channel.id not in channels:
                known = schemas[schema.id] if schema else 0
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, known, dict(channel.metadata))
            if (data := told(channel, schema, message.data)) is not None:
                writer.add_message(channels[channel.id], message.log_time, data, message.publish_time,
                                   message.sequence)
        writer.finish()
    return out


def _changed(schema, data, change):
    parsed = message_class(schema.name, schema.data).FromString(data)
    change(parsed)
    return parsed.SerializeToString()
