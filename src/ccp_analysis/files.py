"""Writing files whole or not at all, and the hashes by which a changed file is noticed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file through a temporary neighbour, which is then renamed.

    A reader never sees a half-written file, and a failure leaves an older file as it was.

    Parameters
    ----------
    path : Path
        Where the file is to stand; missing folders are made.
    write : callable
        Called with the temporary path (same folder, same suffix); writes the whole content there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8, newlines as given), whole or not at all."""
    write_whole(path, lambda target: target.write_bytes(text.encode()) and None)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV (UTF-8, full precision, empty cell = missing), whole or not at all."""
    write_whole(path, lambda target: table.to_csv(target, index=False, lineterminator="\n"))


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, whole or not at all."""
    write_whole(path, lambda target: table.to_parquet(target, index=False))


def fingerprint(paths: Iterable[Path]) -> str:
    """Return one SHA-256 over the contents of files.

    Parameters
    ----------
    paths : iterable of Path
        Files; their order does not matter, their locations do not count. A file that is not there
        counts as empty, so that its rule runs and reports it.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        content = path.read_bytes() if path.is_file() else b""
        total.update(f"{path.name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()
