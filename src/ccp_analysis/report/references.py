"""Works that a report lists: those that it cites, in the order of their template."""

from __future__ import annotations

import re

ENTRY = re.compile(r"(.+?) [A-Z]{1,4}(?=[ ,]).*?\((\d{4})\)", re.DOTALL)
# Between the first author and the year: other authors, brackets, escapes.
BETWEEN = r"\b.{0,60}?\b"


def only_cited(listed: str, body: str) -> str:
    """Leave out of a list of references the works that the text before it does not cite."""
    return "\n\n".join(one for one in listed.split("\n\n") if is_cited(one.strip(), body))


def is_cited(entry: str, body: str) -> bool:
    """Return whether a text names the first author of a work with its year; true of all else."""
    found = ENTRY.match(entry)
    if found is None:
        return True
    name, year = map(re.escape, found.groups())
    cited = re.compile(rf"\b{name}{BETWEEN}{year}\b", re.DOTALL)
    # A name alone is found at once; what begins between words is tried at every letter.
    return any(cited.match(body, at.start()) for at in re.finditer(name, body))
