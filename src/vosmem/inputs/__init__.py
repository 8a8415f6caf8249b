"""A user's own videos and masks: finding them, reading them, and saying what is wrong with them."""
