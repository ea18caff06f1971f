/** Which lines the editor indents and outdents, and what counts as a word. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { EXTENSION } from "./repository";

interface Configuration {
    readonly wordPattern: string;
    readonly indentationRules: { readonly increaseIndentPattern: string; readonly decreaseIndentPattern: string };
    readonly onEnterRules: readonly {
        readonly beforeText: string;
        readonly afterText?: string;
        readonly action: { readonly indent: string; readonly appendText: string };
    }[];
}

const FILE = path.join(EXTENSION, "language-configuration.json");
const { wordPattern, indentationRules, onEnterRules } = JSON.parse(readFileSync(FILE, "utf8")) as Configuration;

const OPENING = [
    "model {",
    "    add {  # two branches",
    "block unit(",
    ") {",
    "param head = [",
    'arch a extends "#.arch" {',
    "} else {",
];
const CLOSING = ["}", "    }", "  ])", ") {", "} else {"];
const NEITHER = ["relu", "# model {", "block stem() { bn }", 'arch a extends "{', "    conv(8, 3) # (", ""];

function matching(pattern: string): string[] {
    return [...OPENING, ...CLOSING, ...NEITHER].filter((line) => new RegExp(pattern).test(line));
}

test("a line that opens a bracket indents the next one", () => {
    assert.deepEqual(new Set(matching(indentationRules.increaseIndentPattern)), new Set(OPENING));
});

test("a line that begins with a closing bracket is outdented", () => {
    assert.deepEqual(new Set(matching(indentationRules.decreaseIndentPattern)), new Set(CLOSING));
});

/** The indentation of a new line that splits `before` and `after`, by the first matching rule. */
function indentationBehind(before: string, after = ""): string | undefined {
    const rule = onEnterRules.find(
        ({ beforeText, afterText }) => new RegExp(beforeText).test(before) && new RegExp(afterText ?? "").test(after),
    );
    return rule && `${rule.action.indent} ${rule.action.appendText.length}`;
}

test("the stages of a branch are aligned, two columns after its bar", () => {
    assert.equal(indentationBehind("  | conv(8, 1)"), "none 2");
    assert.equal(indentationBehind('      | "{" # {'), "none 2");
    assert.equal(indentationBehind("  | repeat 2 {  # twice"), "indent 2");
    assert.equal(indentationBehind("  | repeat 2 {", "}"), "indentOutdent 2");
    assert.equal(indentationBehind("  conv(8, 1) | bn"), undefined);
});

test("names, numbers and sizes are words", () => {
    const words = "conv_2(64, 3x32x32, x3, 5M, 1_000) 0..3 2.5 1e-3->bn".match(new RegExp(wordPattern, "g"));
    assert.equal(words?.join(" "), "conv_2 64 3x32x32 x3 5M 1_000 0 3 2.5 1e-3 bn");
});
