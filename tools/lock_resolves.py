"""Ask uv whether both locks can be installed for each Python and each system, as a table.

``python tools/lock_resolves.py`` in the developers' environment. Nothing is installed: for each
case uv chooses the files of all packages by their SHA-256, and fails where there is none. Exit
status 1 if a lock cannot be installed somewhere.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = {
    "Linux, x86-64": "x86_64-manylinux_2_28",
    "Linux, ARM": "aarch64-manylinux_2_28",
    "macOS, ARM": "aarch64-apple-darwin",
    "macOS, x86-64": "x86_64-apple-darwin",
    "Windows, x86-64": "x86_64-pc-windows-msvc",
}
# Pure Python, of which only the source is published.
FROM_SOURCE = ("connection-pool",)


def resolve(lock: str, python: str, system: str) -> tuple[str, bool]:
    """Return how many packages would be installed, or why it is not so, and whether it is."""
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as target:
        options = ["--dry-run", "--target", target, "--require-hashes", "--only-binary", ":all:"]
        options += [word for name in FROM_SOURCE for word in ("--no-binary", name)]
        where = ["--python-version", python, "--python-platform", system]
        command = [str(uv), "pip", "install", *options, *where, "--requirement", str(ROOT / lock)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=target)
    found = re.search(r"Would install (\d+) packages", done.stderr)
    if done.returncode or found is None:
        why = re.search(r"Because (.+?),? (?:we can|and)", " ".join(done.stderr.split()))
        return why[1] if why else "no", False
    return f"{found[1]} packages", True


def main() -> int:
    """Print the table."""
    print(f"| lock | system | {' | '.join(f'Python {python}' for python in PYTHONS)} |")
    print(f"|---|---|{'---|' * len(PYTHONS)}")
    every = True
    for lock in LOCKS:
        for name, system in SYSTEMS.items():
            cells = [resolve(lock, python, system) for python in PYTHONS]
            every &= all(installed for _, installed in cells)
            print(f"| {lock} | {name} | {' | '.join(words for words, _ in cells)} |", flush=True)
    return int(not every)


if __name__ == "__main__":
    sys.exit(main())
