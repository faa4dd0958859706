"""The tasks' instructions in other words: one paraphrase for each of a task's own phrasings, in the same place.

Each has the slots of the phrasing that it replaces, so that the same seed draws the same world and the same goal, and
nothing but the words differ. Training uses none of them, nor of the tasks' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from tandem.bridge.contract import UnknownName
from tandem.sim.tasks.task import Task

OWN, PARAPHRASED = WORDINGS = ("own", "paraphrased")

PARAPHRASES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "pick_place": (
        "kindly lay the {thing} down inside the {bin}",
        "see to it that the {bin} holds the {thing}",
        "relocate the {thing} so that it lies in the {bin}",
        "lift the {thing} off the table and let go of it over the {bin}",
        "where should the {thing} be? In the {bin}. Do it",
        "would you fetch the {thing} and leave it lying in the {bin}",
    ),
    "sort": (
        "every block has a colour: use it to decide which bin it goes to",
        "look at each block and drop it into the bin that looks the same",
        "no block may stay outside the bin of its colour; work through them",
        "what I expect at the end: {every}",
        "divide the blocks up like so: {plural}",
        "keep in mind that {reverse}, and act on it",
        "your task for today is to put {every}",
    ),
    "stack": (
        "{pairs}, that is how it should look",
        "lay the {second} on top of the {first}{then}",
        "erect a column; listed from the lowest to the highest: {upward}",
        "erect a column; listed from the highest to the lowest: {downward}",
        "use the {first} as the base of a tower; on it come {rest}",
        "erect a column of cubes whose colours, from the lowest to the highest, are {colours}",
        "beginning with the lowest, put on top of one another {the_upward}",
    ),
    "kit": (
        "the tray is still empty: it should get {the}",
        "make up a set of {one}",
        "find the right slot of the tray for {the}",
        "whoever gets this tray needs {one}",
        "the tray is complete with {one}; complete it",
        "would you lay {the} into the slots that fit",
    ),
    "insert": (
        "make the {peg} stick in the {socket}",
        "the {socket} has a hole, and the {peg} should go down it",
        "bring the {peg} home into the {socket}",
        "what fits the {socket} is the {peg}; bring them together",
        "lift the {peg} and sink it in the {socket}",
        "would you let the {peg} down into the {socket}",
        "make one piece of the {peg} and the {socket}",
    ),
    "drawer": (
        "the {drawer} has to be opened, filled with the {thing} and closed again",
        "nobody should see the {thing}: into the {drawer} with it, and push that shut",
        "a good place for the {thing} is the {drawer}, closed",
        "clean up: the {thing} goes inside the {drawer}, which is closed in the end",
        "I keep the {thing} in the {drawer}, which is usually shut",
        "draw the {drawer} out, drop the {thing} into it, then slide it back in",
    ),
    "machine": (
        "the machine should run with the {part} in it",
        "first the {part} into the fixture, after that the start button",
        "hand the {part} over to the fixture and operate the button",
        "next on the machine is the {part}: fit it and switch on",
        "once the {part} sits in the machine, switch that on",
        "lay the {part} where the machine holds its parts, then operate start",
        "have the {part} worked on by the machine",
    ),
    "conveyor": (
        "what comes along on the belt carries a label: its colour says which bin each parcel is for",
        "let no parcel pass that has not been put in the bin of its label's colour",
        "the belt should be empty in the end, and each parcel in the bin that looks like its label",
        "wait for the parcels and drop each one in the bin that has its colour",
        "somebody waits for the {colour} parcel: off the belt with it, into the {colour} bin",
        "of all that is on the conveyor only the {colour} parcel interests me; its bin has its colour",
        "the {colour} parcel has a bin of its own colour; see that it gets there",
        "leave everything on the belt but the {colour} parcel, which goes in the {colour} bin",
    ),
})
"""By task."""


def worded(task: Task, wording: str) -> Task:
    """The task, asked for in these words. Raises `UnknownName` for words that there are not."""
    if wording not in WORDINGS:
        raise UnknownName("wording", wording, WORDINGS)
    return task if wording == OWN else replace(task, phrasings=PARAPHRASES[task.name])
