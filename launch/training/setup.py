"""From options to a training: the cache is filled, statistics are taken, the network is made or gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from rich.console import Console
from torch import nn
from training.frames import apart, cached

from tandem.bridge.contract import InvalidOption, SpecMismatch
from tandem.policies.learned.architectures import network_for
from tandem.policies.learned.eyes import About, Window
from tandem.policies.learned.layouts import Layout
from tandem.policies.learned.manifest import Manifest
from tandem.policies.learned.store import load_network
from tandem.policies.learned.training.cache import Cache, sources_of
from tandem.policies.learned.training.lessons import Lessons
from tandem.policies.learned.training.loop import MANIFEST, Schedule, Training

WINDOWS = (
    Window("front", About.ALL, 80, 60),
    Window("front", About.POINT, 56, 56, 0.0025, margin=10),
    Window("wrist", About.TOOL, 56, 56, 0.0025),
)
"""The whole scene, the table around the point, the table below the tool."""


def prepared(options: Any, console: Console, processes: PartialState) -> Training:
    """A training that begins, or goes on where the folder's ends; options of train.py."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    gpu = processes.device.type == "cuda"
    learned, held_out = _lessons(options, console)
    with processes.main_process_first():
        manifest = _manifest(options, learned, console)
    for lessons in filter(None, (learned, held_out)):
        lessons.vocabulary(manifest.skills, manifest.words)
    network = _network(options, manifest)
    count = sum(weight.numel() for weight in network.parameters())
    console.print(f"{options.architecture}: {count / 1e6:.2f} M weights; {len(learned)} frames to learn from, "
                  f"{len(held_out) if held_out else 0} held out")
    return Training(
        network, manifest, learned, held_out, Schedule(options.steps, options.batch, options.rate), options.folder,
        seed=options.seed, precision=("bf16" if gpu else "no") if options.precision == "auto" else options.precision,
        cpu=not gpu, compiled=gpu if options.compiled is None else options.compiled,
    )


def _lessons(options: Any, console: Console) -> tuple[Lessons, Lessons | None]:
    sources = [source for path in options.data for source in sources_of(path)]
    cache = Cache(options.cache, WINDOWS, options.skill)
    kept, checked = apart(cached(cache, sources, console), options.hold_out)
    shape = WINDOWS, Layout(options.layout), options.horizon, options.stride
    return Lessons(kept, *shape), Lessons(checked, *shape) if checked else None


def _manifest(options: Any, learned: Lessons, console: Console) -> Manifest:
    """That of the folder, of the start, or a new one; the statistics of a policy never change after its first step."""
    there = Path(options.folder) / MANIFEST
    how = {name: getattr(options, name) for name in ("batch", "rate", "seed", "steps")} | {"frames": len(learned)}
    if there.exists():
        manifest = Manifest.read(there)
    elif options.start is not None:
        manifest = load_network(options.start)[0]
    else:
        manifest = learned.manifest(options.architecture, options.given)
    if told := others(manifest, options):
        made = ", ".join(told)
        raise InvalidOption(f"the policy to go on from is another one, made with {made}: give its options, or another "
                            "--folder")
    if found := manifest.body.differences(learned.spec):
        raise SpecMismatch(found)
    if there.exists():
        _tell_changes(manifest.about, how, console)
    else:
        there.parent.mkdir(parents=True, exist_ok=True)
        about = {"data": [path.name for path in options.data], **how}
        manifest = replace(manifest, about=about | ({"start": dict(manifest.about)} if options.start else {}))
        manifest.write(there)
    return manifest


def others(manifest: Manifest, options: Any) -> list[str]:
    """What a policy was made with that the options say otherwise; settings only where some are given."""
    names = ("architecture", "layout", "horizon", "stride")
    pairs = [(name, getattr(manifest, name), getattr(options, name)) for name in names]
    told = [f"--{name} {made}" for name, made, asked in pairs if made != asked]
    if options.given and options.given != dict(manifest.settings):
        told.append(f"--settings '{json.dumps(dict(manifest.settings))}'")
    if manifest.windows != WINDOWS:
        told.append("windows of another version of tandem")
    return told


def _tell_changes(began: Mapping[str, Any], how: Mapping[str, Any], console: Console) -> None:
    """Going on with other options or data is no mistake, but no longer the same training to the bit.

    The rate falls towards the last step; batches are drawn from all frames, and which episodes are held out depends on
    those before them.
    """
    changed = [f"{name} was {began[name]}, is {now} now" for name, now in how.items() if began.get(name, now) != now]
    if changed:
        console.print(f"[yellow]goes on otherwise than it began:[/] {'; '.join(changed)}")


def _network(options: Any, manifest: Manifest) -> nn.Module:
    if options.start is not None:
        return load_network(options.start)[1]
    return network_for(manifest.architecture, manifest.shapes, manifest.settings)
