"""Training: a graph, its recipe and a dataset become trained weights. The only room that needs torch."""

from cifar_dsl.analysis import wait_passively

wait_passively()  # here, since every import of torch in this package comes after this one
