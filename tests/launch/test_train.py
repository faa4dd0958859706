"""What train.py learns from and what it checks on, and how it is asked."""

from types import SimpleNamespace

from training.frames import apart


def named(names):
    return [SimpleNamespace(digest=name) for name in names]


def digests(episodes):
    return [episode.digest for episode in episodes]


def test_what_is_checked_on_is_never_learned_from():
    demos, taught = [f"demo {k}" for k in range(50)], [f"taught {k}" for k in range(7)]
    for given in (demos, demos * 2, [*demos, *taught * 3], [*taught, *demos, *taught]):
        learned, checked = map(digests, apart(named(given), 20))
        assert not set(learned) & set(checked)
        assert set(learned) | set(checked) == set(given)
        assert len(checked) == len(set(checked)) == len(set(given)) // 20
        assert all(learned.count(name) == given.count(name) for name in learned)  # as often as it was named


def test_more_data_behind_it_changes_nothing_of_what_is_checked_on():
    demos, more = [f"demo {k}" for k in range(50)], [f"more {k}" for k in range(30)]
    before = digests(apart(named(demos), 20)[1])
    assert before == ["demo 19", "demo 39"]
    assert digests(apart(named([*demos, *more]), 20)[1])[:2] == before


def test_nothing_is_kept_aside_where_nothing_should_be():
    assert apart(named("abc"), 0)[1] == []
