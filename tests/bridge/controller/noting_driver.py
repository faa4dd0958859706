"""An arm that writes down that it was stopped and left, for those who look at it from another process."""

from pathlib import Path

from tandem.bridge.drivers.dummy import DummyDriver


class NotingDriver(DummyDriver):
    def __init__(self, path: str):
        super().__init__()
        self._path = Path(path)

    def stop(self):
        super().stop()
        self._note("stop")

    def disconnect(self):
        super().disconnect()
        self._note("disconnect")

    def _note(self, word):
        with self._path.open("a") as file:
            file.write(f"{word}\n")
