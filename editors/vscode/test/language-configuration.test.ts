/** Which lines the editor indents, and which it moves back. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { EXTENSION } from "./repository";

interface Configuration {
    readonly indentationRules: { readonly increaseIndentPattern: string; readonly decreaseIndentPattern: string };
}

const FILE = path.join(EXTENSION, "language-configuration.json");
const { indentationRules } = JSON.parse(readFileSync(FILE, "utf8")) as Configuration;

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

test("what opens a bracket indents the next line", () => {
    assert.deepEqual(new Set(matching(indentationRules.increaseIndentPattern)), new Set(OPENING));
});

test("what begins with a closing bracket moves back", () => {
    assert.deepEqual(new Set(matching(indentationRules.decreaseIndentPattern)), new Set(CLOSING));
});
