"""Encoders work for a process; they do not change how it is scheduled."""

import numpy as np
import pytest

from tandem.bridge.datasets.scheduling import schedules
from tandem.bridge.datasets.video import CODECS, VideoFile, frames_between


@pytest.mark.parametrize("codec", CODECS)
def test_no_thread_becomes_real_time_and_the_film_is_whole(codec, tmp_path):
    before = set(schedules().values())
    film, images = VideoFile(tmp_path / "film.mp4", 64, 48, 10, codec), np.full((5, 48, 64, 3), 90, np.uint8)
    for image in images:
        film.add(image)
        assert set(schedules().values()) == before
    film.close()
    assert set(schedules().values()) == before
    read = np.array(list(frames_between(tmp_path / "film.mp4", 0.0, 5, 10)))
    assert np.allclose(read, images, atol=6)
