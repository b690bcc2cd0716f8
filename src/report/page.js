// Values of pictures in a box of the page's own: the browser's comes late, and neither to fingers nor to the keyboard.
"use strict";
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
// Screen readers say the names of the places themselves.
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);
addEventListener("scroll", () => { tip.hidden = true; }, { capture: true, passive: true });

function show(spot, across, down) {
  tip.textContent = spot.getAttribute("aria-label");
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const right = across + 14;
  // Left of the pointer where there is no room on its right, and always within the window.
  const left = right + width < innerWidth - 8 ? right : across - 14 - width;
  tip.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  tip.style.top = `${Math.max(8, Math.min(down + 14, innerHeight - height - 8))}px`;
}

for (const picture of document.querySelectorAll("figure svg")) {
  const spots = [...picture.querySelectorAll(".spot")];
  spots.forEach((spot, index) => {
    const title = spot.querySelector("title");
    spot.setAttribute("aria-label", title.textContent);
    title.remove();
    // One stop for each picture; arrow keys go on from it.
    spot.setAttribute("tabindex", index === 0 ? "0" : "-1");
    spot.addEventListener("pointermove", (event) => show(spot, event.clientX, event.clientY));
    spot.addEventListener("pointerleave", () => { tip.hidden = true; });
    spot.addEventListener("blur", () => { tip.hidden = true; });
    spot.addEventListener("focus", () => {
      const { right, top } = spot.getBoundingClientRect();
      show(spot, right, top);
    });
    spot.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: spots.length - 1 };
      const next = spots[steps[event.key]];
      if (event.key === "Escape") tip.hidden = true;
      if (next) {
        event.preventDefault();
        next.focus();
      }
    });
  });
}
