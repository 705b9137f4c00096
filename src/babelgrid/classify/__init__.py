"""An archive of any size, labelled by one adapter."""
