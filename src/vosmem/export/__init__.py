"""Networks as graphs that run without PyTorch."""
