"""How a method runs over a sequence, a stream or both directions."""
