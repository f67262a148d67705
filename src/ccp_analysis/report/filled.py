"""A template filled in: nothing that it names may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def environment(folder: Path, **others: Any) -> Environment:
    """Return the maker of pages, whose text is escaped, or as `others` say, from a folder."""
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **{"autoescape": True} | others,
    )
