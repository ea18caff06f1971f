import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";

import type { Command } from "./command";

/** A running server process. */
export interface Server {
    readonly process: ChildProcess;
    /** Resolves when the process exits, to a phrase that follows the command: "exited with code 1". */
    readonly exited: Promise<string>;
    /** Waits for the process to exit, and kills it after `timeoutMs` milliseconds. */
    end(timeoutMs?: number): Promise<void>;
}

/** Starts the server. If the program can't be run, rejects with a phrase that follows the command. */
export async function startServer(command: Command): Promise<Server> {
    // Run in the editor's own folder: a workspace, or the terminal's folder, may contain programs and Python modules
    // from a stranger that would be found first.
    const cwd = path.dirname(process.execPath);
    const child = spawn(command.program, command.arguments, { cwd, stdio: "pipe" });
    const exited = new Promise<string>((resolve) => {
        child.once("exit", (code, signal) => resolve(signal ? `was killed by ${signal}` : `exited with code ${code}`));
    });
    await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", (error: NodeJS.ErrnoException) => {
            reject(new Error(error.code === "ENOENT" ? "was not found" : `can't be run (${error.message})`));
        });
    });
    child.on("error", () => undefined); // ignore a failed kill
    const end = async (timeoutMs = 0) => {
        const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
        await exited;
        clearTimeout(timer);
    };
    return { process: child, exited, end };
}
