"""Label an archive of any size with one adapter."""
