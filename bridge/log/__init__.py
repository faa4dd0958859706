"""The episode log: one crash-safe MCAP file per episode, how it is written, read, and shown.

Needs the extra `log` (`pip install tandem[log]`); `tandem.bridge` itself never imports it. What shows an episode
to people is imported by name: `film.write_film`, `contact_sheet.write_contact_sheet`.
"""

from tandem.bridge.contract.errors import MissingDependency

try:
    from tandem.bridge.log.file import next_free
    from tandem.bridge.log.manifest import manifest
    from tandem.bridge.log.pictures import PicturePolicy
    from tandem.bridge.log.reader import LogReader
    from tandem.bridge.log.recorder import Recorder
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[log]'") from reason

__all__ = ["LogReader", "PicturePolicy", "Recorder", "manifest", "next_free"]
