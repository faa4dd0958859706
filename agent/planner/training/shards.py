"""Reads the pictures and records that a generator wrote, a shard at a time mapped into memory."""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from tandem.bridge.contract import InvalidOption


class Shards(torch.utils.data.Dataset):
    """Records of a folder by number; pictures are decoded when asked for.

    Args:
        folder: holds `*.jsonl` and for each the `*.images` of its pictures.
        keep: which shards, by position in the order of their names; all if left out.
    """

    def __init__(self, folder: Path, keep: slice | None = None):
        paths = sorted(folder.glob("*.jsonl"))[keep or slice(None)]
        if not paths:
            raise InvalidOption(f"{folder} holds no shards; generate them first")
        self._paths, self._maps, self._records = [p.with_suffix(".images") for p in paths], {}, []
        for shard, path in enumerate(paths):
            self._records += [(shard, line) for line in path.read_bytes().splitlines()]

    def __len__(self) -> int:
        return len(self._records)

    def record(self, index: int) -> Mapping[str, Any]:
        """What is known of a picture."""
        return json.loads(self._records[index][1])

    def picture(self, index: int) -> np.ndarray:
        """uint8 (H, W, 3) RGB."""
        data, record = self._data(index)
        image = cv2.imdecode(data[: record["bytes"]], cv2.IMREAD_COLOR)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def labels(self, index: int) -> np.ndarray:
        """uint8 (H / step, W / step): number of the thing that a pixel shows, in the record's order; 255 for none."""
        data, record = self._data(index)
        return cv2.imdecode(data[record["bytes"] :], cv2.IMREAD_UNCHANGED)

    def _data(self, index: int) -> tuple[np.ndarray, Mapping[str, Any]]:
        """The bytes of a picture and of its label map, and its record."""
        shard, line = self._records[index]
        record = json.loads(line)
        if shard not in self._maps:
            with open(self._paths[shard], "rb") as file:
                self._maps[shard] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        size = record["bytes"] + record["label_bytes"]
        return np.frombuffer(self._maps[shard], np.uint8, size, record["at"]), record
