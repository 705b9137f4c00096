"""Build an artificial setting in which the exposure of a base to every language is known exactly."""
