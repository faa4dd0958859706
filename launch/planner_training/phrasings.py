"""How people may ask for a task, for training only: none of the tasks' own phrasings, on which planners are tested.

The slots in braces are the tasks' own. Openings and endings are put around every sentence, so that a planner learns
what matters in it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from tandem.sim.tasks import Task

OPENINGS = (
    "", "", "", "now ", "please ", "next, ", "robot, ", "go ahead and ", "could you ", "can you ", "your job: ",
    "i need you to ", "i want you to ", "first of all ", "time to ", "would you ", "ok, ", "let's ", "task: ",
)
ENDINGS = ("", "", "", ".", " now", " please", ", thanks", " for me", "!", " when you are ready", ", and be careful")

ORDERS: dict[str, tuple[str, ...]] = {
    "pick_place": (
        "drop the {thing} into the {bin}", "set the {thing} down in the {bin}", "get the {thing} into the {bin}",
        "bring the {thing} over to the {bin}", "carry the {thing} to the {bin}", "transfer the {thing} into the {bin}",
        "grab the {thing} and leave it in the {bin}", "lift the {thing} and release it inside the {bin}",
        "throw the {thing} in the {bin}", "store the {thing} inside the {bin}", "fill the {bin} with the {thing}",
        "pick the {thing} and place it into the {bin}", "collect the {thing} in the {bin}",
        "grasp the {thing}, then put it into the {bin}", "deliver the {thing} to the {bin}",
        "find the {thing} and put it inside the {bin}", "make sure the {thing} ends up in the {bin}",
        "have the {thing} put into the {bin}", "clear the {thing} away into the {bin}",
    ),
    "sort": (
        "arrange the blocks by colour", "separate the blocks by their colours", "sort everything by colour",
        "group the blocks by colour in the bins", "match every block with the bin of the same colour",
        "put all blocks into bins of matching colour", "move each block to the bin that shares its colour",
        "distribute the blocks over the bins by colour", "do a colour sort of the blocks",
        "tidy the table: each block goes to the bin of its colour", "place {every}", "bring {every}", "drop {every}",
        "collect {every}", "make sure that {reverse}", "sort them like this: {plural}", "tidy up, {plural}",
        "put {plural}", "gather {plural}", "remember that {reverse}, and sort the blocks", "place {plural}",
        "sort the table so that {reverse}", "separate the blocks, {plural}", "move {plural}",
    ),
    "stack": (
        "set {pairs_bare}", "stack {pairs_bare}", "place {pairs_bare}", "put the {second} onto the {first}{then}",
        "start with the {first}, then add {rest}", "make a pile from bottom to top: {upward}",
        "stack from bottom to top: {upward}", "make a tower from the top to the bottom: {downward}",
        "stack from top to bottom: {downward}", "make a pile with the {first} at the bottom, and on it {rest}",
        "build a stack with the {first} at the bottom, then {rest}", "pile them up from the bottom: {upward}",
        "make a tower from bottom to top: {colours}", "stack the cubes from bottom to top: {colours}",
        "build from the bottom up: {the_upward}", "set the {second} on the {first}{then}",
        "make a tower, bottom to top: {the_upward}", "pile from top to bottom {downward}",
    ),
    "kit": (
        "set {the} into the tray", "move {the} to the tray", "collect {the} in the tray", "load the tray with {the}",
        "prepare a kit of {one}", "assemble a kit with {one}", "the order is {one}", "the tray should hold {one}",
        "put {one} in the slots of the tray", "sort {the} into the tray", "pick {the} and place them in the tray",
        "bring {the} to their slots", "pack {one} into the tray", "complete the tray: {the}",
        "each of these goes in its slot: {the}", "stow {the} in the slots", "we need {one} in the tray",
    ),
    "insert": (
        "plug the {peg} into the {socket}", "stick the {peg} into the {socket}", "slide the {peg} into the {socket}",
        "press the {peg} down into the {socket}", "mount the {peg} in the {socket}", "seat the {peg} in the {socket}",
        "get the {peg} into the hole of the {socket}", "grab the {peg} and push it into the {socket}",
        "pick the {peg} and insert it in the {socket}", "join the {peg} and the {socket}",
        "fill the {socket} with the {peg}", "place the {peg} into the hole of the {socket}",
        "install the {peg} in the {socket}", "drive the {peg} into the {socket}",
    ),
    "drawer": (
        "put the {thing} away in the {drawer} and close it", "place the {thing} inside the {drawer}, then close it",
        "stow the {thing} in the {drawer}", "hide the {thing} in the {drawer}", "keep the {thing} in the {drawer}",
        "open the {drawer}, drop the {thing} in and shut it", "get the {thing} into the {drawer} and push it shut",
        "slide the {drawer} open, put in the {thing}, slide it shut", "move the {thing} into the {drawer}, close it",
        "lock the {thing} away inside the {drawer}", "the {thing} should be inside the {drawer}, shut",
        "clear away the {thing}: into the {drawer}, and close that", "take the {thing} and store it in the {drawer}",
    ),
    "machine": (
        "load the {part} and start the machine", "set the {part} in the fixture and press start",
        "put the {part} into the machine and press the button", "bring the {part} to the machine, then start it",
        "place the {part} in the machine and run it", "start the machine with the {part} in it",
        "the machine needs the {part}; press start after loading", "process the {part} in the machine",
        "feed the {part} to the machine and push start", "load the fixture with the {part}, then hit the start button",
        "have the machine work on the {part}", "insert the {part} into the fixture and start the machine",
    ),
    "conveyor": (
        "put all parcels into the bins of their colour", "empty the conveyor: every parcel into its bin",
        "sort the parcels on the belt by label colour", "move each parcel from the belt to the bin of the same colour",
        "take every parcel off the belt and sort it by label", "unload the belt, each parcel goes to its colour's bin",
        "sort all the parcels by the colour of their labels", "get the parcels into the matching bins",
        "move the {colour} parcel to the {colour} bin", "grab the {colour} parcel off the belt for the {colour} bin",
        "only the {colour} parcel goes into the {colour} bin", "drop the {colour} parcel in the {colour} bin",
        "get the {colour} parcel off the conveyor and into its bin", "bring the {colour} parcel to its bin",
        "pick up the {colour} parcel and place it in the {colour} bin",
    ),
}
"""By task, what may follow an opening: an order."""

WISHES: dict[str, tuple[str, ...]] = {
    "pick_place": (
        "the {bin} should get the {thing}", "i would like the {thing} in the {bin}",
        "the {bin} is where the {thing} goes",
        "{thing} into the {bin}", "the {thing} has to go to the {bin}", "we want the {thing} inside the {bin}",
        "the {thing} must be in the {bin}", "{thing} to {bin}", "into the {bin} goes the {thing}",
    ),
    "sort": (
        "each block goes to the bin of its colour", "colour by colour, blocks into bins", "{plural}",
        "blocks belong in bins of the same colour", "the rule is that {reverse}", "as you know, {reverse}",
        "every colour has its bin; put the blocks there",
    ),
    "stack": ("{pairs_bare}", "from bottom to top: {the_upward}", "a tower from top to bottom: {downward}"),
    "kit": ("{one}, all in the tray", "in the tray: {the}", "a kit of {one}", "{the} belong in the tray"),
    "insert": ("the {peg} belongs in the {socket}", "the {socket} takes the {peg}", "{peg} into {socket}",
               "the {peg} should sit in the {socket}"),
    "drawer": ("the {thing} goes into the {drawer}, closed", "{thing} into the {drawer}, and shut it",
               "the {drawer} is for the {thing}; close it afterwards"),
    "machine": ("the {part} is next for the machine", "{part} into the fixture, then start",
                "the next job is the {part}: load and start"),
    "conveyor": ("each parcel has a bin of its colour", "parcels go into the bins of their colours",
                 "the {colour} parcel goes to the {colour} bin", "{colour} parcel, {colour} bin",
                 "i only need the {colour} parcel in its bin"),
}
"""By task, whole sentences that are no orders."""


def training_phrasings(task: Task) -> tuple[str, ...]:
    """Every template for a task, none of which is one of its own."""
    orders = [f"{opening}{order}{ending}" for opening, order, ending in product(OPENINGS, ORDERS[task.name], ENDINGS)]
    wishes = [f"{wish}{ending}" for wish, ending in product(WISHES[task.name], ENDINGS[:7])] * 12
    return tuple(phrase for phrase in (*orders, *wishes) if phrase not in task.phrasings)


def for_training(task: Task) -> Task:
    """The task, asked for in the words of training."""
    return replace(task, phrasings=training_phrasings(task))
