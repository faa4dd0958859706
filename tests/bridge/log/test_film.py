"""A film that a browser plays and a sheet that a person reads; neither is ever left half-written."""

import av
import cv2
import numpy as np
import pytest
from dummy_recording import ATTEMPT, picture, result

from tandem.bridge.contract import FailureCode, LogUnwritable
from tandem.bridge.log import typography
from tandem.bridge.log.captions import Caption, CaptionState, Closing, captioned, closed
from tandem.bridge.log.contact_sheet import Tile, contact_sheet, write_contact_sheet
from tandem.bridge.log.film import write_film
from tandem.bridge.log.marks import Marks

CAPTION = Caption("pick the red cube", CaptionState.RUNNING, 1.0, "1/2", "reach")
CLOSING = Closing("Claimed, but not done", Marks(True, None, False), "it lies beside the bin")


def frames(count, high=120, wide=161):  # an odd size, which video does not allow
    rng = np.random.default_rng(0)
    return [cv2.resize(picture(rng), (wide, high)) for _ in range(count)]


def test_a_browser_plays_it_and_every_frame_is_there(tmp_path):
    path, shown = tmp_path / "e.mp4", frames(25)
    count = write_film(path, iter(shown), lambda index: CAPTION, 20, closing=CLOSING, hold_s=0.5)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 20
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == count == 35
    assert decoded[0].shape[0] % 2 == decoded[0].shape[1] % 2 == 0
    assert np.abs(decoded[7][:120, :161].astype(int) - shown[7]).mean() < 8
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index is at the front: it starts before it is all there


def test_it_plays_as_fast_as_it_was(tmp_path):
    """Every second step of a 25 Hz body makes 12.5 frames a second."""
    write_film(tmp_path / "e.mp4", frames(25), lambda index: CAPTION, 12.5)
    with av.open(str(tmp_path / "e.mp4")) as container:
        assert float(container.duration) / av.time_base == pytest.approx(2.0, abs=0.01)


def test_captions_must_be_as_many_as_frames(tmp_path):
    assert write_film(tmp_path / "e.mp4", frames(3), [CAPTION] * 3, 20) == 3
    with pytest.raises(ValueError, match="shorter"):
        write_film(tmp_path / "f.mp4", frames(3), [CAPTION] * 2, 20)
    assert [path.name for path in tmp_path.iterdir()] == ["e.mp4"]


def test_an_interruption_leaves_the_film_of_before_and_no_half_file(tmp_path):
    path = tmp_path / "e.mp4"
    write_film(path, frames(3), [CAPTION] * 3, 20)
    before = path.read_bytes()

    def broken():
        yield from frames(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_film(path, broken(), lambda index: CAPTION, 20)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_typed(tmp_path):
    with pytest.raises(LogUnwritable, match="no frames"):
        write_film(tmp_path / "e.mp4", [], [], 20)
    with pytest.raises(LogUnwritable, match="nowhere"):
        write_film(tmp_path / "nowhere" / "e.mp4", frames(1), [CAPTION], 20)
    with pytest.raises(LogUnwritable, match="nowhere"):
        tile = Tile(frames(1)[0], "a", CLOSING.marks)
        write_contact_sheet(tmp_path / "nowhere" / "e.png", [tile], "", CLOSING)
    with pytest.raises(LogUnwritable, match="at least one tile"):
        contact_sheet([], "", CLOSING)
    assert not list(tmp_path.iterdir())


def test_the_picture_itself_is_left_as_it_is():
    frame = frames(1)[0]
    with_bar = captioned(frame, CAPTION)
    np.testing.assert_array_equal(with_bar[:120, :161], frame)
    assert closed(frame, CLOSING).shape == with_bar.shape
    states = [captioned(frame, Caption("", state, 0.0))[121, 80].tolist() for state in CaptionState]
    assert states == [list(c) for c in (typography.ACTIVE, typography.GOOD, typography.BAD)]


def test_long_words_are_cut_to_fit():
    words = "pick the green cylinder that stands at the far corner of the table"
    for room in (60, 200, 300):
        cut = typography.fit(words, room, 18)
        assert cut.endswith("…")
        assert typography.width(cut, 18) <= room
    assert typography.fit(words, 5000, 18) == words
    assert typography.width("a b", 18) > typography.width("ab", 18)


@pytest.mark.parametrize("count", [1, 2, 5, 12, 17])
def test_a_sheet_holds_a_tile_for_each_subgoal(tmp_path, count):
    shown = [np.full((48, 64, 3), 10 + 10 * i, np.uint8) for i in range(count)]
    tiles = [Tile(frame, f"subgoal {i}", Marks(True, True, True), "1.0 s") for i, frame in enumerate(shown)]
    path = tmp_path / "e.png"
    write_contact_sheet(path, tiles, "put everything away", CLOSING, subtitle="sort")
    sheet = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    for frame in shown:
        assert (sheet == frame[0, 0]).all(axis=-1).sum() >= 400 * 300  # each picture, whole
    assert list(tmp_path.iterdir()) == [path]


def test_a_tile_tells_every_failure_code_whole(monkeypatch):
    written, write = [], typography.write

    def spy(canvas, text, *how):
        written.append(text)
        return write(canvas, text, *how)

    monkeypatch.setattr(typography, "write", spy)
    for code in FailureCode:
        contact_sheet([Tile(frames(1)[0], "", CLOSING.marks, "999.9 s", f"{code}  {'why ' * 40}")], "", CLOSING)
        assert any(text.startswith(f"{code}  why") for text in written)


def test_marks_say_the_best_that_is_known():
    assert Marks.of(ATTEMPT) == Marks(True, True, True)
    assert Marks.of(result(3)) == Marks(True, True, False)
    assert Marks(True, True, False).colour == typography.BAD  # measured outranks seen, seen outranks claimed
    assert Marks(True, False, None).colour == typography.BAD
    assert Marks(False, True, None).colour == typography.GOOD
    assert Marks(None, None, None).colour == typography.UNSURE
