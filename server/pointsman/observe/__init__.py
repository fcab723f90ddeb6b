"""What Pointsman notices about itself, on this machine only."""
