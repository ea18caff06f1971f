// The panels beside the text: picture, table, PyTorch source, difference.
const $ = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        made[name] = value;
    }
    made.append(...children);
    return made;
}

let pictured = ""; // the SVG that the panel shows

function picture({ svg, name, summary }) {
    if (svg === pictured && $("panel-picture").hasChildNodes()) {
        return;
    }
    pictured = svg;
    const drawn = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    drawn.setAttribute("role", "img");
    drawn.setAttribute("aria-label", `Picture of ${name}: ${summary}. The table lists its layers.`);
    const panel = $("panel-picture");
    const { scrollTop, scrollLeft } = panel;
    panel.replaceChildren(drawn);
    panel.scrollTo(scrollLeft, scrollTop);
}

/** `onLine` is called with the line of a row that is chosen. */
function table({ head, numbers, rows, lines, notes }, onLine) {
    const side = (i) => (numbers.includes(i) ? "number" : "");
    const cell = (text, i, line) => {
        const content = i === 0 && line > 0 ? element("button", { type: "button", title: `Line ${line}`, onclick: () => onLine(line) }, text) : text;
        return element("td", { className: side(i) }, content);
    };
    const made = element(
        "table",
        {},
        element("caption", { className: "unseen" }, "Layers with output shapes, parameters and multiply-accumulates"),
        element("thead", {}, element("tr", {}, ...head.map((text, i) => element("th", { scope: "col", className: side(i) }, text)))),
        element("tbody", {}, ...rows.slice(0, -1).map((row, at) => element("tr", {}, ...row.map((text, i) => cell(text, i, lines[at]))))),
        element("tfoot", {}, element("tr", {}, ...rows.at(-1).map((text, i) => cell(text, i, 0)))),
    );
    const panel = $("panel-table");
    const { scrollTop, scrollLeft } = panel;
    panel.replaceChildren(made, element("pre", {}, notes));
    panel.scrollTo(scrollLeft, scrollTop);
}

function difference({ text }) {
    $("panel-difference").replaceChildren(element("pre", {}, text));
}

/** Show a part of what Python answered. */
export function show(part, data, { onLine, onSource }) {
    $("views").classList.toggle("stale", data.is_stale === true);
    $("problem").hidden = data.problem === undefined;
    $("problem").textContent = data.problem ?? "";
    if (data.name !== undefined) {
        $("summary").replaceChildren(element("strong", {}, data.name), element("code", {}, data.fingerprint), element("span", {}, data.summary));
    }
    if (data.problem === undefined) {
        ({ picture, table: (found) => table(found, onLine), source: ({ text }) => onSource(text), difference })[part](data);
    } else if (!data.is_stale) {
        clear(onSource);
    }
}

/** Show nothing, as for a library. */
function clear(onSource) {
    for (const id of ["panel-picture", "panel-table", "panel-difference", "summary"]) {
        $(id).replaceChildren();
    }
    onSource("");
}

/** List the problems of a spec in its place. */
export function list(place, problems, reasons, onJump) {
    place.hidden = problems.length === 0;
    place.replaceChildren(
        element("h3", {}, counted(problems)),
        ...problems.map((problem) => {
            const [message, ...details] = problem.message.split("\n");
            const reason = reasons[problem.code]?.reason;
            return element(
                "div",
                { className: `problem ${problem.severity}` },
                element(
                    "button",
                    { type: "button", className: "place", title: "Go to this place", onclick: () => onJump(problem) },
                    element("strong", {}, `${problem.severity} ${problem.code ?? ""}`),
                    ` line ${problem.line}`,
                ),
                element("p", {}, message),
                ...(details.length > 0 ? [element("p", { className: "details" }, details.join("\n"))] : []),
                ...(reason ? [element("details", {}, element("summary", {}, "Why?"), reason)] : []),
                element(
                    "div",
                    { className: "fixes" },
                    ...problem.fixes.map((fix) => element("button", { type: "button", onclick: fix.apply }, fix.title)),
                ),
            );
        }),
    );
}

function counted(problems) {
    return ["error", "warning"]
        .map((severity) => [severity, problems.filter((one) => one.severity === severity).length])
        .filter(([, count]) => count > 0)
        .map(([severity, count]) => `${count} ${severity}${count === 1 ? "" : "s"}`)
        .join(", ");
}
