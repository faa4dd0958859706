"""Where weights come from: folders and the Hugging Face hub, safetensors or nothing, and which bytes they were.

Planners and policies read their checkpoints by the same rules. Needs `safetensors` and `huggingface_hub`, which come
with the extras `vlm` and `vla`; `tandem.bridge` itself never imports this, and no model is built here.
"""

from tandem.bridge.contract.errors import MissingDependency

try:
    from tandem.bridge.checkpoints.digest import digest_of, digests
    from tandem.bridge.checkpoints.files import check_names, weight_files
    from tandem.bridge.checkpoints.memory import Need, require_room
    from tandem.bridge.checkpoints.source import Source, described, fetch, files_of, locate
except ModuleNotFoundError as reason:
    raise MissingDependency(f"Python module {reason.name!r}", "pip install 'tandem[vlm]'") from reason

__all__ = [
    "Need", "Source", "check_names", "described", "digest_of", "digests", "fetch", "files_of", "locate", "require_room",
    "weight_files",
]
