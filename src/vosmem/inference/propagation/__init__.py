"""How a network propagates masks from frame to frame."""
