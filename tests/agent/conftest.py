"""The parts of an episode on dummies are a module of these tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
