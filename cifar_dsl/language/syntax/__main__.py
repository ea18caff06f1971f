"""`python -m cifar_dsl.language.syntax`: writes the parser's tables anew after a change to the grammar."""

from cifar_dsl.language.syntax.tables import write

write()
