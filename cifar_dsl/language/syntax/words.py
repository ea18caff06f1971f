"""The words of the language. A test holds the keywords against the grammar, the settings against the recipes."""

KEYWORDS = frozenset(
    [
        "arch",
        "library",
        "extends",
        "input",
        "param",
        "block",
        "model",
        "train",
        "group",
        "assert",
        "let",
        "as",
        "add",
        "concat",
        "mul",
        "for",
        "in",
        "repeat",
        "if",
        "else",
        "and",
        "or",
        "not",
        "true",
        "false",
    ]
)
SETTING_WORDS = frozenset(
    [
        "data",
        "validation",
        "normalize",
        "augment",
        "epochs",
        "batch",
        "drop_last",
        "optimizer",
        "schedule",
        "loss",
        "clip",
        "average",
        "test_augment",
        "precision",
    ]
)  # syntax may not know recipes
# How a message calls what the grammar's terminals stand for, where that is no fixed text.
TERMINALS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "SIZE": "a size such as 3x3",
    "STRING": "quoted text",
    "_NL": "a new line",
    "$END": "the end of the file",
}
HEADERS = ("arch", "library")  # what a spec begins with
ITEMS = ("input", "param", "block", "model", "train", "assert")  # what a spec is made of
