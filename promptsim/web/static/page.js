// The keyboard: j and k move over rows, x marks one, Enter follows the link that has the focus, / goes to the search field.
(() => {
  "use strict";
  const MOST_ROWS = 1000;
  const link = (row) => row.querySelector("a");
  const rows = () => [...document.querySelectorAll("[data-row]")].filter(link);
  const typing = (at) => at instanceof HTMLElement && at.matches("input:not([type=radio]):not([type=checkbox]), textarea, select");

  // Among thousands of rows the next one is beside this one: only at the end of a list are all of them looked at.
  function beside(row, by) {
    let next = row;
    do next = by > 0 ? next.nextElementSibling : next.previousElementSibling;
    while (next && !(next.matches("[data-row]") && link(next)));
    return next;
  }
  function move(by) {
    const here = document.activeElement?.closest?.("[data-row]");
    let next = here && beside(here, by);
    if (!next) {
      const all = rows();
      if (!all.length) return;
      const place = here ? all.indexOf(here) + by : by > 0 ? 0 : all.length - 1;
      next = all[Math.min(all.length - 1, Math.max(0, place))];
      if (here && by > 0 && next === here) document.querySelector("#more a")?.click();
    }
    link(next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
  const marks = () => [...document.querySelectorAll("input[name=subject][form=bulk]")];
  function counted() {
    const count = marks().filter((box) => box.checked).length;
    const said = document.querySelector("[data-marked]");
    if (said) said.textContent = count === 1 ? "1 row is marked." : `${count} rows are marked.`;
  }
  function mark() {
    const box = document.activeElement?.closest?.("[data-row]")?.querySelector("input[type=checkbox]");
    if (box) box.checked = !box.checked;
    counted();
  }
  const follow = (choice) => document.querySelector(choice)?.click();
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    n: () => follow("a[data-next]"),
    x: mark,
    u: () => follow("a[data-up]"),
    v: () => document.querySelector("#verdicts input[type=radio]")?.focus(),
    "/": () => (document.querySelector(".ask textarea") ?? document.querySelector("#find"))?.focus(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) return event.target.blur();
    if (typing(event.target) || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) marks().forEach((box) => (box.checked = event.target.checked));
    counted();
    const form = event.target.closest?.("form[data-auto]");
    if (form && event.target.matches("select, input[type=checkbox]")) form.requestSubmit();
  });
  // A browser slows down with what it holds: after so many rows, more of them come as a page of their own.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const more = event.target.closest?.("#more a");
    if (!more || rows().length < MOST_ROWS) return;
    event.preventDefault();
    location.assign(more.href);
  });
  // A form that was sent is not sent again by a second press.
  document.addEventListener("submit", (event) => {
    const button = event.target.querySelector("button[type=submit]");
    if (event.target.method === "post" && button) setTimeout(() => (button.disabled = true));
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("button[disabled]").forEach((button) => (button.disabled = false));
    counted(); // a browser that goes back keeps what was marked
  });
})();
