"""Score the grid's test posts with an OpenAI-compatible endpoint."""
