"""`python -m cifar_dsl.syntax`: writes the parser's tables anew after a change to the grammar."""

from cifar_dsl.syntax.tables import write

write()
