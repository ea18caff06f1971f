"""Shared basics: atomic file writes, text formatting, limits, shipped resources, exceptions."""
