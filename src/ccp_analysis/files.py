"""Writing files whole or not at all, and the hashes by which a changed file is noticed.

Of each file that a run writes in its study folder, the SHA-256 is kept beside (`layout.RECORDS`);
who reads it again compares, so that a byte that was altered in between is said and not computed
with. `mended` does so before the first job.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccp_analysis.errors import StudyError
from ccp_analysis.layout import DERIVED, RECORDS, RESULTS

if TYPE_CHECKING:  # slow to import: who reads or writes a table does so
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
        if record := record_of(path):
            # First: whatever ends the run in between, a file that is not as recorded is made anew.
            record.parent.mkdir(parents=True, exist_ok=True)
            note = record.with_name(temporary.name)
            note.write_text(f"{digest(temporary)}  {path.name}\n", encoding="utf-8")
            note.replace(record)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def record_of(path: Path) -> Path | None:
    """Return where the SHA-256 of a file is kept; None for what no run of the study writes."""
    here = Path.cwd()
    whole = here / path
    # Of another study's files those under data/derived alone tell whose they are.
    study = next((p.parents[1] for p in whole.parents if p.parts[-2:] == DERIVED.parts), None)
    if study is None or whole.is_relative_to(here):
        study = here
    if not any(whole.is_relative_to(study / made) for made in (DERIVED, RESULTS.parent)):
        return None
    kept = RECORDS / whole.relative_to(study).with_name(f"{path.name}.sha256")
    return kept if study == here else study / kept


def recorded(record: Path) -> str:
    """Return the SHA-256 that was kept of a file; empty if it cannot be read."""
    return record.read_bytes()[:64].decode("ascii", "replace") if record.is_file() else ""


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bytes(path: Path) -> bytes:
    """Return the content of a file; StudyError if it is not as a run wrote it."""
    content = path.read_bytes()
    record = record_of(path)
    if record and record.is_file() and recorded(record) != hashlib.sha256(content).hexdigest():
        raise _altered(path)
    return content


def _altered(path: Path) -> StudyError:
    return StudyError(
        f"{path}: it was changed after it was written; run again, which makes it anew."
    )


def read_text(path: Path) -> str:
    """Return the text of a file that a rule wrote."""
    return read_bytes(path).decode("utf-8")


def read_json(path: Path) -> Any:
    """Return what a rule wrote as JSON."""
    return json.loads(read_bytes(path))


def read_csv(path: Path) -> pd.DataFrame:
    """Return a table that a rule wrote as CSV, every cell as text."""
    import pandas as pd

    return pd.read_csv(io.BytesIO(read_bytes(path)), dtype=str, keep_default_na=False)


def read_parquet(path: Path) -> pd.DataFrame:
    """Return a table that a rule wrote as Parquet; the checksum of each page is compared too."""
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(read_bytes(path)), page_checksum_verification=True)
    except (OSError, pa.ArrowInvalid) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise _altered(path) from error


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
    import pandas as pd

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
    """Write a table as Parquet with a checksum for each page, whole or not at all."""
    write_whole(
        path, lambda target: table.to_parquet(target, index=False, write_page_checksum=True)
    )


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
