// Markdown from the language server contains words of the spec, and a spec may come from a stranger's link.
const ALLOWED = new Set("A B BR CODE EM H1 H2 H3 H4 H5 H6 HR I LI OL P PRE SPAN STRONG TABLE TBODY TD TH THEAD TR UL".split(" "));

/** HTML with harmless elements only, and without attributes other than classes. */
export function sanitized(html) {
    const { body } = new DOMParser().parseFromString(html, "text/html");
    for (const element of [...body.querySelectorAll("*")]) {
        if (!ALLOWED.has(element.tagName)) {
            element.replaceWith(document.createTextNode(element.textContent));
            continue;
        }
        for (const { name } of [...element.attributes]) {
            if (name !== "class") {
                element.removeAttribute(name);
            }
        }
    }
    return body.innerHTML;
}
