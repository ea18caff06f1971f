/** The scopes of a spec, as last reviewed (update with `npm run test:update`). */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { highlighter } from "./highlighting";
import { EXTENSION } from "./repository";

const SPEC = path.join(EXTENSION, "test/sample.arch");
const SNAPSHOT = path.join(EXTENSION, "test/sample.snap");

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

test("the scopes of the sample are unchanged", async () => {
    const actual = await snapshot(readFileSync(SPEC, "utf8"));
    if (process.env["UPDATE_SNAPSHOTS"]) {
        writeFileSync(SNAPSHOT, actual);
    }
    assert.equal(actual, readFileSync(SNAPSHOT, "utf8"));
});
