"""How synthetic scenes and their videos are rendered."""
