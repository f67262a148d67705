"""What was not imputed, and why: from the imputation to every analysis that needs it."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ccp_analysis.errors import RefusedError

NOT_IMPUTED = "not imputed"  # in the attributes of the completed tables: variable, sentence


def reasons(tables: pd.DataFrame) -> dict[str, str]:
    """Return the variables that could not be imputed, with a sentence on each."""
    return tables.attrs.get(NOT_IMPUTED, {})


def require_imputed(tables: pd.DataFrame, names: Iterable[str]) -> None:
    """Raise RefusedError where one of the variables could not be imputed."""
    known = reasons(tables)
    for name in names:
        if name in known:
            raise RefusedError(known[name])
