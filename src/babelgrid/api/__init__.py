"""Answers of an OpenAI-compatible endpoint to the grid's test posts."""
