"""One film for each episode and camera, for people and for programs that want nothing but pictures."""

from __future__ import annotations

from pathlib import Path

from tandem.bridge.contract.errors import UnusableDataset
from tandem.bridge.datasets.trajectory import Trajectory
from tandem.bridge.datasets.video import VideoFile, check_codec


class FilmsWriter:
    """Adds films `NUMBER-LOG-CAMERA.mp4` to a folder.

    Args:
        folder: empty.
        codec: a key of `video.CODECS`.
    """

    def __init__(self, folder: Path, *, codec: str = "h264"):
        check_codec(codec)
        self._folder, self._codec, self._episodes = folder, codec, 0

    def add(self, trajectory: Trajectory) -> None:
        """Write the films of one episode; raises `UnusableDataset` when it has no pictures."""
        if not trajectory.views:
            raise UnusableDataset(f"{trajectory.source} holds no pictures: render them with --render")
        for view in trajectory.views:
            name = f"{self._episodes:06d}-{Path(trajectory.source).stem}-{view.camera}.mp4"
            film = VideoFile(self._folder / name, view.width, view.height, trajectory.fps, self._codec)
            for frame in view.checked(len(trajectory)):
                film.add(frame.array)
            film.close()
        self._episodes += 1

    def close(self) -> None:
        """Nothing is open."""
