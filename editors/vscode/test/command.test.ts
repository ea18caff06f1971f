/** The command setting, and starting its program. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { besideServer, explainFailure, readCommand } from "../src/command";
import { startServer } from "../src/server";

test("the setting is a program and its arguments", () => {
    assert.deepEqual(readCommand(["cifar-dsl", "lsp"], undefined), { program: "cifar-dsl", arguments: ["lsp"] });
});

test("the workspace folder is filled in verbatim", () => {
    const command = readCommand(["${workspaceFolder}/.venv/bin/cifar-dsl", "lsp"], "/a $& b");
    assert.equal(command?.program, "/a $& b/.venv/bin/cifar-dsl");
});

test("an empty list means no server", () => {
    assert.equal(readCommand([], undefined), undefined);
});

test("without a folder, a command that needs one is an error", () => {
    assert.throws(() => readCommand(["${workspaceFolder}/cifar-dsl"], undefined), /no folder is open/);
});

for (const setting of [undefined, "cifar-dsl lsp", [""], ["cifar-dsl", 1]]) {
    test(`${JSON.stringify(setting)} isn't a valid command`, () => {
        assert.throws(() => readCommand(setting, undefined), /must be a list such as/);
    });
}

test("other commands are those of the server's program", () => {
    const server = { program: "/venv/bin/python", arguments: ["-m", "cifar_dsl", "lsp"] };
    const expected = { program: "/venv/bin/python", arguments: ["-m", "cifar_dsl", "train", "a.arch"] };
    assert.deepEqual(besideServer(server, ["train", "a.arch"]), expected);
    const wrapped = { program: "/my/wrapper", arguments: [] };
    assert.deepEqual(besideServer(wrapped, ["train"]), { program: "cifar-dsl", arguments: ["train"] });
});

test("the error message names the package to install", () => {
    const message = explainFailure({ program: "cifar-dsl", arguments: ["lsp"] }, "was not found");
    assert.match(message, /`cifar-dsl lsp` was not found\. Install it with `pip install 'cifar-dsl\[lsp,pictures\]'`/);
});

test("a missing program can't be started", async () => {
    await assert.rejects(startServer({ program: "no-such-program", arguments: [] }), /^Error: was not found$/);
});

test("a server runs neither in the workspace folder nor where the editor was started", async () => {
    const code = `process.exit(process.cwd() === ${JSON.stringify(process.cwd())} ? 1 : 0)`;
    const server = await startServer({ program: process.execPath, arguments: ["-e", code] });
    assert.equal(await server.exited, "exited with code 0");
});

test("a server reports its exit code", async () => {
    const server = await startServer({ program: process.execPath, arguments: ["-e", "process.exit(3)"] });
    assert.equal(await server.exited, "exited with code 3");
});
