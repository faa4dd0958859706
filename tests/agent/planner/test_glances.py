"""Several glances at one picture: moved and moved back, and what their votes make of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tandem.agent.planner.glances import agreed, crowded, moved, moved_back, shifts
from tandem.agent.planner.model import Picture
from tandem.agent.planner.scene import Scene, Thing
from tandem.bridge.contract import CameraPoint

SQUARE, SIZE = 40, (640, 480)


def thing(name, u, v, where="on the table"):
    return Thing(name, CameraPoint("front", u, v), where)


def scene(*things):
    return Scene(tuple(thing(*one) for one in things))


def told(glances):
    return {(one.name, one.point.u, one.point.v, one.where) for one in agreed(glances, SQUARE).things}


@given(st.integers(0, 99), st.integers(0, 79), st.integers(-20, 20), st.integers(-20, 20))
def test_what_is_seen_in_a_moved_picture_is_put_back_where_it_is(u, v, across, down):
    pixels = np.zeros((80, 100, 3), np.uint8)
    pixels[v, u] = 255
    found = np.argwhere(moved(Picture("front", pixels), across, down).pixels[..., 0])
    back = {(one.point.u, one.point.v) for y, x in found
            for one in moved_back(scene(("spot", x, y)), across, down, (100, 80)).things}
    inside = 0 <= u + across < 100 and 0 <= v + down < 80
    assert not inside or (u, v) in back


def test_a_picture_that_is_not_moved_is_the_same():
    pixels = np.random.default_rng(0).integers(0, 255, (8, 6, 3), np.uint8)
    assert (moved(Picture("front", pixels), 0, 0).pixels == pixels).all()


def test_further_glances_lie_half_a_square_away():
    assert shifts(SQUARE) == [(20, 0), (0, 20), (20, 20)]


def test_a_scene_is_crowded_when_two_things_lie_within_a_square():
    assert crowded(scene(("a", 10, 10), ("b", 49, 49)), SQUARE)
    assert not crowded(scene(("a", 10, 10), ("b", 50, 10)), SQUARE)
    assert not crowded(scene(("a", 10, 10)), SQUARE)
    assert not crowded(scene(("a", 10, 10), ("b", 10, 10)), 0)


def test_most_glances_outvote_the_first_and_the_mean_of_them_counts():
    assert told([
        scene(("gear slot", 300, 200)), scene(("gear slot", 330, 240)), scene(("gear slot", 332, 242)),
        scene(("gear slot", 334, 238)),
    ]) == {("gear slot", 332, 240, "on the table")}


def test_where_no_two_agree_the_first_counts():
    apart = [scene(("gear", 100 * k, 200)) for k in range(1, 5)]
    assert told(apart) == {("gear", 100, 200, "on the table")}


def test_what_the_first_glance_sees_is_there_and_what_it_misses_takes_two_others():
    one, more = scene(("gear", 100, 200)), scene(("gear", 100, 200), ("pin", 300, 200))
    assert {name for name, *_ in told([more, one, one, one])} == {"gear", "pin"}
    assert {name for name, *_ in told([one, more, more, one])} == {"gear", "pin"}
    assert {name for name, *_ in told([one, more, one, one])} == {"gear"}
    elsewhere = scene(("gear", 100, 200), ("pin", 500, 300))
    assert {name for name, *_ in told([one, more, elsewhere, one])} == {"gear"}


def test_another_name_for_what_the_first_glance_sees_is_no_second_thing():
    first, misnamed = scene(("red brick", 100, 200)), scene(("red cube", 103, 202))
    assert told([first, misnamed, misnamed, first]) == {("red brick", 100, 200, "on the table")}


def test_a_ghost_on_top_of_another_thing_is_left_out():
    slot = ("pin slot", 300, 200)
    assert told([scene(slot, ("gear slot", 304, 203)), *[scene(slot)] * 3]) == {(*slot, "on the table")}


def test_what_other_glances_see_elsewhere_is_no_ghost():
    slot, places = ("pin slot", 300, 200), ((305, 200), (330, 200), (300, 240), (270, 200))
    seen = told([scene(slot, ("tray", *place)) for place in places])
    assert seen == {(*slot, "on the table"), ("tray", 305, 200, "on the table")}


def test_two_things_of_one_name_stay_two():
    both = scene(("red cube", 100, 200), ("red cube", 300, 200))
    left = scene(("red cube", 104, 200))
    assert told([both, left, both, both]) == {
        ("red cube", 101, 200, "on the table"), ("red cube", 300, 200, "on the table"),
    }


def test_whereabouts_are_what_most_glances_say():
    glances = [scene(("gear", 100, 200, where)) for where in ("on the table", "in the gripper", "in the gripper")]
    assert {where for *_, where in told(glances)} == {"in the gripper"}
