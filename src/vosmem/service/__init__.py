"""A local HTTP service over streams: frames and masks in, masks out."""
