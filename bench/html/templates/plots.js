// Plots: drawn when they come near, the others when there is time; as SVG, so that the theme and the printer decide.
const config = JSON.parse(document.getElementById("plot-config").textContent);
const waiting = new Set(document.querySelectorAll("figure.plot"));
let left = waiting.size;
function draw(figure) {
  if (!waiting.delete(figure)) return null;
  const spec = JSON.parse(figure.querySelector("script").textContent);
  return vegaEmbed(figure.querySelector(".canvas"), spec, { actions: false, renderer: "svg", ast: true, config, tooltip: { theme: "custom" } })
    .then(() => {
      figure.querySelector("svg").setAttribute("aria-hidden", "true"); // its frame has the words
    })
    .catch((error) => { figure.querySelector(".canvas").textContent = `This plot could not be drawn: ${error.message}`; console.error(error); })
    .finally(() => { left -= 1; if (!left) document.documentElement.dataset.plots = "drawn"; });
}
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target); }
}, { rootMargin: "600px" });
for (const figure of waiting) near.observe(figure);
async function drawOthers() {
  for (const figure of [...waiting]) {
    await draw(figure);
    await new Promise((next) => (window.requestIdleCallback ?? setTimeout)(next));
  }
  if (!left) document.documentElement.dataset.plots = "drawn";
}
addEventListener("load", () => setTimeout(drawOthers, 300));
addEventListener("beforeprint", drawOthers);
