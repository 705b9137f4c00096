"""Adapters that others can use: merged weights, a card, and the proof that they say what the grid says."""
