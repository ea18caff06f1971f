/** The program that starts the language server, and its arguments. */
export interface Command {
    readonly program: string;
    readonly arguments: readonly string[];
}

/**
 * The command that the setting says, with `${workspaceFolder}` filled in; undefined where it says that there is none.
 *
 * Throws an Error whose message is for the user where the setting is no command.
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
        throw new Error("The setting cifar-dsl.command names ${workspaceFolder}, but no folder is open.");
    }
    return part.replaceAll("${workspaceFolder}", () => workspaceFolder);
}

/** What the user is told when the server of `command` did not start. */
export function explainFailure(command: Command, reason: string): string {
    const line = [command.program, ...command.arguments].join(" ");
    return (
        `The language server did not start: \`${line}\` ${reason}. Install it with ` +
        "`pip install 'cifar-dsl[lsp]'`, or say in the setting cifar-dsl.command where it is. " +
        "An empty list there turns it off; highlighting works without it."
    );
}
