// Fills the lists of versions, in the header and on phones in the sidebar. There is none where no other
// version was published.
document.addEventListener("DOMContentLoaded", () => {
  if (VERSIONS.length < 2) return;
  for (const list of document.querySelectorAll("select.versions")) {
    for (const version of VERSIONS) {
      const here = version === list.dataset.version;
      list.add(new Option(version, version, here, here));
    }
    list.hidden = false;
    list.addEventListener("change", () => {
      location.href = document.documentElement.dataset.content_root + "../" + list.value + "/index.html";
    });
  }
});
