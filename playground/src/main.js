// The page: specs at the left, what Python says of them at the right.
import { closeCompletion } from "@codemirror/autocomplete";
import { formatDocument } from "@codemirror/lsp-client";
import { hashOf, textsOf } from "./address.js";
import { sourceView, specEditor } from "./editor.js";
import { colour, connect, hint, uriOf } from "./language.js";
import { list, show } from "./views.js";

const NAMES = ["a.arch", "b.arch"];
const VARIANT = 'arch variant extends "a.arch"\n\n# A variant states only what it changes, such as:\n# train { batch 64 }\n';
const IDLE_MS = 300; // without typing, before shapes are asked for and the address changes
const WIDE = matchMedia("(min-width: 761px)");
const DARK = matchMedia("(prefers-color-scheme: dark)");

const $ = (id) => document.getElementById(id);
const worker = new Worker("worker.js", { type: "module" });
const specs = []; // the editors on the page, one or two
let data; // of Python's catalogue
let active = 0;
let tab = WIDE.matches ? "picture" : "spec";
let shown = tab === "spec" ? "picture" : tab; // the panel, also while a phone shows the spec
let showSource;
let server; // the client of the language server
let lastId = 0;
const begun = new Map(); // by request: when its text was changed

// ---- messages of the worker

const HANDLERS = {
    ready: () => say(""),
    part: receivePart,
    lsp: ({ message }) => server.receive(message),
    "server-ready": startServer,
    failed({ error }) {
        say(`This is a bug of cifar_dsl, please report it: ${error}`, true);
    },
};
worker.onmessage = ({ data: message }) => HANDLERS[message.type](message);
worker.onerror = ({ message }) => say(`Python can't be started: ${message}`, true);

function look(changedAt) {
    const spec = specs[active];
    const name = shown === "difference" ? NAMES[1] : spec.name;
    lastId += 1;
    if (changedAt !== undefined) {
        begun.set(lastId, changedAt);
    }
    worker.postMessage({ type: "look", id: lastId, name, part: shown });
}

function receivePart({ id, name, part, data: found }) {
    const changedAt = begun.get(id);
    begun.delete(id);
    if (id === lastId) {
        show(part, found, { onLine: (line) => jump(specs.find((spec) => spec.name === name), line), onSource: showSource });
        afterPaint(() => {
            if (changedAt !== undefined) {
                performance.measure(`edit to ${part}`, { start: changedAt });
            }
            document.documentElement.dataset.shown = part;
        });
    }
    if (server) {
        specs.forEach((spec) => spec.isUncoloured && colourSoon(spec));
    }
}

function afterPaint(act) {
    requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = act;
        port2.postMessage(0);
    });
}

// ---- specs

function add(text) {
    const at = specs.length;
    const place = $("spec").content.firstElementChild.cloneNode(true);
    const name = NAMES[at];
    const spec = { name, place, isUncoloured: true };
    place.querySelector("h2").textContent = name;
    $("specs").append(place);
    const editor = specEditor(place.querySelector(".editor"), `Spec ${name}`, text, data.colours, (update) => changed(spec, update));
    Object.assign(spec, editor);
    place.addEventListener("focusin", () => activate(at));
    specs.push(spec);
    worker.postMessage({ type: "put", name, text });
    if (server) {
        attach(spec);
    }
    return spec;
}

function changed(spec, update) {
    const changedAt = performance.now();
    server?.client.sync();
    worker.postMessage({ type: "put", name: spec.name, text: spec.view.state.doc.toString() });
    look(changedAt);
    spec.isUncoloured = true;
    clearTimeout(spec.timer);
    spec.timer = setTimeout(() => rest(spec), IDLE_MS);
    if (!update.transactions.some((one) => one.isUserEvent("example"))) {
        $("example").value = "";
    }
}

function rest(spec) {
    if (server) {
        hint(spec.view);
    }
    saveAddress();
}

function activate(at) {
    if (active !== at) {
        active = at;
        specs.forEach((spec, i) => spec.place.classList.toggle("active", i === at && specs.length > 1));
        look();
    }
}

function replaceText(spec, text) {
    closeCompletion(spec.view);
    spec.view.dispatch({ changes: { from: 0, to: spec.view.state.doc.length, insert: text }, selection: { anchor: 0 }, scrollIntoView: true, userEvent: "example" });
}

function jump(spec, line, from = spec.view.state.doc.line(Math.min(line, spec.view.state.doc.lines)).from) {
    if (!WIDE.matches) {
        choose("spec");
    }
    spec.view.dispatch({ selection: { anchor: from }, scrollIntoView: true });
    spec.view.focus();
}

function compare(isOn, text = VARIANT) {
    $("compare").setAttribute("aria-pressed", String(isOn));
    $("tab-difference").hidden = !isOn;
    document.body.classList.toggle("comparing", isOn);
    if (isOn && specs.length === 1) {
        add(text);
    } else if (!isOn && specs.length === 2) {
        const { view, place, name, timer } = specs.pop();
        clearTimeout(timer);
        view.destroy();
        place.remove();
        worker.postMessage({ type: "close", name });
        active = 0;
    }
    specs[0].place.classList.toggle("active", isOn && active === 0);
    choose(isOn ? "difference" : shown === "difference" ? "picture" : tab);
}

