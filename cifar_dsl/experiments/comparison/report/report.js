"use strict";

// Sorts, filters and copies the table, shows the values of an epoch, and opens all sections for print. Without this
// script, the table shows all rows in the order of the comparison.
(() => {
  const table = document.getElementById("figures");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];

  const key = (row, column) => {
    const cell = row.cells[column];
    if (!("key" in cell.dataset)) return cell.textContent.trim().toLowerCase();
    return cell.dataset.key === "" ? null : Number(cell.dataset.key);
  };

  const compare = (a, b) => (typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0);

  const sort = (column, direction) => {
    const sign = direction === "descending" ? -1 : 1;
    const ordered = [...rows].sort((one, other) => {
      const [a, b] = [key(one, column), key(other, column)];
      if (a === null || b === null) return (a === null) - (b === null); // rows without a number come last
      return sign * compare(a, b);
    });
    body.append(...ordered);
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const isNumeric = "key" in rows[0].cells[column].dataset;
      const first = isNumeric ? "descending" : "ascending";
      const second = isNumeric ? "ascending" : "descending";
      const direction = head.getAttribute("aria-sort") === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", direction);
      sort(column, direction);
    });
  });

  const form = document.querySelector(".filters");
  const words = document.getElementById("filter-text");
  const verdict = document.getElementById("filter-verdict");
  const count = document.getElementById("filter-count");

  const filter = () => {
    const wanted = words.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const named = `${row.cells[0].textContent} ${row.cells[2].textContent}`.toLowerCase();
      const fits = named.includes(wanted) && (verdict.value === "" || row.dataset.verdict === verdict.value);
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length} specs`;
  };

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();

  const copies = JSON.parse(document.getElementById("copies").textContent);
  const copied = document.getElementById("copied");

  /** Copy a text; the older way works in files, where some browsers refuse the newer one. */
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  document.querySelectorAll("[data-copy]").forEach((button) => {
    button.addEventListener("click", async () => {
      await copy(copies[button.dataset.copy]);
      copied.textContent = `${button.dataset.copy} copied`;
    });
  });

  const chart = document.getElementById("overlay");
  if (chart !== null) {
    const figure = chart.closest("figure");
    const readout = document.getElementById("readout");
    const { left, right, first, last, top, bottom } = Object.fromEntries(
      Object.entries(chart.dataset).map(([name, value]) => [name, Number(value)]),
    );
    const specs = JSON.parse(document.getElementById("comparison-data").textContent).rows;
    const cursor = document.createElementNS(chart.namespaceURI, "line");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("y1", top);
    cursor.setAttribute("y2", bottom);
    let epoch = null;

    const show = (wanted) => {
      epoch = Math.min(last, Math.max(first, wanted));
      const x = left + ((epoch - first) / (last - first)) * (right - left);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      chart.append(cursor);
      const values = specs
        .map(({ name, curve }) => [name, curve.mean[epoch - curve.first]])
        .filter(([, value]) => typeof value === "number")
        .sort(([, one], [, other]) => other - one);
      const parts = values.map(([name, value]) => {
        const part = document.createElement("span");
        part.textContent = `${name} ${(100 * value).toFixed(1)}`;
        return part;
      });
      const head = document.createElement("strong");
      head.textContent = `Epoch ${epoch}`;
      const shown = parts.length > 0 ? parts : ["no test after this epoch"];
      readout.replaceChildren(head, ...shown.flatMap((part) => [" ", part]));
      readout.hidden = false;
    };

    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
      show(Math.round(first + ((x - left) / (right - left)) * (last - first)));
    });
    figure.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      show(epoch === null ? (step < 0 ? first : last) : epoch + step);
    });
  }
  document.querySelectorAll(".needs-script").forEach((each) => each.classList.remove("needs-script"));

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((each) => (each.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((each) => (each.open = false)));
})();
