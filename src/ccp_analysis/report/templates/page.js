// What pages do beyond what they say: contents that show where one is, and figures in a window.
(() => {
  const contents = document.querySelector("nav details");
  if (contents && matchMedia("(max-width: 60rem)").matches) contents.open = false;
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const parts = [...links.keys()].map((id) => document.getElementById(decodeURIComponent(id))).filter(Boolean);
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) seen[isIntersecting ? "add" : "delete"](target);
    const here = parts.filter((part) => seen.has(part)).pop();
    for (const [id, link] of links) {
      if (here && decodeURIComponent(id) === here.id) {
        link.setAttribute("aria-current", "location");
        const box = link.closest("nav"), at = link.offsetTop - box.clientHeight / 2;
        if (box.scrollHeight > box.clientHeight) box.scrollTop = at;
      } else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-15% 0px -80%" });
  parts.forEach((part) => watch.observe(part));
  // What does not move is no stop for the keyboard.
  const regions = [...document.querySelectorAll("main .scroll")];
  const stops = () => regions.map((region) => region.scrollWidth > region.clientWidth || region.scrollHeight > region.clientHeight)
    .forEach((moves, at) => { regions[at].tabIndex = moves ? 0 : -1; });
  addEventListener("resize", stops);
  stops();
  const dialog = document.querySelector("dialog");
  let from = null;
  for (const link of document.querySelectorAll("a.enlarge")) link.addEventListener("click", (event) => {
    event.preventDefault();
    from = document.getElementById(link.hash.slice(1));
    dialog.setAttribute("aria-label", from.getAttribute("aria-label"));
    dialog.lastElementChild.replaceChildren(from.querySelector("svg"));
    dialog.showModal();
  });
  if (dialog) dialog.addEventListener("close", () => from.append(dialog.querySelector("svg")));
})();
