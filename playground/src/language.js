// The client of the language server: what CodeMirror's client has, and diagnostics with fixes, colours and shapes.
import { forceLinting, setDiagnostics } from "@codemirror/lint";
import {
    findReferencesKeymap,
    formatKeymap,
    hoverTooltips,
    jumpToDefinitionKeymap,
    LSPClient,
    LSPPlugin,
    renameKeymap,
    serverCompletion,
    signatureHelp,
} from "@codemirror/lsp-client";
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, keymap, WidgetType } from "@codemirror/view";
import { sanitized } from "./sanitize.js";

const TIMEOUT_MS = 30_000; // a busy computer takes long
const FOLDER = "file:///specs";
const SEMANTIC_TOKENS = { requests: { full: true }, tokenTypes: [], tokenModifiers: [], formats: ["relative"] };
const SEVERITIES = ["", "error", "warning", "info", "hint"];

export const uriOf = (name) => `${FOLDER}/${name}`;
const nameOf = (uri) => uri.slice(FOLDER.length + 1);

/** A client that talks through `post`, and the function that takes the server's messages. */
export function connect(post, onProblems) {
    const handlers = new Set();
    const client = new LSPClient({
        rootUri: FOLDER,
        timeout: TIMEOUT_MS,
        sanitizeHTML: sanitized,
        extensions: [
            serverCompletion(),
            hoverTooltips(),
            signatureHelp(),
            keymap.of([...formatKeymap, ...renameKeymap, ...jumpToDefinitionKeymap, ...findReferencesKeymap]),
            diagnostics(onProblems),
            { clientCapabilities: { textDocument: { inlayHint: {}, semanticTokens: SEMANTIC_TOKENS } } },
        ],
    });
    client.connect({
        send: post,
        subscribe: (handler) => handlers.add(handler),
        unsubscribe: (handler) => handlers.delete(handler),
    });
    return { client, receive: (message) => handlers.forEach((handler) => handler(message)) };
}

/** Ask the server about a view's text; null if the text has changed meanwhile, or the server can't say. */
async function asked(view, method, more = {}) {
    const plugin = LSPPlugin.get(view);
    const doc = view.state.doc;
    plugin.client.sync();
    const found = await plugin.client.request(method, { textDocument: { uri: plugin.uri }, ...more }).catch(() => null);
    return found !== null && view.state.doc.eq(doc) ? { found, plugin } : null;
}

// ---- diagnostics and their fixes

function diagnostics(onProblems) {
    return {
        clientCapabilities: {
            textDocument: {
                publishDiagnostics: { versionSupport: true, relatedInformation: true },
                codeAction: { codeActionLiteralSupport: { codeActionKind: { valueSet: ["quickfix"] } } },
            },
        },
        notificationHandlers: {
            "textDocument/publishDiagnostics": (client, { uri, diagnostics: given, version }) => {
                const file = client.workspace.getFile(uri);
                const view = file?.getView();
                if (view && (version === undefined || version === null || version === file.version)) {
                    show(view, uri, given, onProblems);
                }
                return true;
            },
        },
    };
}

async function show(view, uri, given, onProblems) {
    const plugin = LSPPlugin.get(view);
    const problems = given.map((diagnostic) => ({
        from: plugin.fromPosition(diagnostic.range.start),
        to: plugin.fromPosition(diagnostic.range.end),
        severity: SEVERITIES[diagnostic.severity ?? 1],
        code: diagnostic.code,
        message: diagnostic.message,
        line: diagnostic.range.start.line + 1,
        fixes: [],
    }));
    const { doc } = view.state;
    publish(view, problems);
    onProblems(nameOf(uri), problems);
    const request = (diagnostic) =>
        plugin.client.request("textDocument/codeAction", {
            textDocument: { uri },
            range: diagnostic.range,
            context: { diagnostics: [diagnostic], only: ["quickfix"] },
        });
    const actions = await Promise.all(given.map(request)).catch(() => null);
    if (actions === null || !view.state.doc.eq(doc) || actions.every((found) => !found?.length)) {
        return;
    }
    actions.forEach((found, i) => {
        problems[i].fixes = (found ?? []).map(({ title, edit }) => ({
            title,
            apply: () => view.state.doc.eq(doc) && apply(view, plugin, edit.changes[uri] ?? []),
        }));
    });
    publish(view, problems);
    onProblems(nameOf(uri), problems);
}

function publish(view, problems) {
    const shown = problems.map(({ from, to, severity, code, message, fixes }) => ({
        from,
        to,
        severity,
        message,
        source: code,
        actions: fixes.map((fix) => ({ name: fix.title, apply: fix.apply })),
    }));
    view.dispatch(setDiagnostics(view.state, shown));
    forceLinting(view);
}

function apply(view, plugin, edits) {
    const changes = edits.map(({ range, newText }) => ({
        from: plugin.fromPosition(range.start),
        to: plugin.fromPosition(range.end),
        insert: newText,
    }));
    view.dispatch({ changes, userEvent: "input.fix" });
    view.focus();
}

// ---- decorations that move with the text until the server sends new ones

function decorations() {
    const replace = StateEffect.define();
    const field = StateField.define({
        create: () => Decoration.none,
        update(value, transaction) {
            const given = transaction.effects.find((effect) => effect.is(replace));
            return given ? given.value : value.map(transaction.changes);
        },
        provide: (own) => EditorView.decorations.from(own),
    });
    return { field, show: (view, ranges) => view.dispatch({ effects: replace.of(Decoration.set(ranges, true)) }) };
}

const colours = decorations();
const hints = decorations();
export const fields = [colours.field, hints.field];

/** Colour the words of a view as the server understands them. */
export async function colour(view) {
    const answer = await asked(view, "textDocument/semanticTokens/full");
    if (answer === null) {
        return;
    }
    const { plugin, found } = answer;
    const names = plugin.client.serverCapabilities.semanticTokensProvider.legend.tokenTypes;
    const ranges = [];
    let line = 0;
    let character = 0;
    for (let i = 0; i < found.data.length; i += 5) {
        const [lines, columns, length, type] = found.data.slice(i, i + 4);
        line += lines;
        character = lines > 0 ? columns : character + columns;
        const from = plugin.fromPosition({ line, character });
        ranges.push(Decoration.mark({ class: `token-${names[type]}` }).range(from, from + length));
    }
    colours.show(view, ranges);
}

class Hint extends WidgetType {
    constructor(label, tooltip) {
        super();
        this.label = label;
        this.tooltip = tooltip;
    }

    eq(other) {
        return other.label === this.label && other.tooltip === this.tooltip;
    }

    ignoreEvent() {
        return false; // a click on it places the cursor
    }

    toDOM() {
        const element = document.createElement("span");
        element.className = "hint";
        element.textContent = this.label;
        element.title = this.tooltip;
        return element;
    }
}

/** Show the shape after each line of a view. */
export async function hint(view) {
    const { doc } = view.state;
    const range = { start: { line: 0, character: 0 }, end: { line: doc.lines, character: 0 } };
    const answer = await asked(view, "textDocument/inlayHint", { range });
    if (answer !== null) {
        const { found, plugin } = answer;
        hints.show(
            view,
            found.map(({ position, label, tooltip }) =>
                Decoration.widget({ widget: new Hint(label, tooltip ?? ""), side: 1 }).range(plugin.fromPosition(position)),
            ),
        );
    }
}
