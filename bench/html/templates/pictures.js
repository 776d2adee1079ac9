// Pictures: pages of pairs, error maps, and an enlarged view.
for (const table of document.querySelectorAll("table.pairs")) {
  const pager = table.closest(".scroll").nextElementSibling;
  const rows = [...table.tBodies[0].rows];
  const size = Number(table.dataset.pages);
  let page = 0;
  const show = () => {
    const last = Math.ceil(rows.length / size) - 1;
    page = Math.min(Math.max(page, 0), last);
    rows.forEach((row, at) => row.classList.toggle("off-page", Math.floor(at / size) !== page));
    pager.querySelector("span").textContent = `page ${page + 1} of ${last + 1}`;
    for (const button of pager.querySelectorAll("button")) button.disabled = page + Number(button.dataset.step) < 0 || page + Number(button.dataset.step) > last;
  };
  pager.hidden = rows.length <= size;
  for (const button of pager.querySelectorAll("button")) button.addEventListener("click", () => { page += Number(button.dataset.step); show(); });
  show();
}
for (const box of document.querySelectorAll("[data-errors]")) {
  box.closest(".controls").hidden = false;
  box.addEventListener("change", () => box.closest(".pictures").classList.toggle("without-errors", !box.checked));
}
const large = document.getElementById("large");
let shots = [];
let shotAt = 0;
function enlarge() {
  const shot = shots[shotAt];
  const row = shot.closest("tr");
  const size = Number(getComputedStyle(shot).getPropertyValue("--size"));
  const own = [...row.children].indexOf(shot.closest("td"));
  const before = [...row.children].slice(0, own).reverse();
  const parts = [];
  for (const cell of before) { // the pictures of this pair that are no results, nearest first
    if (cell.querySelector("button")) { if (row.closest(".extremes")) break; continue; }
    const image = cell.querySelector(".px");
    if (image) parts.unshift([image.getAttribute("aria-label"), image]);
  }
  parts.push(["result", shot.querySelector(".px")]);
  if (shot.querySelector(".error")) parts.push([`error ${shot.dataset.error}, in grey`, shot.querySelector(".error")]);
  const room = Math.min((innerWidth - 80) / Math.min(parts.length, innerWidth < 700 ? 2 : 5) - 12, 320);
  const box = large.querySelector(".row");
  box.style.setProperty("--side", `${size * Math.max(1, Math.floor(room / size))}px`);
  box.replaceChildren(...parts.map(([label, image]) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = label;
    const copy = image.cloneNode(true);
    figure.append(copy, caption);
    return figure;
  }));
  document.getElementById("large-head").textContent = `${shot.dataset.label}: ${shot.dataset.shot}, pair ${shot.dataset.pair}`;
  document.getElementById("large-back").disabled = shotAt === 0;
  document.getElementById("large-on").disabled = shotAt === shots.length - 1;
}
document.addEventListener("click", (event) => {
  const shot = event.target.closest?.(".shot");
  if (!shot) return;
  const table = shot.closest("table");
  shots = [...table.querySelectorAll(".shot")].filter((other) => other.dataset.label === shot.dataset.label);
  shotAt = shots.indexOf(shot);
  enlarge();
  large.showModal();
});
for (const [id, step] of [["large-back", -1], ["large-on", 1]]) document.getElementById(id).addEventListener("click", () => { shotAt += step; enlarge(); });
large.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && shots[shotAt + step]) { shotAt += step; enlarge(); }
});
large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
