"""Writes the C++ header of an arm from its Python specification, so that both sides say the same of it.

    python bridge/cpp/make_spec.py tandem.bridge.conformance:dummy_spec > bridge/cpp/src/arm_spec.hpp
    python bridge/cpp/make_spec.py my_arm:spec > bridge/cpp/src/arm_spec.hpp      # a function that returns a BodySpec
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable

import msgpack
import numpy as np

from tandem.bridge.contract import BodySpec

_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\?')
_PER_LINE = 96
_JOINT_ARRAYS = ("position_low", "position_high", "velocity_limit", "acceleration_limit", "jerk_limit", "home")


def header(spec: BodySpec, origin: str) -> str:
    """The text of the header.

    Args:
        spec: of the arm; its action is `joint_position_gripper`.
        origin: the function that gave it, for people.
    """
    lines = [
        f"// Made by make_spec.py from {origin}; do not edit. The arm: {spec.robot}.",
        "#pragma once", "", "#include <array>", "#include <string_view>", "", "namespace tandem::spec {", "",
        f"inline constexpr std::string_view robot = {_text(spec.robot)};",
        f"inline constexpr std::size_t dof = {spec.dof};",
        _array("joint_names", "std::string_view", map(_text, spec.joint_names), "dof"),
        *(_array(name, "double", map(_number, getattr(spec, name)), "dof") for name in _JOINT_ARRAYS), "",
        _array("action_names", "std::string_view", map(_text, spec.action.names), "dof + 1"),
        _array("action_low", "double", map(_number, spec.action.low), "dof + 1"),
        _array("action_high", "double", map(_number, spec.action.high), "dof + 1"), "",
        "struct Camera {", "    std::string_view name;", "    std::size_t width, height;", "    bool depth;", "};",
        _array("cameras", "Camera", (
            f"{{{_text(camera.name)}, {camera.width}, {camera.height}, {str(camera.depth).lower()}}}"
            for camera in spec.cameras), str(len(spec.cameras))), "",
        "// All of it, as `welcome` tells it: the msgpack of BodySpec.to_dict(), and the sha256 of its canonical JSON.",
        f"inline constexpr std::string_view digest = {_text(spec.digest())};",
        f"inline constexpr std::string_view packed{{{_literal(msgpack.packb(spec.to_dict()))}}};", "",
        "}  // namespace tandem::spec",
    ]
    return "\n".join(lines) + "\n"


def _array(name: str, kind: str, values: Iterable[str], size: str) -> str:
    inside = ", ".join(values)
    return f"inline constexpr std::array<{kind}, {size}> {name}{{{{{inside}}}}};"


def _number(value: np.floating) -> str:
    return repr(float(value))


def _text(text: str) -> str:
    return f'"{"".join(map(_escaped, text.encode()))}"'


def _escaped(byte: int) -> str:
    return chr(byte) if byte in _PLAIN else f"\\{byte:03o}"  # octal: a hexadecimal escape would eat what follows


def _literal(data: bytes) -> str:
    """A literal over several lines, and its length: it holds zeros."""
    parts, line = [], ""
    for byte in data:
        line += _escaped(byte)
        if len(line) >= _PER_LINE:
            parts, line = [*parts, line], ""
    lines = "".join(f'\n    "{part}"' for part in [*parts, line])
    return f"{lines},\n    {len(data)}"


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    sys.stdout.write(header(getattr(importlib.import_module(module), function)(), sys.argv[1]))
