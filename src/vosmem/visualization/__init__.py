"""Pictures: overlays and curves. The one drawing code of training, reports and notebooks."""
