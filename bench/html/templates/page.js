"use strict";
// The theme: that of the system, or the one that the reader chose.
const themes = ["auto", "light", "dark"];
const themeButton = document.getElementById("theme");
let theme = "auto";
try { theme = themes.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto"; } catch { /* no storage */ }
function setTheme(name) {
  theme = name;
  document.documentElement.dataset.theme = name;
  themeButton.querySelector("span").textContent = name;
  try { localStorage.setItem("theme", name); } catch { /* no storage */ }
}
themeButton.hidden = false;
themeButton.addEventListener("click", () => setTheme(themes[(themes.indexOf(theme) + 1) % themes.length]));
setTheme(theme);

// One line of explanation, on hover and on focus; Escape hides it.
const tip = document.getElementById("tip");
let tipOwner = null;
function placeTip() {
  if (!tipOwner) return;
  const at = tipOwner.getBoundingClientRect();
  const left = Math.min(at.left, innerWidth - tip.offsetWidth - 8);
  const above = at.bottom + tip.offsetHeight + 12 > innerHeight;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${above ? at.top - tip.offsetHeight - 6 : at.bottom + 6}px`;
}
function showTip(owner) {
  hideTip();
  tipOwner = owner;
  tip.textContent = owner.dataset.tip;
  tip.hidden = false;
  owner.setAttribute("aria-describedby", "tip");
  placeTip();
}
function hideTip() {
  tip.hidden = true;
  tipOwner?.removeAttribute("aria-describedby");
  tipOwner = null;
}
for (const [show, hide] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  document.addEventListener(show, (event) => {
    const owner = event.target.closest("[data-tip]");
    if (owner) showTip(owner);
  });
  document.addEventListener(hide, hideTip);
}
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
addEventListener("scroll", placeTip, { passive: true });
