"""Weights that come with the package, each with its model card; read by `vosmem.checkpoints.bundled`."""
