"""Turn a user's files into clean posts: read, clean, deduplicate, split and sample."""
