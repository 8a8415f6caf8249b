"""The formats in which masks are written: a module per group of formats, and the registry of their names."""
