/** The extension's client, in a mock editor. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { type Editor, openEditor } from "./editor";
import { EXTENSION } from "./repository";

const STUB = [process.execPath, path.join(EXTENSION, "test/stub-server.cjs")];
const MODULES = path.join(EXTENSION, "node_modules");

let editor: Editor;

afterEach(async () => {
    const shown = [...editor.messages];
    await editor.deactivate();
    assert.deepEqual(editor.messages, shown);
});

test("a missing server is reported once, with the package to install", async () => {
    editor = openEditor(["no-such-program", "lsp"]);
    editor.activate();
    await until(() => editor.messages.length > 0);
    assert.match(editor.messages[0] ?? "", /`no-such-program lsp` was not found.*pip install 'cifar-dsl\[lsp,pictures\]'/);
});

test("a server that exits at once is reported once, and its output is in the output channel", async () => {
    editor = openEditor([process.execPath, "-e", "console.error('pygls is missing'); process.exit(1)"]);
    editor.activate();
    await until(() => editor.messages.length > 0);
    assert.match(editor.messages[0] ?? "", /exited with code 1\. Install it with `pip install 'cifar-dsl\[lsp,pictures\]'`/);
    assert.ok(editor.lines.some((line) => line.includes("pygls is missing")), editor.lines.join("\n"));
});

test("an invalid command setting is reported", async () => {
    editor = openEditor("cifar-dsl lsp");
    editor.activate();
    await until(() => editor.messages.length > 0);
    assert.equal(editor.messages.length, 1);
    assert.match(editor.messages[0] ?? "", /The setting cifar-dsl\.command must be a list such as/);
});

test("an empty list stops the server and starts none", async () => {
    editor = openEditor(STUB);
    editor.activate();
    const [running] = await servers(1);
    await editor.setCommand([]);
    await gone(running);
    assert.deepEqual(editor.messages, []);
});

test("changing the setting starts another server, and the restart command restarts it", async () => {
    editor = openEditor(["no-such-program"]);
    editor.activate();
    await until(() => editor.messages.length > 0);
    await editor.setCommand(STUB);
    const [first] = await servers(1);
    await editor.run("cifar-dsl.restartServer");
    const [, second] = await servers(2);
    assert.notEqual(first, second);
    await gone(first);
    await editor.deactivate();
    await gone(second);
    assert.equal(editor.messages.length, 1);
});

test("a server that never answers doesn't block the next one", async () => {
    editor = openEditor([process.execPath, "-e", "console.error(`process ${process.pid}`); process.stdin.resume()"]);
    editor.activate();
    const [silent] = await servers(1);
    await editor.setCommand(STUB);
    await servers(2);
    await gone(silent);
    assert.deepEqual(editor.messages, []);
});

test("a server that ignores the stop request is killed", async () => {
    editor = openEditor([...STUB, "stay"]);
    editor.activate();
    const [staying] = await servers(1);
    await editor.deactivate();
    await gone(staying);
    assert.deepEqual(editor.messages, []);
});

test("the editor closes while a server is starting", async () => {
    editor = openEditor([process.execPath, "-e", "process.stdin.resume()"]);
    editor.activate();
    await editor.deactivate();
    assert.deepEqual(editor.messages, []);
});

test("a crashing server is restarted, until it has crashed too often", async () => {
    editor = openEditor([...STUB, "crash"]);
    editor.activate();
    await servers(5);
    await until(() => editor.messages.length > 0);
    assert.match(editor.messages[0] ?? "", /crashed 5 times/);
    assert.equal(editor.messages.length, 1);
    await editor.setCommand(STUB);
    await servers(6);
});

test("a server that sends invalid messages is reported once and ended", async () => {
    editor = openEditor([...STUB, "babble"]);
    editor.activate();
    const [babbling] = await servers(1);
    await until(() => editor.messages.length > 0);
    assert.match(editor.messages[0] ?? "", /sent invalid messages and was turned off/);
    await gone(babbling);
    await editor.setCommand(STUB);
    await servers(2);
    assert.equal(editor.messages.length, 1);
});

/** A folder with an environment `name` in which the program is the stub server. */
function workspace(name: string): { folder: string; program: string } {
    const folder = mkdtempSync(path.join(tmpdir(), "cifar-dsl "));
    const program = path.join(folder, name, "bin", "cifar-dsl");
    mkdirSync(path.dirname(program), { recursive: true });
    const code = `require(${JSON.stringify(STUB[1])})`;
    writeFileSync(program, `#!${process.execPath}\nmodule.paths.push(${JSON.stringify(MODULES)});\n${code}\n`, { mode: 0o755 });
    return { folder, program };
}

test("without a setting, the server is that of the workspace's environment, and so are the commands of the lenses", async () => {
    const { folder, program } = workspace(".venv");
    editor = openEditor(null, { folder, active: "file:///specs/a b.arch" });
    editor.activate();
    await servers(1);
    await editor.run("cifar-dsl.train");
    assert.deepEqual({ ...editor.tasks[0] }, { program, arguments: ["train", "a b.arch"], folder: "/specs" });
    await editor.run("cifar-dsl.compare");
    assert.match(editor.messages[0] ?? "", /this spec extends no other/);
    await editor.run("cifar-dsl.compare", { uri: "", arguments: ["compare", "b", "a"], folder: "/" });
    assert.deepEqual(editor.tasks[1]?.arguments, ["compare", "b", "a"]);
});

test("choosing another interpreter starts the server of its environment", async () => {
    const first = workspace("one");
    const second = workspace("two");
    editor = openEditor(null, { interpreter: path.join(first.folder, "one/bin/python") });
    editor.activate();
    await servers(1);
    editor.choose(path.join(second.folder, "two"));
    await servers(2);
    assert.deepEqual(editor.messages, []);
});

test("the preview shows the active spec, follows its cursor, and goes to the line of a row", async () => {
    const uri = "file:///specs/a.arch";
    editor = openEditor(STUB, { active: uri });
    editor.activate();
    await servers(1);
    await editor.run("cifar-dsl.show");
    assert.deepEqual(editor.posted, [{ uri, network: { name: "stub", of: uri } }, { line: 1 }]);
    editor.moveTo(7);
    assert.deepEqual(editor.posted.at(-1), { line: 8 });
    editor.send({ isReady: true }); // the page was loaded after the network was sent
    await until(() => editor.posted.length > 4);
    assert.deepEqual(editor.posted.slice(3), [{ uri, network: { name: "stub", of: uri } }, { line: 8 }]);
});

test("the preview without a server says so", async () => {
    editor = openEditor([], { active: "file:///a.arch" });
    editor.activate();
    await editor.run("cifar-dsl.show");
    assert.match(JSON.stringify(editor.posted[0]), /The language server isn't running/);
});

/** The process ids of the servers started so far; waits until there are `count`. */
async function servers(count: number): Promise<number[]> {
    const ids = () => editor.lines.flatMap((line) => /process (\d+)/.exec(line)?.[1] ?? []).map(Number);
    await until(() => ids().length >= count);
    assert.equal(ids().length, count);
    return ids();
}

async function gone(process_: number | undefined): Promise<void> {
    assert.ok(process_);
    await until(() => {
        try {
            process.kill(process_, 0);
            return false;
        } catch {
            return true;
        }
    });
}

async function until(condition: () => boolean): Promise<void> {
    for (let round = 0; !condition(); round++) {
        assert.ok(round < 400, `timed out; the output channel:\n${editor.lines.join("\n")}`);
        await setTimeout(50);
    }
}
