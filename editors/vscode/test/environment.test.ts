/** Where the program of the language server is looked for. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { findCommand } from "../src/environment";

/** A new folder with empty files. */
function folderWith(...files: string[]): string {
    const folder = mkdtempSync(path.join(tmpdir(), "environment "));
    for (const file of files) {
        mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
        writeFileSync(path.join(folder, file), "");
    }
    return folder;
}

const NOWHERE = { folders: [], variables: {} };

test("without an environment, the program is the one on the PATH", () => {
    assert.deepEqual(findCommand(NOWHERE), { program: "cifar-dsl", arguments: ["lsp"] });
    assert.equal(findCommand({ ...NOWHERE, folders: [folderWith()] }).program, "cifar-dsl");
});

for (const name of [".venv/bin/cifar-dsl", "venv/bin/cifar-dsl", "env/bin/cifar-dsl", ".conda/bin/cifar-dsl", ".venv/Scripts/cifar-dsl.exe"]) {
    test(`${name} of the workspace is found`, () => {
        const folder = folderWith(name);
        assert.equal(findCommand({ ...NOWHERE, folders: [folderWith(), folder] }).program, path.join(folder, name));
    });
}

for (const variable of ["VIRTUAL_ENV", "CONDA_PREFIX"]) {
    test(`the environment of ${variable} is found`, () => {
        const folder = folderWith("bin/cifar-dsl");
        assert.equal(findCommand({ folders: [], variables: { [variable]: folder } }).program, path.join(folder, "bin/cifar-dsl"));
    });
}

test("the chosen interpreter goes before the workspace, if its environment has the program", () => {
    const chosen = folderWith("bin/python", "bin/cifar-dsl");
    const folders = [folderWith(".venv/bin/cifar-dsl")];
    const program = path.join(chosen, "bin/cifar-dsl");
    assert.equal(findCommand({ ...NOWHERE, folders, interpreter: path.join(chosen, "bin/python") }).program, program);
    assert.equal(findCommand({ ...NOWHERE, folders, interpreter: chosen }).program, program);
    assert.match(findCommand({ ...NOWHERE, folders, interpreter: "/usr/bin/python3" }).program, /\.venv/);
});
