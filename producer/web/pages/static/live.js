// Draws blocks of a page again: <section data-live="name" data-every="2">, from ?part=name.
"use strict";

for (const block of document.querySelectorAll("[data-live]")) {
  const address = new URL(location.href);
  address.searchParams.set("part", block.dataset.live);
  const again = async () => {
    const busy = block.contains(document.activeElement) && document.activeElement !== block;
    if (!document.hidden && !busy && !block.querySelector("details[open]")) {
      try {
        const answer = await fetch(address, { redirect: "error" });
        if (answer.ok) block.innerHTML = await answer.text();
        block.classList.toggle("stale", !answer.ok);
      } catch {
        block.classList.add("stale");
      }
    }
    setTimeout(again, 1000 * Number(block.dataset.every));
  };
  setTimeout(again, 1000 * Number(block.dataset.every));
}
