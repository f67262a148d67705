"""Synthetic study data, drawn from a model whose truth is written down."""
