/** A mock of the VS Code API: enough of it to start the client without a window. */
import Module from "node:module";
import path from "node:path";

import { EXTENSION } from "./repository";

type Handler = (...values: unknown[]) => unknown;

export interface Editor {
    /** The error messages shown, in order. */
    readonly messages: string[];
    /** The lines of the output channel. */
    readonly lines: string[];
    setCommand(command: unknown): Promise<void>;
    activate(): void;
    deactivate(): Promise<void>;
    run(command: string, ...values: unknown[]): Promise<unknown>;
    /** What the preview pane was sent, in order. */
    readonly posted: Record<string, unknown>[];
    /** The tasks that were run: program, arguments and folder. */
    readonly tasks: { program: string; arguments: string[]; folder: string }[];
    /** Moves the cursor of the active editor to a line, from 0. */
    moveTo(line: number): void;
    /** Acts as the page of the preview pane. */
    send(message: object): void;
    /** The user chooses another interpreter in the Python extension. */
    choose(interpreter: string): void;
}

/** What the editor has at the start, beside the setting. */
export interface Surroundings {
    readonly folder?: string;
    readonly isTrusted?: boolean;
    readonly interpreter?: string;
    /** The spec in the active editor. */
    readonly active?: string;
}

interface Extension {
    activate(context: { subscriptions: unknown[]; extensionUri: unknown }): void;
    deactivate(): Promise<void>;
}

/** Loads dist/extension.js with the mock as its `vscode`. */
export function openEditor(command: unknown, around: Surroundings = {}): Editor {
    const messages: string[] = [];
    const lines: string[] = [];
    const commands = new Map<string, Handler>();
    const settingsListeners: Handler[] = [];
    const settings: Record<string, unknown> = { command };
    const log = (...values: unknown[]) => void lines.push(values.join(" "));
    const disposable = { dispose: () => undefined };
    const posted: Editor["posted"] = [];
    const tasks: Editor["tasks"] = [];
    const uri = (text: string) => ({ toString: () => text, path: text, fsPath: text, scheme: "file" });
    const listeners = { cursor: [] as Handler[], message: [] as Handler[], interpreter: [] as Handler[] };
    const on = (list: Handler[]) => (listener: Handler) => (list.push(listener), disposable);
    const selection = { active: { line: 0 } };
    const document = { uri: uri(around.active ?? ""), languageId: "arch" };
    const active = around.active === undefined ? undefined : { document, selection };
    let interpreter = around.interpreter;
    const python = {
        environments: {
            getActiveEnvironmentPath: () => ({ path: interpreter }),
            onDidChangeActiveEnvironmentPath: on(listeners.interpreter),
        },
    };
    const panel = {
        webview: {
            asWebviewUri: (one: unknown) => one,
            postMessage: async (message: Record<string, unknown>) => posted.push(message),
            onDidReceiveMessage: on(listeners.message),
        },
        onDidDispose: () => disposable,
        reveal: () => undefined,
        dispose: () => undefined,
    };

    const vscode = {
        window: {
            createOutputChannel: () => ({
                ...{ error: log, warn: log, info: log, debug: log, trace: log, append: log, appendLine: log },
                ...{ name: "", logLevel: 0, show: () => undefined, dispose: () => undefined },
                onDidChangeLogLevel: () => disposable,
            }),
            activeTextEditor: active,
            createWebviewPanel: () => panel,
            onDidChangeActiveTextEditor: () => disposable,
            onDidChangeTextEditorSelection: on(listeners.cursor),
            showErrorMessage: async (message: string) => void messages.push(message),
        },
        commands: {
            registerCommand: (name: string, handler: Handler) => {
                commands.set(name, handler);
                return disposable;
            },
        },
        languages: { onDidChangeDiagnostics: () => disposable },
        ViewColumn: { Beside: -2, One: 1 },
        TaskScope: { Workspace: 2 },
        extensions: {
            getExtension: () => (interpreter === undefined ? undefined : { activate: async () => python }),
        },
        tasks: {
            executeTask: async ({ execution }: { execution: Editor["tasks"][number] }) => tasks.push(execution),
        },
        Task: class {
            constructor(_type: unknown, _scope: unknown, _name: unknown, _source: unknown, readonly execution: unknown) {}
        },
        ProcessExecution: class {
            readonly folder: string;
            readonly arguments: string[];
            constructor(readonly program: string, given: string[], options: { cwd: string }) {
                this.folder = options.cwd;
                this.arguments = given;
            }
        },
        Uri: { parse: uri, joinPath: (...parts: unknown[]) => uri(parts.join("/")) },
        workspace: {
            workspaceFolders: around.folder === undefined ? undefined : [{ uri: uri(around.folder), name: "a", index: 0 }],
            isTrusted: around.isTrusted ?? true,
            saveAll: async () => true,
            textDocuments: [],
            notebookDocuments: [],
            getConfiguration: () => ({ get: (key: string, otherwise: unknown) => settings[key] ?? otherwise }),
            onDidChangeConfiguration: (listener: Handler) => {
                settingsListeners.push(listener);
                return disposable;
            },
        },
        EventEmitter: Emitter,
        env: { appName: "a mock", language: "en" },
        version: "1.91.0",
    };
    const extension = load(anything(vscode));
    return {
        messages,
        lines,
        posted,
        tasks,
        moveTo: (line) => {
            selection.active.line = line;
            listeners.cursor.forEach((listener) => listener({ textEditor: active }));
        },
        send: (message) => listeners.message.forEach((listener) => listener(message)),
        choose: (other) => {
            interpreter = other;
            listeners.interpreter.forEach((listener) => listener({}));
        },
        activate: () => extension.activate({ subscriptions: [], extensionUri: uri("/extension") }),
        deactivate: () => extension.deactivate(),
        run: async (name, ...values) => await commands.get(name)?.(...values),
        setCommand: async (value) => {
            settings["command"] = value;
            const change = { affectsConfiguration: (section: string) => section.startsWith("cifar-dsl") };
            await Promise.all(settingsListeners.map((listener) => listener(change)));
        },
    };
}

/** A mock of VS Code's EventEmitter. */
class Emitter {
    private readonly listeners = new Set<Handler>();
    readonly event = (listener: Handler) => {
        this.listeners.add(listener);
        return { dispose: () => this.listeners.delete(listener) };
    };
    fire(value: unknown): void {
        this.listeners.forEach((listener) => listener(value));
    }
    dispose(): void {
        this.listeners.clear();
    }
}

/** Loads the extension again, so that each test has its own instance. */
function load(vscode: unknown): Extension {
    const loader = Module as unknown as { _load: (request: string, ...rest: unknown[]) => unknown };
    const original = loader._load;
    const file = path.join(EXTENSION, "dist/extension.js");
    delete require.cache[file];
    loader._load = (request, ...rest) => (request === "vscode" ? vscode : original.call(loader, request, ...rest));
    try {
        return require(file) as Extension;
    } finally {
        loader._load = original;
    }
}

/** `known`; any other property is a no-op that can be called, constructed or subclassed. */
function anything(known: object): unknown {
    return new Proxy(known, {
        get: (target, key) => {
            if (!(key in target)) {
                return key === "then" || typeof key === "symbol" ? undefined : anything(function () {});
            }
            const value: unknown = Reflect.get(target, key);
            const isGroup = typeof value === "object" && value !== null && Object.hasOwn(target, key);
            return isGroup && typeof target === "object" && !Array.isArray(value) ? anything(value) : value;
        },
        apply: (target, self, values) =>
            Reflect.apply(target as () => unknown, self, values) ?? anything(function () {}),
    });
}
