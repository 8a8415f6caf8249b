"""How masks are written."""
