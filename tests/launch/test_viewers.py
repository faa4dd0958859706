"""A real episode's log opens in Rerun, and holds Foxglove's own schemas: pictures, joint values and log lines."""

import numpy as np
import pytest
from composition import Rig, System
from foxglove.messages import CompressedImage, Log
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from mcap.reader import make_reader

from tandem.bridge.log import LogReader, Recorder
from tandem.bridge.log.pictures import decode_image
from tandem.bridge.log.schemas import message_class


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path, rig = tmp_path_factory.mktemp("log") / "episode.mcap", Rig(System(task="pick_place", planner="scripted"))
    with Recorder(path, **rig.stage.keeps()) as recorder:
        rig.run(seed=0, subscribers=[recorder])
    rig.close()
    return path


def column(path, topic, component, selector=None):
    """The values of a component of a topic, as Rerun reads them."""
    chunk = pytest.importorskip("rerun.chunk")
    values = []
    for one in chunk.McapReader(path, timeline_type="duration").stream().to_chunks():
        if one.entity_path == topic and component in one.to_record_batch().schema.names:
            told = one if selector is None else one.apply_selector(component, chunk.Selector(selector))
            values += told.to_record_batch().column(component).to_pylist()
    return [value for value in values if value]


def test_rerun_finds_the_pictures(path):
    log = LogReader(path)
    blobs = column(path, "/obs/front", "EncodedImage:blob")
    assert len(blobs) == log.channels["/obs/front"] > 5
    first = next(log.images("front")).array
    np.testing.assert_array_equal(decode_image(bytes(blobs[0][0])), first)


def test_rerun_finds_the_joint_values_as_numbers_that_it_can_plot(path):
    told = column(path, "/measured", "tandem.Measured:message", ".joint_position[]")
    expected = [one.joint_position for one in LogReader(path).measurements()]
    np.testing.assert_array_equal(np.array(told).reshape(len(expected), -1), expected)


def test_rerun_finds_the_log_lines(path):
    lines = [text for [text] in column(path, "/event", "TextLog:text")]
    events = list(LogReader(path).events())
    assert lines == [f"{event.kind}: {event.message}" for event in events]


def fields(descriptor_set, name):
    """Name, number and type of every field of a message, and of the messages in it."""
    messages = {f"{file.package}.{one.name}": one for file in descriptor_set.file for one in file.message_type}
    return {name: sorted((field.name, field.number, field.type) for field in messages[name].field)}


@pytest.mark.parametrize("topic, ours", [("/obs/front", CompressedImage), ("/obs/front/depth", CompressedImage),
                                         ("/event", Log)])
def test_the_channels_carry_foxgloves_own_descriptors(path, topic, ours):
    with path.open("rb") as stream:
        schema, channel, message = next(make_reader(stream).iter_messages(topics=topic))
    official, name = ours.get_schema(), f"foxglove.{ours.__name__}"
    assert (schema.name, schema.encoding, channel.message_encoding) == (name, "protobuf", "protobuf")
    assert fields(FileDescriptorSet.FromString(schema.data), name) == fields(
        FileDescriptorSet.FromString(official.data), name)
    parsed = message_class(schema.name, schema.data).FromString(message.data)
    assert parsed.timestamp.seconds * 10**9 + parsed.timestamp.nanos == message.log_time


def test_foxglove_can_plot_the_joint_values_by_their_path(path):
    """What /measured.joint_position[0] asks for: a repeated number of a protobuf message that the file describes."""
    with path.open("rb") as stream:
        schema, channel, _ = next(make_reader(stream).iter_messages(topics="/measured"))
    assert channel.message_encoding == schema.encoding == "protobuf"
    field = message_class(schema.name, schema.data).DESCRIPTOR.fields_by_name["joint_position"]
    assert field.is_repeated
    assert field.cpp_type == field.CPPTYPE_DOUBLE


def test_the_manifest_says_who_drew_the_pictures(path):
    told = LogReader(path).manifest["opengl"]
    assert set(told) == {"backend", "vendor", "renderer", "version"}
    assert all(told.values())
