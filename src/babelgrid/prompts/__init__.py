"""From a post to token ids: template, answer words, label paths."""
