"""The skills, by name: each a recipe that reads from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tandem.bridge.contract import Subgoal
from tandem.policies.motion.motion import Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.skills.drawer import close_drawer, open_drawer
from tandem.policies.motion.skills.home import home
from tandem.policies.motion.skills.insert import insert
from tandem.policies.motion.skills.pick import pick
from tandem.policies.motion.skills.place import place, stack_on
from tandem.policies.motion.skills.press import press
from tandem.policies.motion.skills.push import push

Recipe = Callable[[Mover, Subgoal], Moves]

RECIPES: Mapping[str, Recipe] = {
    "pick": pick,
    "place": place,
    "stack_on": stack_on,
    "insert": insert,
    "open": open_drawer,
    "close": close_drawer,
    "press": press,
    "push": push,
    "home": home,
}
