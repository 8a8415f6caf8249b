"""Adapters for annotation tools: vosmem.integrations.TOOL; docs/how-to/annotate.md shows how to use each."""
