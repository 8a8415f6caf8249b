"""How a training clip is made from images or from video."""
