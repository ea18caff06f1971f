"use strict";

// Sorts and filters the table. Without this script, the table shows all rows in the order of the comparison.
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
})();
