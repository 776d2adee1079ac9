// Tables: a click on a head sorts each block, best first, then worst first, then as it was.
const said = document.getElementById("said");
const orders = {
  text: (value) => value.toLowerCase(),
  higher: (value) => -Number(value),
  lower: (value) => Number(value),
  "near 1": (value) => Math.abs(Number(value) - 1),
};
function sortBy(table, head, direction) {
  const key = orders[head.dataset.better];
  const column = head.cellIndex;
  for (const body of table.tBodies) {
    const rows = [...body.querySelectorAll("tr:not(.block)")];
    rows.forEach((row, at) => { row.dataset.at ??= at; });
    const value = (row) => row.cells[column].dataset.value ?? "";
    rows.sort((one, other) => {
      if (!direction) return one.dataset.at - other.dataset.at;
      if (!value(one) || !value(other)) return !value(one) - !value(other) || one.dataset.at - other.dataset.at;
      const [a, b] = [key(value(one)), key(value(other))];
      return (a < b ? -direction : a > b ? direction : 0) || one.dataset.at - other.dataset.at;
    });
    body.append(...rows);
  }
}
for (const table of document.querySelectorAll("table[data-sortable]")) {
  for (const head of table.tHead.rows[0].cells) {
    head.firstElementChild.addEventListener("click", () => {
      const direction = { undefined: 1, 1: -1, "-1": 0 }[head.dataset.direction || undefined];
      for (const other of table.tHead.rows[0].cells) { other.removeAttribute("aria-sort"); delete other.dataset.direction; }
      if (direction) {
        head.dataset.direction = direction;
        const rises = head.dataset.better === "higher" ? direction < 0 : direction > 0;
        head.setAttribute("aria-sort", rises ? "ascending" : "descending");
      }
      sortBy(table, head, direction);
      const how = { 1: "best first", "-1": "best last", 0: "in the order of the board" }[direction];
      said.textContent = `Sorted by ${head.textContent.trim()}, ${how}`;
    });
  }
}
// The controls of a board: filter by name, show intervals, hide blocks.
for (const controls of document.querySelectorAll(".controls")) {
  const board = controls.closest(".board");
  const filter = controls.querySelector("[data-filter]");
  if (!filter) continue;
  controls.hidden = false;
  const update = () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    const hidden = [...controls.querySelectorAll("[data-hide]")].filter((box) => !box.checked).map((box) => box.dataset.hide);
    for (const row of board.querySelectorAll("[data-row]")) {
      const kind = row.classList.contains("published") ? "published" : /floor|ceiling/.test(row.className) ? "anchors" : "";
      row.hidden = hidden.includes(kind) || !words.every((word) => row.dataset.row.includes(word));
    }
    for (const body of board.querySelectorAll("tbody[data-block]")) body.hidden = ![...body.querySelectorAll("[data-row]")].some((row) => !row.hidden);
    const rows = [...board.querySelector("table").querySelectorAll("[data-row]")];
    controls.querySelector(".count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  };
  filter.addEventListener("input", update);
  for (const box of controls.querySelectorAll("[data-hide]")) box.addEventListener("change", update);
  controls.querySelector("[data-show]").addEventListener("change", (event) => board.classList.toggle("with-interval", event.target.checked));
  update();
}
