"""The study in one file with all that made its results, and the check that they come out again.

Nothing is imported here: the checksums of an archive are compared before any more of its code is
loaded.
"""

from __future__ import annotations

from pathlib import Path

# The code is used from a copy of the repository, where Snakefile and Makefile stand beside src/.
REPOSITORY = Path(__file__).resolve().parents[3]

RESULTS = Path("reports/results.csv")
ARCHIVED_RESULTS = Path("archived/results.csv")
MANIFEST = Path("archived/MANIFEST.sha256")
# Of files with participants' data, in an archive that has them not.
CHECKSUMS = Path("data/raw/CHECKSUMS.sha256")

_HIDDEN = (".", "~")
_DERIVED = ("__pycache__", ".egg-info", ".pyc", "~")


def kept(name: str) -> bool:
    """Return whether a file or folder belongs to those it stands among, by its name.

    Left out is what begins with ``.`` or ``~``, editors' copies, byte code and the metadata of an
    installation.
    """
    return not (name.startswith(_HIDDEN) or name.endswith(_DERIVED))
