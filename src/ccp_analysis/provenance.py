"""What a command depends on: the modules it imports and the files that belong to them."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from ccp_analysis.cli import COMMANDS
from ccp_analysis.files import fingerprint

PACKAGE = Path(__file__).parent
TEMPLATES = "templates"
LOCK = PACKAGE.parents[1] / "requirements.lock"
# A statement that imports something of the package, to its end: to parse the whole of each module
# takes a hundred times as long.
_IMPORT = re.compile(
    r"^[ \t]*((?:from|import) ccp_analysis\b(?:.*\bimport \((?:#.*|[^#)])*\)|.*))", re.MULTILINE
)


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
    waiting = _files_of("ccp_analysis.cli") | _files_of(start)
    while waiting:
        found |= waiting
        waiting = set().union(*map(_uses, waiting)) - found
    return sorted(found)


def code_fingerprint(command: str) -> str:
    """Return a SHA-256 of the code that a command uses and of the locked environment."""
    return fingerprint([*modules_of(command), LOCK])


def program() -> str:
    """Return a SHA-256 of the whole program and of the locked environment."""
    parts = (path for path in PACKAGE.rglob("*") if "__pycache__" not in path.parts)
    return fingerprint([*sorted(path for path in parts if path.is_file()), LOCK])


@cache
def _modules(package: Path) -> dict[str, Path]:
    """Return the file of each module by its name, that of a folder ending in ``__init__``."""
    files = package.rglob("*.py")
    return {".".join(f.relative_to(package.parent).with_suffix("").parts): f for f in files}


def _files_of(module: str) -> set[Path]:
    """Return the file of a module of this package and the ``__init__.py`` of its parents."""
    parts = module.split(".")
    names = [".".join([*parts[:depth], "__init__"]) for depth in range(1, len(parts) + 1)]
    return {file for name in (module, *names) if (file := _modules(PACKAGE).get(name))}


@cache
def _uses(path: Path) -> frozenset[Path]:
    """Return the files of what a module imports, and those of the templates that it names."""
    source = path.read_text(encoding="utf-8") if path.suffix == ".py" else ""
    files: set[Path] = set()
    for [node] in (ast.parse(text).body for text in _IMPORT.findall(source)):
        assert isinstance(node, ast.Import | ast.ImportFrom)
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{name}" for name in names)]
        files |= {file for name in names for file in _files_of(name)}
        whole = (_modules(PACKAGE).get(f"{name}.__init__") for name in names[1:])
        files |= {file for folder in whole if folder for file in folder.parent.glob("*.py")}
    if TEMPLATES in source:
        files |= {file for file in (path.parent / TEMPLATES).glob("*") if file.is_file()}
    return frozenset(files)
