// A click on a picture shows it in full size.
document.addEventListener("DOMContentLoaded", () => {
  for (const picture of document.querySelectorAll('.bd-article img[src$=".png"]')) {
    if (picture.closest("a")) continue;
    const link = document.createElement("a");
    link.href = picture.src;
    link.title = "Show in full size";
    link.className = "enlarge";
    picture.replaceWith(link);
    link.append(picture);
  }
});
