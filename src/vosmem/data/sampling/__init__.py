"""How samples are drawn, loaded and served to training."""
