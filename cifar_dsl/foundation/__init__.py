"""What every room stands on: files written whole, text, limits, shipped resources, exceptions."""
