import { type ChildProcess, spawn } from "node:child_process";

import type { Command } from "./command";

/** A running server, and how it ended. */
export interface Server {
    readonly process: ChildProcess;
    /** In words that follow the command, such as "ended with code 1". */
    readonly ending: Promise<string>;
}

/** Starts the server. Rejects, with words that follow the command, when the program can't be run. */
export async function startServer(command: Command): Promise<Server> {
    // The folder of the workspace is never where the server runs: programs of a stranger's folder would come first.
    const child = spawn(command.program, command.arguments, { stdio: "pipe" });
    const ending = new Promise<string>((resolve) => {
        child.once("exit", (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`));
    });
    await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", (error: NodeJS.ErrnoException) => {
            reject(new Error(error.code === "ENOENT" ? "was not found" : `can't be run (${error.message})`));
        });
    });
    child.on("error", () => undefined); // a failed kill is no reason to fail
    return { process: child, ending };
}
