"""Memory of a video: the bank of keys and values, and the policies that choose its frames."""
