"""Raw files in, one checked and scored table of participants out."""
