import * as vscode from "vscode";

/** The part of the Python extension's API that is used here; see the package @vscode/python-extension. */
interface PythonApi {
    readonly environments: {
        getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
        readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
    };
}

/** The interpreter that the user has chosen in the Python extension; undefined without that extension. */
export async function chosenInterpreter(): Promise<string | undefined> {
    const api = await pythonApi();
    const path = api?.environments.getActiveEnvironmentPath(vscode.workspace.workspaceFolders?.[0]?.uri).path;
    return path === undefined || path === "" || path === "python" ? undefined : path; // "python": none is chosen
}

/** Calls `listener` when the user chooses another interpreter. */
export async function onDidChooseInterpreter(listener: () => void): Promise<vscode.Disposable | undefined> {
    return (await pythonApi())?.environments.onDidChangeActiveEnvironmentPath(listener);
}

async function pythonApi(): Promise<PythonApi | undefined> {
    const extension = vscode.extensions.getExtension<PythonApi>("ms-python.python");
    try {
        return await extension?.activate();
    } catch {
        return undefined; // its own failure, which it reports itself
    }
}
