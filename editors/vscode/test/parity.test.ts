/** The highlighting agrees with the language's lexer on keywords, numbers, strings and comments. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { highlighter, listed, type Stretch } from "./highlighting";
import { read, specs, type Token, tokens, words } from "./repository";

const WORDS = words();
const KEYWORDS = new Set(WORDS.literals);
const DRAWN_TEXTS = 300;
const SHOWN_DIFFERENCES = 20;
const PIECES = [
    ...KEYWORDS,
    ...WORDS.settings,
    ...["select", "conv", "x", "_", "a1", "has", "trains", "Block", "x3x3", "kMG", "e5", "é", "日本", "😀", "ſ"],
    ...["0", "64", "5M", "1e-3", "1.5k", "50_000", "3x32x32", "3x", "1_0x2", "2e", "1..", "0x10"],
    ...['"base.arch"', '"', '"# no comment"', "# a comment", '# "quoted"', "#", "?", "@", ";", "'", "\\", "$", "!"],
    ...["->", "|", "{", "}", "(", ")", "[", "]", ",", ":", ".", "..", "=", "==", "!=", "<", "<=", ">", ">="],
    ...["+", "-", "*", "/", "//", "%", " ", "  ", "\t", "\r", "\n", "\n\n", "\n    "],
];
const ODD = [
    "",
    "#",
    "train",
    "train\n\n# where is the brace?\n{\n  data cifar10\n}\nmodel { bn }",
    "train { } block f(c) { conv(c) }",
    "train { group g {select bias} epochs 3 }",
    "train {\n  optimizer.if.as 3\n  group = 4\n}",
    "train = 3\ntrain\ntrain train {",
    "block block(block: block | if = block) { block }",
    "block f(\n  c: int, # a comment )\n  d: none | before = before,\n) { as }",
    "block f(c { conv(c) -> }\nmodel { bn }",
    "arch arch extends extends\nlibrary library",
    "let let = let\nparam for = for\nfor for in in { in }",
    "model {\n  conv(8, in = 3, as\n  = 4)\n}",
    "x[:16] -> relu as as : 3x3",
    "for i in 0..3 { conv(64 + 8 * i, 1) }",
    "5add 3xadd 3x3add 1e5add 5Madd 1.add add.add",
    "1.2.3 1..2 1._2 1_.2 1e+ 1e-3e 5MM 5kx 3x3x 0x0 00_",
    'extends "a b" "" "\nlet "#" # "" # "',
    "ﬁlter ＡＤＤ ａｄｄ add\u0301 \u200badd add\u00a0mul ١٢٣",
    "let a = 1\r\n# comment\r\nrelu\r\ntrain {\r\n  data cifar10\r\n}\r\n",
    "😀 # 😀 add\n\"😀\" add 😀 5M",
    "{".repeat(40) + "add",
];

/** The kind of a character, according to its scopes. */
function meaning(scopes: readonly string[]): string {
    const word = /^(keyword\.(?!operator\.)|keyword\.operator\.wordlike\.|constant\.language\.)/;
    const kinds = [
        ["a comment", /^comment\./],
        ["a string", /^string\./],
        ["a size", /^constant\.numeric\.size\./],
        ["a number", /^constant\.numeric\./],
        ["a keyword", word],
        ["a sign", /^(keyword\.operator|punctuation)\./],
    ] as const;
    const matches = kinds.filter(([, pattern]) => scopes.some((scope) => pattern.test(scope))).map(([kind]) => kind);
    return matches[0] ?? "nothing special";
}

function meaningOf(token: Token): string {
    const special: Record<string, string> = {
        COMMENT: "a comment",
        STRING: "a string",
        SIZE: "a size",
        NUMBER: "a number",
        NAME: "nothing special",
    };
    return special[token.type] ?? (KEYWORDS.has(token.text) ? "a keyword" : "a sign");
}

/** Describes every position where lexer and highlighting begin to differ. */
function differences(text: string, lexed: readonly Token[], stretches: readonly Stretch[]): string[] {
    const expected: string[] = new Array(text.length).fill("nothing special");
    const actual: string[] = new Array(text.length).fill("nothing special");
    for (const token of lexed) {
        expected.fill(meaningOf(token), token.start, token.end);
    }
    for (const { start, end, scopes } of stretches) {
        actual.fill(meaning(scopes), start, end);
    }
    const isFirst = (i: number) => expected[i] !== expected[i - 1] || actual[i] !== actual[i - 1];
    return [...expected.keys()]
        .filter((i) => expected[i] !== actual[i] && isFirst(i))
        .map((i) => {
            const line = text.slice(0, i).split("\n").length;
            const words = JSON.stringify(text.slice(i, i + 20));
            return `line ${line}: ${words} is ${expected[i]}, highlighted as ${actual[i]}`;
        });
}

/** A seeded random generator of integers below `limit`. */
function draws(seed: number): (limit: number) => number {
    let state = seed;
    return (limit) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * limit);
    };
}

async function compare(texts: readonly string[], lexed: readonly Token[][], names: readonly string[]): Promise<void> {
    const highlight = await highlighter();
    const all = texts.flatMap((text, i) =>
        differences(text, lexed[i] ?? [], highlight(text)).map((difference) => `${names[i]}, ${difference}`),
    );
    assert.equal(lexed.length, texts.length);
    assert.deepEqual(all.slice(0, SHOWN_DIFFERENCES), []);
}

async function compareTexts(texts: readonly string[]): Promise<void> {
    const folder = mkdtempSync(path.join(tmpdir(), "arch-"));
    try {
        const files = texts.map((text, i) => {
            const file = path.join(folder, `${i}.arch`);
            writeFileSync(file, text);
            return file;
        });
        await compare(texts, tokens(files), texts.map((text) => JSON.stringify(text)));
    } finally {
        rmSync(folder, { recursive: true });
    }
}

test("the grammar lists the reserved words of the language", () => {
    assert.deepEqual(listed("keywords"), WORDS.literals);
    assert.deepEqual(WORDS.keywords, WORDS.literals);
});

test("the grammar lists the settings of train and of its groups", () => {
    assert.deepEqual(listed("setting"), WORDS.settings);
    assert.deepEqual(listed("setting-of-group"), WORDS.group_settings);
});

test("every shipped spec is highlighted as the language reads it", async () => {
    const files = specs();
    assert.ok(files.length >= 40);
    await compare(files.map((file) => readFileSync(file, "utf8")), tokens(files), files);
});

test("so are the examples in docs/language.md", async () => {
    const examples = [...read("docs/language.md").matchAll(/^```arch.*\n([^]*?)^```/gm)].map((match) => match[1] ?? "");
    assert.ok(examples.length >= 10);
    await compareTexts(examples);
});

test("so are odd texts", async () => {
    await compareTexts(ODD);
});

test("so are random sequences of tokens", async () => {
    const draw = draws(1);
    const texts = Array.from({ length: DRAWN_TEXTS }, () => {
        const separator = ["", " ", "\n"][draw(3)] ?? "";
        return Array.from({ length: 1 + draw(30) }, () => PIECES[draw(PIECES.length)]).join(separator);
    });
    await compareTexts(texts);
});
