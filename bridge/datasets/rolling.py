"""Files that many episodes share, until one is large enough: which chunk and file comes next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tandem.bridge.datasets.trajectory import View
from tandem.bridge.datasets.video import VideoFile

CHUNK_FILES = 1000


@dataclass(frozen=True)
class Spot:
    """Where a file stands: `chunk-000/file-000`."""

    chunk: int = 0
    file: int = 0

    def next(self) -> Spot:
        """The one after it."""
        return Spot(self.chunk, self.file + 1) if self.file + 1 < CHUNK_FILES else Spot(self.chunk + 1, 0)

    def within(self, folder: Path, suffix: str) -> Path:
        """Its path; the folder is made."""
        path = folder / f"chunk-{self.chunk:03d}" / f"file-{self.file:03d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class RollingTable:
    """Parquet files, one row group for each table that is added.

    Args:
        folder: where they go.
        limit_bytes: a file that has grown beyond it takes no further table.
    """

    def __init__(self, folder: Path, limit_bytes: float):
        self._folder, self._limit, self._spot = folder, limit_bytes, Spot()
        self._writer: pq.ParquetWriter | None = None
        self._path = folder

    def add(self, rows: pa.Table) -> Spot:
        """Write one episode; returns where."""
        if self._writer is not None and self._path.stat().st_size > self._limit:
            self.close()
            self._spot = self._spot.next()
        if self._writer is None:
            self._path = self._spot.within(self._folder, ".parquet")
            self._writer = pq.ParquetWriter(self._path, rows.schema, compression="snappy", write_page_checksum=True)
        self._writer.write_table(rows, row_group_size=len(rows))
        return self._spot

    def close(self) -> None:
        """Write the footer of the open file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class RollingVideo:
    """mp4 files of one camera; an episode never crosses from one to the next.

    Args:
        folder: where they go.
        view: whose size they have.
        fps: frames per second.
        codec: a key of `video.CODECS`.
        limit_bytes: a file that has grown beyond it takes no further episode.
    """

    def __init__(self, folder: Path, view: View, fps: int, codec: str, limit_bytes: float):
        self._folder, self._size, self._fps, self._codec = folder, (view.width, view.height), fps, codec
        self._limit, self._spot = limit_bytes, Spot()
        self._file: VideoFile | None = None

    def begin(self) -> tuple[Spot, VideoFile]:
        """The file that takes the next episode, and where it is."""
        if self._file is not None and self._file.path.stat().st_size > self._limit:
            self.close()
            self._spot = self._spot.next()
        if self._file is None:
            path = self._spot.within(self._folder, ".mp4")
            self._file = VideoFile(path, *self._size, self._fps, self._codec)
        return self._spot, self._file

    def close(self) -> None:
        """Finish the open file."""
        if self._file is not None:
            self._file.close()
            self._file = None
