"""First masks from boxes, points and strokes."""
