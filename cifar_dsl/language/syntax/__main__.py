"""`python -m cifar_dsl.language.syntax`: regenerates the parser's tables after a change to the grammar."""

from cifar_dsl.language.syntax.tables import write

write()
