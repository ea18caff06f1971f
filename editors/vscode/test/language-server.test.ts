/** The real server, `cifar-dsl lsp`, driven over its protocol. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
    createProtocolConnection,
    CompletionRequest,
    DidChangeTextDocumentNotification,
    DidOpenTextDocumentNotification,
    ExitNotification,
    HoverRequest,
    InitializedNotification,
    InitializeRequest,
    InlayHintRequest,
    type ProtocolConnection,
    PublishDiagnosticsNotification,
    type PublishDiagnosticsParams,
    ShutdownRequest,
    StreamMessageReader,
    StreamMessageWriter,
} from "vscode-languageserver-protocol/node";

import { PYTHON, read, REPOSITORY } from "./repository";

const SPEC = "specs/zoo/resnet18.arch";
const TEXT = read(SPEC);
const textDocument = { uri: pathToFileURL(path.join(REPOSITORY, SPEC)).href };

/** The position of the first `word`, plus `offset` characters. */
function placeOf(word: string, offset = 0): { line: number; character: number } {
    const before = TEXT.slice(0, TEXT.indexOf(word) + offset).split("\n");
    return { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
}

describe("the language server", { timeout: 60_000 }, () => {
    let connection: ProtocolConnection;
    let server: ReturnType<typeof spawn>;
    const published: PublishDiagnosticsParams[] = [];
    let onPublished = () => {};

    /** The diagnostics published after `action`. */
    async function diagnosticsAfter(action: () => Promise<void>): Promise<PublishDiagnosticsParams> {
        const next = new Promise<void>((resolve) => (onPublished = resolve));
        await action();
        await next;
        return published.at(-1) as PublishDiagnosticsParams;
    }

    before(async () => {
        const command = ["-m", "cifar_dsl", "lsp"];
        const running = spawn(PYTHON, command, { cwd: REPOSITORY, stdio: ["pipe", "pipe", "inherit"] });
        server = running;
        const reader = new StreamMessageReader(running.stdout);
        connection = createProtocolConnection(reader, new StreamMessageWriter(running.stdin));
        connection.onNotification(PublishDiagnosticsNotification.type, (params) => {
            published.push(params);
            onPublished();
        });
        connection.listen();
    });

    after(async () => {
        connection.dispose();
        server.kill();
    });

    test("initialize returns the server's capabilities", async () => {
        const rootUri = pathToFileURL(REPOSITORY).href;
        const { capabilities } = await connection.sendRequest(InitializeRequest.type, {
            processId: process.pid,
            rootUri,
            workspaceFolders: [{ uri: rootUri, name: "cifar_dsl" }],
            capabilities: {
                textDocument: {
                    hover: { contentFormat: ["markdown", "plaintext"] },
                    completion: {},
                    inlayHint: {},
                    publishDiagnostics: { relatedInformation: true },
                },
            },
        });
        assert.ok(capabilities.hoverProvider);
        assert.ok(capabilities.inlayHintProvider);
        assert.ok(capabilities.completionProvider);
        await connection.sendNotification(InitializedNotification.type, {});
    });

    test("a valid spec has no diagnostics", async () => {
        const { uri, diagnostics } = await diagnosticsAfter(async () => {
            await connection.sendNotification(DidOpenTextDocumentNotification.type, {
                textDocument: { ...textDocument, languageId: "arch", version: 1, text: TEXT },
            });
        });
        assert.equal(uri, textDocument.uri);
        assert.deepEqual(diagnostics, []);
    });

    test("hover describes a layer", async () => {
        const hover = await connection.sendRequest(HoverRequest.type, { textDocument, position: placeOf("conv(", 1) });
        assert.match(JSON.stringify(hover?.contents), /conv/);
    });

    test("inlay hints show shapes", async () => {
        const end = { line: TEXT.split("\n").length, character: 0 };
        const range = { start: { line: 0, character: 0 }, end };
        const hints = await connection.sendRequest(InlayHintRequest.type, { textDocument, range });
        const { line } = placeOf("global_avgpool");
        const label = hints?.find((hint) => hint.position.line === line)?.label;
        assert.match(JSON.stringify(label ?? hints), /512/);
    });

    test("completion offers layers, library blocks and the spec's own blocks", async () => {
        const position = placeOf("    global_avgpool", 4);
        const answer = await connection.sendRequest(CompletionRequest.type, { textDocument, position });
        const labels = (Array.isArray(answer) ? answer : (answer?.items ?? [])).map(({ label }) => label);
        for (const label of ["conv", "basic_block", "stem"]) {
            assert.ok(labels.includes(label), `${label} is not among ${labels.join(", ")}`);
        }
    });

    test("an error is reported at its position, and disappears when it is fixed", async () => {
        const change = async (version: number, text: string) =>
            await connection.sendNotification(DidChangeTextDocumentNotification.type, {
                textDocument: { ...textDocument, version },
                contentChanges: [{ text }],
            });
        const wrong = await diagnosticsAfter(() => change(2, TEXT.replace("conv(64", "cnv(64")));
        assert.equal(wrong.diagnostics.length, 1);
        assert.deepEqual(wrong.diagnostics[0]?.range.start, placeOf("conv(64"));
        const right = await diagnosticsAfter(() => change(3, TEXT));
        assert.deepEqual(right.diagnostics, []);
    });

    test("it exits on request", async () => {
        const ended = new Promise((resolve) => server.once("exit", resolve));
        await connection.sendRequest(ShutdownRequest.type);
        await connection.sendNotification(ExitNotification.type);
        assert.equal(await ended, 0);
    });
});
