"""Vision-language-action models in this process: pi0, through transformers' own `PI0ForConditionalGeneration`.

Needs the extra `vla` (`pip install tandem[vla]`).
"""

from tandem.bridge.contract import MissingDependency

try:
    from tandem.policies.vla.load import Options, load
    from tandem.policies.vla.policy import Pi0Flow, Pi0Policy
    from tandem.policies.vla.words import FORMS, Named, is_vla, named
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[vla]'") from reason

__all__ = ["FORMS", "Named", "Options", "Pi0Flow", "Pi0Policy", "is_vla", "load", "named"]
