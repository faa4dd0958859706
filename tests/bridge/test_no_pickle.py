"""Nothing executable crosses the wire or lands in a log: no source file so much as names a way to do it."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("bridge", "sim", "policies", "agent", "launch")
BANNED = re.compile(
    r"\b(c?[pP]ickle|dill|cloudpickle|jsonpickle|shelve)\b|\b(recv|send)_pyobj\b|allow_pickle=True|(?<![\w.])(eval|exec)\("
)


def test_no_source_file_names_a_way_to_run_what_it_receives():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *ROOMS],
                            cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.split() if name.endswith((".py", ".cpp", ".hpp", ".h"))]
    assert len(files) > 100
    found = [f"{path.relative_to(ROOT)}:{number}: {line.strip()}" for path in files if path.exists()
             for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if BANNED.search(line)]
    assert not found
