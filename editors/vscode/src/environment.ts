import { statSync } from "node:fs";
import path from "node:path";

import type { Command } from "./command";

const FOLDERS = [".venv", "venv", "env", ".conda"]; // environments that tools make in a workspace

/** Where the program may be installed. */
export interface Places {
    /** The interpreter, or the environment's folder, that the user has chosen in the Python extension. */
    readonly interpreter?: string | undefined;
    /** The folders of the workspace; none unless the user trusts it. */
    readonly folders: readonly string[];
    readonly variables: Readonly<Record<string, string | undefined>>;
}

/** The language server in the first of these places that has one; the one on the PATH if none has. */
export function findCommand(places: Places): Command {
    const program = candidates(places).find(isFile) ?? "cifar-dsl";
    return { program, arguments: ["lsp"] };
}

function candidates({ interpreter, folders, variables }: Places): string[] {
    const chosen = interpreter === undefined ? [] : [beside(interpreter), ...inEnvironment(interpreter)];
    const inWorkspace = folders.flatMap((folder) => FOLDERS.map((name) => path.join(folder, name)));
    const active = [variables["VIRTUAL_ENV"], variables["CONDA_PREFIX"]].filter((folder) => folder !== undefined);
    return [...chosen, ...[...inWorkspace, ...active].flatMap(inEnvironment)];
}

function beside(interpreter: string): string {
    return path.join(path.dirname(interpreter), `cifar-dsl${path.extname(interpreter) === ".exe" ? ".exe" : ""}`);
}

function inEnvironment(folder: string): string[] {
    return [path.join(folder, "bin", "cifar-dsl"), path.join(folder, "Scripts", "cifar-dsl.exe")];
}

function isFile(file: string): boolean {
    try {
        return statSync(file).isFile();
    } catch {
        return false;
    }
}
