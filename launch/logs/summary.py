"""One log on one screen."""

from __future__ import annotations

from typing import Any

from console import mark
from logs.figures import duration_s, size_of, words_of_size
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from tandem.bridge.log import LogReader

SHOWN_VERSIONS = ("tandem", "mujoco", "numpy", "torch", "transformers", "foxglove-sdk")
_SHORT = 12  # characters of a digest


def summary_of(log: LogReader) -> Group:
    """Everything a person asks first."""
    rows = Table.grid(padding=(0, 2))
    for name, told in _facts(log).items():
        if told:
            rows.add_row(f"[dim]{name}[/]", told)
    return Group(f"[bold]{escape(str(log.path))}[/]", rows, _channels(log))


def _facts(log: LogReader) -> dict[str, str]:
    manifest, system = log.manifest, log.manifest.get("system", {})
    ran = ", ".join(f"{name} {system[name]}" for name in ("task", "policy", "planner", "verifier") if name in system)
    return {
        "instruction": escape(str(manifest.get("instruction", ""))),
        "ran": escape(f"{manifest.get('robot', 'an unknown robot')}, {ran or 'no system is named'}"),
        "started": escape(str(manifest.get("started", ""))),
        "seed": escape(", ".join(str(manifest[key]) for key in ("seed", "seeds") if key in manifest)),
        "code": _code(manifest), "versions": _versions(manifest), "drawn by": _drawn(manifest),
        "models": escape("; ".join(_models(manifest.get("planner", {})))),
        "result": _result(log), "lasted": f"{duration_s(log):.2f} s of body time",
        "states": _states(log), "certificate": _certificate(log),
        "file": f"{words_of_size(size_of(log.path))}, {_state_of(log)}",
    }


def _code(manifest: dict[str, Any]) -> str:
    git = manifest.get("git") or {}
    if not git.get("commit"):
        return ""
    changed = f", changed ({(git.get('diff_sha256') or 'unknown')[:_SHORT]})" if git.get("dirty") else ""
    return f"{git['commit'][:_SHORT]}{changed}"


def _versions(manifest: dict[str, Any]) -> str:
    found = manifest.get("versions", {})
    return ", ".join([f"python {manifest.get('python', '?')}",
                      *(f"{name} {found[name]}" for name in SHOWN_VERSIONS if found.get(name))])


def _drawn(manifest: dict[str, Any]) -> str:
    gl = manifest.get("opengl", {})
    return escape(gl.get("missing") or ", ".join(filter(None, (gl.get("renderer"), gl.get("version")))))


def _models(told: Any) -> list[str]:
    """Name, revision and digest of each model that the planner's description names, however deep it lies."""
    if not isinstance(told, dict):
        return []
    digest = next((str(told[key]) for key in ("digest", "weights_sha256", "sha256") if told.get(key)), "")
    name = next((str(told[key]) for key in ("model", "id", "name") if isinstance(told.get(key), str)), "")
    here = [" ".join(filter(None, (name, str(told.get("revision") or ""), digest[:_SHORT])))] if name and digest else []
    return here + [line for value in told.values() for line in _models(value)]


def _result(log: LogReader) -> str:
    if log.result is None:
        return "[yellow]it has no end[/]"
    marks = "   ".join(f"{name} {mark(log.result.get(name))}" for name in ("claimed", "seen", "measured"))
    failure = f"   [red]{log.result['failure']}[/] {escape(str(log.result['reason']))}" if log.result["failure"] else ""
    return f"{marks}{failure}"


def _states(log: LogReader) -> str:
    layout = log.state_layout()
    told = ", ".join(f"{name} {value}" for name, value in layout.items() if isinstance(value, int | float | str))
    return escape(told) or "none"


def _certificate(log: LogReader) -> str:
    told = (log.result or {}).get("certificate") or log.manifest.get("certificate")
    if isinstance(told, dict):
        told = ", ".join(f"{name} {value}" for name, value in told.items() if not isinstance(value, dict | list))
    return escape(str(told or ""))


def _state_of(log: LogReader) -> str:
    return "[green]whole[/]" if log.recovered is None else f"[yellow]{escape(log.recovered)}[/]"


def _channels(log: LogReader) -> Table:
    table, lasted = Table("channel", box=None, header_style="dim", pad_edge=False), duration_s(log)
    table.add_column("messages", justify="right")
    table.add_column("per s", justify="right")
    for topic, count in log.channels.items():
        unknown = " [yellow](of another version)[/]" if topic in log.unknown else ""
        table.add_row(f"{escape(topic)}{unknown}", str(count), f"{count / lasted:.1f}" if lasted else "")
    return table
