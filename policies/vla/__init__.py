"""Vision-language-action models in this process: pi0, through transformers' own `PI0ForConditionalGeneration`.

Needs the extra `vla` (`pip install tandem[vla]`). Only what words mean is imported here; the model comes with
`tandem.policies.vla.load` and `tandem.policies.vla.policy`.
"""

from tandem.policies.vla.words import FORMS, Named, is_vla, named

__all__ = ["FORMS", "Named", "is_vla", "named"]
