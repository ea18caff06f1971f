/** Files, tokens and words of the surrounding repository. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export const EXTENSION = process.cwd(); // npm runs scripts beside package.json
export const REPOSITORY = path.resolve(EXTENSION, "../..");
/** A program name, or a path relative to the folder where the tests were started. */
export const PYTHON = (process.env["PYTHON"] ?? "python3").replace(/^.*[\\/].*$/, (file) => path.resolve(file));

export interface Token {
    readonly type: string;
    readonly start: number;
    readonly end: number;
    readonly text: string;
}

export interface Words {
    /** The words that grammar/arch.lark reserves. */
    readonly literals: readonly string[];
    /** `KEYWORDS` of the Python package. */
    readonly keywords: readonly string[];
    readonly settings: readonly string[];
    readonly group_settings: readonly string[];
}

/** The paths of the shipped specs. */
export function specs(): string[] {
    return readdirSync(path.join(REPOSITORY, "specs"), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".arch"))
        .sort()
        .map((name) => path.join(REPOSITORY, "specs", name));
}

/** Reads a file, by its path in the repository. */
export function read(name: string): string {
    return readFileSync(path.join(REPOSITORY, name), "utf8");
}

/** The tokens of each file, from the language's lexer. */
export function tokens(files: readonly string[]): Token[][] {
    return python(files) as Token[][];
}

/** The words that the language and the highlighting must agree on. */
export function words(): Words {
    return python(["--words"]) as Words;
}

function python(options: readonly string[]): unknown {
    const script = path.join(EXTENSION, "test/tokens.py");
    return JSON.parse(
        execFileSync(PYTHON, [script, ...options], { cwd: REPOSITORY, encoding: "utf8", maxBuffer: 1 << 28 }),
    );
}
