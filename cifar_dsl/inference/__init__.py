"""Trained networks at work: predictions for pictures, explanations, and measured evaluations."""
