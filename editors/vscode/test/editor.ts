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
    run(command: string): Promise<unknown>;
}

interface Extension {
    activate(context: { subscriptions: unknown[] }): void;
    deactivate(): Promise<void>;
}

/** Loads dist/extension.js with the mock as its `vscode`. */
export function openEditor(command: unknown): Editor {
    const messages: string[] = [];
    const lines: string[] = [];
    const commands = new Map<string, Handler>();
    const settingsListeners: Handler[] = [];
    const settings: Record<string, unknown> = { command };
    const log = (...values: unknown[]) => void lines.push(values.join(" "));
    const disposable = { dispose: () => undefined };

    const vscode = {
        window: {
            createOutputChannel: () => ({
                ...{ error: log, warn: log, info: log, debug: log, trace: log, append: log, appendLine: log },
                ...{ name: "", logLevel: 0, show: () => undefined, dispose: () => undefined },
                onDidChangeLogLevel: () => disposable,
            }),
            showErrorMessage: async (message: string) => void messages.push(message),
        },
        commands: {
            registerCommand: (name: string, handler: Handler) => {
                commands.set(name, handler);
                return disposable;
            },
        },
        workspace: {
            workspaceFolders: undefined,
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
        activate: () => extension.activate({ subscriptions: [] }),
        deactivate: () => extension.deactivate(),
        run: async (name) => await commands.get(name)?.(),
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
