"""The logs of a folder: what counts as one."""

from tandem.bridge.log.folder import logs_below
from tandem.bridge.log.parts import parts_beside


def test_each_log_counts_once_and_only_when_it_is_made(tmp_path):
    names = ("b.mcap", "b-part2.mcap", "b-part3.mcap", "a/c.mcap", "d-part2.mcap", "unfinished/e.mcap", ".draft/f.mcap")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in logs_below(tmp_path)]
    assert found == ["a/c.mcap", "b.mcap", "d-part2.mcap"]  # of the last the beginning is lost: it is what there is
    assert [path.name for path in parts_beside(tmp_path / "b.mcap")] == ["b.mcap", "b-part2.mcap", "b-part3.mcap"]
    assert logs_below(tmp_path / "unfinished") == [tmp_path / "unfinished" / "e.mcap"]  # asked for by name
