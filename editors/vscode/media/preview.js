// The pane beside a spec. Messages: {uri, network} shows the result of the request cifar-dsl/preview, and {line} marks
// what that line of the text makes. A row that is chosen sends {line} back.
(() => {
    const editor = acquireVsCodeApi();
    const $ = (id) => document.getElementById(id);
    let shown; // the network, and the spec that it belongs to
    let uri;
    let line = 0;

    function element(tag, attributes = {}, ...children) {
        const made = Object.assign(document.createElement(tag), attributes);
        made.append(...children);
        return made;
    }

    function showPicture({ svg, name, summary }) {
        const drawn = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
        drawn.setAttribute("role", "img");
        drawn.setAttribute("aria-label", `Picture of ${name}: ${summary}. The table lists its layers.`);
        $("picture").replaceChildren(drawn);
    }

    function showTable({ head, numbers, rows, lines, notes }) {
        const side = (i) => (numbers.includes(i) ? "number" : "");
        const cells = (row, at) =>
            row.map((text, i) => {
                const to = lines[at];
                const go = { type: "button", title: `Go to line ${to}`, onclick: () => editor.postMessage({ line: to }) };
                return element("td", { className: side(i) }, i === 0 && to > 0 ? element("button", go, text) : text);
            });
        const made = rows.map((row, at) => element("tr", {}, ...cells(row, at)));
        rows.forEach((row, at) => (made[at].dataset.path = row.at(-1)));
        const heads = head.map((text, i) => element("th", { scope: "col", className: side(i) }, text));
        const body = element("tbody", {}, ...made.slice(0, -1));
        const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body, element("tfoot", {}, made.at(-1)));
        $("table").replaceChildren(table, element("pre", {}, notes));
    }

    function show(of, network) {
        if (of !== uri) {
            uri = of;
            shown = undefined;
            line = 0;
            [$("heading"), $("picture"), $("table")].forEach((part) => part.replaceChildren());
        }
        document.body.classList.toggle("stale", network.isStale === true);
        $("problem").hidden = network.problem === undefined && !network.isStale;
        $("problem").textContent = network.problem ?? "The spec has errors: this is its last valid version.";
        if (network.name === undefined) {
            return;
        }
        shown = network;
        const code = element("code", {}, network.fingerprint);
        $("heading").replaceChildren(element("strong", {}, network.name), code, element("span", {}, network.summary));
        if (network.svg === undefined) {
            $("picture").replaceChildren();
        } else {
            showPicture(network);
        }
        showTable(network.table);
        mark();
    }

    /** The paths of the innermost stages on the line of the cursor. */
    function pathsAtCursor() {
        const here = shown.stages.filter(({ first, last }) => first <= line && line <= last);
        const height = Math.min(...here.map(({ first, last }) => last - first));
        return here.filter(({ first, last }) => last - first === height).map(({ path }) => path);
    }

    function mark() {
        const paths = shown === undefined || shown.isStale ? [] : pathsAtCursor();
        const isIn = (path, outer) => path === outer || path.startsWith(`${outer}.`);
        const rows = [...document.querySelectorAll("#table [data-path]")];
        toggle(rows, (row) => paths.some((path) => isIn(row.dataset.path, path)));
        const boxes = [...document.querySelectorAll("#picture g.node, #picture g.cluster")];
        const nameOf = (box) => box.querySelector("title")?.textContent ?? "";
        const isClosed = (box) => box.classList.contains("node"); // a block whose layers aren't drawn
        toggle(boxes, (box) => {
            const name = nameOf(box);
            return name !== "" && paths.some((path) => isIn(name, path) || (isClosed(box) && isIn(path, name)));
        });
    }

    function toggle(all, isMarked) {
        all.forEach((one) => one.classList.toggle("marked", isMarked(one)));
        all.find((one) => one.classList.contains("marked"))?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }

    window.addEventListener("message", ({ data }) => {
        if (data.network !== undefined) {
            show(data.uri, data.network);
        } else if (typeof data.line === "number") {
            line = data.line;
            mark();
        }
    });
    editor.postMessage({ isReady: true });
})();
