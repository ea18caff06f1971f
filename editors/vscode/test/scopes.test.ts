/** Scopes that depend on context, which a lexer can't know. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { highlighter } from "./highlighting";

const LAYER = "entity.name.function.arch";
const SETTING = "support.type.property-name.setting.arch";
const NAME = "variable.other.arch";
const PARAMETER = "variable.parameter.arch";
const WORD = "variable.other.enummember.arch";
const LABEL = "entity.name.label.arch";
const TENSOR = "variable.other.readwrite.arch";

/** A text, and the scope of the first occurrence of some of its words. */
const CASES: readonly [string, Record<string, string>][] = [
    ["arch tiny extends baseline", { tiny: "entity.name.type.arch", baseline: "entity.other.inherited-class.arch" }],
    ["library convolution", { convolution: "entity.name.type.arch" }],
    ["param head = [64]", { head: "variable.other.constant.arch" }],
    ["param unit = basic_block", { basic_block: NAME }],
    [
        "block unit(c: int, act: block = relu) { conv(c) }",
        {
            unit: "entity.name.function.definition.arch",
            c: PARAMETER,
            int: "support.type.arch",
            act: PARAMETER,
            relu: NAME,
            conv: LAYER,
        },
    ],
    ["block unit(norm: none | before = none) { norm }", { none: WORD, before: WORD }],
    ["block unit(\n    c = 1,\n    d = len(c)\n) { bn }", { d: PARAMETER, len: LAYER, bn: LAYER }],
    ["model { conv(8, pad=same, init=normal(std=0.02)) }", { pad: PARAMETER, same: NAME, std: PARAMETER }],
    ["model {\n    bn -> relu\n}", { bn: LAYER, relu: LAYER }],
    ["model { if height == 4 { bn } }", { height: NAME, bn: LAYER }],
    ["model { add { identity | x[:16] -> gelu } }", { add: LAYER, identity: LAYER, x: NAME, gelu: LAYER }],
    [
        "model {\n    let old = identity\n    old = bn -> relu\n}",
        { old: TENSOR, identity: NAME, bn: LAYER, relu: LAYER },
    ],
    ["model { dense(10) as head }", { head: LABEL }],
    ["model { bn as head }", { bn: LAYER, head: LABEL }],
    ["model { for width in head { dense(width) } }", { width: TENSOR, head: NAME }],
    ["train {\n    data  shapes\n    batch 64\n}", { data: SETTING, shapes: LAYER, batch: SETTING }],
    ["train { augment crop(4) -> flip }", { augment: SETTING, crop: LAYER, flip: LAYER }],
    ["train {\n    optimizer.lr 0.1\n}", { optimizer: SETTING, lr: PARAMETER }],
    [
        "train\n{\n    group stem {\n        select bias\n        epochs 3\n    }\n    loss mse\n}",
        { stem: "entity.name.type.group.arch", select: SETTING, bias: LAYER, epochs: SETTING, loss: SETTING },
    ],
    ["train { loss cross_entropy(\n    epochs=1\n) }", { loss: SETTING, epochs: PARAMETER }],
    ["train { clip norm(1) }\nmodel {\n    data(3)\n}", { clip: SETTING, data: LAYER }],
];

for (const [text, scopes] of CASES) {
    test(`the words of ${JSON.stringify(text)}`, async () => {
        const stretches = (await highlighter())(text);
        const actual = Object.keys(scopes).map((word) => {
            const place = new RegExp(`\\b${word}\\b`).exec(text)?.index ?? -1;
            return [word, stretches.find(({ start, end }) => start <= place && place < end)?.scopes.at(-1)];
        });
        assert.deepEqual(Object.fromEntries(actual), scopes);
    });
}
