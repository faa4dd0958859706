"""From the word behind --policy to a vision-language-action model in this process: loaded once, compared with the body.

torch is not imported before a choice needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tandem.bridge.contract import BodySpec, Policy, SkillSpec
from tandem.policies.vla import named


class Vla:
    """A model from disk or the hub.

    Args:
        word: as `policies.vla.words.named` reads it.
        spec: of the body.
        skills: what it is good for; None takes what it says itself, or else the whole catalogue.
        done_s: body time after which a subgoal is left to the verifier.
        how: options of `policies.vla.load.Options`.

    Raises:
        ModelUnusable: there is no such model, or it is damaged, or too big.
        SpecMismatch: body, key map and model do not agree; nothing may move.
    """

    def __init__(
        self, word: str, spec: BodySpec, *, skills: Mapping[str, SkillSpec] | None = None,
        done_s: float | None = None, **how: Any,
    ):
        from tandem.policies.vla.handshake import keymap_for
        from tandem.policies.vla.load import Options, load

        name, file = named(word), how.pop("statistics", None)
        self._loaded = load(name, Options(**how, statistics=None if file is None else Path(file)))
        self._spec, self._keymap = spec, keymap_for(self._loaded, spec, name.map)
        self._declared = {"skills": skills, "done_s": done_s}
        self._shown = self.policy()

    def policy(self, *, executed: bool = False) -> Policy:
        """A new one for the body; `executed` for an executor, which decides how much of a chunk is carried out."""
        from tandem.policies.vla.policy import Pi0Flow, Pi0Policy, has_stride

        kind = Pi0Flow if executed and has_stride(self._keymap, self._spec) else Pi0Policy
        return kind(self._spec, self._loaded, self._keymap, **self._declared)

    def introduce(self) -> list[str]:
        """Lines for a person to look over before anything moves."""
        return self._shown.introduce()

    def describe(self) -> dict[str, Any]:
        """Which weights, and how they are read; plain types, for manifests."""
        return self._shown.describe()
