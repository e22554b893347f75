"use strict";
// Shows local times, the current tab, copy buttons and confirmation dialogs.

(() => {
  const { lang } = document.documentElement;
  const says = document.body.dataset; // in the language of the page
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const whole = new Intl.DateTimeFormat(lang === "en" ? undefined : lang, { dateStyle: "full", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const date = { year: "numeric", month: "2-digit", day: "2-digit" };
  const day = new Intl.DateTimeFormat("en-CA", date); // as in the attribute datetime
  const shownDay = lang === "en" ? day : new Intl.DateTimeFormat(lang, date);
  const name = new Intl.DateTimeFormat(lang, { timeZoneName: "short" });

  function addZone(time) {
    const moment = new Date(time.dateTime);
    if (time.dataset.zoned || Number.isNaN(moment.getTime())) return;
    time.dataset.zoned = "yes";
    time.title = `${whole.format(moment)} (${zone})`;
    if (moment.getTimezoneOffset() === 0 || time.closest("table, .countdown")) return; // there, the tooltip shows it
    const same = day.format(moment) === time.dateTime.slice(0, 10);
    const short = name.formatToParts(moment).find((part) => part.type === "timeZoneName").value;
    const span = document.createElement("span");
    span.className = "zone";
    span.textContent = `(${same ? "" : `${shownDay.format(moment)} `}${clock.format(moment)} ${short})`;
    time.after(" ", span); // a sibling, so that a line can only break before it
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const text = source ? (source.value ?? source.textContent) : button.dataset.copy;
    const said = button.dataset.said ?? button.textContent;
    button.dataset.said = said;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = says.copied;
    } catch {
      button.textContent = says.pressToCopy;
      if (source) getSelection().selectAllChildren(source);
    }
    setTimeout(() => { button.textContent = said; }, 2000);
  }

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function ask(button) {
    const question = make("p", { id: "palio-question", textContent: button.dataset.confirm });
    const no = make("button", { value: "", textContent: says.goBack, autofocus: true });
    const yes = make("button", { value: "yes", className: "danger", textContent: button.dataset.confirmYes ?? button.textContent.trim() });
    const form = make("form", { method: "dialog" }, question, make("div", { className: "actions" }, yes, no));
    const dialog = make("dialog", {}, form);
    dialog.setAttribute("aria-labelledby", "palio-question");
    document.body.append(dialog);
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue !== "yes") return;
      button.dataset.confirmed = "yes";
      button.form.requestSubmit(button);
    });
    dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button?.dataset.confirm) return;
    if (button.dataset.confirmed) {
      delete button.dataset.confirmed;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation(); // keeps htmx from sending it as well
    ask(button);
  }, true);

  const current = document.querySelectorAll(".tabs [aria-current]"); // on a phone, the row of tabs scrolls
  current.forEach((tab) => { // not scrollIntoView, which may also scroll the page
    const row = tab.closest("ul");
    row.scrollLeft += tab.getBoundingClientRect().left - row.getBoundingClientRect().left - (row.clientWidth - tab.offsetWidth) / 2;
  });
  function fade(row) { // the edges behind which there are more tabs
    row.classList.toggle("more-left", row.scrollLeft > 1);
    row.classList.toggle("more-right", row.scrollLeft + row.clientWidth < row.scrollWidth - 1);
  }
  const rows = document.querySelectorAll(".tabs ul");
  rows.forEach((row) => {
    row.addEventListener("scroll", () => fade(row), { passive: true });
    fade(row);
  });
  addEventListener("resize", () => rows.forEach(fade), { passive: true });

  // Searches logs by marking, which changes nothing in them: they may be replaced while they grow.
  function find(input) {
    const words = input.value.toLowerCase();
    const ranges = [];
    for (const log of document.querySelectorAll(input.dataset.find)) {
      const before = ranges.length;
      const texts = document.createTreeWalker(log, NodeFilter.SHOW_TEXT);
      while (words && texts.nextNode() && ranges.length < 10000) {
        const text = texts.currentNode.data.toLowerCase();
        for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
          const range = new Range();
          range.setStart(texts.currentNode, at);
          range.setEnd(texts.currentNode, at + words.length);
          ranges.push(range);
        }
      }
      if (ranges.length > before) log.closest("details").open = true;
    }
    CSS.highlights.set("found", new Highlight(...ranges));
    input.parentElement.querySelector("[role=status]").textContent = words ? says.found.replace("{count}", ranges.length) : "";
    return ranges[0];
  }
  const finder = document.querySelector("input[data-find]");
  if (finder && window.Highlight) {
    finder.parentElement.hidden = false;
    finder.addEventListener("input", () => find(finder)?.startContainer.parentElement.scrollIntoView({ block: "nearest" }));
    document.addEventListener("htmx:afterSettle", () => { if (finder.value) find(finder); });
  }

  if (lang !== "en" && Intl.DisplayNames) { // the server knows the English names of countries
    const regions = new Intl.DisplayNames(lang, { type: "region" });
    for (const each of document.querySelectorAll("[data-region]")) each.textContent = regions.of(each.dataset.region);
  }

  const everything = (root) => root.querySelectorAll("time[datetime]").forEach(addZone);
  everything(document);
  document.addEventListener("htmx:load", (event) => everything(event.target));
})();
