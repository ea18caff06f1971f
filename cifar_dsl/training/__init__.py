"""Training: a graph, its recipe and a dataset become trained weights. The only room that needs torch."""

from cifar_dsl.analysis import spin_briefly

spin_briefly()  # here, since every import of torch in this package comes after this one
