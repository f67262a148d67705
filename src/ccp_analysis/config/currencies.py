"""Currencies: how amounts are written, by the code of ISO 4217."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

# The scale of amounts in rows of an evaluation, until its stage names the currency in its place.
MONEY: Final = "pounds"
# fmt: off
Code = Literal[
    "GBP", "EUR", "USD", "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "HKD", "HUF", "INR",
    "JPY", "KRW", "MXN", "NOK", "NZD", "PLN", "SEK", "SGD", "ZAR",
]
# fmt: on


class Currency(NamedTuple):
    """Symbol before an amount; what its unit is called; its whole name."""

    symbol: str
    unit: str
    label: str

    @property
    def prefix(self) -> str:
        """The symbol as it stands before a number: letters with a space that does not break."""
        return f"{self.symbol}\N{NO-BREAK SPACE}" if self.symbol[-1].isalpha() else self.symbol


# Those without a name of their own here are written by their codes.
CURRENCIES: Final = {code: Currency(code, code, code) for code in get_args(Code)} | {
    "GBP": Currency("£", MONEY, "pounds sterling"),
    "EUR": Currency("€", "euros", "euros"),
    "USD": Currency("$", "dollars", "US dollars"),
    "AUD": Currency("A$", "Australian dollars", "Australian dollars"),
    "CAD": Currency("C$", "Canadian dollars", "Canadian dollars"),
    "NZD": Currency("NZ$", "New Zealand dollars", "New Zealand dollars"),
    "CHF": Currency("CHF", "Swiss francs", "Swiss francs"),
    "SEK": Currency("SEK", "Swedish kronor", "Swedish kronor"),
    "NOK": Currency("NOK", "Norwegian kroner", "Norwegian kroner"),
    "DKK": Currency("DKK", "Danish kroner", "Danish kroner"),
    "JPY": Currency("¥", "yen", "Japanese yen"),
}
PREFIXES: Final = {one.unit: one.prefix for one in CURRENCIES.values()}


def in_currency(scale: str, code: str) -> str:
    """Return a scale of money in a currency; any other as it is.

    Examples
    --------
    >>> from ccp_analysis.config.currencies import in_currency
    >>> in_currency("pounds per QALY", "EUR"), in_currency("points", "EUR")
    ('euros per QALY', 'points')
    """
    money, per, what = scale.partition(" per ")
    return f"{CURRENCIES[code].unit}{per}{what}" if money == MONEY else scale
