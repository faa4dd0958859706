"""train.py as torchrun starts it, several times at once; each process then tells what its weights have become.

    torchrun --nproc_per_node 2 train_and_tell.py FOLDER OPTIONS_OF_TRAIN
"""

import os
import sys
from pathlib import Path

import train
import training.pi0
import training.setup
import tyro
from safetensors.torch import save_file


def main(told: Path, words: list[str]) -> int:
    trainings = []
    for module in (training.pi0, training.setup):
        prepared = module.prepared
        module.prepared = lambda *given, prepared=prepared: trainings.append(prepared(*given)) or trainings[-1]
    code = train.main(tyro.cli(train.Options, args=words))
    weights = getattr(trainings[0], "_named", None) or dict(trainings[0]._network.named_parameters())
    save_file({name: weight.detach().contiguous() for name, weight in weights.items()},
              told / f"{os.environ['RANK']}.safetensors")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
