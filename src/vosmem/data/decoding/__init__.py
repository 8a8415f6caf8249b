"""How an image or a mask file decodes."""
