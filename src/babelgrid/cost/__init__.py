"""What jobs took, and what they and their rivals cost."""
