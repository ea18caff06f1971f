"""Training: a graph, its recipe and a dataset become trained weights. The only room that needs torch."""
