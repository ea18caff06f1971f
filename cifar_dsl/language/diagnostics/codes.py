"""The table of diagnostic codes. A code is for ever: its meaning never changes and it is never reused."""

from attrs import frozen


@frozen
class Code:
    """A kind of finding: the title says what it is, the reason why it can't be let pass, or should not be."""

    id: str
    title: str
    reason: str

    @property
    def severity(self) -> str:
        """`error`, or `warning` for what a line `# allow: W...` lets pass."""
        return "error" if self.id.startswith("E") else "warning"


_TABLE = (
    # E01: text and files
    Code("E0101", "unexpected text", "the text does not follow the grammar here"),
    Code("E0102", "unclosed bracket", "every `{`, `(` and `[` needs its partner"),
    Code("E0103", "character not allowed", "specs are plain text without control characters"),
    Code("E0104", "too large", "every size is bounded, so that any file is safe to check"),
    Code("E0105", "file can't be read", "a spec is a regular UTF-8 text file"),
    Code("E0106", "incomplete spec", "a spec needs an input and a model, its own or a base's"),
    # E02: names and values
    Code("E0201", "unknown layer or block", "a stage is a layer, a block or a named tensor"),
    Code("E0202", "unknown name", "a misspelt name is never taken for a default"),
    Code("E0203", "base spec not found", "`extends` names a file beside this one, or a shipped spec"),
    Code(
        "E0204",
        "base spec outside the root",
        "a spec reads nothing but specs below the folder it was loaded from",
    ),
    Code("E0205", "endless extends", "a spec can't extend itself, and chains of bases are bounded"),
    Code("E0206", "redefines nothing", "a new definition that nothing uses is most likely a misspelt old one"),
    Code("E0207", "defined twice", "one of the two would be silently ignored"),
    Code("E0208", "block calls itself", "blocks are expanded while compiling, so recursion would never end"),
    Code("E0209", "reserved name", "the compiled module or the language uses this name already"),
    Code("E0210", "can't compute this", "values are worked out while compiling and must make sense"),
    Code(
        "E0211",
        "expansion too large",
        "layers, weights and loop rounds are bounded, so that any spec is safe to check",
    ),
    Code("E0212", "two stages with one name", "names of stages become names of weights and must differ"),
    Code("E0213", "not a stage", "tensors flow through stages; values are for arguments"),
    Code("E0214", "parameter after a default", "an argument without a name could never reach it"),
    # E03: arguments and shapes
    Code("E0301", "unknown argument", "a misspelt argument is never silently dropped"),
    Code("E0302", "channels are not divisible by groups", "each group takes an equal share of the channels"),
    Code("E0303", "missing argument", "this argument has no default"),
    Code("E0304", "unfit argument", "arguments are checked before anything is built"),
    Code("E0305", "argument given twice", "one of the two would be silently ignored"),
    Code("E0306", "wrong kind of input", "the layer can't work on a tensor of this shape"),
    Code("E0307", "window larger than its input", "the output would have no rows or columns"),
    Code("E0308", "branches don't fit", "tensors are joined element by element"),
    Code("E0309", "shape is not the stated one", "the spec states a shape here, and another one arrives"),
    Code("E0310", "assertion does not hold", "the spec states a budget and breaks it"),
    # E04: the recipe
    Code("E0401", "unknown setting", "a misspelt setting would train with a default"),
    Code("E0402", "missing setting", "the recipe alone decides the result, so it must be complete"),
    Code("E0403", "unfit setting", "settings are checked before anything is trained"),
    Code("E0404", "unknown choice", "the setting has a fixed list of choices"),
    Code("E0405", "no such part of a setting", "an override must change something that exists"),
    Code("E0406", "outputs don't match the classes", "the last layer gives one score for each class"),
    Code("E0407", "input doesn't match the images", "the network is built for the size of its images"),
    Code("E0408", "group without parameters", "a group that selects nothing is most likely a misspelt path"),
    Code("E0409", "optimizer can't train this", "some optimizers work on matrices alone"),
    # W01: comments to this checker
    Code("W0101", "allows nothing", "a warning is allowed here that isn't given, or that doesn't exist"),
    # W02: definitions and stages without effect
    Code("W0201", "unused definition", "what nothing uses has no effect, and readers look for one"),
    Code("W0202", "tensor that goes nowhere", "it is computed at every step, and nothing comes of it"),
    Code("W0203", "bias before batch norm", "the normalisation subtracts it again, so its parameters do nothing"),
    Code("W0204", "pooling drops rows", "the last row or column of the input never reaches the output"),
    Code("W0205", "activation twice", "the second one changes nothing or was meant to be something else"),
    Code("W0206", "dead branch", "the condition is the same whatever the params are"),
    Code("W0207", "softmax before the loss", "the cross-entropy takes scores and has a softmax of its own"),
    # W04: recipes
    Code("W0401", "learning rate never reached", "training ends before the schedule gets there"),
)

CODES = {code.id: code for code in _TABLE}
if len(CODES) != len(_TABLE):
    raise AssertionError("a diagnostic code stands twice in the table")
