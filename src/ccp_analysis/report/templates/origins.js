// What is told of a number that is pointed at: the rows of the results that this page uses.
(() => {
  const rows = {};
  const tip = document.createElement("div");
  tip.id = "origin";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  const copy = () => {
    const code = tip.querySelector("code");
    if (!code) return;
    getSelection().selectAllChildren(code);
    // What is not copied stays selected.
    if (document.execCommand("copy")) tip.querySelector("button").textContent = "Copied";
  };
  let link = null;
  const hide = () => {
    if (link) link.removeAttribute("aria-describedby");
    link = null;
    tip.hidden = true;
  };
  const show = (next) => {
    if (next === link) return;
    hide();
    const of = next.dataset.of, lines = rows[of.split(".")[0]] || [];
    tip.replaceChildren(...[...lines, of].map((line) => {
      const part = document.createElement("p");
      part.textContent = line;
      return part;
    }));
    if (lines.length) {
      const asked = document.createElement("p"), code = document.createElement("code");
      const button = document.createElement("button");
      code.textContent = `EXPLAIN ${of.split(".")[0]}`;
      button.textContent = "Copy (c)";
      button.type = "button";
      button.tabIndex = -1;
      button.onclick = copy;
      asked.append(code, " ", button);
      tip.lastChild.before(asked);
    }
    link = next;
    link.setAttribute("aria-describedby", tip.id);
    tip.hidden = false;
    const at = link.getBoundingClientRect(), wide = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(at.left, wide - tip.offsetWidth - 8));
    const below = at.bottom + tip.offsetHeight + 8 < innerHeight || at.top < tip.offsetHeight + 8;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(below ? at.bottom - 1 : at.top - tip.offsetHeight + 1) + scrollY}px`;
  };
  const over = ({ target }) => {
    const near = target.closest ? target.closest("a.n") : null;
    if (near) show(near); else if (!tip.contains(target)) hide();
  };
  document.addEventListener("pointerover", over);
  document.addEventListener("focusin", over);
  document.addEventListener("keydown", ({ key }) => { 
    if (key === "Escape") hide();
    if (key === "c" && link && document.activeElement === link) copy();
  });
})();
