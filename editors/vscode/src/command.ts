/** A program and its arguments. */
export interface Command {
    readonly program: string;
    readonly arguments: readonly string[];
}

/**
 * The command in the setting, with `${workspaceFolder}` filled in; undefined for an empty list.
 *
 * Throws an Error with a message for the user if the setting isn't a list of strings, or no folder is open.
 */
export function readCommand(setting: unknown, workspaceFolder: string | undefined): Command | undefined {
    if (!Array.isArray(setting) || !setting.every((part) => typeof part === "string") || setting[0] === "") {
        throw new Error('The setting cifar-dsl.command must be a list such as ["cifar-dsl", "lsp"].');
    }
    const [program, ...rest] = setting.map((part: string) => fillIn(part, workspaceFolder));
    return program === undefined ? undefined : { program, arguments: rest };
}

function fillIn(part: string, workspaceFolder: string | undefined): string {
    if (!part.includes("${workspaceFolder}")) {
        return part;
    }
    if (workspaceFolder === undefined) {
        throw new Error("The setting cifar-dsl.command contains ${workspaceFolder}, but no folder is open.");
    }
    return part.replaceAll("${workspaceFolder}", () => workspaceFolder);
}

/** Another command of the program whose language server this command starts: `cifar-dsl train a.arch`. */
export function besideServer(server: Command | undefined, arguments_: readonly string[]): Command {
    if (server?.arguments.at(-1) !== "lsp") {
        return { program: "cifar-dsl", arguments: arguments_ };
    }
    return { program: server.program, arguments: [...server.arguments.slice(0, -1), ...arguments_] };
}

/** The error message for a server that did not start. `reason` follows the command: "was not found". */
export function explainFailure(command: Command, reason: string): string {
    const line = [command.program, ...command.arguments].join(" ");
    return (
        `The language server did not start: \`${line}\` ${reason}. Install it with ` +
        "`pip install 'cifar-dsl[lsp,pictures]'` in the workspace's environment, or set cifar-dsl.command to its path. " +
        "To use highlighting only, set cifar-dsl.command to an empty list."
    );
}
