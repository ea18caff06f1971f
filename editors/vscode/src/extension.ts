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
const RESTARTS = 4; // of a server that crashes, before it is left alone
const RESTARTS_WITHIN_MS = 3 * 60 * 1000;
const MESSAGES_LOST = 3; // in a row, before the server is given up
const PATIENCE_MS = 2000; // for a server to end that has closed its output, or that was told to

const SHOW_OUTPUT = "Show Output";
const OPEN_SETTINGS = "Open Settings";

let output: vscode.LogOutputChannel;
let client: Client | undefined; // the one that runs, or is being started
let calls = 0;
let lastStep: Promise<void> = Promise.resolve(); // starts and stops come one after the other

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
    void restart(); // not awaited: no command runs before this function has ended, and a server may never answer
}

/** Called by VS Code when it closes. */
export async function deactivate(): Promise<void> {
    await switchTo(async () => undefined);
}

async function restart(): Promise<void> {
    await switchTo(start);
}

/** Stops the server that runs and then does `next`, unless another call comes meanwhile. */
async function switchTo(next: () => Promise<void>): Promise<void> {
    const call = ++calls;
    client?.abandonStart();
    lastStep = lastStep.then(stop, stop).then(async () => {
        if (call === calls) {
            await next();
        }
    });
    await lastStep;
}

async function stop(): Promise<void> {
    const running = client;
    client = undefined;
    try {
        await running?.dispose();
    } catch (error) {
        output.warn(`The language server did not stop by itself: ${messageOf(error)}`);
    }
}

async function start(): Promise<void> {
    let command: Command | undefined;
    try {
        const folder = vscode.workspace.workspaceFolders?.[0];
        const setting = vscode.workspace.getConfiguration(SECTION).get("command");
        command = readCommand(setting, folder?.uri.scheme === "file" ? folder.uri.fsPath : undefined);
    } catch (error) {
        tell(messageOf(error));
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
            tell(explainFailure(command, await starting.reason(error)));
        }
        starting.abandonStart();
        client = undefined;
    }
}

/** A language client that leaves it to `start` to say why it did not start. */
class Client extends LanguageClient {
    isAbandoned = false;
    private isStopped = false;
    private server: Server | undefined;
    private readonly handler: Restarting;

    constructor(command: Command) {
        const handler = new Restarting();
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

    /** Stops the server, also one that takes no notice. */
    override async stop(timeout = PATIENCE_MS): Promise<void> {
        this.isStopped = true;
        let patience = 0;
        try {
            await super.stop(timeout);
            patience = PATIENCE_MS;
        } finally {
            if (this.handler.hasStarted) {
                await this.server?.end(patience);
            }
        }
    }

    /** Ends a server that has not answered yet, and may never do. */
    abandonStart(): void {
        if (!this.handler.hasStarted) {
            this.isAbandoned = true;
            void this.server?.end();
        }
    }

    override error(message: string, data?: unknown, showNotification?: boolean | "force"): void {
        super.error(message, data, this.handler.hasStarted ? showNotification : false);
    }

    /** Why it did not start, in words that follow the command. */
    async reason(error: unknown): Promise<string> {
        if (this.server === undefined) {
            return messageOf(error);
        }
        const late = new Promise<string>((resolve) => {
            setTimeout(() => resolve(`said what no language server says (${messageOf(error)})`), PATIENCE_MS).unref();
        });
        return await Promise.race([this.server.ending, late]);
    }
}

/** Starts a server that crashes again, but neither one that never ran nor one that crashes all the time. */
class Restarting implements ErrorHandler {
    hasStarted = false;
    private crashes: number[] = [];

    error(_error: Error, _message: Message | undefined, count: number | undefined): ErrorHandlerResult {
        if (count !== undefined && count <= MESSAGES_LOST) {
            return { action: ErrorAction.Continue, handled: true };
        }
        if (this.hasStarted) {
            tell("The language server can no longer be understood, and stays off.");
        }
        return { action: ErrorAction.Shutdown, handled: true };
    }

    closed(): CloseHandlerResult {
        if (!this.hasStarted) {
            return { action: CloseAction.DoNotRestart, handled: true };
        }
        const now = Date.now();
        this.crashes = [...this.crashes.filter((time) => now - time < RESTARTS_WITHIN_MS), now];
        if (this.crashes.length <= RESTARTS) {
            return { action: CloseAction.Restart, handled: true };
        }
        tell(`The language server crashed ${this.crashes.length} times in three minutes and stays off.`);
        return { action: CloseAction.DoNotRestart, handled: true };
    }
}

function tell(message: string): void {
    output.error(message);
    // Not awaited: the message stays until the user has read it.
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
