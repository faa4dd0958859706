"""The swap kit on models whose faults are known: a wrong frame is named, a good one passes."""

from dataclasses import replace

import numpy as np
import pytest
from swap_kit.planning import HOSTILE, hostile, plan_all
from swap_kit.pointing import measure
from swap_kit.scenes import Shot

from tandem.agent.planner.babbler import BABBLE, Babbler
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.family import Family, Frame
from tandem.agent.planner.model import Answer
from tandem.agent.planner.planner import ModelPlanner
from tandem.agent.planner.scene import Scene, Thing
from tandem.bridge.contract import CameraPoint, PlannerFailed, PlanRequest

PIXELS = Family("Pixels", "c", ("c",), frame=Frame.RESIZED_PIXELS, resize=lambda width, height: (308, 224))
PICTURE = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)


def _shot(seed):
    rng = np.random.default_rng(seed)
    points = [CameraPoint("front", float(rng.uniform(10, 630)), float(rng.uniform(10, 470))) for _ in range(4)]
    names = ("red cube", "blue bin", "green cube", "yellow brick")
    things = tuple(Thing(name, point, "on the table") for name, point in zip(names, points, strict=True))
    bodies = np.full((480, 640), -1)
    for k, point in enumerate(points):
        bodies[int(point.v) - 3 : int(point.v) + 4, int(point.u) - 3 : int(point.u) + 4] = k
    request = PlanRequest("put the red cube in the blue bin", {"image.front": PICTURE}, cameras=("front",))
    return Shot("pick_place", request, things, bodies, None)


class Knows(Babbler):
    """Lists the things of each shot in turn, in the frame of one family, while it says to be of another."""

    def __init__(self, shots, writes, says=BABBLE, rename=str):
        super().__init__(says)
        self.shots, self.writes, self.rename = list(shots), writes, rename

    def answer(self, questions):
        [shot] = self.shots[:1]
        self.shots.pop(0)
        things = tuple(Thing(self.rename(t.name), t.point, t.where) for t in shot.things)
        canvas = Canvas(self.writes, "front", (640, 480), self.writes.resize(640, 480))
        return [Answer(Scene(things).value(canvas), {}) for _ in questions]


SHOTS = [_shot(seed) for seed in range(4)]


def test_a_model_that_points_well_has_small_errors_and_its_points_lie_on_the_things():
    seen = measure(Knows(SHOTS, BABBLE), SHOTS)
    assert seen.found == 1
    assert seen.median_px < 1
    assert seen.hits == seen.shown == 16
    assert seen.better_frame is None


def test_a_wrong_frame_is_named():
    mistaken = replace(PIXELS, frame=Frame.THOUSANDTHS)  # as it would be if nobody noticed that a generation changed
    seen = measure(Knows(SHOTS, PIXELS, says=mistaken), SHOTS)
    assert seen.median_px > 50
    frame, error_px = seen.better_frame
    assert frame == "resized_pixels"
    assert error_px < 2
    assert measure(Swapped(SHOTS, BABBLE), SHOTS).better_frame[0] == "thousandths, y before x"


class Swapped(Knows):
    """Writes y before x."""

    def answer(self, questions):
        [answer] = super().answer(questions)
        return [Answer({"things": [{**t, "point": t["point"][::-1]} for t in answer.value["things"]]}, {})]


def test_a_thing_by_another_name_is_found_by_its_colour_where_that_is_plain():
    seen = measure(Knows(SHOTS, BABBLE, rename=lambda name: name.replace("brick", "block")), SHOTS)
    assert seen.found == 1
    seen = measure(Knows(SHOTS, BABBLE, rename=lambda name: "thing"), SHOTS)
    assert seen.found == 0
    assert seen.median_px == float("inf")


def test_a_picture_without_an_answer_is_counted_and_told():
    class Mute(Babbler):
        def answer(self, questions):
            raise PlannerFailed("the server is down")

    seen = measure(Mute(), SHOTS)
    assert len(seen.failed) == 4
    assert seen.found == 0


def test_hostile_words_bring_ordinary_plans_or_typed_failures():
    asked = plan_all(ModelPlanner(Babbler()), hostile(SHOTS[0]))
    assert len(asked.plans) + len(asked.failed) == len(HOSTILE)
    assert any("characters" in reason for reason in asked.failed)


def test_what_is_neither_a_plan_nor_a_typed_failure_is_no_result():
    class Broken:
        def plan(self, request):
            raise ValueError("oops")

    with pytest.raises(ValueError, match="oops"):
        plan_all(Broken(), [SHOTS[0].request])
