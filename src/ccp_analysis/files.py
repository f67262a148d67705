"""Writing files whole or not at all, and the hashes by which a changed file is noticed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
NUMBER = re.compile(r"\s*[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?\s*")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file through a temporary neighbour, which is then renamed.

    A reader never sees a half-written file, and a failure leaves an older file as it was.

    Parameters
    ----------
    path : Path
        Where the file is to stand; missing folders are made.
    write : callable
        Called with the temporary path (absolute; same folder, same suffix); writes all of it there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent.resolve() / f".{secrets.token_hex(8)}{path.suffix}"
    temporary.touch(exist_ok=False)  # with the rights that the user's mask leaves
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8, newlines as given), whole or not at all."""
    write_whole(path, lambda target: target.write_bytes(text.encode()))


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def escaped(text: str) -> str:
    """Return text behind an apostrophe where a spreadsheet would take it for a formula.

    That is text beginning with one of = + - @ (after any white space, or as full-width letters), a
    tab or a line break; a number is left as it is.
    """
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def unescaped(text: str) -> str:
    """Undo `escaped`."""
    return text[1:] if text.startswith("'") and escaped(text[1:]) == text else text


def write_csv(path: Path, table: pd.DataFrame, bom: bool = False) -> None:
    """Write a table as CSV (UTF-8, full precision, empty cell = missing), whole or not at all.

    With a byte order mark a spreadsheet takes the letters of a table for people for what they are.
    Text that a spreadsheet would take for a formula is escaped (see `escaped`).
    """
    safe = table.rename(columns=lambda name: escaped(name) if isinstance(name, str) else name)
    quoting = csv.QUOTE_MINIMAL
    for name, kind in safe.dtypes.items():
        if pd.api.types.is_numeric_dtype(kind) or safe[name].empty:
            continue
        cells = safe[name].astype(object)
        texts = [cell for cell in cells.unique() if isinstance(cell, str)]
        if any("\r" in text for text in (*texts, str(name))):
            quoting = csv.QUOTE_NONNUMERIC  # a lone carriage return is not quoted otherwise
        risky = {text: safer for text in texts if (safer := escaped(text)) is not text}
        if risky:
            safe[name] = cells.where(~cells.isin(list(risky)), cells.map(risky))
    write_whole(
        path,
        lambda target: safe.to_csv(
            target,
            index=False,
            lineterminator="\n",
            quoting=quoting,
            encoding="utf-8-sig" if bom else "utf-8",
        ),
    )


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, whole or not at all."""
    write_whole(path, lambda target: table.to_parquet(target, index=False))


def fingerprint(paths: Iterable[Path]) -> str:
    """Return one SHA-256 over the contents of files.

    Parameters
    ----------
    paths : iterable of Path
        Files; their order does not matter, their locations do not count. A file that is not there
        or may not be read counts as empty, so that its rule runs and reports it.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        there = path.is_file() and os.access(path, os.R_OK)
        content = path.read_bytes() if there else b""
        total.update(f"{path.name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()
