"""Before anything moves: body, key map, model, statistics and adapter are compared, and all that differs is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from transformers import PI0Config

from tandem.bridge.contract import BodySpec, SpecMismatch
from tandem.policies.remote.mapping import KeyMap, Told
from tandem.policies.remote.presets import key_map
from tandem.policies.vla.load import Loaded
from tandem.policies.vla.words import DEFAULT_MAP


def keymap_for(loaded: Loaded, spec: BodySpec, name: str | None) -> KeyMap:
    """The key map of a name or file; without one the adapter's own, or else the usual one in this model's sizes.

    Raises:
        UnknownName, InvalidOption: there is no such map.
    """
    if name is None and loaded.adapter is not None:
        return loaded.adapter.about.keymap
    chosen = key_map(name or DEFAULT_MAP, spec)
    return chosen if name not in (None, DEFAULT_MAP) else in_sizes_of(chosen, loaded.checkpoint.config)


def in_sizes_of(keymap: KeyMap, config: PI0Config) -> KeyMap:
    """The key map with a model's size of pictures, carrying out no more than its chunk."""
    side = config.vlm_config.vision_config.image_size
    cameras = tuple(replace(key, size=(side, side)) for key in keymap.cameras)
    return replace(keymap, cameras=cameras, use=keymap.use and min(keymap.use, config.chunk_size))


def require(loaded: Loaded, spec: BodySpec, keymap: KeyMap) -> None:
    """Raise `SpecMismatch` unless all agree: nothing may move."""
    found = [*_of_body(loaded, spec, keymap), *_of_model(loaded, keymap), *_of_sizes(loaded, spec, keymap)]
    if found:
        raise SpecMismatch(found)


def _of_body(loaded: Loaded, spec: BodySpec, keymap: KeyMap) -> Iterable[str]:
    """Map against body; an adapter was made for one robot, order of joints, rate and set of keys."""
    made_for = None if loaded.adapter is None else loaded.adapter.about.made_for
    return keymap.differences(spec, Told(tandem=made_for))


def _of_model(loaded: Loaded, keymap: KeyMap) -> Iterable[str]:
    """Keys that the checkpoint names. It may be shown fewer pictures than it knows, but no others."""
    told = loaded.checkpoint.told
    mine = {
        "pictures": {key.theirs for key in keymap.cameras}, "state": {vector.theirs for vector in keymap.state},
        "action": {vector.theirs for vector in keymap.action},
    }
    for kind, have in mine.items():
        known = getattr(told, kind)
        if known is not None and (not have <= known if kind == "pictures" else have != known):
            yield f"keys of {kind}: {', '.join(sorted(have))} here, {', '.join(sorted(known))} in the checkpoint"


def _of_sizes(loaded: Loaded, spec: BodySpec, keymap: KeyMap) -> Iterable[str]:
    config, side = loaded.checkpoint.config, loaded.reader.side
    if not keymap.cameras:
        yield "pictures: none here, at least one there"
    for key in keymap.cameras:
        if key.size != (side, side) or key.depth or key.channels_first:
            yield f"picture {key.theirs!r}: {key.size} here, RGB of ({side}, {side}), channels last, there"
    if keymap.use is not None and keymap.use > config.chunk_size:
        yield f"actions carried out: {keymap.use} here, chunks of {config.chunk_size} there"
    for kind, vectors, most in (
        ("state", keymap.state, config.max_state_dim), ("action", keymap.action, config.max_action_dim),
    ):
        yield from _of_vector(loaded, kind, sum(vector.size(spec) for vector in vectors), most)
        if len(vectors) != 1:
            yield f"vectors of {kind}: {len(vectors)} here, 1 there"


def _of_vector(loaded: Loaded, kind: str, size: int, most: int) -> Iterable[str]:
    """A vector's size against the model's width and the statistics."""
    extra = int(kind == "action" and loaded.adapter is not None and loaded.adapter.about.ends)
    if size + extra > most:
        yield f"{kind}: {size} numbers here, at most {most - extra} there"
    if loaded.statistics is None:
        yield f"statistics of {kind}: {size} numbers here, none there; give those of its training data " \
              "(--policy-statistics FILE)"
        return
    scale = getattr(loaded.statistics, kind)
    if len(scale) != size and not (len(scale) > size and not scale.mean[size:].any()):  # the rest is padding
        yield f"statistics of {kind}: {size} numbers here, {len(scale)} there ({loaded.statistics.origin})"
