"""What is remembered of a video: the bank that holds it and the policies that choose it."""
