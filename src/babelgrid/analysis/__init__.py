"""Compute tables of scores, transfer and exposure from predictions. Never imports torch."""
