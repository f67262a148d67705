"""Write what the configuration declares of itself: ``docs/keys.md`` and JSON schemas of its files.

``python tools/configuration.py`` writes them; ``--check`` ends with exit status 1 where what is
written differs. Editors read a schema by the comment with which a shipped file begins.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from ccp_analysis.config.values import FILES  # noqa: E402

SCHEMAS = Path("docs/schema")
HEAD = """\
# Keys of the configuration

Written by `make docs` from what the code declares; what files, formats and rules mean is in
[configuration.md](configuration.md). A key without a default must be there.
"""


def written() -> dict[Path, str]:
    """Return every file that is written, with its text."""
    files = {Path("docs/keys.md"): "\n".join([HEAD, *map(_section, FILES)])}
    for name, model in FILES.items():
        if name.endswith(".yaml"):
            schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
            schema |= model.model_json_schema()
            path = SCHEMAS / f"{Path(name).stem}.json"
            files[path] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    return files


def _section(name: str) -> str:
    """Return the tables of a file: its own keys, then those of its parts, in order."""
    model = FILES[name]
    schema = model.model_json_schema()
    parts = {model.__name__: schema, **schema.get("$defs", {})}
    lines = [f"## {name}\n"]
    for title, part in parts.items():
        if "properties" not in part:
            continue
        about = part.get("description", "").splitlines()
        lines.append(f"### {title}\n\n{about[0]}\n" if title != model.__name__ else "")
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        required = set(part.get("required", ()))
        for key, of in part["properties"].items():
            default = "" if key in required else f"`{json.dumps(of.get('default'))}`"
            cells = [f"`{key}`", _kind(of), default, " ".join(of.get("description", "").split())]
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def _kind(of: dict[str, Any]) -> str:
    """Return in words what a key holds."""
    if "$ref" in of:
        return of["$ref"].rpartition("/")[2]
    if "enum" in of:
        return ", ".join(f"`{value}`" for value in of["enum"])
    if "const" in of:
        return f"`{of['const']}`"
    for choice in ("anyOf", "oneOf"):
        if choice in of:
            kinds = [_kind(part) for part in of[choice] if part.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if of.get("type") == "array":
        items = of.get("items", {})
        return f"list of {_kind(items)}" if items else "list"
    if of.get("type") == "object":
        inner = of.get("additionalProperties")
        return f"name: {_kind(inner)}" if isinstance(inner, dict) else "mapping"
    words = {"integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(
        of.get("type", ""), {"date": "date", "path": "path"}.get(of.get("format", ""), "text")
    )


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description="Write the keys of the configuration.")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    differs = 0
    for path, text in written().items():
        file = ROOT / path
        if check and (not file.is_file() or file.read_text(encoding="utf-8") != text):
            print(f"{path} is not what the code declares; run make docs.", file=sys.stderr)
            differs = 1
        elif not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return differs


if __name__ == "__main__":
    sys.exit(main())
