"""After the set-up nothing needs the network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = ["unshare", "--map-root-user", "--net"]


def alone() -> bool:
    """Whether a process can be cut off from the network here."""
    try:
        return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.simulation
@pytest.mark.long
@pytest.mark.skipif(not alone(), reason="needs a network namespace")
def test_a_study_runs_without_a_network():
    command = [sys.executable, "tools/offline.py", "examples/beat_the_blues"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| network | none: an address outside is unreachable |" in done.stdout
