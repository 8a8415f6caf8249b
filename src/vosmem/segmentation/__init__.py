"""Anyone's video, from a mask to whole results."""
