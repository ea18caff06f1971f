import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";

import type { Command } from "./command";

/** A running server, and how it ended. */
export interface Server {
    readonly process: ChildProcess;
    /** In words that follow the command, such as "ended with code 1". */
    readonly ending: Promise<string>;
    /** Ends the server if it hasn't ended by itself after `patience` milliseconds. */
    end(patience?: number): Promise<void>;
}

/** Starts the server. Rejects, with words that follow the command, when the program can't be run. */
export async function startServer(command: Command): Promise<Server> {
    // In the editor's own folder. In that of a workspace, or of the terminal that the editor was started from, the
    // programs and modules of a stranger could come first.
    const cwd = path.dirname(process.execPath);
    const child = spawn(command.program, command.arguments, { cwd, stdio: "pipe" });
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
    const end = async (patience = 0) => {
        const timer = setTimeout(() => child.kill("SIGKILL"), patience);
        await ending;
        clearTimeout(timer);
    };
    return { process: child, ending, end };
}
