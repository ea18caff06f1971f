// Compiles the modules in archives for the browser's Python, by that Python: node compile.mjs < JOBS
// Without it, the browser would compile some 300 modules before the first picture.
import { readFileSync, writeFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const python = await loadPyodide();
python.runPython(readFileSync(new URL("compile.py", import.meta.url), "utf8"));
const compiled = python.globals.get("compiled");
for (const { archive, place, dropped, sources, own } of JSON.parse(readFileSync(0, "utf8"))) {
    const found = compiled(new Uint8Array(readFileSync(archive)), place, dropped, sources, own);
    writeFileSync(archive, found.toJs());
}
