"""Running methods over sequences, scoring them, and writing down what came out."""
