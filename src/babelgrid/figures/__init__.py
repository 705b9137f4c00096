"""From tables to pictures. Never imports torch."""
