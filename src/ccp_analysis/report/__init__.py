"""Results → tables, figures and the report; nothing is fitted or computed here."""
