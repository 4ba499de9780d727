// Fills the list of versions in the header. There is none where no other version was published.
document.addEventListener("DOMContentLoaded", () => {
  const list = document.querySelector("select.versions");
  if (!list || VERSIONS.length < 2) return;
  for (const version of VERSIONS) list.add(new Option(version, version, false, version === list.dataset.version));
  list.hidden = false;
  list.addEventListener("change", () => {
    location.href = document.documentElement.dataset.content_root + "../" + list.value + "/index.html";
  });
});
