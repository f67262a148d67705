"""Costs, quality-adjusted life years and their differences between the arms."""
