"""What a command depends on: the modules it imports and the files that belong to them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from ccp_analysis.cli import COMMANDS
from ccp_analysis.files import fingerprint

PACKAGE = Path(__file__).parent
TEMPLATES = "templates"
LOCK = PACKAGE.parents[1] / "requirements.lock"


def modules_of(command: str) -> list[Path]:
    """Return the files of this package that a command uses.

    Parameters
    ----------
    command : str
        A sub-command of the command line.

    Returns
    -------
    list of Path
        The command's module and all it imports, directly or not, at the top or inside a function;
        and everything in the ``templates`` folder beside a module that names this folder. A folder
        that is imported as a whole counts with all its modules, as names in it are looked up when
        they are needed. Sorted.
    """
    start = COMMANDS[command].partition(":")[0]
    found: set[Path] = set()
    waiting = {PACKAGE / "__init__.py", PACKAGE / "cli.py", *_files_of(start)}
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= _imports(path) - found
    folders = {path.parent / TEMPLATES for path in found if TEMPLATES in _source(path)}
    assets = {f for folder in folders if folder.is_dir() for f in folder.iterdir() if f.is_file()}
    return sorted(found | assets)


def code_fingerprint(command: str) -> str:
    """Return a SHA-256 of the code that a command uses and of the locked environment."""
    return fingerprint([*modules_of(command), LOCK])


def _files_of(module: str) -> set[Path]:
    """Return the file of a module of this package and the ``__init__.py`` of its parents."""
    parts = module.split(".")[1:]
    files = {PACKAGE.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)}
    files.add(PACKAGE.joinpath(*parts).with_suffix(".py"))
    return {file for file in files if file.is_file()}


def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _imports(path: Path) -> frozenset[Path]:
    files: set[Path] = set()
    for node in ast.walk(ast.parse(_source(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        if names[0].split(".")[0] == "ccp_analysis":
            files |= {file for name in names for file in _files_of(name)}
            for folder in names[1:]:
                files |= set(PACKAGE.joinpath(*folder.split(".")[1:]).glob("*.py"))
    return frozenset(files)
