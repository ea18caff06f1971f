/** What the tests take from the repository that the extension lives in. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export const EXTENSION = process.cwd(); // npm runs scripts beside package.json
export const REPOSITORY = path.resolve(EXTENSION, "../..");
/** A program by its name, or by its path from where the tests were started. */
export const PYTHON = (process.env["PYTHON"] ?? "python3").replace(/^.*[\\/].*$/, (file) => path.resolve(file));

export interface Token {
    readonly type: string;
    readonly start: number;
    readonly end: number;
    readonly text: string;
}

export interface Words {
    /** What grammar/arch.lark reserves. */
    readonly literals: readonly string[];
    /** What the package says that it reserves. */
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

/** A file of the repository, by its path there. */
export function read(name: string): string {
    return readFileSync(path.join(REPOSITORY, name), "utf8");
}

/** The tokens of each file, from the language's own lexer. */
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
