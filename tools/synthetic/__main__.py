"""Draw synthetic raw data, ``python -m synthetic --out FOLDER``, or a whole study folder.

With ``--people`` and ``--teams`` FOLDER is a study that can be run; without, it has the raw data
of the shipped one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ccp_analysis.errors import StudyError
from synthetic.folder import write_folder
from synthetic.study_data import run


def main() -> int:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="synthetic", description=(__doc__ or "").partition(":")[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--people", type=int, help="people recruited, of a study of another size")
    parser.add_argument("--teams", type=int, help="its teams, an even number")
    asked = parser.parse_args()
    if (asked.people is None) != (asked.teams is None):
        parser.error("--people and --teams go together")
    try:
        if asked.people is None:
            run(out=asked.out)
        else:
            write_folder(asked.out, asked.people, asked.teams)
    except StudyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


sys.exit(main())
