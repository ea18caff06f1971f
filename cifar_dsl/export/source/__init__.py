"""A network as one readable PyTorch file; needs no torch.

`parts` lists the expansions of each block, branch and named tensor; `units` finds what those of one block have in
common, with the `expressions` of the spec for what differs; `module` prints a class of each, wrapped by `layout`.
"""
