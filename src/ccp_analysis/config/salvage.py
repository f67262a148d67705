"""A configuration file read as far as its shape allows, and all that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from pydantic import ValidationError

from ccp_analysis.config.reading import Config, complaints, read_lines, unresolved
from ccp_analysis.errors import StudyError

ROUNDS = 50  # of taking out what is wrong


@dataclass(frozen=True)
class Salvaged(Generic[Config]):
    """What can be read of a file, and what is wrong with it.

    Attributes
    ----------
    value : Strict or None
        The model without the keys and entries whose shape is wrong; None where nothing is left.
    faults : list of str
        One sentence for each fault, with file and line.
    left_out : frozenset of str
        Ids of the entries that were left out: to name them elsewhere is no further fault.
    """

    value: Config | None
    faults: list[str]
    left_out: frozenset[str]


def salvage(model: type[Config], path: Path) -> Salvaged[Config]:
    """Read a YAML file as far as its shape allows, and say all that is wrong with it.

    Parameters
    ----------
    model : type of Strict
        What the file is.
    path : Path
        The file.

    Returns
    -------
    Salvaged
    """
    try:
        content, lines = read_lines(path)
    except StudyError as error:
        return Salvaged(None, error.faults or [str(error)], frozenset())
    faults: list[str] = []
    gone: set[tuple[str | int, ...]] = set()
    left_out: set[str] = set()
    for _ in range(ROUNDS):
        try:
            value = model.model_validate(content)
        except ValidationError as error:
            wrong = [c["loc"] for c in error.errors()]
            said = complaints(str(path), error, lines)
            # What was taken out and is now missing is no fault of its own; and where an entry of a
            # list went, the numbers of those behind it, and so their lines, are others.
            shifted = any(isinstance(out[-1], int) for out in gone)
            faults += [
                text
                for text, at in zip(said, wrong, strict=True)
                if not shifted and not any(out[: len(at)] == at for out in gone)
            ]
            taken = [_take_out(content, at, gone, left_out) for at in wrong]
            if not any(taken):  # a key without which there is no model
                break
            content = _without_holes(content)
            continue
        return Salvaged(value, [*faults, *unresolved(value, path, lines)], frozenset(left_out))
    return Salvaged(None, faults, frozenset(left_out))


_HOLE = object()


def _take_out(
    content: Any,
    at: tuple[str | int, ...],
    gone: set[tuple[str | int, ...]],
    left_out: set[str],
) -> bool:
    """Take a key out and say so; a missing one, or one taken out before, with what is around it."""
    parents: list[tuple[Any, Any]] = []
    for part in at:
        holder = parents[-1][0][parents[-1][1]] if parents else content
        inside = isinstance(holder, dict | list) and (
            part in holder if isinstance(holder, dict) else isinstance(part, int)
        )
        if not inside:
            break
        parents.append((holder, part))
    if len(parents) == len(at) and at not in gone:
        gone.add(at)
    elif len(parents) > 1:
        # A required key: the nearest entry of a list or mapping around it goes.
        whole = [k for k, (holder, _) in enumerate(parents) if isinstance(holder, list)]
        del parents[(whole[-1] if whole else 0) + 1 :]
    if not parents:
        return False
    holder, part = parents[-1]
    gone.add(at[: len(parents)])
    entry = holder[part]
    if isinstance(entry, dict) and isinstance(entry.get("id"), str):
        left_out.add(entry["id"])
    holder[part] = _HOLE
    return True


def _without_holes(content: Any) -> Any:
    if isinstance(content, dict):
        return {k: _without_holes(v) for k, v in content.items() if v is not _HOLE}
    if isinstance(content, list):
        return [_without_holes(v) for v in content if v is not _HOLE]
    return content
