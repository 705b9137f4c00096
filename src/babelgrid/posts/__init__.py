"""From a user's files to clean posts: read, clean, deduplicate, split, sample."""
