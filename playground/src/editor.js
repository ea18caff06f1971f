// CodeMirror in a shadow root, where its styles need no exception from the page's Content-Security-Policy.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { fields } from "./language.js";

const LOOK = EditorView.theme({
    "&": { height: "100%", fontSize: "13px", backgroundColor: "var(--paper)", color: "var(--ink)" },
    "&.cm-focused": { outline: "none" },
    ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
    ".cm-content": { padding: "8px 0", caretColor: "var(--ink)" },
    ".cm-cursor": { borderLeftColor: "var(--ink)" },
    ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--faint)", border: "none" },
    ".cm-lineNumbers .cm-gutterElement": { padding: "0 6px 0 10px" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line-now)" },
    ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
        backgroundColor: "var(--selection)",
    },
    ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--selection)" },
    ".cm-tooltip": {
        backgroundColor: "var(--raised)",
        color: "var(--ink)",
        border: "1px solid var(--rule)",
        borderRadius: "6px",
        boxShadow: "0 4px 16px rgb(0 0 0 / 18%)",
        overflow: "hidden",
    },
    ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
    ".cm-tooltip-autocomplete > ul > li": { padding: "2px 8px !important" },
    ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
    ".cm-completionDetail": { opacity: "0.75", fontStyle: "normal" },
    ".cm-lsp-documentation": { padding: "8px 12px", maxWidth: "36em", maxHeight: "24em", overflow: "auto", fontFamily: "var(--sans)" },
    ".cm-lsp-documentation pre, .cm-lsp-documentation code": { fontFamily: "var(--mono)", fontSize: "12px", whiteSpace: "pre-wrap" },
    ".cm-lsp-documentation td, .cm-lsp-documentation th": { padding: "1px 10px 1px 0", textAlign: "left" },
    ".cm-diagnostic": { padding: "6px 10px", whiteSpace: "pre-wrap", fontFamily: "var(--sans)" },
    ".cm-diagnosticAction": { backgroundColor: "var(--accent)", color: "var(--on-accent)", borderRadius: "4px" },
    ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--ink)", borderColor: "var(--rule)" },
    ".hint": { color: "var(--faint)", fontSize: "11px", marginLeft: "1.2em", whiteSpace: "pre" },
});

const SIZED_TO_TEXT = EditorView.theme({ "&": { backgroundColor: "transparent" }, ".cm-gutters": { backgroundColor: "transparent" } });

/** Python's colours suit any background; here it is known, so they are mixed with the ink. */
function legible({ color, ...css }) {
    return color ? { ...css, color: `color-mix(in oklab, ${color}, var(--ink) 25%)` } : css;
}

/** The theme of the words, from the colours of Python's highlighting. */
function wordTheme(colours) {
    return EditorView.theme(Object.fromEntries(Object.entries(colours).map(([kind, css]) => [`.token-${kind}`, legible(css)])));
}

function pythonStyle(colours) {
    const of = (tag, kind) => ({ tag, ...legible(colours[kind]) });
    return HighlightStyle.define([
        of(tags.comment, "comment"),
        of([tags.string, tags.docString], "string"),
        of(tags.number, "number"),
        of([tags.keyword, tags.operatorKeyword, tags.bool, tags.null, tags.self], "keyword"),
        of([tags.function(tags.variableName), tags.function(tags.propertyName), tags.definition(tags.className)], "function"),
        of(tags.function(tags.definition(tags.variableName)), "function"),
        of(tags.className, "class"),
    ]);
}

function mounted(host, state) {
    const root = host.attachShadow({ mode: "open" });
    const place = document.createElement("div");
    place.className = "place";
    const style = new CSSStyleSheet();
    style.replaceSync(".place { height: 100% }");
    root.adoptedStyleSheets = [style];
    root.append(place);
    return new EditorView({ state, parent: place, root });
}

/** An editor for a spec. `server` is a compartment for the extensions of the language server. */
export function specEditor(host, label, text, colours, onChange) {
    const server = new Compartment();
    const extensions = [
        lineNumbers(),
        lintGutter(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        history(),
        drawSelection(),
        EditorView.lineWrapping,
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        highlightSelectionMatches(),
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...searchKeymap, ...historyKeymap, ...defaultKeymap]),
        EditorState.tabSize.of(4),
        EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocorrect: "off", autocapitalize: "off" }),
        EditorView.updateListener.of((update) => update.docChanged && onChange(update)),
        LOOK,
        wordTheme(colours),
        fields,
        server.of([]),
    ];
    const view = mounted(host, EditorState.create({ doc: text, extensions }));
    return { view, attach: (extension) => view.dispatch({ effects: server.reconfigure(extension) }) };
}

/** A view of Python source that can't be edited; returns the function that shows a text. */
export function sourceView(host, label, colours) {
    const view = mounted(
        host,
        EditorState.create({
            extensions: [
                EditorState.readOnly.of(true),
                EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
                python(),
                syntaxHighlighting(pythonStyle(colours)),
                keymap.of([...searchKeymap, ...defaultKeymap]),
                lineNumbers(),
                LOOK,
                SIZED_TO_TEXT,
            ],
        }),
    );
    return (text) => {
        if (view.state.doc.toString() !== text) {
            view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
        }
    };
}
