"""What the hub tells about itself: log lines and metrics."""
