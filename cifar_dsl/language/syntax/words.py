"""The words of the language. Tests compare the keywords with the grammar and the settings with the recipes."""

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
        "early_stopping",
        "batch",
        "drop_last",
        "accumulate",
        "optimizer",
        "schedule",
        "drop_schedule",
        "loss",
        "distill",
        "keep",
        "perturb",
        "clip",
        "constrain",
        "average",
        "test_augment",
        "uses",
        "precision",
        "weight_precision",
    ]
)  # copied, since this room can't import `operations`
# Descriptions of the grammar's terminals without a fixed text, for messages.
TERMINALS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "SIZE": "a size such as 3x3",
    "STRING": "quoted text",
    "_NL": "a new line",
    "$END": "the end of the file",
}
HEADERS = ("arch", "library")  # a spec starts with one of these
ITEMS = ("input", "param", "block", "model", "train", "assert")  # the items of a spec start with these
