// Filters the table of parts. An address such as index.html?kind=losses&text=triplet sets the filters.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form.find");
  if (!form) return;
  const rows = [...document.querySelectorAll("table.find tbody tr")];
  const asked = new URLSearchParams(location.search);
  for (const field of form.elements) if (asked.has(field.name)) field.value = asked.get(field.name);

  // As kcatalog/search.py has it.
  const SHORT = 3;
  const synonyms = JSON.parse(form.dataset.synonyms);
  const plain = (text) =>
    text.toLowerCase().split(/[\s.,;:/()]+/).map((piece) => piece.replace(/[^\p{L}\p{N}]/gu, "")).filter(Boolean);
  const has = (known, word) => (word.length <= SHORT ? ` ${known}`.includes(` ${word}`) : known.includes(word));

  function matchesText(known, text) {
    const wanted = plain(text);
    const whole = wanted.join("");
    if (whole.length > SHORT && known.replaceAll(" ", "").includes(whole)) return true;
    const alike = (word) => synonyms[word]?.split(" ").every((other) => has(known, other));
    return wanted.every((word) => has(known, word) || alike(word));
  }

  function matches(row, name, value) {
    return name === "text" ? matchesText(row.dataset.text, value) : row.dataset[name].split(" ").includes(value);
  }

  function filter() {
    const filters = [...new FormData(form)].filter(([, value]) => value.trim());
    let shown = 0;
    for (const row of rows) {
      row.hidden = !filters.every(([name, value]) => matches(row, name, value.trim()));
      shown += !row.hidden;
    }
    form.querySelector("output").value = `${shown} of ${rows.length} parts`;
  }

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
});
