/** Runs the TextMate grammar with VS Code's own engine. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import * as oniguruma from "vscode-oniguruma";
import * as textmate from "vscode-textmate";

import { EXTENSION } from "./repository";

const GRAMMAR = path.join(EXTENSION, "syntaxes/arch.tmLanguage.json");

export interface Stretch {
    readonly start: number;
    readonly end: number;
    /** From the outermost to the innermost, without the language's scope. */
    readonly scopes: readonly string[];
}

/** Loads the grammar. The result splits a text into stretches, in order and without gaps within a line. */
export async function highlighter(): Promise<(text: string) => Stretch[]> {
    const wasm = createRequire(__filename).resolve("vscode-oniguruma/release/onig.wasm");
    await oniguruma.loadWASM(new Uint8Array(readFileSync(wasm)).buffer);
    const registry = new textmate.Registry({
        onigLib: Promise.resolve({
            createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
            createOnigString: (text) => new oniguruma.OnigString(text),
        }),
        loadGrammar: async () => textmate.parseRawGrammar(readFileSync(GRAMMAR, "utf8"), GRAMMAR),
    });
    const grammar = await registry.loadGrammar("source.arch");
    if (grammar === null) {
        throw new Error(`${GRAMMAR} could not be loaded`);
    }
    return (text) => {
        const stretches: Stretch[] = [];
        let state = textmate.INITIAL;
        let offset = 0;
        for (const line of text.split("\n")) {
            const result = grammar.tokenizeLine(line, state);
            for (const token of result.tokens) {
                const [start, end] = [offset + token.startIndex, offset + Math.min(token.endIndex, line.length)];
                if (end > start) {
                    stretches.push({ start, end, scopes: token.scopes.slice(1) });
                }
            }
            state = result.ruleStack;
            offset += line.length + 1;
        }
        return stretches;
    };
}

interface Rule {
    readonly match?: string;
    readonly patterns?: readonly Rule[];
}

/** The words listed in a rule of the grammar's repository, such as `(?:for|in|repeat)`. */
export function listed(rule: string): string[] {
    const { repository } = JSON.parse(readFileSync(GRAMMAR, "utf8")) as { repository: Record<string, Rule> };
    const found = repository[rule];
    if (found === undefined) {
        throw new Error(`the grammar has no rule ${rule}`);
    }
    return (found.patterns ?? [found])
        .flatMap(({ match }) => /\((?:\?:)?([a-z_]+(?:\|[a-z_]+)*)\)/.exec(match ?? "")?.[1]?.split("|") ?? [])
        .sort();
}
