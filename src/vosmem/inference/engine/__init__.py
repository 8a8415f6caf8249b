"""How a network is prepared to run: folded, in a precision, beside reading and writing threads."""
