"""What one language does for another: donors, doses, and plans made from them."""
