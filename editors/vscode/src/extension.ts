import * as vscode from "vscode";
import {
    CloseAction,
    type CloseHandlerResult,
    ErrorAction,
    type ErrorHandler,
    type ErrorHandlerResult,
    LanguageClient,
    type LanguageClientOptions,
    type Message,
    RevealOutputChannelOn,
} from "vscode-languageclient/node";

import { besideServer, type Command, explainFailure, readCommand } from "./command";
import { findCommand } from "./environment";
import { chosenInterpreter, onDidChooseInterpreter } from "./interpreter";
import { Preview } from "./preview";
import { type Server, startServer } from "./server";

const NAME = "cifar_dsl";
const SECTION = "cifar-dsl";
const MAX_RESTARTS = 4; // of a crashing server, within RESTARTS_WITHIN_MS
const RESTARTS_WITHIN_MS = 3 * 60 * 1000;
const MAX_INVALID_MESSAGES = 3; // in a row, before the server is shut down
const TIMEOUT_MS = 2000; // for a server to exit after a stop request or after closing its output

const SHOW_OUTPUT = "Show Output";
const OPEN_SETTINGS = "Open Settings";

let output: vscode.LogOutputChannel;
let preview: Preview;
let client: Client | undefined; // running or starting
let calls = 0;
let lastSwitch: Promise<void> = Promise.resolve(); // starts and stops run one at a time

/** Called by VS Code when the first spec is opened. */
export function activate(context: vscode.ExtensionContext): void {
    output = vscode.window.createOutputChannel(NAME, { log: true });
    preview = new Preview(vscode.Uri.joinPath(context.extensionUri, "media"), askForPreview);
    context.subscriptions.push(
        output,
        preview,
        vscode.commands.registerCommand("cifar-dsl.restartServer", restart),
        vscode.commands.registerCommand("cifar-dsl.show", show),
        vscode.commands.registerCommand("cifar-dsl.train", (given?: Lens) => runInTerminal("cifar-dsl.train", given)),
        vscode.commands.registerCommand("cifar-dsl.compare", (given?: Lens) => runInTerminal("cifar-dsl.compare", given)),
        vscode.workspace.onDidGrantWorkspaceTrust(restart),
        vscode.workspace.onDidChangeConfiguration(async (change) => {
            if (change.affectsConfiguration(`${SECTION}.command`)) {
                await restart();
            }
        }),
    );
    void restart(); // not awaited: commands run only after activation, and a server may never answer
    void onDidChooseInterpreter(() => void restart()).then((subscription) => {
        if (subscription !== undefined) {
            context.subscriptions.push(subscription);
        }
    });
}

/** Called by VS Code when it closes. */
export async function deactivate(): Promise<void> {
    await switchTo(async () => undefined);
}

async function restart(): Promise<void> {
    await switchTo(start);
}

/** Stops the running server, then calls `next`, unless `switchTo` is called again in the meantime. */
async function switchTo(next: () => Promise<void>): Promise<void> {
    const call = ++calls;
    client?.abandonStart();
    lastSwitch = lastSwitch.then(stop, stop).then(async () => {
        if (call === calls) {
            await next();
        }
    });
    await lastSwitch;
}

async function stop(): Promise<void> {
    const running = client;
    client = undefined;
    try {
        await running?.dispose();
    } catch (error) {
        output.warn(`The language server did not stop cleanly: ${messageOf(error)}`);
    }
}

async function start(): Promise<void> {
    let command: Command | undefined;
    try {
        command = await chosenCommand();
    } catch (error) {
        showError(messageOf(error));
        return;
    }
    if (command === undefined) {
        return;
    }
    const starting = new Client(command);
    client = starting;
    try {
        await starting.start();
        preview.refresh();
    } catch (error) {
        if (!starting.isAbandoned) {
            showError(explainFailure(command, await starting.failureReason(error)));
        }
        starting.abandonStart();
        client = undefined;
    }
}

/** The command in the setting, or else that of the environment in use; undefined if the setting turns it off. */
async function chosenCommand(): Promise<Command | undefined> {
    const folders = (vscode.workspace.workspaceFolders ?? [])
        .filter(({ uri }) => uri.scheme === "file")
        .map(({ uri }) => uri.fsPath);
    const setting: unknown = vscode.workspace.getConfiguration(SECTION).get("command");
    if (setting !== null && setting !== undefined) {
        return readCommand(setting, folders[0]);
    }
    return findCommand({
        interpreter: await chosenInterpreter(),
        folders: vscode.workspace.isTrusted ? folders : [],
        variables: process.env,
    });
}

/** The argument of a code lens: a spec, and the arguments of `cifar-dsl` in a folder. */
interface Lens {
    readonly uri: string;
    readonly arguments: readonly string[];
    readonly folder: string;
}

/** The lens of a command for a spec, by default that of the active editor; an error message if it has none. */
async function lensOf(command: string): Promise<Lens | undefined> {
    const document = vscode.window.activeTextEditor?.document;
    if (document?.languageId !== "arch") {
        return undefined;
    }
    const textDocument = { uri: document.uri.toString() };
    const lenses = await request<{ command: { command: string; arguments: [Lens] } }[]>("textDocument/codeLens", {
        textDocument,
    });
    const lens = lenses.find((one) => one.command.command === command)?.command.arguments[0];
    if (lens === undefined) {
        const lack = command === "cifar-dsl.compare" ? "extends no other" : "has no recipe or isn't saved in a file";
        void vscode.window.showErrorMessage(`cifar_dsl: this spec ${lack}.`);
    }
    return lens;
}

