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

import { type Command, explainFailure, readCommand } from "./command";
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
let client: Client | undefined; // running or starting
let calls = 0;
let lastSwitch: Promise<void> = Promise.resolve(); // starts and stops run one at a time

/** Called by VS Code when the first spec is opened. */
export function activate(context: vscode.ExtensionContext): void {
    output = vscode.window.createOutputChannel(NAME, { log: true });
    context.subscriptions.push(
        output,
        vscode.commands.registerCommand("cifar-dsl.restartServer", restart),
        vscode.workspace.onDidChangeConfiguration(async (change) => {
            if (change.affectsConfiguration(`${SECTION}.command`)) {
                await restart();
            }
        }),
    );
    void restart(); // not awaited: commands run only after activation, and a server may never answer
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
        const folder = vscode.workspace.workspaceFolders?.[0];
        const setting = vscode.workspace.getConfiguration(SECTION).get("command");
        command = readCommand(setting, folder?.uri.scheme === "file" ? folder.uri.fsPath : undefined);
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
    } catch (error) {
        if (!starting.isAbandoned) {
            showError(explainFailure(command, await starting.failureReason(error)));
        }
        starting.abandonStart();
        client = undefined;
    }
}

/** A language client that shows no start-up errors itself: `start` explains them once. */
class Client extends LanguageClient {
    isAbandoned = false;
    private isStopped = false;
    private server: Server | undefined;
    private readonly handler: RestartPolicy;

    constructor(command: Command) {
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