// ---- the language server

function startServer() {
    server = connect((message) => worker.postMessage({ type: "lsp", message }), receiveProblems);
    server.client.initializing.then(() => {
        specs.forEach(attach);
        $("format").disabled = false;
        document.documentElement.dataset.server = "ready";
    });
}

function attach(spec) {
    spec.attach(server.client.plugin(uriOf(spec.name), "arch"));
    colourSoon(spec);
    hint(spec.view);
}

function colourSoon(spec) {
    spec.isUncoloured = false;
    colour(spec.view);
}

function receiveProblems(name, problems) {
    const spec = specs.find((one) => one.name === name);
    if (spec) {
        list(spec.place.querySelector(".problems"), problems, data.codes, ({ line, from }) => jump(spec, line, from));
    }
}

// ---- tabs

function tabs() {
    return [...document.querySelectorAll("[role=tab]")].filter((one) => !one.hidden && (!WIDE.matches || !one.classList.contains("phone")));
}

function choose(name, isFocused = false) {
    tab = WIDE.matches && name === "spec" ? shown : name;
    document.querySelector("main").dataset.tab = tab;
    for (const one of document.querySelectorAll("[role=tab]")) {
        const isChosen = one.id === `tab-${tab}`;
        one.setAttribute("aria-selected", String(isChosen));
        one.tabIndex = isChosen ? 0 : -1;
        if (isChosen && isFocused) {
            one.focus();
        }
    }
    if (tab !== "spec") {
        shown = tab;
        for (const panel of document.querySelectorAll("[role=tabpanel]")) {
            panel.hidden = panel.id !== `panel-${tab}`;
        }
        look();
    }
}

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

function moveTab(event) {
    const all = tabs();
    const at = all.indexOf(document.activeElement);
    const to = { Home: 0, End: all.length - 1 }[event.key] ?? (event.key in STEPS ? (at + STEPS[event.key] + all.length) % all.length : null);
    if (at >= 0 && to !== null) {
        event.preventDefault();
        choose(all[to].id.slice("tab-".length), true);
    }
}

// ---- the address

async function saveAddress() {
    const hash = await hashOf(specs.map((spec) => spec.view.state.doc.toString()));
    history.replaceState(null, "", hash);
    return location.href;
}

async function openAddress() {
    const texts = await textsOf(location.hash);
    if (texts !== null) {
        replaceText(specs[0], texts[0]);
        compare(texts.length > 1, texts[1]);
        if (texts.length > 1) {
            replaceText(specs[1], texts[1]);
        }
    }
}

async function copy(text, done) {
    try {
        await navigator.clipboard.writeText(text);
        say(done);
    } catch {
        say("The browser doesn't allow copying; select the text and press Ctrl-C.");
    }
    setTimeout(() => say(""), 3000);
}

// ---- the page

function say(text, isAlarm = false) {
    const status = $("status");
    if (status.dataset.alarm === undefined || isAlarm) {
        status.textContent = text;
        status.hidden = text === "";
    }
    if (isAlarm) {
        status.dataset.alarm = "";
        status.setAttribute("role", "alert");
    }
}

function theme(name) {
    document.documentElement.dataset.theme = name;
    $("theme").setAttribute("aria-pressed", String(name === "dark"));
}

function fillExamples() {
    const groups = Map.groupBy(data.examples, (one) => one.group);
    for (const [label, examples] of groups) {
        const group = document.createElement("optgroup");
        group.label = label;
        group.append(...examples.map(({ name }) => new Option(name, name)));
        $("example").append(group);
    }
}

function listen() {
    $("example").addEventListener("change", ({ target }) => {
        const found = data.examples.find((one) => one.name === target.value);
        if (found) {
            replaceText(specs[active], found.text);
        }
    });
    $("compare").addEventListener("click", () => compare(specs.length === 1));
    $("format").addEventListener("click", () => formatDocument(specs[active].view));
    $("share").addEventListener("click", async () => copy(await saveAddress(), "Link copied. It holds the whole spec."));
    $("copy").addEventListener("click", () => copy(source, "Source copied."));
    $("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
    DARK.addEventListener("change", ({ matches }) => theme(matches ? "dark" : "light"));
    WIDE.addEventListener("change", () => choose(tab === "spec" || !WIDE.matches ? "spec" : tab));
    document.querySelector("[role=tablist]").addEventListener("keydown", moveTab);
    document.querySelectorAll("[role=tab]").forEach((one) => one.addEventListener("click", () => choose(one.id.slice("tab-".length))));
    addEventListener("hashchange", openAddress);
}

let source = "";

async function start() {
    theme(DARK.matches ? "dark" : "light");
    data = await (await fetch("data.json")).json();
    fillExamples();
    const show = sourceView($("source"), "PyTorch source", data.colours);
    showSource = (text) => {
        source = text;
        show(text);
    };
    const texts = await textsOf(location.hash);
    add(texts?.[0] ?? data.examples.find((one) => one.name === data.start).text);
    $("example").value = texts ? "" : data.start;
    if (texts?.length > 1) {
        compare(true, texts[1]);
    } else {
        choose(tab);
        look();
    }
    listen();
}

start();
