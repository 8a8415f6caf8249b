"""How a network is prepared to run: folded, in a precision, with threads that read and write."""
