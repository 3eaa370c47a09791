"use strict";
// Without this script the page shows the same tables; it only finds rows and shows one person's story at a time.
for (const field of document.querySelectorAll(".find")) field.hidden = false;

for (const input of document.querySelectorAll("[data-finds]")) {
  const rows = document.querySelectorAll(`#${input.dataset.finds} tbody tr`);
  const told = document.querySelector(`[data-found="${input.dataset.finds}"]`);
  input.addEventListener("input", () => {
    const words = input.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of rows) {
      const text = row.textContent.toLocaleLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      found += row.hidden ? 0 : 1;
    }
    told.textContent = words.length ? `${found} of ${rows.length} rows` : "";
  });
}

for (const select of document.querySelectorAll("[data-chooses]")) {
  const show = () => {
    for (const story of document.querySelectorAll(`.${select.dataset.chooses}`)) {
      story.hidden = story.id !== `${select.dataset.chooses}-${select.value}`;
    }
  };
  select.addEventListener("change", show);
  // A browser may keep the choice over a reload.
  show();
}
