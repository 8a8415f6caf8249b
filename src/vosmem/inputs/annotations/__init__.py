"""Masks of annotation files: one module per format, and their joint numbering of objects."""
