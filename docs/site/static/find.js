// Filters the table of parts. An address such as index.html?kind=losses&text=triplet sets the filters.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form.find");
  if (!form) return;
  const rows = [...document.querySelectorAll("table.find tbody tr")];
  const asked = new URLSearchParams(location.search);
  for (const field of form.elements) if (asked.has(field.name)) field.value = asked.get(field.name);

  function matches(row, name, value) {
    const words = row.dataset[name];
    if (name === "text") return value.toLowerCase().split(/\s+/).every((word) => words.includes(word));
    return words.split(" ").includes(value);
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
