"""Overlays, contact sheets, plots and videos, for training, reports and notebooks."""
