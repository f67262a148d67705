"""What a command imports and opens; Python begins with it where it is called sitecustomize.py."""

from __future__ import annotations

import atexit
import json
import os
import sys
from typing import Any

OPENED: set[str] = set()


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        OPENED.add(os.path.abspath(arguments[0]))  # noqa: PTH100


def keep() -> None:
    """Write, as the process ends, what it was given, imported and opened."""
    ours = [m for n, m in sys.modules.items() if n.split(".")[0] in ("ccp_analysis", "__main__")]
    opened, modules = sorted(OPENED), sorted(module.__file__ or "" for module in ours)
    os.makedirs("watched", exist_ok=True)  # noqa: PTH103
    with open(f"watched/{sys.argv[1]}.{os.getpid()}.json", "w") as file:  # noqa: PTH123
        json.dump({"given": sys.argv[2:], "modules": modules, "opened": opened}, file)


if "ccp_analysis.cli" in sys.orig_argv:
    sys.addaudithook(hook)
    atexit.register(keep)
