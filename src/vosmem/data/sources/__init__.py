"""What is on disk: image sets, videos, evaluation sets."""
