// Runs Python: answers what the page asks about its specs, and runs the language server.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const NO_PACKAGES = {
    info: { abi_version: "2026_0", arch: "wasm32", platform: "emscripten", python: "3.14.2", version: "314.0.7" },
    packages: {},
};
const SITE = "/home/pyodide/site";
const texts = new Map(); // by spec, until Python runs
const wanted = new Map(); // by spec: the last request, until it is answered
let session, server;
let isAnswering = false;

const here = (file) => new URL(file, import.meta.url).href;
const report = (error) => postMessage({ type: "failed", error: String(error?.message ?? error).slice(-2000) });

/** Let messages that have arrived be handled; sooner than with a timer. */
const breathe = () =>
    new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = resolve;
        port2.postMessage(0);
    });

async function start() {
    const [python, archive] = await Promise.all([
        loadPyodide({ indexURL: here("pyodide/"), lockFileContents: NO_PACKAGES }),
        fetch(here("python.zip")).then((response) => response.arrayBuffer()),
    ]);
    python.unpackArchive(archive, "zip", { extractDir: SITE });
    python.runPython(`import sys; sys.path.insert(0, "${SITE}")`);
    const { Session } = python.pyimport("cifar_dsl.editors.playground.session");
    session = Session.start("/specs");
    texts.forEach((text, name) => session.put(name, text));
    postMessage({ type: "ready" });
    await answer();
    server = session.start_server((message) => postMessage({ type: "lsp", message }));
    postMessage({ type: "server-ready" });
}

/** Answer the last request about each spec. */
async function answer() {
    if (session === undefined || isAnswering) {
        return;
    }
    isAnswering = true;
    while (wanted.size > 0) {
        const [name, { id, part }] = wanted.entries().next().value;
        wanted.delete(name);
        try {
            postMessage({ type: "part", id, name, part, data: JSON.parse(session.part(part, name)) });
        } catch (error) {
            report(error);
        }
        await breathe();
    }
    isAnswering = false;
}

const HANDLERS = {
    lsp: ({ message }) => server(message),
    put({ name, text }) {
        texts.set(name, text);
        session?.put(name, text);
    },
    look(request) {
        wanted.set(request.name, request);
        answer();
    },
    close({ name }) {
        texts.delete(name);
        wanted.delete(name);
        session?.close(name);
    },
};

onmessage = ({ data }) => {
    try {
        HANDLERS[data.type](data);
    } catch (error) {
        report(error);
    }
};
start().catch(report);
