"""What files with a row for each event hold: losses, contacts, medication."""

from __future__ import annotations

from ccp_analysis.config.reading import Name, Strict


class Losses(Strict):
    """Where it is recorded why somebody left: a file with a row for each event.

    `death` is the event after which utility is 0.
    """

    file: str
    """Id of the file with a row for each event."""
    event: str
    """Variable that says what happened."""
    date: str
    """Variable with its date."""
    reason: str
    """Variable with the reason for it."""
    ending: list[str]
    """Events that end participation; of several on one day the one listed first counts."""
    death: str | None = None
    """Event after which utility is 0 and nothing costs anything."""


class Delivery(Strict):
    """Where it is recorded what was delivered to whom: a file with a row for each contact."""

    file: str
    """Id of the file with a row for each contact."""
    practitioner: str
    """Variable that says who was there of the team."""
    date: str
    """Variable with the date of the contact."""
    step: str
    """Variable that says which step of the intervention it was."""


class Medication(Strict):
    """Where medication is listed: a file with a row for each drug of a participant at a visit.

    What it costs, quantity times price summed over a person's rows of a visit, is a service of the
    evaluation; who was interviewed and has no row takes nothing.
    """

    file: str
    """Id of the file with a row for each drug."""
    service: Name
    """Name of the service that the list makes, for the evaluation."""
    label: str
    """What it is called in the report."""
    visit: str
    """Variable that says at which visit it was reported; its codes are ids of visits."""
    drug: str
    """Variable with the drug."""
    dose: str | None = None
    """Variable with the dose, where prices differ by it."""
    quantity: str
    """Variable with the quantity taken over the period before the visit."""
    price: str
    """Variable with the price of one."""