async function show(given?: Lens): Promise<void> {
    const uri = given === undefined ? vscode.window.activeTextEditor?.document.uri : vscode.Uri.parse(given.uri);
    if (uri !== undefined) {
        await preview.show(uri);
    }
}

/** Runs `cifar-dsl train` or `compare` in a terminal, on what the editors contain. */
async function runInTerminal(command: string, given?: Lens): Promise<void> {
    const lens = given ?? (await lensOf(command));
    if (lens === undefined || !(await vscode.workspace.saveAll())) {
        return;
    }
    const { program, arguments: arguments_ } = besideServer(client?.command, lens.arguments);
    const execution = new vscode.ProcessExecution(program, [...arguments_], { cwd: lens.folder });
    const name = lens.arguments.join(" ");
    const task = new vscode.Task({ type: "process" }, vscode.TaskScope.Workspace, name, NAME, execution);
    await vscode.tasks.executeTask(task);
}

async function askForPreview(uri: vscode.Uri): Promise<object> {
    return await request("cifar-dsl/preview", { textDocument: { uri: uri.toString() } });
}

async function request<Result>(method: string, parameters: object): Promise<Result> {
    if (client === undefined) {
        throw new Error("The language server isn't running; the output channel cifar_dsl says why.");
    }
    return await client.sendRequest<Result>(method, parameters);
}

/** A language client that shows no start-up errors itself: `start` explains them once. */
class Client extends LanguageClient {
    isAbandoned = false;
    private isStopped = false;
    private server: Server | undefined;
    private readonly handler: RestartPolicy;

    constructor(readonly command: Command) {
        const handler = new RestartPolicy();
        const options: LanguageClientOptions = {
            documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: "arch" })),
            outputChannel: output,
            revealOutputChannelOn: RevealOutputChannelOn.Never,
            initializationFailedHandler: () => false,
            errorHandler: handler,
        };
        const run = async () => {
            this.server = await startServer(command);
            if (this.isAbandoned || this.isStopped) {
                void this.server.end();
            }
            return this.server.process;
        };
        super(SECTION, NAME, run, options);
        this.handler = handler;
    }

    override async start(): Promise<void> {
        await super.start();
        this.handler.hasStarted = true;
    }

    /** Stops the server, and kills it if it doesn't respond. */
    override async stop(timeout = TIMEOUT_MS): Promise<void> {
        this.isStopped = true;
        let killAfterMs = 0;
        try {
            await super.stop(timeout);
            killAfterMs = TIMEOUT_MS;
        } finally {
            if (this.handler.hasStarted) {
                await this.server?.end(killAfterMs);
            }
        }
    }

    /** Ends a server that hasn't answered yet and may never do so. */
    abandonStart(): void {
        if (!this.handler.hasStarted) {
            this.isAbandoned = true;
            void this.server?.end();
        }
    }

    override error(message: string, data?: unknown, showNotification?: boolean | "force"): void {
        super.error(message, data, this.handler.hasStarted ? showNotification : false);
    }

    /** The reason why the server did not start, as a phrase that follows the command. */
    async failureReason(error: unknown): Promise<string> {
        if (this.server === undefined) {
            return messageOf(error);
        }
        const timeout = new Promise<string>((resolve) => {
            setTimeout(() => resolve(`sent no valid response (${messageOf(error)})`), TIMEOUT_MS).unref();
        });
        return await Promise.race([this.server.exited, timeout]);
    }
}

/** Restarts a crashed server, unless it never started or keeps crashing. */
class RestartPolicy implements ErrorHandler {
    hasStarted = false;
    private crashes: number[] = [];

    error(_error: Error, _message: Message | undefined, count: number | undefined): ErrorHandlerResult {
        if (count !== undefined && count <= MAX_INVALID_MESSAGES) {
            return { action: ErrorAction.Continue, handled: true };
        }
        if (this.hasStarted) {
            showError("The language server sent invalid messages and was turned off.");
        }
        return { action: ErrorAction.Shutdown, handled: true };
    }

    closed(): CloseHandlerResult {
        if (!this.hasStarted) {
            return { action: CloseAction.DoNotRestart, handled: true };
        }
        const now = Date.now();
        this.crashes = [...this.crashes.filter((time) => now - time < RESTARTS_WITHIN_MS), now];
        if (this.crashes.length <= MAX_RESTARTS) {
            return { action: CloseAction.Restart, handled: true };
        }
        showError(`The language server crashed ${this.crashes.length} times in three minutes and was turned off.`);
        return { action: CloseAction.DoNotRestart, handled: true };
    }
}

function showError(message: string): void {
    output.error(message);
    // Not awaited: the message stays open until the user dismisses it.
    void vscode.window.showErrorMessage(`cifar_dsl: ${message}`, SHOW_OUTPUT, OPEN_SETTINGS).then(async (choice) => {
        if (choice === SHOW_OUTPUT) {
            output.show();
        } else if (choice === OPEN_SETTINGS) {
            await vscode.commands.executeCommand("workbench.action.openSettings", `${SECTION}.command`);
        }
    });
}

function messageOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}
