"""The list of medication: what everybody took at each visit, drug by drug."""

from __future__ import annotations

import pandas as pd

from ccp_analysis.cleaning.table import PARTICIPANT, RawTable
from ccp_analysis.config.study import Study


def medication(study: Study, tables: dict[str, RawTable]) -> pd.DataFrame | None:
    """Return a row for each drug of the list, in its order; None without one.

    Parameters
    ----------
    study : Study
        Names the file and its variables.
    tables : dict
        File id → `RawTable`.

    Returns
    -------
    pandas.DataFrame or None
        participant, visit, drug, dose (empty where none is named), quantity, price, file, row.
    """
    listed = study.medication
    if listed is None:
        return None
    table = tables[listed.file]
    values = table.values
    dose = values[listed.dose].astype("string").fillna("") if listed.dose else ""
    found = {
        PARTICIPANT: values[PARTICIPANT],
        "visit": values[listed.visit],
        "drug": values[listed.drug],
        "dose": dose,
        "quantity": values[listed.quantity].astype(float),
        "price": values[listed.price].astype(float),
        "file": table.sheet.path.name,
        "row": table.sheet.rows,
    }
    return pd.DataFrame(found)
