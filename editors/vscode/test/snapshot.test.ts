/** The scopes of shipped specs, as they were when a person last looked at them (`npm run test:update`). */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { highlighter } from "./highlighting";
import { EXTENSION, read } from "./repository";

const FOLDER = path.join(EXTENSION, "test/snapshots");
const SPECS = ["baseline", "zoo/resnet18", "library/convolution", "records/airbench94"];

async function snapshot(text: string): Promise<string> {
    const stretches = (await highlighter())(text);
    let start = 0;
    return text
        .split("\n")
        .flatMap((line) => {
            const end = start + line.length;
            const inside = stretches.filter((stretch) => stretch.start >= start && stretch.end <= end);
            start = end + 1;
            const marked = inside
                .filter(({ scopes }) => scopes.length > 0)
                .map((stretch) => `    ${text.slice(stretch.start, stretch.end).trim()}  ${stretch.scopes.join(" ")}`);
            return [`>${line}`, ...marked];
        })
        .join("\n");
}

for (const spec of SPECS) {
    test(`the scopes of ${spec} are as before`, async () => {
        const actual = await snapshot(read(`specs/${spec}.arch`));
        const file = path.join(FOLDER, `${spec.replace("/", "_")}.snap`);
        if (process.env["UPDATE_SNAPSHOTS"]) {
            mkdirSync(FOLDER, { recursive: true });
            writeFileSync(file, actual);
        }
        assert.equal(actual, readFileSync(file, "utf8"));
    });
}
