"""What editors and notebooks are served."""
