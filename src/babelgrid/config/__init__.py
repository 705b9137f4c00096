"""An experiment's settings: typed, checked against each other, and explained when they are wrong."""
