"""The results table: one row is one estimate, whatever analysis it comes from."""
