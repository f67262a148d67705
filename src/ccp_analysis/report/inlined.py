"""Figures within a page: an image that it names becomes the SVG itself."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

_IMAGE = re.compile(r'<img src="([^"]+)" class="inline-svg" style="([^"]*)" alt="([^"]*)" />')
_OPENED = re.compile(r"<svg [^>]*>")
_SIZE = re.compile(r' (?:width|height|viewBox)="[^"]*"')
# A tag that has a name, or asks for what has one; a label may hold the same signs.
_NAMING = re.compile(r'<[^<>]*(?: id="|url\(#|href="#)[^<>]*>')
_NAME = re.compile(r'(?: id="|url\(#|href="#)')


def with_figures(page: str, folder: Path) -> str:
    """Return HTML with the SVG files of a folder in the place of images of class inline-svg.

    Pandoc can do so too, but reads the page and every figure tag by tag for it, which takes as long
    as all else that it does.
    """
    return _IMAGE.sub(lambda found: _inlined(folder / found[1], found[2], found[3]), page)


def _inlined(path: Path, style: str, said: str) -> str:
    """Return a figure whose names are those of no other, with its alternative text."""
    content = path.read_bytes()
    name = f"svg_{hashlib.sha256(content).hexdigest()[:20]}"
    text = content.decode()
    opened = _OPENED.search(text)
    if opened is None:
        raise ValueError(f"{path}: no SVG")
    body = _NAMING.sub(
        lambda tag: _NAME.sub(lambda found: f"{found[0]}{name}_", tag[0]), text[opened.end() :]
    )
    size = "".join(_SIZE.findall(opened[0]))
    return f'<svg id="{name}" role="img" aria-label="{said}" style="{style}"{size}>{body.rstrip()}'
