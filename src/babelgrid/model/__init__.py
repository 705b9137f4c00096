"""4-bit base, forward pass with a shared prompt prefix, fine-tuning and scoring."""
