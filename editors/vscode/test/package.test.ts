/** The extension as a file: what is in it, and what the Marketplace asks for. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { EXTENSION } from "./repository";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const FILE = path.join(EXTENSION, "dist", "cifar-dsl.vsix"); // which `npm test` has made
const LIST = "import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist(), sep='\\n')";

test("the package holds what the extension needs, and nothing else", () => {
    const files = execFileSync(process.env["PYTHON"] ?? "python3", ["-c", LIST, FILE], { encoding: "utf8" });
    assert.deepEqual(
        files.trim().split("\n").sort(),
        [
            ...["[Content_Types].xml", "extension.vsixmanifest", "extension/LICENSE.txt", "extension/changelog.md"],
            ...["dist/extension.js", "dist/licences.txt", "language-configuration.json", "media/icon.png"].map(inside),
            ...["media/preview.css", "media/preview.js", "media/preview.png", "package.json", "readme.md"].map(inside),
            inside("syntaxes/arch.tmLanguage.json"),
        ].sort(),
    );
    assert.ok(statSync(FILE).size < 1_000_000, `${statSync(FILE).size} bytes`);
});

test("the manifest has what the Marketplace shows", () => {
    for (const key of ["displayName", "description", "publisher", "license", "icon", "pricing"]) {
        assert.ok(typeof manifest[key] === "string" && manifest[key] !== "", key);
    }
    assert.match(manifest.version, /^\d+\.\d+\.\d+$/);
    assert.match(manifest.galleryBanner.color, /^#[0-9a-f]{6}$/);
    assert.ok(manifest.categories.includes("Programming Languages"));
    assert.ok(manifest.keywords.length <= 30);
    assert.equal(manifest.engines.vscode.slice(1), manifest.devDependencies["@types/vscode"].slice(1)); // the API that is used
    assert.match(readFileSync("CHANGELOG.md", "utf8"), new RegExp(`^## ${manifest.version}$`, "m"));
});

test("the icon and the pictures of the README are PNG files, as the Marketplace asks", () => {
    const pictures = [...readFileSync("README.md", "utf8").matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map((one) => one[1] ?? "");
    assert.ok(pictures.length > 0);
    for (const file of [manifest.icon, ...pictures]) {
        const data = readFileSync(file);
        assert.equal(data.subarray(1, 4).toString(), "PNG");
        assert.ok(data.readUInt32BE(16) >= 128, file);
    }
});

test("each command of the manifest is registered, and each that is registered is in the manifest", () => {
    const registered = [...readFileSync("src/extension.ts", "utf8").matchAll(/registerCommand\("([^"]+)"/g)];
    const declared = manifest.contributes.commands.map((one: { command: string }) => one.command);
    assert.deepEqual(registered.map((one) => one[1]).sort(), [...declared].sort());
});

function inside(name: string): string {
    return `extension/${name}`;
}
