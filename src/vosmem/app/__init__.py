"""The web page: a user's work on one video, and what a browser shows of it."""
