// Specs in the hash of the address: `#a=...&b=...`. cifar_dsl/editors/playground/links.py writes and reads the same.
const MOST_CHARACTERS = 1 << 20;

async function through(bytes, transform) {
    return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(transform)).arrayBuffer());
}

async function packed(text) {
    const bytes = await through(new TextEncoder().encode(text), new CompressionStream("deflate-raw"));
    let binary = "";
    for (const byte of bytes) {
        binary += String.fromCharCode(byte);
    }
    return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function unpacked(text) {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const found = new TextDecoder().decode(await through(bytes, new DecompressionStream("deflate-raw")));
    return found.slice(0, MOST_CHARACTERS);
}

/** The hash for one or two texts. */
export async function hashOf(texts) {
    const parts = await Promise.all(texts.map(async (text, i) => `${"ab"[i]}=${await packed(text)}`));
    return `#${parts.join("&")}`;
}

/** The texts of a hash; null if it has none, or can't be read. */
export async function textsOf(hash) {
    const found = new URLSearchParams(hash.slice(1));
    try {
        return found.has("a") ? await Promise.all(["a", "b"].filter((key) => found.has(key)).map((key) => unpacked(found.get(key)))) : null;
    } catch {
        return null;
    }
}
