"""LeRobot's weights of ACT under our names: the same network, so that both can be asked the same."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from tandem.policies.learned.act import Act

_HEADS = {
    "latent_in": "encoder_latent_input_proj", "state_in": "encoder_robot_state_input_proj", "written": "decoder.norm",
    "picture_in": "encoder_img_feat_input_proj", "action_out": "action_head",
    "style.state_in": "vae_encoder_robot_state_input_proj", "style.action_in": "vae_encoder_action_input_proj",
    "style.out": "vae_encoder_latent_output_proj",
}
_TABLES = {
    "first_places": "encoder_1d_feature_pos_embed.weight", "places": "decoder_pos_embed.weight",
    "style.asks": "vae_encoder_cls_embed.weight",
}


def take(network: Act, theirs: Mapping[str, Tensor]) -> None:
    """Give a network LeRobot's weights; the subgoal, of which theirs knows nothing, then says nothing."""
    theirs = {name.removeprefix("model."): value for name, value in theirs.items()}
    ours = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    for name, source in _HEADS.items():  # a convolution of single pixels is a linear layer
        ours |= {f"{name}.{kind}": theirs[f"{source}.{kind}"].reshape(ours[f"{name}.{kind}"].shape)
                 for kind in ("weight", "bias")}
    ours |= {name: theirs[source] for name, source in _TABLES.items()}
    for name, source, count in (
        ("readers", "encoder", network.config.reading), ("style.layers", "vae_encoder", network.config.styling),
    ):
        for i in range(count):
            at = f"{source}.layers.{i}"
            ours |= _layer(theirs, f"{name}.{i}", f"{at}.self_attn", at, (f"{at}.norm1", f"{at}.norm2"))
    at = "decoder.layers.0"
    ours |= _layer(theirs, "writer", f"{at}.multihead_attn", at, (f"{at}.norm2", f"{at}.norm3"))
    ours["start"] = _start(theirs, at)
    network.load_state_dict(ours)
    network.trunk.load_torchvision(
        {name.removeprefix("backbone."): value for name, value in theirs.items() if name.startswith("backbone.")})


def _layer(
    theirs: Mapping[str, Tensor], name: str, attention: str, thought: str, norms: tuple[str, str]
) -> dict[str, Tensor]:
    found = {}
    for kind, packed in (("weight", "in_proj_weight"), ("bias", "in_proj_bias")):
        parts = theirs[f"{attention}.{packed}"].chunk(3)
        found |= {f"{name}.{part}.{kind}": value for part, value in zip(("query", "key", "value"), parts, strict=True)}
        sources = {"out": f"{attention}.out_proj", "wide": f"{thought}.linear1", "narrow": f"{thought}.linear2",
                   "norms.0": norms[0], "norms.1": norms[1]}
        found |= {f"{name}.{part}.{kind}": theirs[f"{source}.{kind}"] for part, source in sources.items()}
    return found


def _start(theirs: Mapping[str, Tensor], at: str) -> Tensor:
    """What the decoder's attention to itself, which begins with zeros, leaves for every query."""
    value = theirs[f"{at}.self_attn.in_proj_bias"].chunk(3)[2]
    out = functional.linear(value, *(theirs[f"{at}.self_attn.out_proj.{kind}"] for kind in ("weight", "bias")))
    return functional.layer_norm(out, out.shape, *(theirs[f"{at}.norm1.{kind}"] for kind in ("weight", "bias")))
