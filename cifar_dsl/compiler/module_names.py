"""Names of stages as names of torch modules, which have attributes of their own.

A child of a module is an attribute, too: torch.export, torch.fx and torch.func find it by `getattr`. So no stage can
have the name of an attribute (docs/decisions/0043-names-beside-attributes.md).
"""

# Attributes of torch.nn.Module; a test compares them with torch. Names with a leading underscore are private to torch.
MODULE_ATTRIBUTES = frozenset(
    [
        "T_destination",
        "add_module",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "compile",
        "cpu",
        "cuda",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "half",
        "ipu",
        "load_state_dict",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
    ]
)


def is_attribute(name: str) -> bool:
    """Whether every torch module has an attribute of this name, or may have one."""
    return name in MODULE_ATTRIBUTES or name.startswith("_")


def module_name(name: str) -> str:
    """The name of a stage that is named after the block or tensor `name`: `half_` for `half`."""
    return f"{name}_" if is_attribute(name) else name
