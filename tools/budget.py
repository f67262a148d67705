"""Count what there is to read, and compare it with ``budget.toml``.

A figure above its budget, or a module of more lines than `LINES`, ends with exit status 1: raising
a figure is a change of its own, with the reason. ``python tools/budget.py --write`` sets every
figure to what is counted, for that change; pages are set by hand.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUDGET = ROOT / "budget.toml"
PACKAGE = Path("src/ccp_analysis")
LINES = 400  # of a module at most
BY_HAND = "\n# Pages"  # from here on nothing is counted
HEAD = """\
# What there is to read, at most: statements of each folder as Python's syntax tree counts them
# (docstrings left out), and lines of templates. CI fails above it (tools/budget.py). Raising a
# figure is a change of its own that says why.
"""


def counted() -> dict[str, dict[str, int]]:
    """Return statements by folder and lines of templates by folder, in the tree as it is."""
    package = ROOT / PACKAGE
    folders = {PACKAGE.as_posix(): list(package.glob("*.py"))}
    for folder in sorted(path for path in package.iterdir() if path.is_dir()):
        folders[folder.relative_to(ROOT).as_posix()] = sorted(folder.rglob("*.py"))
    folders["tools"] = sorted((ROOT / "tools").rglob("*.py"))
    templates: dict[str, int] = {}
    for path in sorted(package.rglob("templates/*")):
        name = path.parent.relative_to(ROOT).as_posix()
        templates[name] = templates.get(name, 0) + path.read_bytes().count(b"\n")
    statements = {name: sum(map(statements_of, files)) for name, files in folders.items() if files}
    return {"statements": statements, "template_lines": templates}


def statements_of(path: Path) -> int:
    """Return the statements of a module, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return sum(isinstance(node, ast.stmt) and not _is_text(node) for node in ast.walk(tree))


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def exceeded(found: dict[str, dict[str, int]], allowed: dict[str, dict[str, int]]) -> list[str]:
    """Return a sentence for each figure that is above its budget or has none."""
    sentences = []
    for kind, figures in found.items():
        for name, count in figures.items():
            limit = allowed.get(kind, {}).get(name)
            if limit is None:
                sentences.append(f"{name}: {count} {kind}, for which budget.toml has no figure.")
            elif count > limit:
                sentences.append(f"{name}: {count} {kind}, more than the {limit} of budget.toml.")
    return sentences


def too_long() -> list[str]:
    """Return a sentence for each module that has more than `LINES` lines."""
    modules = [*(ROOT / PACKAGE).rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    lines = {path: path.read_bytes().count(b"\n") for path in sorted(modules)}
    return [
        f"{path.relative_to(ROOT).as_posix()}: {count} lines, more than {LINES}."
        for path, count in lines.items()
        if count > LINES
    ]


def as_toml(found: dict[str, dict[str, int]]) -> str:
    """Return the figures as the text of ``budget.toml``."""
    tables = [
        f"[{kind}]\n" + "".join(f'"{name}" = {count}\n' for name, count in figures.items())
        for kind, figures in found.items()
    ]
    return "\n".join([HEAD, *tables])


def main() -> int:
    """Compare with the budget, or write it."""
    parser = argparse.ArgumentParser(description="Compare what there is to read with its budget.")
    parser.add_argument("--write", action="store_true", help="set every figure to what is counted")
    found = counted()
    if parser.parse_args().write:
        known = BUDGET.read_text(encoding="utf-8")
        BUDGET.write_text(as_toml(found) + known[known.index(BY_HAND) :], encoding="utf-8")
        return 0
    faults = exceeded(found, tomllib.loads(BUDGET.read_text(encoding="utf-8"))) + too_long()
    for fault in faults:
        print(fault, file=sys.stderr)
    total = sum(found["statements"].values())
    print(f"{total} statements, {sum(found['template_lines'].values())} lines of templates.")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
