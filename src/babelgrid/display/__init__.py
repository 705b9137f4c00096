"""Name, order and escape results for display. Never imports torch."""
