import * as vscode from "vscode";

const DELAY_MS = 250; // without typing, before the server is asked

/** Asks the server for the network of a spec: the result of the request `cifar-dsl/preview`. */
export type Ask = (uri: vscode.Uri) => Promise<object>;

/** The pane with the picture and the table of the spec in the active editor, which follows its cursor. */
export class Preview implements vscode.Disposable {
    private panel: vscode.WebviewPanel | undefined;
    private shown: vscode.Uri | undefined;
    private timer: NodeJS.Timeout | undefined;
    private asked = 0;
    private readonly subscriptions: vscode.Disposable[];

    constructor(
        private readonly media: vscode.Uri,
        private readonly ask: Ask,
    ) {
        this.subscriptions = [
            vscode.window.onDidChangeActiveTextEditor((editor) => {
                if (editor?.document.languageId === "arch" && this.panel !== undefined) {
                    void this.update(editor.document.uri);
                }
            }),
            vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.follow(textEditor)),
            vscode.workspace.onDidChangeTextDocument(({ document }) => this.updateLater([document.uri])),
            vscode.languages.onDidChangeDiagnostics(({ uris }) => this.updateLater(uris)), // also of a changed base
        ];
    }

    /** Opens the pane beside the editor, or brings it to the front. */
    async show(uri: vscode.Uri): Promise<void> {
        if (this.panel === undefined) {
            this.panel = this.open();
        } else {
            this.panel.reveal(undefined, true);
        }
        await this.update(uri);
    }

    /** Asks again for what is shown, as after a restart of the server. */
    refresh(): void {
        if (this.shown !== undefined) {
            this.updateLater([this.shown]);
        }
    }

    dispose(): void {
        this.panel?.dispose();
        this.subscriptions.forEach((one) => one.dispose());
    }

    private open(): vscode.WebviewPanel {
        const place = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
        const options = { enableScripts: true, localResourceRoots: [this.media] };
        const panel = vscode.window.createWebviewPanel("cifar-dsl.preview", "Network", place, options);
        const uriOf = (name: string) => panel.webview.asWebviewUri(vscode.Uri.joinPath(this.media, name)).toString();
        panel.webview.onDidReceiveMessage(async (message: { line?: number; isReady?: boolean }) => {
            if (message.isReady && this.shown !== undefined) {
                await this.update(this.shown);
            } else if (typeof message.line === "number") {
                await this.goTo(message.line);
            }
        });
        panel.onDidDispose(() => {
            clearTimeout(this.timer);
            this.panel = this.shown = undefined;
        });
        panel.webview.html = page(panel.webview.cspSource, uriOf("preview.css"), uriOf("preview.js"));
        return panel;
    }

    private updateLater(uris: readonly vscode.Uri[]): void {
        const shown = this.shown;
        if (shown !== undefined && uris.some((uri) => uri.toString() === shown.toString())) {
            clearTimeout(this.timer);
            this.timer = setTimeout(() => void this.update(shown), DELAY_MS);
        }
    }

    private async update(uri: vscode.Uri): Promise<void> {
        const number = ++this.asked;
        this.shown = uri;
        let network: object;
        try {
            network = await this.ask(uri);
        } catch (error) {
            network = { problem: error instanceof Error ? error.message : String(error), isStale: true };
        }
        if (number === this.asked && this.panel !== undefined) {
            this.panel.title = `Network: ${uri.path.split("/").at(-1)}`;
            await this.panel.webview.postMessage({ uri: uri.toString(), network });
            this.follow(vscode.window.activeTextEditor);
        }
    }

    private follow(editor: vscode.TextEditor | undefined): void {
        if (editor !== undefined && editor.document.uri.toString() === this.shown?.toString()) {
            void this.panel?.webview.postMessage({ line: editor.selection.active.line + 1 });
        }
    }

    private async goTo(line: number): Promise<void> {
        if (this.shown !== undefined) {
            const start = new vscode.Position(line - 1, 0);
            const selection = new vscode.Range(start, start);
            const isShown = (editor: vscode.TextEditor) => editor.document.uri.toString() === this.shown?.toString();
            const viewColumn = vscode.window.visibleTextEditors.find(isShown)?.viewColumn ?? vscode.ViewColumn.One;
            await vscode.window.showTextDocument(this.shown, { selection, viewColumn });
        }
    }
}

/** The page of the pane. It runs one script, and makes no request. */
function page(source: string, style: string, script: string): string {
    return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${source}; script-src ${source}">
<link rel="stylesheet" href="${style}">
<title>Network</title>
</head>
<body>
<header id="heading"></header>
<p id="problem" role="status" hidden></p>
<main>
<section id="picture" aria-label="Picture" tabindex="0"></section>
<section id="table" aria-label="Layers" tabindex="0"></section>
</main>
<script src="${script}"></script>
</body>
</html>`;
}
