"""Names, order and words under which results are shown. Never imports torch."""
